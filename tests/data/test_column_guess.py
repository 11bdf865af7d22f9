"""The columns of the text and the class are guessed, and can be corrected."""

import pytest

from rnncls import ConfigError, DataError
from rnncls.data.column_guess import guess_columns

LONG = [
    "words that make up a text",
    "more words of another text",
    "the third text of them all",
    "a fourth one, too",
]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"text": LONG, "label": "abab"}, (["text"], "label")),
        (
            {"id": "1234", "sentiment": "pnpn", "review": LONG},
            (["review"], "sentiment"),
        ),
        (
            {"column1": "1212", "column2": LONG, "column3": LONG[::-1]},
            (["column2", "column3"], "column1"),
        ),
        (
            {"title": LONG, "author": "abcd", "category": "xyxy", "body": LONG},
            (["title", "body"], "category"),
        ),
        (
            {
                "name": ["Ng", "Li", "Rossi", "Bianchi"],
                "country": ["vn", "vn", "it", "it"],
            },
            (["name"], "country"),
        ),
        ({"v1": "hshs", "v2": LONG, "": ["", "", "", ""]}, (["v2"], "v1")),
        ({"flag": "0101", "target": "abba", "comment": LONG}, (["comment"], "target")),
    ],
)
def test_columns_are_guessed(
    columns: dict[str, list[str]], expected: tuple[list[str], str]
) -> None:
    records = [
        dict(zip(columns, values, strict=True))
        for values in zip(*columns.values(), strict=True)
    ]
    assert guess_columns(records, "a.csv") == expected


RECORDS = [
    {"a": str(number % 2), "b": text, "c": str(number)}
    for number, text in enumerate(LONG)
]


def test_a_guess_can_be_corrected() -> None:
    assert guess_columns(RECORDS, "a.csv", ["c"], "b") == (["c"], "b")
    assert guess_columns(RECORDS, "a.csv", ["a"], "c") == (["a"], "c")


def test_a_column_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(
        ConfigError, match=r"^a\.csv: no column 'd': it has 'a', 'b', 'c'$"
    ):
        guess_columns(RECORDS, "a.csv", label="d")


def test_without_anything_like_a_class_it_is_asked_for() -> None:
    with pytest.raises(
        DataError,
        match=r"no column looks like a class.*name it with --label; it has 'b', 'c'$",
    ):
        guess_columns(
            [{"b": record["b"], "c": record["c"]} for record in RECORDS], "a.csv"
        )


def test_without_a_text_there_is_nothing_to_learn() -> None:
    with pytest.raises(
        DataError, match="has only the column 'a': expected a text and a class"
    ):
        guess_columns([{"a": record["a"]} for record in RECORDS], "a.csv")
