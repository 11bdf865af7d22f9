"""Guess which columns of an unknown file hold the text and the class."""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rnncls import ConfigError, DataError
from rnncls.data.rows import Record, quote_names
from rnncls.text.display import list_names

LABEL_NAMES = (
    "label",
    "labels",
    "class",
    "category",
    "target",
    "sentiment",
    "topic",
    "intent",
    "polarity",
    "tag",
    "genre",
    "classification",
    "type",
    "emotion",
    "stars",
    "rating",
    "score",
    "language",
    "lang",
    "y",
)
"""Common names of a column of classes, the most likely first."""
TEXT_NAMES = (
    "text",
    "title",
    "description",
    "sentence",
    "review",
    "reviewtext",
    "review_text",
    "content",
    "body",
    "message",
    "comment",
    "comment_text",
    "tweet",
    "question",
    "headline",
    "document",
    "abstract",
    "utterance",
    "query",
    "sms",
    "subject",
    "post",
    "article",
)
"""Common names of a column of texts."""
_MAX_LABEL_CHARACTERS = 60
"""The largest mean length of a class's name."""
_MIN_ROWS_PER_CLASS = 2
_FEW_ROWS = 30
"""Below this, it is enough if two rows share a class."""
_MIN_WORDS_PER_TEXT = 3
_MAX_OTHER_CLASSES = 50
"""A column with more distinct values, such as dates, is not offered as the class."""


def guess_columns(
    records: Sequence[Record],
    source: str,
    text: Sequence[str] = (),
    label: str | None = None,
) -> tuple[list[str], str]:
    """Return the columns of the text and the column of the class.

    A column of classes has few distinct, short values; a column of texts has words.
    Common names of such columns come first.

    Args:
        records: Rows of the file.
        source: The name of the file, for errors.
        text: The columns of the text; empty: guess them.
        label: The column of the class; None: guess it.

    Raises:
        DataError: There are no rows, no column looks like a class, or none like a text.
        ConfigError: A column that was given does not exist.
    """
    columns = _collect_columns(records)
    if not columns:
        raise DataError(
            f"{source}: has a header but no rows: expected one labelled text per row"
        )
    given = [*text, label] if label else list(text)
    for name in given:
        if name not in columns:
            raise ConfigError(
                f"{source}: no column '{name}': it has {quote_names(columns)}"
            )
    if not label:
        label = _guess_label(columns, source, text)
    texts = list(text)
    if not texts:
        others = {name: values for name, values in columns.items() if name != label}
        texts = _guess_texts(others)
    if not texts and len(columns) == 1:
        raise DataError(
            f"{source}: has only the column {quote_names(columns)}: expected a text and"
            " a class"
        )
    if not texts:
        raise DataError(
            f"{source}: no column looks like a text beside the class '{label}':"
            f" name it with rnncls init --text; it has {quote_names(columns)}"
        )
    return texts, label


def is_common_name(name: str) -> bool:
    """Return whether a column of texts or classes is often called so."""
    return rank(name, LABEL_NAMES) < len(LABEL_NAMES) or _is_text_name(name)


def _is_text_name(name: str) -> bool:
    return rank(name, TEXT_NAMES) < len(TEXT_NAMES)


def rank(name: str, common_names: Sequence[str]) -> int:
    """Return the position of a name among common names, or their number."""
    name = name.strip().lower()
    if name in common_names:
        return common_names.index(name)
    return len(common_names)


def _collect_columns(records: Sequence[Record]) -> dict[str, list[str]]:
    """Return the stripped values of each column that has a name."""
    records = [record for record in records if any(map(str.strip, record.values()))]
    first: Record = records[0] if records else {}
    return {
        name: [record.get(name, "").strip() for record in records]
        for name in first
        if name.strip()
    }


_DATE = re.compile(
    r"(\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.]\d{4})([T ]|$)"
    r"|\d{1,2}:\d{2}(:\d{2})?$"
)
"""The start of a date, with or without a time, or a time of the day."""


class _LabelCandidate(NamedTuple):
    """A column that may hold the class; the smallest is the most likely.

    Attributes:
        name_rank: The position of its name among the common names.
        is_number: Whether all values are numbers.
        num_distinct: The number of distinct values.
        num_characters: The length of all values together.
        name: The column's name.
    """

    name_rank: int
    is_number: bool
    num_distinct: int
    num_characters: int
    name: str


def describe_guess(records: Sequence[Record], text: Sequence[str], label: str) -> str:
    """Return which other columns may be the class; empty if there are none."""
    candidates = _list_candidates(_collect_columns(records), [*text, label])
    names = [
        candidate.name
        for candidate in sorted(candidates)
        if candidate.num_distinct <= _MAX_OTHER_CLASSES
    ]
    if not names and is_common_name(label):
        return ""
    if not names:
        return (
            f"class: guessed '{label}', from its values: if it is another column,"
            " choose it with --label COLUMN"
        )
    others = list_names(names)
    return (
        f"class: guessed '{label}'; it could also be {others}: choose with --label"
        " COLUMN"
    )


def _list_candidates(
    columns: Mapping[str, list[str]], text: Sequence[str]
) -> list[_LabelCandidate]:
    """Return the columns that may be the class, without those of the text."""
    candidates = []
    for name, values in columns.items():
        if name not in text and may_be_label(name, values):
            candidate = _LabelCandidate(
                rank(name, LABEL_NAMES),
                all(map(is_number, values)),
                len(set(values)),
                sum(map(len, values)),
                name,
            )
            candidates.append(candidate)
    return candidates


def _guess_label(
    columns: Mapping[str, list[str]], source: str, text: Sequence[str]
) -> str:
    candidates = _list_candidates(columns, text)
    if not candidates:
        raise DataError(
            f"{source}: no column looks like a class, with few distinct values:"
            f" name it with rnncls init --label; it has {quote_names(columns)}"
        )
    return min(candidates).name


def may_be_label(name: str, values: Sequence[str]) -> bool:
    """Return whether values are short, few of them distinct, and none missing.

    In a column with a common name, missing values are accepted here: the reader will
    name the row.
    """
    is_named = rank(name, LABEL_NAMES) < len(LABEL_NAMES)
    if "" in values and not is_named:
        return False
    if _are_dates(values):
        return False
    num_distinct = len(set(values))
    max_distinct = len(values) / _MIN_ROWS_PER_CLASS
    if len(values) < _FEW_ROWS:
        max_distinct = len(values) if is_named else len(values) - 1
    if not 2 <= num_distinct <= max_distinct:
        return False
    return sum(map(len, values)) <= _MAX_LABEL_CHARACTERS * len(values)


def _are_dates(values: Sequence[str]) -> bool:
    """Return whether all values are dates or times, which are never classes."""
    filled = [value for value in values if value]
    return bool(filled) and all(_DATE.match(value) for value in filled)


def _guess_texts(columns: Mapping[str, list[str]]) -> list[str]:
    """Return columns with a common name, else those with words, else the longest.

    A column of numbers is never a text.
    """
    filled = {
        name: [value for value in values if value] for name, values in columns.items()
    }
    named = [name for name, values in filled.items() if values and _is_text_name(name)]
    if named:
        return named
    wordy = [name for name, values in filled.items() if _has_words(values)]
    if wordy:
        return wordy
    not_numbers = [
        name for name, values in filled.items() if not all(map(is_number, values))
    ]
    by_length = sorted(not_numbers, key=lambda name: -sum(map(len, filled[name])))
    return by_length[:1]


def is_number(text: str) -> bool:
    """Return whether a value is a number, as those of an index or a measurement."""
    try:
        float(text)
    except ValueError:
        return False
    return True


def _has_words(values: Sequence[str]) -> bool:
    """Return whether values have several words each, and most are distinct."""
    if not values:
        return False
    num_words = sum(len(value.split()) for value in values)
    is_distinct = 2 * len(set(values)) > len(values)
    return is_distinct and num_words >= _MIN_WORDS_PER_TEXT * len(values)
