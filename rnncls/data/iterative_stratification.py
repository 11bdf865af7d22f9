"""Iterative stratification: a sample of rows with several labels each.

Source: Sechidis, Tsoumakas and Vlahavas 2011, "On the stratification of multi-label
data". The rarest label is distributed first, so that its rows are on both sides.

Shapes: N rows, U units (a row, or all copies of a text), C labels.
"""

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


def sample_label_sets(
    labels: Bools,
    fraction: float,
    generator: np.random.Generator,
    text_ids: Ints | None = None,
) -> Ints:
    """Return about `fraction` of the rows of each label, sorted.

    All copies of a text are sampled together. A label with few rows keeps at least half
    of them outside of the sample.

    Args:
        labels: [N, C] bool.
        fraction: The share of the rows to sample, below 1.
        generator: Draws the order of the rows.
        text_ids: [N] int64, the same number for copies of a text.
    """
    num_rows = len(labels)
    if text_ids is None:
        text_ids = np.arange(num_rows)
    _, unit_of_row, sizes = np.unique(
        text_ids, return_inverse=True, return_counts=True
    )  # [N], [U]
    counts = np.zeros((len(sizes), labels.shape[1]), dtype=np.int64)  # [U, C]
    np.add.at(counts, unit_of_row, labels)
    dealer = _Dealer(counts, sizes, fraction)
    dealer.deal(generator.permutation(len(sizes)))
    sampled: Ints = np.flatnonzero(dealer.is_sampled[unit_of_row])
    return sampled


class _Dealer:
    """Assigns each unit to the sample or to the rest.

    Attributes:
        is_sampled: [U] bool.
        wanted_of_label: For the rest and the sample, how many more rows of each label
            they should get.
        wanted: How many more rows they should get.
    """

    def __init__(self, counts: Ints, sizes: Ints, fraction: float) -> None:
        self.is_sampled = np.zeros(len(sizes), dtype=np.bool_)
        self._is_assigned = np.zeros(len(sizes), dtype=np.bool_)
        self._counts = counts
        self._sizes = sizes
        totals = counts.sum(axis=0)  # [C]
        shares = (1 - fraction, fraction)
        self.wanted_of_label = [(totals * share).tolist() for share in shares]
        self.wanted = [float(sizes.sum()) * share for share in shares]
        self._num_left = totals.copy()

    def deal(self, order: Ints) -> None:
        """Assign all units: those of the rarest label first, those without one last."""
        ordered_counts = self._counts[order]  # [U, C]
        for _ in range(self._counts.shape[1]):
            is_left = self._num_left > 0  # [C]
            if not is_left.any():
                break
            large = np.iinfo(np.int64).max
            label = int(np.where(is_left, self._num_left, large).argmin())
            has_label = ordered_counts[:, label] > 0  # [U]
            for unit in order[has_label].tolist():
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
        self.wanted[side] -= float(self._sizes[unit])
        counts = self._counts[unit]
        self._num_left -= counts
        wanted = self.wanted_of_label[side]
        for label in np.flatnonzero(counts).tolist():
            wanted[label] -= int(counts[label])
