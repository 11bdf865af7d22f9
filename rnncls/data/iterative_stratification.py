"""Iterative stratification: a sample of rows with several labels each.

Source: Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of multi-label
data". The rarest label is distributed first, so that its rows are on both sides. Rows
of labels that are too rare for their share would all go to the larger side: such a
sample is corrected (see `rnncls.data.sample_correction`).

Shapes: N rows, U units (a row, or all copies of a text), C labels.
"""

import numpy as np
import numpy.typing as npt

from rnncls.data.sample_correction import correct_sample
from rnncls.data.sampling_units import SamplingUnits, group_units

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def sample_label_sets(
    labels: Bools,
    fraction: float,
    generator: np.random.Generator,
    text_ids: Ints | None = None,
) -> Ints:
    """Return about `fraction` of the rows of each label, sorted.

    All copies of a text are sampled together. Each label keeps a row outside of the
    sample. A label with several rows has one in the sample as well, unless the sample
    would be more than 5% too large.

    Args:
        labels: [N, C] bool.
        fraction: The share of the rows to sample, below 1.
        generator: Draws the order of the rows.
        text_ids: [N] int64, the same number for copies of a text.
    """
    if text_ids is None:
        text_ids = np.arange(len(labels))
    units = group_units(labels, text_ids)
    order = generator.permutation(len(units.sizes))
    dealer = _Dealer(units, labels.sum(axis=0, dtype=np.int64), fraction)
    dealer.deal(order)
    is_sampled = correct_sample(units, dealer.is_sampled, order, fraction)
    sampled: Ints = np.flatnonzero(is_sampled[units.of_rows])
    return sampled


class _Dealer:
    """Assigns each unit to the sample or to the rest.

    Attributes:
        is_sampled: [U] bool.
        wanted_of_label: For the rest and the sample, how many more rows of each label
            they should get.
        wanted: How many more rows they should get.
    """

    def __init__(self, units: SamplingUnits, totals: Ints, fraction: float) -> None:
        """Start without assigned units.

        Args:
            units: The units.
            totals: [C] int64, the number of rows of each label.
            fraction: The share of the rows to sample.
        """
        num_units = len(units.sizes)
        self.is_sampled = np.zeros(num_units, dtype=np.bool_)
        self._is_assigned = np.zeros(num_units, dtype=np.bool_)
        self._units = units
        shares = (1 - fraction, fraction)
        self.wanted_of_label = [(totals * share).tolist() for share in shares]
        self.wanted = [float(units.sizes.sum()) * share for share in shares]
        self._num_left = totals.copy()

    def deal(self, order: Ints) -> None:
        """Assign all units: those of the rarest label first, those without one last.

        Args:
            order: [U] int64, the units in random order.
        """
        units_of_label = self._units.list_by_label(order)
        for _ in units_of_label:
            is_left = self._num_left > 0  # [C]
            if not is_left.any():
                break
            large = np.iinfo(np.int64).max
            label = int(np.where(is_left, self._num_left, large).argmin())
            for unit in units_of_label[label].tolist():
                if not self._is_assigned[unit]:
                    self._assign(unit, self._choose(label))
        for unit in order[~self._is_assigned[order]].tolist():
            self._assign(unit, int(self.wanted[1] > self.wanted[0]))

    def _choose(self, label: int) -> int:
        """Return 1 if the sample needs a row with this label more than the rest."""
        rest, sample = (wanted[label] for wanted in self.wanted_of_label)
        if rest == sample:
            return int(self.wanted[1] > self.wanted[0])
        return int(sample > rest)

    def _assign(self, unit: int, side: int) -> None:
        self._is_assigned[unit] = True
        self.is_sampled[unit] = bool(side)
        self.wanted[side] -= float(self._units.sizes[unit])
        labels, counts = self._units.labels_of(unit)
        self._num_left[labels] -= counts
        wanted = self.wanted_of_label[side]
        for label, count in zip(labels.tolist(), counts.tolist(), strict=True):
            wanted[label] -= count
