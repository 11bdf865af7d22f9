"""Problems of data: copies, conflicting labels, empty texts, odd characters."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls.data.all_rows import AllRows, Row, SplitRows, count_all_labels
from rnncls.data.label_names import (
    describe_look_alikes,
    find_look_alikes,
    note_look_alikes,
)
from rnncls.data.odd_characters import ODD_CHARACTERS
from rnncls.data.splits import Split
from rnncls.text.display import format_count

NUM_EXAMPLES = 3
_IMBALANCE = 3
"""From this ratio of class sizes on, the classes are imbalanced."""
_SPLIT_NAMES: dict[Split, str] = {
    "train": "training",
    "valid": "validation",
    "test": "test",
}


_SPLIT_BY_TEXT = (
    "set data.split: texts, which keeps all copies of a text in one split, or scores on"
    " these rows will be too good"
)

_COPIES_ARE_TOGETHER = (
    "none needed: data.split: texts keeps all copies of a text in one part; each copy"
    " counts again in training and in scores"
)

_KEEP_ONE_VERSION = (
    "look at them: if they are versions of one text, keep one in the file, or scores on"
    " these rows will be too good"
)


@dataclass(frozen=True)
class Finding:
    """A possible problem of the data.

    Attributes:
        kind: An identifier for programs.
        what: A description that follows the count.
        count: How many rows it concerns.
        total: Of how many rows.
        groups: All rows that it concerns; rows that belong together are a group.
        advice: What to do.
        max_example_rows: How many rows of a group an example has at most; None: all.
    """

    kind: str
    what: str
    count: int
    total: int
    groups: list[list[Row]]
    advice: str
    max_example_rows: int | None = None

    @property
    def examples(self) -> list[list[Row]]:
        """The first groups, or the first rows of each."""
        return [group[: self.max_example_rows] for group in self.groups[:NUM_EXAMPLES]]

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as JSON values: texts in the examples only."""
        return {
            "kind": self.kind,
            "what": self.what,
            "count": self.count,
            "total": self.total,
            "examples": [[asdict(row) for row in group] for group in self.examples],
            "advice": self.advice,
            "rows": [[row.place() for row in group] for group in self.groups],
        }


def find_all(
    rows: AllRows, *, is_split_by_text: bool = False, monitor: str = "accuracy"
) -> list[Finding]:
    """Return all findings, those that make scores wrong first.

    Args:
        rows: The rows of all splits.
        is_split_by_text: Whether `data.split` is `texts`; advice depends on it.
        monitor: The value of `train.monitor`; advice depends on it.
    """
    findings = [
        *_find_shared(rows, is_split_by_text=is_split_by_text),
        _find_conflicts(rows),
        *_find_look_alikes(rows),
        _find_imbalance(rows, monitor),
        *_find_unknown_classes(rows),
        *_find_repeats(rows, is_split_by_text=is_split_by_text),
        *_find_empty(rows),
        *_find_odd_characters(rows),
        _find_fasttext_labels(rows),
    ]
    return [finding for finding in findings if finding.count]


def _find_shared(rows: AllRows, *, is_split_by_text: bool) -> Iterator[Finding]:
    """Find texts that occur in two splits."""
    for later in range(1, len(rows.splits)):
        for earlier in range(later):
            groups, earlier_groups = rows.groups_of(later), rows.groups_of(earlier)
            is_same = np.isin(groups, earlier_groups)
            is_in_earlier = np.isin(rows.near_pairs[:, 1], earlier_groups)
            near_pairs = rows.near_pairs[is_in_earlier]
            is_near = np.isin(groups, near_pairs[:, 0]) & ~is_same
            same_partners = {group: group for group in groups[is_same].tolist()}
            same = _shared_finding(rows, later, earlier, is_same, same_partners)
            is_one_file = rows.splits[later].path == rows.splits[earlier].path
            near = _shared_finding(
                rows, later, earlier, is_near, dict(near_pairs.tolist()), is_near=True
            )
            if is_one_file and not is_split_by_text:
                same = replace(same, advice=_SPLIT_BY_TEXT)
            if is_one_file:
                near = replace(near, advice=_KEEP_ONE_VERSION)
            yield from (same, near)


def _shared_finding(
    rows: AllRows,
    later: int,
    earlier: int,
    is_shared: npt.NDArray[np.bool_],
    partners: dict[int, int],
    *,
    is_near: bool = False,
) -> Finding:
    """Return the finding about rows of one split that share their text with another.

    Args:
        rows: The rows of all splits.
        later: The index of the split whose rows are counted.
        earlier: The index of the other split.
        is_shared: Which rows of the later split to count.
        partners: The group in the earlier split, by the group in the later one.
        is_near: Whether the texts are only nearly the same.
    """
    split, other = rows.splits[later].split, rows.splits[earlier].split
    name, other_name = _SPLIT_NAMES[split], _SPLIT_NAMES[other]
    kind, what = "same", f"{name} rows also occur in the {other_name} rows"
    if is_near:
        kind, what = "near", f"{name} rows are nearly the same as a {other_name} row"
    groups = rows.groups_of(later)
    found = []
    for index in np.flatnonzero(is_shared).tolist():
        partner = rows.first_row_of(earlier, partners[int(groups[index])])
        found.append([rows.splits[later].row(index), partner])
    return Finding(
        f"{kind}_{split}_{other}",
        what,
        int(is_shared.sum()),
        len(is_shared),
        found,
        f"remove them from the {other_name} rows, or scores on the {name} rows will be"
        " too good",
    )


def _find_conflicts(rows: AllRows) -> Finding:
    """Find texts with several labels."""
    labels = [label for split in rows.splits for label in split.labels]
    pairs = set(zip(rows.groups.tolist(), labels, strict=True))
    num_labels = Counter(group for group, _ in pairs)
    groups = sorted(group for group, count in num_labels.items() if count > 1)
    indices = np.flatnonzero(np.isin(rows.groups, groups))
    rows_of_group: dict[int, list[int]] = {group: [] for group in groups}
    for index in indices.tolist():
        rows_of_group[int(rows.groups[index])].append(index)
    found = []
    for members in rows_of_group.values():
        # The first row of each label comes first: it is shown as an example.
        first_with_label: dict[str, int] = {}
        for index in members:
            first_with_label.setdefault(labels[index], index)
        others = sorted(set(members) - set(first_with_label.values()))
        found.append([rows.row(index) for index in first_with_label.values()])
        found[-1] += [rows.row(index) for index in others]
    return Finding(
        "conflicting_labels",
        "rows have the same text as another row, but a different class"
        f" ({format_count(len(groups), 'text')})",
        len(indices),
        len(labels),
        found,
        "decide on one class for each text: no model can learn both",
    )


def note_classes(splits: Sequence[SplitRows]) -> list[str]:
    """Return the note on classes that look alike in any split, as `rnncls init` has it.

    Args:
        splits: The rows of all splits.
    """
    return note_look_alikes(count_all_labels(splits))


def _find_look_alikes(rows: AllRows) -> Iterator[Finding]:
    """Find classes whose names differ in case, form or one letter, in any split."""
    for group in find_look_alikes(count_all_labels(rows.splits)):
        described = describe_look_alikes([group])
        rows_of_name = rows.group_by_label(group.names)
        yield Finding(
            "similar_classes",
            f"rows are of classes that look alike: {described}",
            sum(map(len, rows_of_name)),
            len(rows.groups),
            rows_of_name,
            "give them one name if they are one class: each name is a class of its own",
            max_example_rows=1,
        )


def _find_fasttext_labels(rows: AllRows) -> Finding:
    """Find texts with labels in the form of fastText."""
    found = [index for index, text in _iter_texts(rows) if "__label__" in text]
    return _row_finding(
        rows,
        "label_in_text",
        "rows have a fastText label (__label__…) in their text",
        found,
        "remove it from the text: the label must not be read as a word",
    )


def find_cleaned(
    rows: AllRows, clean: Callable[[str], str], *, is_html_only: bool
) -> Finding:
    """Find texts that `text.clean` changes; for `html`, `is_html_only` is true."""
    changed = [index for index, text in _iter_texts(rows) if clean(text) != text]
    advice = (
        "if it removes what is not HTML, set text.clean to html (known tags and"
        " entities only) or false"
    )
    if is_html_only:
        advice = (
            "nothing to do if these are HTML; if real text disappears, set"
            " text.clean: false"
        )
    return _row_finding(
        rows,
        "cleaned",
        "rows have a text that text.clean changes",
        changed,
        advice,
    )


def _find_imbalance(rows: AllRows, monitor: str) -> Finding:
    """Find training classes of very different sizes."""
    advice = "compare macro-F1: accuracy hides a class that is never predicted"
    if monitor != "macro_f1":
        advice = f"set train.monitor: macro_f1, and {advice}"
    train = rows.splits[0]
    counts = Counter(train.all_labels).most_common() or [("", 1)]
    (largest, most), (smallest, fewest) = counts[0], counts[-1]
    return Finding(
        "imbalance",
        f"training rows have the class '{largest}', {most / fewest:.1f} times as many"
        f" as '{smallest}' ({fewest:,})",
        most if most >= _IMBALANCE * fewest else 0,
        len(train.texts),
        [],
        advice,
    )


def _find_unknown_classes(rows: AllRows) -> Iterator[Finding]:
    """Find rows with a class that no training row has."""
    known = set(rows.splits[0].all_labels)
    for split in rows.splits[1:]:
        unknown = [
            index
            for index, labels in enumerate(split.labels_of_rows)
            if not known.issuperset(labels)
        ]
        yield Finding(
            f"unknown_class_{split.split}",
            f"{_SPLIT_NAMES[split.split]} rows have a class that no training row has",
            len(unknown),
            len(split.texts),
            [[split.row(index)] for index in unknown],
            "correct the label, or add training rows of that class: rnncls eval rejects"
            " the file as it is",
        )


def _find_repeats(rows: AllRows, *, is_split_by_text: bool) -> Iterator[Finding]:
    """Find texts that occur in a split more than once."""
    for index in range(len(rows.splits)):
        same = _find_same_within(rows, index)
        if is_split_by_text:
            same = replace(same, advice=_COPIES_ARE_TOGETHER)
        yield same
        yield _find_near_within(rows, index)


def _find_same_within(rows: AllRows, split_index: int) -> Finding:
    split, groups = rows.splits[split_index], rows.groups_of(split_index)
    _, first_indices = np.unique(groups, return_index=True)
    repeats = np.setdiff1d(np.arange(len(groups)), first_indices)
    found = []
    for index in repeats.tolist():
        first = rows.first_row_of(split_index, int(groups[index]))
        found.append([first, split.row(index)])
    return Finding(
        f"same_{split.split}",
        f"{_SPLIT_NAMES[split.split]} rows have the same text as an earlier row",
        len(repeats),
        len(groups),
        found,
        "delete the copies, unless real messages are repeated too: each copy counts"
        " again in training and in scores",
    )


def _find_near_within(rows: AllRows, split_index: int) -> Finding:
    split, groups = rows.splits[split_index], rows.groups_of(split_index)
    is_inside = np.isin(rows.near_pairs, groups).all(axis=1)
    near_pairs = rows.near_pairs[is_inside]
    indices = np.flatnonzero(np.isin(groups, near_pairs[:, 0]))
    partners: dict[int, int] = dict(near_pairs.tolist())
    found: list[list[Row]] = []
    for index in indices.tolist():
        group = int(groups[index])
        is_shown_already = partners[group] <= group  # as the partner of another
        if not is_shown_already:
            partner = rows.first_row_of(split_index, partners[group])
            found.append([split.row(index), partner])
    return Finding(
        f"near_{split.split}",
        f"{_SPLIT_NAMES[split.split]} rows are nearly the same as another row",
        len(indices),
        len(groups),
        found,
        "look at them: templates and corrected versions are easily memorised",
    )


def _find_empty(rows: AllRows) -> Iterator[Finding]:
    """Find texts without any character, and texts without any token."""
    empty = [index for index, text in _iter_texts(rows) if not text.strip()]
    yield _row_finding(
        rows,
        "empty",
        "rows have an empty text",
        empty,
        "remove them, or name more columns in data.text: the model reads each as one"
        " unknown word",
    )
    wordless = np.setdiff1d(np.flatnonzero(rows.is_wordless), empty).tolist()
    yield _row_finding(
        rows,
        "no_token",
        "rows have no token although their text is not empty",
        wordless,
        "look at them, and at text.clean and text.tokenizer: the model reads each as"
        " one unknown word",
    )


def _find_odd_characters(rows: AllRows) -> Iterator[Finding]:
    for odd in ODD_CHARACTERS:
        pattern = re.compile(odd.pattern)
        indices = [index for index, text in _iter_texts(rows) if pattern.search(text)]
        yield _row_finding(rows, odd.kind, f"rows have {odd.name}", indices, odd.advice)


def _row_finding(
    rows: AllRows, kind: str, what: str, indices: list[int], advice: str
) -> Finding:
    """Return a finding about single rows of all splits."""
    found = [[rows.row(index)] for index in indices]
    return Finding(kind, what, len(indices), len(rows.groups), found, advice)


def _iter_texts(rows: AllRows) -> Iterable[tuple[int, str]]:
    """Yield the index and the text of each of the N rows."""
    return enumerate(text for split in rows.splits for text in split.texts)
