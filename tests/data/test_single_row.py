"""One row of a file, by its number."""

from pathlib import Path

import pytest

from rnncls import ConfigError, DataError
from rnncls.config.sections import DataSection
from rnncls.data.single_row import read_row

SECTION = DataSection(train="train.csv", text=["title", "text"], label="class")
FILES = {
    "a.csv": b'class,title,text\nx,one,"two\nlines"\ny,three,four\n',
    "a.tsv": b"id\ttext\ttitle\tclass\n1\ttwo\nlines\tone\tx\n",
    "a.jsonl": (
        b'{"title": "one", "text": "two\\nlines", "class": "x"}\n'
        b'{"title": "three", "text": "four", "class": "y"}\n'
    ),
    "semicolon.csv": 'title;text;class\none;"two\nlines";x\nthree;four;y\n'.encode(
        "utf-16"
    ),
}


def write(name: str, content: bytes) -> Path:
    path = Path(name)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.jsonl", "semicolon.csv"])
def test_rows_are_records_and_not_lines(name: str) -> None:
    path = write(name, FILES[name])
    first, second = (read_row(path, number, SECTION) for number in (1, 2))
    assert (first.text, first.label) == ("one two\nlines", "x")
    assert (second.text, second.label) == ("three four", "y")
    assert (second.path, second.number) == (path, 2)


@pytest.mark.parametrize("number", [3, 1_000])
def test_a_number_beyond_the_last_row_is_refused(number: int) -> None:
    path = write("a.csv", FILES["a.csv"])
    with pytest.raises(ConfigError) as error:
        read_row(path, number, SECTION)
    assert str(error.value) == (
        f"--row: expected 1 to 2, the number of rows of a.csv, found {number:,}"
    )


def test_an_empty_file_has_no_row() -> None:
    path = write("a.csv", b"title,text,class\n")
    with pytest.raises(ConfigError, match="has no rows"):
        read_row(path, 1, SECTION)


def test_a_label_may_be_missing_from_a_row_or_the_file() -> None:
    path = write("a.csv", "title,text,class\na,b,\nc,d, Cafe\u0301 \n".encode())
    assert [read_row(path, row, SECTION).label for row in (1, 2)] == [None, "Café"]
    path = write("b.csv", b"title,text\na,b\n")
    assert read_row(path, 1, SECTION).label is None
    path = write("c.txt", b"a b\nc d\n")
    found = read_row(path, 2, SECTION)
    assert (found.text, found.label) == ("c d", None)


def test_a_fasttext_file_has_labels_but_no_columns() -> None:
    path = write("a.txt", b"__label__x one two\n__label__y three four\n" * 9)
    found = read_row(path, 2, SECTION)
    assert (found.text, found.label) == ("three four", "y")


def test_the_classes_of_a_built_in_data_set_have_their_names() -> None:
    section = DataSection(name="ag_news", text=["title", "description"])
    path = write("a.csv", b'"3","a","b"\n"1","c","d"\n')
    found = [read_row(path, row, section) for row in (1, 2)]
    assert [row.label for row in found] == ["Business", "World"]
    assert found[1].text == "c d"


def test_a_missing_file_or_column_of_the_text_is_an_error() -> None:
    with pytest.raises(DataError, match="no such file"):
        read_row(Path("none.csv"), 1, SECTION)
    path = write("a.csv", b"title,class\na,b\n")
    with pytest.raises(DataError, match="no column 'text'"):
        read_row(path, 1, SECTION)
