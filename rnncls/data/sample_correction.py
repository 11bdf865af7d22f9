"""Corrects a sample of rows with several labels whose labels are mostly rare.

Iterative stratification gives each label its share, so that all rows of a label with
few rows go to the larger side: with many such labels, the smaller side gets too few
rows. Here single units are moved until the sample has the size that was asked for and
as many labels as possible are on both sides. A sample of frequent labels stays as it
is.

Shapes: N rows, U units (see `rnncls.data.sampling_units`), C labels.
"""

from collections.abc import Sequence

import numpy as np

from rnncls.data.sampling_units import Bools, Ints, SamplingUnits

_MAX_EXCESS = 0.05
"""How much larger the sample may become than asked for, to have more labels."""
_MAX_DEVIATION = 0.1
"""From this deviation of the size on, units are moved for the size alone. Frequent
labels may lose this share of their sampled units to rare ones."""


def correct_sample(
    units: SamplingUnits, is_sampled: Bools, order: Ints, fraction: float
) -> Bools:
    """Return the corrected sample. [U] bool.

    Args:
        units: The units.
        is_sampled: [U] bool, the sample.
        order: [U] int64, the units in random order.
        fraction: The share of the rows that the sample should have.
    """
    correction = _Correction(units, is_sampled, fraction)
    units_of_label = units.list_by_label(order)
    correction.return_labels(units_of_label)
    correction.add_labels(units_of_label, order.tolist())
    correction.restore_size(order.tolist())
    return correction.is_sampled


class _Correction:
    """Moves units between the sample and the rest.

    Attributes:
        is_sampled: [U] bool, the sample so far.
    """

    def __init__(
        self, units: SamplingUnits, is_sampled: Bools, fraction: float
    ) -> None:
        self.is_sampled = is_sampled.copy()
        self._units = units
        every = np.ones_like(is_sampled)
        self._num_units = units.count_by_label(every)  # [C]
        self._num_sampled = units.count_by_label(is_sampled)  # [C]
        self._num_rows = int(units.sizes[is_sampled].sum())
        self._fraction = fraction
        self._wanted = fraction * float(units.sizes.sum())

    def return_labels(self, units_of_label: Sequence[Ints]) -> None:
        """Return a unit to the rest for each label of which all units are sampled."""
        for label in np.flatnonzero(self._num_units).tolist():
            if self._num_sampled[label] == self._num_units[label]:
                self._move(int(units_of_label[label][0]))

    def add_labels(self, units_of_label: Sequence[Ints], order: Sequence[int]) -> None:
        """Sample a unit of each label that has several and none in the sample.

        When the sample is large enough, units of frequent labels make room.
        """
        limit = max(round(self._wanted), (1 + _MAX_EXCESS) * self._wanted)
        is_missing = (self._num_units > 1) & (self._num_sampled == 0)
        missing = np.flatnonzero(is_missing)
        rarest_first = missing[np.argsort(self._num_units[missing], kind="stable")]
        replaceable = (unit for unit in order if self._is_replaceable(unit))
        for label in rarest_first.tolist():
            if self._num_sampled[label]:  # it came with another label
                continue
            candidates = filter(self._leaves_labels, units_of_label[label].tolist())
            unit = min(candidates, key=self._rank, default=None)
            if unit is None:
                continue
            while not self._has_room(unit, limit):
                replaced = next(replaceable, None)
                if replaced is None:
                    return
                self._move(replaced)
            self._move(unit)

    def _is_replaceable(self, unit: int) -> bool:
        """Return whether each label of a sampled unit nearly keeps its share."""
        labels, _ = self._units.labels_of(unit)
        if not self.is_sampled[unit] or not len(labels):
            return False
        least = (1 - _MAX_DEVIATION) * self._fraction * self._num_units[labels]
        return bool((self._num_sampled[labels] - 1 >= least).all())

    def _rank(self, unit: int) -> tuple[int, int]:
        """Return what is smaller for a unit that is better to sample."""
        labels, _ = self._units.labels_of(unit)
        num_missing = int((self._num_sampled[labels] == 0).sum())
        return int(self._units.sizes[unit]), -num_missing

    def restore_size(self, order: Sequence[int]) -> None:
        """Move units until the sample has the wanted size, if it deviates from it."""
        max_deviation = max(_MAX_DEVIATION * self._wanted, 1)
        if self._num_rows < self._wanted - max_deviation:
            self._fill(order)
        elif self._num_rows > self._wanted + max_deviation:
            self._shrink(order)

    def _fill(self, order: Sequence[int]) -> None:
        limit = max(round(self._wanted), (1 + _MAX_EXCESS) * self._wanted)
        for unit in order:
            if self._num_rows >= round(self._wanted):
                return
            is_free = not self.is_sampled[unit] and self._leaves_labels(unit)
            if is_free and self._has_room(unit, limit):
                self._move(unit)

    def _shrink(self, order: Sequence[int]) -> None:
        """Return units to the rest, at first those whose labels stay in the sample."""
        limits = (round(self._wanted), (1 + _MAX_EXCESS) * self._wanted)
        for keeps_labels, limit in zip((True, False), limits, strict=True):
            for unit in order:
                if self._num_rows <= limit:
                    break
                is_free = self.is_sampled[unit] and self._can_return(unit)
                if is_free and (not keeps_labels or self._stays_in_sample(unit)):
                    self._move(unit)

    def _leaves_labels(self, unit: int) -> bool:
        """Return whether the labels of a unit that is sampled stay in the rest."""
        labels, _ = self._units.labels_of(unit)
        num_left = self._num_units[labels] - self._num_sampled[labels]
        return bool((num_left > 1).all())

    def _stays_in_sample(self, unit: int) -> bool:
        """Return whether the labels of a unit that is returned stay in the sample."""
        labels, _ = self._units.labels_of(unit)
        return bool((self._num_sampled[labels] > 1).all())

    def _can_return(self, unit: int) -> bool:
        """Return whether the sample does not become much too small without a unit."""
        num_rows = self._num_rows - int(self._units.sizes[unit])
        return num_rows >= (1 - _MAX_EXCESS) * round(self._wanted)

    def _has_room(self, unit: int, limit: float) -> bool:
        return self._num_rows + int(self._units.sizes[unit]) <= limit

    def _move(self, unit: int) -> None:
        """Move a unit to the other side."""
        sign = -1 if self.is_sampled[unit] else 1
        self.is_sampled[unit] = sign > 0
        self._num_rows += sign * int(self._units.sizes[unit])
        labels, _ = self._units.labels_of(unit)
        self._num_sampled[labels] += sign
