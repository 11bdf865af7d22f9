"""The format of an unknown file: kind, encoding, delimiter, header."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from rnncls import DataError
from rnncls.data.encodings import find_encoding
from rnncls.data.formats import FileFormat, detect_format
from rnncls.data.readers import read_records

ROWS = [
    ("good", "a film that I liked, very much"),
    ("bad", "two hours that nobody gives back to you"),
    ("good", "see it; and then see it again"),
    ("bad", "not good at all, not even for a rainy day"),
] * 5


def write(name: str, content: bytes | str, encoding: str = "utf-8") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        content if isinstance(content, bytes) else content.encode(encoding)
    )
    return path


def delimited(delimiter: str, header: str = "label{}text\n") -> str:
    return header.format(delimiter) + "".join(
        f'{label}{delimiter}"{text}"\n' for label, text in ROWS
    )


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a"])
def test_the_delimiter_is_what_makes_columns(name: str, delimiter: str) -> None:
    form = detect_format(write(name, delimited(delimiter)))
    assert (form.kind, form.delimiter, form.has_header, form.names) == (
        "delimited",
        delimiter,
        True,
        ("label", "text"),
    )
    assert [
        (row["label"], row["text"]) for row in read_records(Path(name), form)
    ] == ROWS


@pytest.mark.parametrize(
    "header",
    ["label,text", "v1,v2", "kind,what was said", "LABEL,Body", "meinung,film"],
)
def test_a_header_is_found(header: str) -> None:
    form = detect_format(write("a.csv", delimited(",", header + "\n")))
    assert (form.has_header, form.names) == (True, tuple(header.split(",")))


def test_columns_without_a_name_are_no_sign_against_a_header() -> None:
    form = detect_format(
        write(
            "spam.csv",
            "v1,v2,,\nham,Ok see you,,\nspam,Win a prize,,\n" * 1
            + "ham,Yes sir,,\n" * 3,
        )
    )
    assert (form.has_header, form.names) == (True, ("v1", "v2", "", ""))


@pytest.mark.parametrize(
    "content",
    [
        delimited(",", ""),
        (
            '"3","Wall St. Bears","Short-sellers are seeing green'
            ' again."\n"4","Title","A story."\n"3","Other","More."\n'
        ),
        "1,one two three four five\n2,six seven eight nine ten\n",
        (
            "1,first of all the words\n2,second of all the words\n3,third of all the"
            " words\n"
        ),
    ],
)
def test_a_file_without_a_header_has_made_up_names(content: str) -> None:
    form = detect_format(write("a.csv", content))
    assert (form.has_header, form.names[:2]) == (False, ("column1", "column2"))


def test_a_quotation_mark_that_is_just_text_opens_no_field() -> None:
    rows = (
        'ham\t"Hi there, call me\nspam\tWin a prize now\nham\tOk "then\nspam\t"Urgent'
        " call\n" * 3
    )
    form = detect_format(write("sms.tsv", rows))
    assert (form.is_quoted, form.is_readable) == (False, False)
    assert [row["column2"] for row in read_records(Path("sms.tsv"), form)][:2] == [
        '"Hi there, call me', "Win a prize now",
    ]  # fmt: skip


@pytest.mark.parametrize("delimiter", [",", ";", "|"])
def test_a_quoted_text_with_the_delimiter_and_a_line_end_is_one_row(
    delimiter: str,
) -> None:
    # Without quotation marks, each line has two fields as well.
    text = f"first{delimiter}\nsecond"
    content = f"text{delimiter}label\n" + f'"{text}"{delimiter}good\n' * 4
    path = write("a.csv", content)
    file_format = detect_format(path)
    assert (file_format.delimiter, file_format.is_quoted) == (delimiter, True)
    rows = list(read_records(path, file_format))
    assert rows == [{"text": text, "label": "good"}] * 4


def test_a_field_of_several_lines_is_one() -> None:
    form = detect_format(
        write("a.csv", 'label,text\ngood,"one\ntwo"\nbad,"three, four"\n' * 3)
    )
    assert form.is_quoted
    assert next(read_records(Path("a.csv"), form))["text"] == "one\ntwo"


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"", "utf-8"),
        (b"plain", "utf-8"),
        ("caf\u00e9".encode(), "utf-8"),
        ("caf\u00e9".encode("utf-8-sig"), "utf-8"),
        ("lost: \ufffd".encode(), "utf-8"),
        ("caf\u00e9".encode("utf-16"), "utf-16"),
        ("caf\u00e9 au lait".encode("utf-16-le"), "utf-16-le"),
        ("caf\u00e9 au lait".encode("utf-16-be"), "utf-16-be"),
        ("caf\u00e9 \u201cau lait\u201d".encode("cp1252"), "cp1252"),
        (b"caf\xe9 \x81", "latin-1"),
        (("caf\u00e9 " * 20).encode() + b"\xff", "utf-8"),
    ],
)
def test_the_encoding_is_found(content: bytes, encoding: str) -> None:
    assert find_encoding(write("a.txt", content)) == encoding


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
def test_a_file_of_another_encoding_is_read(encoding: str) -> None:
    path = write(
        "a.csv", "label,text\ncaf\u00e9,one two\nbar,\u00fcber alles\n" * 5, encoding
    )
    form = detect_format(path)
    assert next(read_records(path, form)) == {"label": "caf\u00e9", "text": "one two"}
    assert form.is_readable == (encoding == "utf-8-sig")


def test_json_lines_are_known_whatever_their_ending() -> None:
    path = write(
        "a.txt",
        '{"y": 1, "text": "one", "more": {"a": 2}}\n{"y": null, "text": "two", "more":'
        " {}}\n",
    )
    assert detect_format(path).kind == "jsonl"
    assert list(read_records(path, detect_format(path))) == [
        {"y": "1", "text": "one"},
        {"y": "", "text": "two"},
    ]


def test_a_json_list_is_known() -> None:
    path = write(
        "a.json",
        json.dumps(
            [{"label": "a", "text": "one"}, {"label": "b", "text": "two"}], indent=1
        ),
    )
    assert detect_format(path) == FileFormat("json")
    assert list(read_records(path, FileFormat("json")))[1] == {
        "label": "b",
        "text": "two",
    }


def test_parquet_is_known_and_nested_columns_are_left_out() -> None:
    pa_parquet.write_table(
        pa.table({"label": [0, None], "text": ["a", "b"], "tokens": [["a"], ["b"]]}),
        "a.parquet",
    )
    form = detect_format(Path("a.parquet"))
    assert list(read_records(Path("a.parquet"), form)) == [
        {"label": "0", "text": "a"},
        {"label": "", "text": "b"},
    ]


def test_fasttext_is_known() -> None:
    path = write("a.txt", "__label__good a fine film\n__label__bad\n")
    assert detect_format(path).kind == "fasttext"
    assert list(read_records(path, detect_format(path))) == [
        {"label": "good", "text": "a fine film"}, {"label": "bad", "text": ""},
    ]  # fmt: skip


def test_a_folder_has_a_class_a_subfolder() -> None:
    for name, text in {
        "pos/1.txt": "good",
        "neg/2.txt": "caf\u00e9",
        "pos/.hidden": "no",
        "unsup/3.txt": "no",
    }.items():
        write(f"films/{name}", text, "cp1252")
    assert list(read_records(Path("films"), detect_format(Path("films")))) == [
        {"label": "neg", "text": "caf\u00e9"}, {"label": "pos", "text": "good"},
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.csv", "", "is empty"),
        ("a.csv", "\n \n", "is empty"),
        ("a.csv", "one\ntwo\n", "has one column only: looks like plain text"),
        ("a.txt", "__label__a __label__b text\n", "row 1: has several labels"),
        ("a.txt", "__label__a text\nmore\n", "row 2: expected __label__CLASS"),
        ("a.jsonl", '{"a": 1}\noops\n', "row 2: not valid JSON: oops"),
        ("a.jsonl", '{"a": 1}\n[1]\n', "row 2: expected an object"),
        ("a.json", "[1", "not valid JSON"),
        ("a.json", '"text"', "expected a list of objects"),
        ("a.parquet", "no", "not a readable Parquet file"),
    ],
)
def test_what_is_wrong_is_named(name: str, content: str, message: str) -> None:
    path = write(name, content)
    with pytest.raises(DataError) as caught:
        list(read_records(path, detect_format(path)))
    assert str(caught.value).startswith(f"{name}: {message}")


def test_a_missing_file_is_named() -> None:
    with pytest.raises(
        DataError, match=r"^none\.csv: no such file or folder; looked in"
    ):
        detect_format(Path("none.csv"))


@pytest.mark.parametrize(
    "names", [("no", "yes"), ("2", "1"), ("0.5", "a long name of it")]
)
def test_columns_that_are_named_prove_a_header(names: tuple[str, str]) -> None:
    lines = [",".join(names), *(f"some text {row},{row % 2}" for row in range(9))]
    path = write("data.csv", "\n".join(lines) + "\n")
    assert detect_format(path, names).names == names


def test_a_column_of_row_numbers_without_a_name_proves_a_header() -> None:
    lines = [",no,2", *(f"{row},some text {row},{row % 3}" for row in range(9))]
    found = detect_format(write("data.csv", "\n".join(lines) + "\n"))
    assert (found.has_header, found.names) == (True, ("", "no", "2"))


@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|"])
def test_the_separator_line_of_excel_gives_the_delimiter(delimiter: str) -> None:
    found = detect_format(
        write("data.csv", f"sep={delimiter}\r\n" + delimited(delimiter))
    )
    assert (found.delimiter, found.num_skipped) == (delimiter, 1)
    assert not found.is_readable


def test_fasttext_may_begin_with_a_text_without_a_label() -> None:
    path = write("a.txt", "no label\n__label__a __label__b x\n__label__b y\n")
    assert detect_format(path).kind == "fasttext"
