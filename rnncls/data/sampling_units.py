"""What is drawn together in a split of rows with several labels: all copies of a text.

Shapes: N rows, U units, C labels, P pairs of a unit and one of its labels.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SamplingUnits:
    """Rows that are drawn together, and their labels.

    With 1,000 labels a matrix of all units would be large, and nearly all of it 0.

    Attributes:
        of_rows: [N] int64, the unit of each row.
        sizes: [U] int64, the number of rows of each unit.
        num_labels: C.
        pair_units: [P] int64, the unit of each pair, in ascending order.
        pair_labels: [P] int64, the label of each pair.
        pair_counts: [P] int64, how many rows of the unit have the label.
        starts: [U + 1] int64, the index of the first pair of each unit, and P.
    """

    of_rows: Ints
    sizes: Ints
    num_labels: int
    pair_units: Ints
    pair_labels: Ints
    pair_counts: Ints
    starts: Ints

    def labels_of(self, unit: int) -> tuple[Ints, Ints]:
        """Return the labels of a unit, and how many of its rows have each of them."""
        pairs = slice(self.starts[unit], self.starts[unit + 1])
        return self.pair_labels[pairs], self.pair_counts[pairs]

    def list_by_label(self, order: Ints) -> list[Ints]:
        """Return the units of each of the C labels, in an order.

        Args:
            order: [U] int64, all units.
        """
        rank = np.empty(len(order), dtype=np.int64)  # [U]
        rank[order] = np.arange(len(order))
        by_label = np.lexsort((rank[self.pair_units], self.pair_labels))  # [P]
        sorted_labels = self.pair_labels[by_label]
        ends = np.searchsorted(sorted_labels, np.arange(1, self.num_labels))
        return np.split(self.pair_units[by_label], ends) if self.num_labels else []

    def count_by_label(self, is_counted: Bools) -> Ints:
        """Return how many of some units have each label. [C] int64.

        Args:
            is_counted: [U] bool, which units count.
        """
        labels = self.pair_labels[is_counted[self.pair_units]]
        return np.bincount(labels, minlength=self.num_labels)


def group_units(labels: Bools, text_ids: Ints) -> SamplingUnits:
    """Group rows by their text.

    Args:
        labels: [N, C] bool.
        text_ids: [N] int64, the same number for copies of a text.
    """
    _, of_rows, sizes = np.unique(text_ids, return_inverse=True, return_counts=True)
    num_labels = labels.shape[1]
    rows, columns = labels.nonzero()
    # Each pair of a unit and a label as one number.
    numbers = of_rows[rows] * max(num_labels, 1) + columns
    pairs, counts = np.unique(numbers, return_counts=True)  # [P]
    pair_units, pair_labels = np.divmod(pairs, max(num_labels, 1))
    starts = np.searchsorted(pair_units, np.arange(len(sizes) + 1))
    return SamplingUnits(
        of_rows, sizes, num_labels, pair_units, pair_labels, counts, starts
    )
