"""A file of another format than the config says is read if its columns are there."""

import gzip
import logging
from pathlib import Path

import pytest

from rnncls import DataError
from rnncls.data import encodings
from rnncls.data.encodings import find_certain_encoding
from rnncls.data.readers import read_rows
from rnncls.data.rows import Columns

LABELLED = Columns(("text",), "label")
TEXTS = Columns(("text",), None)
ROWS = [("Die Tür klemmt", "Lob"), ("schön, aber groß; sehr", "Mangel")]


def write(name: str, content: str, encoding: str = "utf-8") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode(encoding))
    return path


def table(delimiter: str, head: str = "", end: str = "\n") -> str:
    lines = [f'7{delimiter}"{text}"{delimiter}{label}' for text, label in ROWS]
    return end.join([head + f"id{delimiter}text{delimiter}label", *lines, ""])


def read(path: Path, columns: Columns = LABELLED) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    for rows in read_rows(path, columns):
        if rows.labels:
            found += zip(rows.texts, rows.labels, strict=True)
        else:
            found += [(text,) for text in rows.texts]
    return found


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["data.csv", "data.tsv", "data.txt"])
def test_delimiters_and_encodings_are_recognised(
    name: str, delimiter: str, encoding: str
) -> None:
    path = write(name, table(delimiter), encoding)
    assert read(path) == ROWS
    assert read(path, TEXTS) == [(text,) for text, _ in ROWS]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("head", ["sep=;", '"sep=;"', "\ufeffsep=;", "SEP=;"])
def test_the_delimiter_line_of_excel_is_no_row(head: str, end: str) -> None:
    path = write("export.csv", table(";", head + end, end))
    assert read(path) == ROWS


def test_another_delimiter_than_the_config_says_is_recognised() -> None:
    columns = Columns(("text",), "label", delimiter="|")
    assert read(write("data.csv", table(";")), columns) == ROWS


def test_a_file_without_header_may_have_another_delimiter() -> None:
    columns = Columns(("text",), "label", ("label", "text"))
    content = "".join(f"{label};{text}\n" for text, label in [("a b", "x"), ("c", "y")])
    assert read(write("data.csv", content), columns) == [("a b", "x"), ("c", "y")]


def test_a_note_says_how_another_format_was_read(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    read(write("data.csv", table(";"), "cp1252"))
    assert caplog.messages == ["data.csv: read as semicolon-delimited, encoding cp1252"]


def test_the_configured_format_is_read_without_a_note(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    read(write("data.csv", table(",")))
    assert not caplog.messages


FASTTEXT = "__label__good a fine film\n__label__bad not a fine film\n"


@pytest.mark.parametrize("name", ["train.txt", "train.csv", "train"])
def test_fasttext_lines_are_read_with_and_without_their_labels(name: str) -> None:
    path = write(name, FASTTEXT)
    assert read(path) == [("a fine film", "good"), ("not a fine film", "bad")]
    assert read(path, TEXTS) == [("a fine film",), ("not a fine film",)]


def test_fasttext_lines_to_predict_may_have_several_labels_or_none() -> None:
    path = write("new.txt", "__label__a __label__b one\ntwo __label__c\n__label__d\n")
    assert read(path, TEXTS) == [("one",), ("two __label__c",), ("",)]


def test_several_labels_are_refused_with_the_row_where_labels_are_wanted() -> None:
    path = write("new.txt", "__label__a one\n__label__a __label__b two\n")
    with pytest.raises(DataError, match=r"^new\.txt: row 2: has several labels"):
        read(path)


def test_a_folder_per_class_is_read() -> None:
    write("data/bad/1.txt", "poor")
    write("data/good/1.txt", "fine")
    assert read(Path("data")) == [("poor", "bad"), ("fine", "good")]
    assert read(Path("data"), TEXTS) == [("poor",), ("fine",)]


def test_a_json_list_is_read() -> None:
    path = write("data.json", '[{"text": "a", "label": 1}, {"text": "b", "label": 2}]')
    assert read(path) == [("a", "1"), ("b", "2")]


def test_an_excel_sheet_is_read_without_its_empty_rows() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    workbook = openpyxl.Workbook()
    for row in [("id", "text", "label"), (1, "a b", 2.0), (None,) * 3, (3, "c", "x")]:
        workbook.active.append(row)
    workbook.save("data.xlsx")
    assert read(Path("data.xlsx")) == [("a b", "2"), ("c", "x")]


def test_lines_of_another_encoding_are_texts() -> None:
    path = write("texts.txt", "Die Tür klemmt\nschön\n", "cp1252")
    assert read(path, TEXTS) == [("Die Tür klemmt",), ("schön",)]


DRAFTED = Columns(("text",), None, delimiter=",")
CLASSES = ("Lob", "Mangel")
HEADERLESS = Columns(("text",), None, ("label", "text"), CLASSES, ",")


@pytest.mark.parametrize("columns", [DRAFTED, HEADERLESS])
@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
@pytest.mark.parametrize(
    "lines",
    [
        ["Die Tür klemmt"],
        ["Ja, aber schön groß"],  # one comma, as in a row of two columns
        ["Die Tür klemmt", "", "Ja, aber schön groß", "groß"],
        ['"Tür" sagt er', "schön, groß, und so", "Text"],
    ],
)
def test_lines_of_text_are_read_though_the_config_has_a_delimiter(
    lines: list[str], encoding: str, columns: Columns
) -> None:
    path = write("bare.txt", "\n".join(lines) + "\n", encoding)
    assert read(path, columns) == [(line,) for line in lines]


@pytest.mark.parametrize("columns", [DRAFTED, HEADERLESS])
def test_a_table_without_the_column_is_not_read_as_lines(columns: Columns) -> None:
    path = write("new.txt", "id,txt,sort\n1,a b,x\n2,c d,y\n")
    with pytest.raises(DataError, match=r"new\.txt: no column 'text', found 'id'"):
        read(path, columns)


def test_a_csv_file_is_never_read_as_lines() -> None:
    path = write("new.csv", "apple tart\nplum cake\n")
    with pytest.raises(DataError, match="no column 'text', found 'apple tart'"):
        read(path, DRAFTED)


def test_a_table_without_header_is_known_by_a_class_in_its_first_field() -> None:
    path = write("new.txt", "Lob,alles gut\n")
    assert read(path, HEADERLESS) == [("alles gut",)]


def test_lines_with_as_many_commas_as_the_configured_columns_are_lines() -> None:
    columns = Columns(("text",), None, ("label", "text"), CLASSES)
    path = write("bare.txt", "Ja, gut\nNein, schlecht\n")
    assert read(path, columns) == [("Ja, gut",), ("Nein, schlecht",)]


def test_a_missing_column_of_another_format_is_named() -> None:
    path = write("data.csv", "id;text;class\n1;a;b\n")
    with pytest.raises(DataError, match=r"^data\.csv: no column 'label', found"):
        read(path)


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"plain", "utf-8"),
        ("Tür".encode(), "utf-8"),
        ("Tür".encode("cp1252"), "cp1252"),
        ("it\u2019s".encode("cp1252"), "cp1252"),
        ("Thanks, Customer \u00c9, \u00e0 demain".encode("cp1252"), "cp1252"),
        ("\u201ccaf\u00e9\u201d".encode("cp1252"), "cp1252"),
        ("Tür".encode() + b"\n" + "schön".encode("cp1252"), "utf-8"),  # mixed
        (b"a \xff b", "utf-8"),
        (b"T\xfcr \x81", "utf-8"),
        ("Tür".encode("utf-16"), "utf-16"),
    ],
)
def test_an_encoding_is_certain_only_if_its_letters_are_in_words(
    content: bytes, encoding: str
) -> None:
    path = Path("data.txt")
    path.write_bytes(content)
    assert find_certain_encoding(path) == encoding


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252", "utf-16"])
def test_a_link_to_a_compressed_file_without_its_ending_is_decompressed(
    encoding: str,
) -> None:
    blob = Path("blob")
    blob.write_bytes(gzip.compress(table(";").encode(encoding)))
    path = Path("data.csv.gz")
    path.symlink_to(blob)
    assert find_certain_encoding(path) == encoding
    assert read(path) == ROWS


INITIALS = [("Thanks for the help", "a"), ("Best, Customer \u00c9", "b")] * 30


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_single_letters_of_windows_1252_are_read_with_any_delimiter(
    delimiter: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    rows = [f'"{text}"{delimiter}{label}' for text, label in INITIALS]
    content = "\n".join([f"text{delimiter}label", *rows, ""])
    write(f"initials{ord(delimiter)}.csv", content, "cp1252")
    path = Path(f"initials{ord(delimiter)}.csv")
    assert read(path) == INITIALS
    assert caplog.messages[0].endswith("-delimited, encoding cp1252")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", 'text;label\n"{}";a\n'),
        ("a.txt", "__label__b x\n__label__a {}\n"),
        ("a.json", '[{{"text": "x", "label": "a"}},\n{{"text": "{}", "label": "a"}}]'),
    ],
)
def test_an_invalid_byte_is_an_error_in_each_format(name: str, content: str) -> None:
    data = content.format("Tür").encode().replace(b"T", b"T\xff")
    Path(name).write_bytes(data)
    message = rf"^{name}: line 2: not UTF-8: byte 0xff at position \d+; save the file"
    with pytest.raises(DataError, match=message):
        read(Path(name))


def test_half_a_character_of_utf_16_is_an_error() -> None:
    content = "text;label\nTür;a\nx;b\n".encode("utf-16")
    Path("half.csv").write_bytes(content + b"x")
    with pytest.raises(DataError, match=r"^half\.csv: after line \d: not UTF-16: "):
        read(Path("half.csv"))


@pytest.mark.parametrize("name", ["long.csv", "long.txt", "long.jsonl"])
@pytest.mark.parametrize("is_first", [True, False])
def test_a_text_of_a_megabyte_is_read(name: str, *, is_first: bool) -> None:
    long_text = "word " * 250_000 + "end"
    texts = [long_text, "short"] if is_first else ["short", long_text]
    lines = [f"{text}\ta" for text in texts]
    if name.endswith(".csv"):
        lines = ["text,label", *(f"{text},a" for text in texts)]
    elif name.endswith(".jsonl"):
        lines = [f'{{"text": "{text}", "label": "a"}}' for text in texts]
    columns = LABELLED
    if name.endswith(".txt"):
        columns = Columns(("text",), "label", ("text", "label"), delimiter="\t")
    path = write(name, "\n".join(lines) + "\n")
    assert read(path, columns) == [(text, "a") for text in texts]


def test_a_file_that_is_read_twice_is_scanned_and_noted_once(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.INFO)
    scans = []
    find_encoding = encodings.find_encoding

    def scan(path: Path) -> str:
        scans.append(path.name)
        return find_encoding(path)

    monkeypatch.setattr(encodings, "find_encoding", scan)
    path = write("twice.csv", table(";"), "cp1252")
    assert read(path) == read(path) == ROWS
    assert (scans, len(caplog.messages)) == (["twice.csv"], 1)
    write("twice.csv", table("|"))
    assert read(path) == ROWS
    assert (scans, len(caplog.messages)) == (["twice.csv"] * 2, 2)


@pytest.mark.parametrize("name", ["quote.csv", "quote.tsv"])
@pytest.mark.parametrize("num_rows", [3, 600])
def test_a_quotation_mark_that_is_never_closed_is_a_character(
    name: str, num_rows: int
) -> None:
    delimiter = "\t" if name.endswith(".tsv") else ","
    rows = [("id", "text", "label"), ("1", '"hello there', "a"), ("2", "hello", "b")]
    rows += [(str(number), f"text {number}", "a") for number in range(3, num_rows)]
    path = write(name, "".join(delimiter.join(row) + "\n" for row in rows))
    assert read(path, TEXTS) == [(text,) for _, text, _ in rows[1:]]
    with pytest.raises(DataError, match="is a quotation mark not closed"):
        read(path)


def test_a_quoted_text_over_many_lines_is_one_text() -> None:
    text = "first, second\n" * 700 + "end"
    path = write("long.csv", f'text,label\n"{text}",a\nshort,b\n')
    assert read(path) == [(text, "a"), ("short", "b")]
    assert read(path, TEXTS) == [(text,), ("short",)]
