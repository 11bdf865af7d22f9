"""The columns of the text and the class are guessed, and can be corrected."""

import pytest

from rnncls import ConfigError, DataError
from rnncls.data.column_guess import describe_guess, guess_columns

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
        (
            {
                "date": ["2024-01-02", "2024-01-02 10:15", "2024-1-3", "2024-01-02"],
                "seen": ["1.2.2024", "1.2.2024", "3.2.2024", "3.2.2024"],
                "time": ["10:15", "10:15", "11:20", "11:20"],
                "queue": "abab",
                "body": LONG,
            },
            (["body"], "queue"),
        ),
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


def test_a_class_of_an_unusual_name_is_said_to_be_guessed() -> None:
    records = [
        {"text": text, "prio": prio} for text, prio in zip(LONG, "abab", strict=True)
    ]
    note = "class: guessed 'prio', from its values: if it is another column, choose it"
    assert describe_guess(records, ["text"], "prio").startswith(note)
    named = [{"text": each["text"], "label": each["prio"]} for each in records]
    assert describe_guess(named, ["text"], "label") == ""


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
        match=(
            r"no column looks like a class.*name it with rnncls init --label; it has"
            r" 'b', 'c'$"
        ),
    ):
        guess_columns(
            [{"b": record["b"], "c": record["c"]} for record in RECORDS], "a.csv"
        )


def test_without_a_text_there_is_nothing_to_learn() -> None:
    with pytest.raises(
        DataError, match="has only the column 'a': expected a text and a class"
    ):
        guess_columns([{"a": record["a"]} for record in RECORDS], "a.csv")


@pytest.mark.parametrize("num_rows", [3, 10, 29])
def test_in_a_small_file_two_rows_with_a_common_value_make_a_class(
    num_rows: int,
) -> None:
    records = [
        {"what": f"word number {row}", "which": f"kind {max(row, 1)}"}
        for row in range(num_rows)
    ]
    assert guess_columns(records, "a.csv") == (["what"], "which")


def test_an_index_is_neither_the_text_nor_the_class() -> None:
    records = [
        {"nr": str(row), "w": f"word{row}", "k": "ab"[row % 2]} for row in range(9)
    ]
    assert guess_columns(records, "a.csv") == (["w"], "k")
    with pytest.raises(DataError, match="no column looks like a text beside"):
        guess_columns([{"nr": row["nr"], "k": row["k"]} for row in records], "a.csv")


def test_words_are_preferred_to_numbers_as_a_class() -> None:
    records = [
        {
            "a b c": f"some text {row}",
            "x": "12"[row % 2],
            "z": ["in", "out", "up"][row % 3],
        }
        for row in range(12)
    ]
    assert guess_columns(records, "a.csv")[1] == "z"


def test_rows_without_any_value_do_not_hide_the_class() -> None:
    records = [{"t": f"some text {row}", "k": "ab"[row % 2]} for row in range(8)]
    assert guess_columns([*records, {"t": "", "k": " "}], "a.csv") == (["t"], "k")


def test_a_header_without_rows_is_named() -> None:
    with pytest.raises(DataError, match=r"^a\.csv: has a header but no rows"):
        guess_columns([], "a.csv")
