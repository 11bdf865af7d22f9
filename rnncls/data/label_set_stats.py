"""Statistics of several labels a text, for `rnncls inspect`.

Shapes: N rows, C labels.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy.typing as npt

from rnncls.text.display import list_names

_PAIRS_SHOWN = 10


@dataclass(frozen=True)
class LabelSetStats:
    """How many labels texts have, and which go together.

    Attributes:
        num_labels: Number of labels of a text → number of texts, in ascending order.
        pairs: The most frequent pairs of labels of one text, with their texts.
        single: The labels that one text has.
    """

    num_labels: dict[int, int]
    pairs: list[tuple[str, str, int]]
    single: list[str]

    def describe(self, num_rows: int) -> list[str]:
        """Return the statistics as lines.

        Args:
            num_rows: N.
        """
        mean = sum(size * count for size, count in self.num_labels.items()) / num_rows
        counts = [f"{count:,} have {size}" for size, count in self.num_labels.items()]
        without = self.num_labels.get(0, 0)
        lines = [
            f"labels a training text: {mean:.2f} on average; {', '.join(counts)}",
            f"training rows without a label: {without:,}",
        ]
        if self.pairs:
            pairs = [f"{one} and {two} ({num:,})" for one, two, num in self.pairs]
            lines.append(f"labels that often go together: {', '.join(pairs)}")
        if self.single:
            names = list_names(self.single)
            lines.append(f"labels that one training row has: {names}")
        return lines


def list_label_sets(
    labels: npt.NDArray[Any], label_names: Sequence[str]
) -> list[list[str]]:
    """Return the names of the labels of each row.

    Args:
        labels: [N, C] bool.
        label_names: The C labels.
    """
    sets: list[list[str]] = [[] for _ in labels]
    rows, columns = labels.nonzero()
    for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
        sets[row].append(label_names[column])
    return sets


def measure_label_sets(label_sets: Sequence[Sequence[str]]) -> LabelSetStats:
    """Return the statistics of the labels of rows."""
    sizes = Counter(map(len, label_sets))
    counts = Counter(label for labels in label_sets for label in labels)
    pairs: Counter[tuple[str, str]] = Counter()
    for labels in label_sets:
        pairs.update(combinations(sorted(labels), 2))
    common = [(one, two, num) for (one, two), num in pairs.most_common(_PAIRS_SHOWN)]
    single = sorted(label for label, count in counts.items() if count == 1)
    return LabelSetStats(dict(sorted(sizes.items())), common, single)
