"""Texts from Python: collections of strings are accepted, all else is refused."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from rnncls.inference.texts import check_texts

TEXTS = ["invoice two", "login fails"]


class Series:
    """Stands for a pandas Series: iterates over its values, whatever its index."""

    index = (5, 9)

    def __iter__(self) -> Iterator[str]:
        return iter(TEXTS)


@pytest.mark.parametrize(
    "texts",
    [
        TEXTS,
        tuple(TEXTS),
        (text for text in TEXTS),
        np.array(TEXTS),
        np.array(TEXTS, dtype=object),
        pa.array(TEXTS),
        Series(),
        map(str, TEXTS),
    ],
    ids=["list", "tuple", "generator", "array", "objects", "arrow", "Series", "map"],
)
def test_a_collection_of_strings_is_accepted(texts: Any) -> None:
    checked = check_texts(texts)
    assert checked == TEXTS
    assert {type(text) for text in checked} == {str}


def test_a_string_is_one_text() -> None:
    assert check_texts("invoice two") == ["invoice two"]
    assert check_texts(np.str_("invoice two")) == ["invoice two"]
    assert check_texts("") == [""]


@pytest.mark.parametrize("texts", [[], (), np.array([], dtype=object), iter(())])
def test_an_empty_collection_gives_an_empty_list(texts: Any) -> None:
    assert check_texts(texts) == []


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (None, "None"),
        (float("nan"), r'nan \(float\): an empty cell .* is NaN: .*fillna\(""\)'),
        (np.float32("nan"), r"nan"),
        (42, r"42 \(int\)"),
        (True, r"True \(bool\)"),
        (b"bytes", r"b'bytes' \(bytes\): decode it first"),
        (["two", "words"], r"\(list\): a text is one string: join its words"),
        (("two", "words"), r"\(tuple\): a text is one string"),
        ({"text": "a"}, r"\(dict\)"),
    ],
    ids=str,
)
def test_an_item_that_is_no_string_is_refused_with_its_position(
    item: Any, found: str
) -> None:
    with pytest.raises(TypeError, match=rf"texts\[2\]: expected a string, .*{found}"):
        check_texts([*TEXTS, item])


class Frame(Series):
    """Stands for a pandas DataFrame, which iterates over the names of its columns."""

    columns = ("text", "label")


@pytest.mark.parametrize(
    "texts",
    [None, 42, b"bytes", {"a": "b"}, {"a", "b"}, Frame(), np.array("text")],
    ids=["None", "number", "bytes", "dict", "set", "DataFrame", "0-d array"],
)
def test_what_is_no_collection_of_texts_is_refused(texts: Any) -> None:
    with pytest.raises(TypeError, match=r"^texts: expected a string, or an iterable"):
        check_texts(texts)
