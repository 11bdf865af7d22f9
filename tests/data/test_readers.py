"""Rows come in the order of the file; the first error is named with file and row."""

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from rnncls import DataError
from rnncls.data import delimited
from rnncls.data import rows as row_limits
from rnncls.data.readers import find_texts, has_columns, read_rows
from rnncls.data.rows import Columns
from rnncls.data.text_files import read_lines

ONE = Columns(("text",), "label")
TWO = Columns(("title", "text"), "label")
TEXT_ONLY = Columns(("text",), None)
AG_NEWS = Columns(("title", "description"), "label", ("label", "title", "description"))
ROWS = [{"text": f"text {number}", "label": "ab"[number % 2]} for number in range(9)]
Row = dict[str, Any]
Writer = Callable[[list[Row]], Path]


def write(name: str, content: bytes | str) -> Path:
    """Write a file into the test's own folder."""
    path = Path(name)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def write_csv(rows: list[Row]) -> Path:
    lines = [",".join(str(value) for value in row.values()) for row in rows]
    return write("data.csv", "\n".join([",".join(rows[0]), *lines, ""]))


def write_tsv(rows: list[Row]) -> Path:
    lines = ["\t".join(str(value) for value in row.values()) for row in rows]
    return write("data.tsv", "\n".join(["\t".join(rows[0]), *lines, ""]))


def write_jsonl(rows: list[Row]) -> Path:
    return write("data.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def write_parquet(rows: list[Row]) -> Path:
    path = Path("data.parquet")
    pa_parquet.write_table(pa.Table.from_pylist(rows), path)
    return path


def write_column(values: pa.Array) -> Path:
    """Write a Parquet file of these texts, each with the label "a"."""
    path = Path("data.parquet")
    pa_parquet.write_table(
        pa.table({"text": values, "label": ["a"] * len(values)}), path
    )
    return path


def read(path: Path, columns: Columns = ONE) -> tuple[list[str], list[str]]:
    """Return all texts and all labels of a file."""
    chunks = list(read_rows(path, columns))
    return [text for rows in chunks for text in rows.texts], [
        label for rows in chunks for label in rows.labels
    ]


def error_of(path: Path, columns: Columns = ONE) -> str:
    """Return what is said of a file that cannot be read, its name left out."""
    with pytest.raises(DataError) as caught:
        read(path, columns)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    return message.removeprefix(f"{path}: ")


each_form = pytest.mark.parametrize(
    "writer", [write_csv, write_tsv, write_jsonl, write_parquet]
)
line_forms = pytest.mark.parametrize("writer", [write_csv, write_tsv, write_jsonl])


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the readers hand on a few rows at a time."""
    monkeypatch.setattr(delimited, "BLOCK_BYTES", 32)
    monkeypatch.setattr(row_limits, "ROWS_AT_ONCE", 2)


@each_form
def test_rows_come_in_the_order_of_the_file(writer: Writer) -> None:
    assert read(writer(ROWS)) == ([row["text"] for row in ROWS], list("ababababa"))


@each_form
@pytest.mark.usefixtures("small_blocks")
def test_rows_of_several_blocks_come_in_the_order_of_the_file(writer: Writer) -> None:
    assert read(writer(ROWS)) == ([row["text"] for row in ROWS], list("ababababa"))


@each_form
@pytest.mark.usefixtures("small_blocks")
def test_rows_come_a_block_at_a_time(writer: Writer) -> None:
    assert max(len(rows.texts) for rows in read_rows(writer(ROWS), ONE)) <= 4


@each_form
def test_text_columns_are_joined_by_one_space_in_the_order_asked_for(
    writer: Writer,
) -> None:
    row = {"text": "b", "extra": "x", "label": "l", "title": "a"}
    path = writer([row, row | {"text": "", "title": "c"}])
    assert read(path, TWO)[0] == ["a b", "c "]


@each_form
def test_without_a_label_wanted_texts_come_alone(writer: Writer) -> None:
    assert read(writer([{"text": "a"}, {"text": "b"}]), TEXT_ONLY) == (["a", "b"], [])


@each_form
def test_an_empty_text_is_a_row(writer: Writer) -> None:
    assert read(writer([{"text": "", "label": "a"}, {"text": "b", "label": "a"}]))[
        0
    ] == ["", "b"]


@each_form
def test_words_that_stand_for_nothing_elsewhere_are_texts(writer: Writer) -> None:
    words = ["NULL", "NA", "nan", "None", "true", "1"]
    assert read(writer([{"text": word, "label": word} for word in words])) == (
        words,
        words,
    )


@pytest.mark.parametrize(
    "name", ["data.CSV", "data.TSV", "data.JSONL", "data.ndjson", "data.Parquet"]
)
def test_the_case_of_the_ending_does_not_matter(name: str) -> None:
    writers = {".csv": write_csv, ".tsv": write_tsv, ".parquet": write_parquet}
    path = writers.get(Path(name).suffix.lower(), write_jsonl)(ROWS)
    assert read(path.rename(name))[0] == [row["text"] for row in ROWS]


@line_forms
def test_a_byte_order_mark_is_no_part_of_the_data(writer: Writer) -> None:
    path = writer(ROWS)
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert read(path)[0] == [row["text"] for row in ROWS]


@line_forms
def test_windows_line_ends_are_no_part_of_the_data(writer: Writer) -> None:
    path = writer(ROWS)
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read(path) == ([row["text"] for row in ROWS], list("ababababa"))


@line_forms
def test_the_last_line_needs_no_end(writer: Writer) -> None:
    path = writer(ROWS)
    path.write_bytes(path.read_bytes().removesuffix(b"\n"))
    assert read(path)[1] == list("ababababa")


def test_a_quoted_field_may_hold_line_ends_delimiters_and_doubled_quotes() -> None:
    path = write("data.csv", 'text,label\n"one\ntwo, ""three""",a\nb,"c"\n')
    assert read(path) == (['one\ntwo, "three"', "b"], ["a", "c"])


@pytest.mark.parametrize("inside", ["one\ntwo", "one\ttwo", 'one ""two""'])
def test_a_quoted_field_of_a_tsv_file_may_hold_a_line_end_a_tab_or_doubled_quotes(
    inside: str,
) -> None:
    path = write("data.tsv", f'text\tlabel\n"{inside}"\ta\n')
    assert read(path) == ([inside.replace('""', '"')], ["a"])


def test_two_stray_quotes_in_a_tsv_file_swallow_no_rows() -> None:
    path = write("data.tsv", 'text\tlabel\nplain\ta\n"open\ta\nlost\tb\n"closed\ta\n')
    with pytest.raises(DataError, match="row 2: a field continues over several lines"):
        read(path)


def test_an_empty_line_of_a_file_of_one_column_is_an_empty_text() -> None:
    path = write("data.csv", "text\ngood\n\nbad\n")
    assert [
        text
        for rows in read_rows(path, Columns(("text",), None))
        for text in rows.texts
    ] == ["good", "", "bad"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_empty_lines_before_the_header_of_one_column_are_no_texts(end: str) -> None:
    path = write("data.csv", end.join(["", "", "text", "a", "", "b", ""]))
    assert read(path, TEXT_ONLY)[0] == ["a", "", "b"]


def test_a_wrong_row_after_empty_lines_and_the_header_of_one_column_is_named() -> None:
    path = write("data.csv", '\n\ntext\na\n"b\nc"\nx,y\n')
    assert (
        error_of(path, TEXT_ONLY)
        == "row 3: expected 1 columns, found 2: x,y; put a text that holds the"
        " delimiter in quotation marks"
    )


def test_a_header_that_is_not_utf_8_is_named() -> None:
    path = write("data.csv", b"tex\xff,label\na,b\n")
    assert error_of(path, Columns(("tex\ufffd",), "label")).startswith(
        "the header cannot be read: is it UTF-8? "
    )


def test_values_nested_nearly_too_deep_to_be_read_are_named() -> None:
    for depth in range(900, 1100):
        path = write(
            "data.jsonl", '{"label": "a", "text": ' + "[" * depth + "]" * depth + "}\n"
        )
        assert error_of(path).startswith("row 1: ")


def test_a_file_to_predict_without_header_starts_with_a_class() -> None:
    columns = Columns(
        ("title", "description"), None, ("label", "title", "description"), ("1", "2")
    )
    with pytest.raises(DataError, match="no column 'title'"):
        list(read_rows(write("data.csv", "id,review,stars\n7,good,5\n"), columns))


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_read(encoding: str) -> None:
    path = Path("data.csv")
    path.write_text("text,label\nTür,b\n", encoding=encoding)
    assert read(path) == (["Tür"], ["b"])


def test_nan_is_a_missing_label() -> None:
    path = Path("data.parquet")
    pa_parquet.write_table(
        pa.table({"text": ["a", "b"], "label": [1.0, float("nan")]}), path
    )
    with pytest.raises(DataError, match="row 2: the label"):
        read(path)


def test_a_comma_is_text_in_a_tsv_file() -> None:
    assert read(write("data.tsv", 'text\tlabel\na, "b", c\td\n'))[0] == ['a, "b", c']


def test_empty_lines_of_a_csv_file_are_no_rows() -> None:
    assert read(write("data.csv", "\n\ntext,label\n\na,b\n\n\nc,d\n\n")) == (
        ["a", "c"],
        ["b", "d"],
    )


def test_a_column_that_stands_twice_does_no_harm_where_it_is_not_read() -> None:
    assert read(write("data.csv", "x,text,label,x\n1,a,b,2\n")) == (["a"], ["b"])


@pytest.mark.parametrize(
    "content", ["text,label\n", "text,label", "text,label\r\n\r\n"]
)
def test_a_header_alone_has_no_rows(content: str) -> None:
    assert read(write("data.csv", content)) == ([], [])


def test_a_file_without_a_header_is_read_by_position() -> None:
    path = write(
        "data.csv", '"3","Title one","Text one"\n"4","Title, two","Text ""two"""\n'
    )
    assert read(path, AG_NEWS) == (
        ["Title one Text one", 'Title, two Text "two"'],
        ["3", "4"],
    )


def test_a_file_without_a_header_may_have_one_row_and_no_line_end() -> None:
    assert read(write("data.csv", "1,a,b"), AG_NEWS) == (["a b"], ["1"])


def test_a_file_that_needs_no_header_may_have_one_in_any_order() -> None:
    path = write("data.csv", "description,label,title\nb,1,a\n")
    assert read(path, AG_NEWS) == (["a b"], ["1"])


def test_lines_of_any_other_file_are_texts() -> None:
    path = write("data.txt", "one, two\r\n\n  three \n\u2028four")
    assert read(path, TEXT_ONLY) == (["one, two", "", "  three ", "\u2028four"], [])


def test_a_byte_order_mark_is_no_part_of_the_first_line() -> None:
    assert read(write("data.txt", b"\xef\xbb\xbfone\n"), TEXT_ONLY)[0] == ["one"]


def test_an_empty_file_of_lines_has_no_rows() -> None:
    assert read(write("data.txt", ""), TEXT_ONLY) == ([], [])


@pytest.mark.usefixtures("small_blocks")
def test_lines_of_a_stream_come_a_few_at_a_time() -> None:
    chunks = [rows.texts for rows in read_lines(io.BytesIO(b"a\nb\nc\nd\ne"), "stdin")]
    assert chunks == [["a", "b"], ["c", "d"], ["e"]]


@pytest.mark.parametrize(
    ("label", "text"),
    [
        (3, "3"),
        (True, "true"),
        (False, "false"),
        (-1, "-1"),
        (1.5, "1.5"),
        (10**12, "1000000000000"),
    ],
)
@pytest.mark.parametrize("writer", [write_jsonl, write_parquet])
def test_a_number_is_a_label(writer: Writer, label: object, text: str) -> None:
    assert read(writer([{"text": "a", "label": label}]))[1] == [text]


@pytest.mark.parametrize("writer", [write_jsonl, write_parquet])
def test_a_null_text_is_an_empty_one(writer: Writer) -> None:
    assert read(writer([{"text": "a", "label": "l"}, {"text": None, "label": "l"}]))[
        0
    ] == ["a", ""]


@pytest.mark.parametrize(
    "kind",
    [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.large_binary()],
)
def test_parquet_texts_are_read_however_they_are_stored(kind: pa.DataType) -> None:
    assert read(write_column(pa.array(["a", "ü😀", None], kind)))[0] == ["a", "ü😀", ""]


def test_parquet_texts_are_read_from_a_dictionary() -> None:
    assert read(write_column(pa.array(["a", "b", "a"]).dictionary_encode()))[0] == [
        "a",
        "b",
        "a",
    ]


def test_a_parquet_column_of_nulls_is_empty_texts() -> None:
    assert read(write_column(pa.nulls(2)))[0] == ["", ""]


def test_a_parquet_file_with_a_name_that_is_not_utf_8_is_named() -> None:
    path = write_parquet([{"text": "a", "label": "b", "other": "c"}])
    path.write_bytes(path.read_bytes().replace(b"other", b"oth\xffr"))
    assert error_of(path).startswith("not a readable Parquet file: ")


def test_a_parquet_column_may_have_a_dot_in_its_name() -> None:
    path = write_parquet([{"my.text": "a", "label": "b"}])
    assert read(path, Columns(("my.text",), "label"))[0] == ["a"]


@pytest.mark.parametrize("writer", [write_csv, write_tsv, write_parquet])
def test_a_missing_column_is_named_with_the_nearest_one(writer: Writer) -> None:
    path = writer([{"txt": "a", "label": "b"}])
    assert (
        error_of(path)
        == "no column 'text', found 'txt', 'label'; did you mean 'txt'? data.text is"
        " 'text': set it to columns of the file, or rename these"
    )


def test_a_missing_key_is_named_with_its_row_and_the_nearest_one() -> None:
    path = write_jsonl([{"text": "a", "label": "b"}, {"text": "a", "lable": "b"}])
    assert (
        error_of(path)
        == "row 2: no column 'label', found 'text', 'lable'; did you mean 'lable'?"
        " data.label is 'label', without which texts can only be predicted: set it to a"
        " column of the file, or rename this one"
    )


@pytest.mark.parametrize("writer", [write_csv, write_parquet])
def test_a_missing_column_like_no_other_is_named_with_the_keys_to_set(
    writer: Writer,
) -> None:
    path = writer([{"a": "1", "b": "2"}])
    assert (
        error_of(path)
        == "no column 'text', found 'a', 'b'; data.text is 'text': set it to columns of"
        " the file, or rename these"
    )


def test_many_found_columns_are_shortened() -> None:
    path = write(
        "data.csv", ",".join(f"column{number}" for number in range(500)) + "\n"
    )
    assert len(error_of(path)) < 200


def test_a_column_that_stands_twice_in_the_header_is_named() -> None:
    path = write("data.csv", "text,label,text\na,b,c\n")
    assert (
        error_of(path)
        == "column 'text' appears twice in the header: 'text', 'label', 'text'"
    )


def test_a_column_that_stands_twice_in_a_parquet_file_is_named() -> None:
    path = Path("data.parquet")
    arrays = [pa.array(["a"]), pa.array(["b"]), pa.array(["c"])]
    pa_parquet.write_table(
        pa.Table.from_arrays(arrays, names=["text", "label", "label"]), path
    )
    assert (
        error_of(path)
        == "column 'label' appears twice in the header: 'text', 'label', 'label'"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("text,label\na,b\nc\n", "row 2: expected 2 columns, found 1: c"),
        (
            "text,label\n" + "a,b\n" * 1218 + "c\n",
            "row 1,219: expected 2 columns, found 1: c",
        ),
        (
            "text,label\na,b,c\n",
            (
                "row 1: expected 2 columns, found 3: a,b,c; put a text that holds the"
                " delimiter in quotation marks"
            ),
        ),
        (
            'text,label\n\n"a\nb",c\n\nd,e,f\n',
            (
                "row 2: expected 2 columns, found 3: d,e,f; put a text that holds the"
                " delimiter in quotation marks"
            ),
        ),
        (
            'text,label\na,b\n"open,c\nd,e\n',
            'row 2: expected 2 columns, found 1: "open,c d,e; is a quotation mark not'
            " closed? Let 'rnncls init data.csv' convert it",
        ),
    ],
)
def test_a_row_with_the_wrong_number_of_fields_is_named(
    content: str, message: str
) -> None:
    assert error_of(write("data.csv", content)) == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            '1,"t"\n2,"u"\n',
            (
                "row 1: expected 3 columns (label, title, description) or a header that"
                " names them, found 2: 1,t"
            ),
        ),
        ('"1","t","d"\n"2","u"\n', 'row 2: expected 3 columns, found 2: "2","u"'),
        (
            "label,title,description\n1,t,d\n2,u\n",
            "row 2: expected 3 columns, found 2: 2,u",
        ),
    ],
)
def test_a_row_by_position_with_the_wrong_number_of_fields_is_named(
    content: str, message: str
) -> None:
    assert error_of(write("data.csv", content), AG_NEWS) == message


def test_a_first_field_may_be_longer_than_the_csv_module_allows() -> None:
    path = write("data.csv", f"1,{'x' * 200_000},d\n")
    assert read(path, AG_NEWS) == ([f"{'x' * 200_000} d"], ["1"])


def test_a_row_with_the_wrong_number_of_fields_that_is_not_utf_8_is_named() -> None:
    path = write("data.csv", b"text,label\na,b\n\xff,b,c\n")
    assert (
        error_of(path)
        == "row 2: expected 2 columns, found 3: \ufffd,b,c; put a text that holds the"
        " delimiter in quotation marks"
    )


@pytest.mark.usefixtures("small_blocks")
def test_a_row_with_the_wrong_number_of_fields_in_a_later_block_is_named() -> None:
    path = write(
        "data.csv", "text,label\n" + "some text,a\n" * 20 + '"two\nlines",a\nx\n'
    )
    assert error_of(path) == "row 22: expected 2 columns, found 1: x"


@pytest.mark.usefixtures("small_blocks")
def test_a_quotation_mark_left_open_over_blocks_is_named() -> None:
    path = write(
        "data.csv",
        "text,label\n" + "some text,a\n" * 20 + '"open,a\n' + "some text,a\n" * 20,
    )
    assert re.fullmatch(
        r"after row \d+: a row is longer than 32 bytes: is a quotation mark not"
        r" closed\?",
        error_of(path),
    )


@each_form
@pytest.mark.parametrize("label", ["", "  "])
def test_a_missing_label_is_named_with_its_row(writer: Writer, label: str) -> None:
    path = writer([{"text": "a", "label": "x"}, {"text": "b", "label": label}])
    assert (
        error_of(path)
        == "row 2: the label (column 'label') is missing: fill it in, or remove"
        " the row"
    )


@each_form
@pytest.mark.usefixtures("small_blocks")
def test_a_missing_label_in_a_later_block_is_named_with_its_row(writer: Writer) -> None:
    assert (
        error_of(writer([*ROWS, {"text": "b", "label": ""}]))
        == "row 10: the label (column 'label') is missing: fill it in, or remove"
        " the row"
    )


@pytest.mark.parametrize("writer", [write_jsonl, write_parquet])
def test_a_null_label_is_a_missing_one(writer: Writer) -> None:
    path = writer([{"text": "a", "label": 1}, {"text": "a", "label": None}])
    assert (
        error_of(path)
        == "row 2: the label (column 'label') is missing: fill it in, or remove"
        " the row"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            b"text,label\na,b\nc\xff,d\n",
            "row 2: 'text': not UTF-8: byte 0xff at position 2; save as UTF-8",
        ),
        (
            b"text,label\na,\xff\n",
            "row 1: 'label': not UTF-8: byte 0xff at position 1; save as UTF-8",
        ),
    ],
)
def test_a_byte_of_another_encoding_is_named_with_its_row_and_column(
    content: bytes, message: str
) -> None:
    assert error_of(write("data.csv", content)) == message


def test_a_byte_of_another_encoding_does_no_harm_in_a_column_that_is_not_read() -> None:
    assert read(write("data.csv", b"text,label,other\na,b,\xff\n")) == (["a"], ["b"])


@pytest.mark.usefixtures("small_blocks")
def test_a_byte_of_another_encoding_in_a_later_block_is_named_with_its_row() -> None:
    path = write("data.csv", b"text,label\n" + b"some text,a\n" * 20 + b"\xff,a\n")
    assert error_of(path).startswith("row 21: 'text': not UTF-8: byte 0xff")


@pytest.mark.usefixtures("small_blocks")
def test_a_byte_of_another_encoding_in_a_later_json_line_is_named_with_its_row() -> (
    None
):
    path = write(
        "data.jsonl",
        b'{"text": "a", "label": "b"}\n' * 5 + b'{"text": "\xff", "label": "b"}\n',
    )
    assert error_of(path) == "row 6: not UTF-8: byte 0xff at position 11; save as UTF-8"


@pytest.mark.usefixtures("small_blocks")
def test_a_byte_of_another_encoding_in_a_later_line_is_named_with_its_row() -> None:
    path = write("data.txt", b"a\n" * 5 + b"\xff\n")
    assert (
        error_of(path, TEXT_ONLY)
        == "row 6: not UTF-8: byte 0xff at position 1; save as UTF-8"
    )


@pytest.mark.parametrize("kind", [pa.string(), pa.binary()])
@pytest.mark.usefixtures("small_blocks")
def test_a_byte_of_another_encoding_in_a_later_parquet_row_is_named(
    kind: pa.DataType,
) -> None:
    path = write_column(pa.array([b"ok"] * 6 + [b"a\xff"], pa.binary()).view(kind))
    assert (
        error_of(path)
        == "row 7: 'text': not UTF-8: byte 0xff at position 2; save as UTF-8"
    )


@pytest.mark.parametrize("name", ["data.csv", "data.tsv"])
@pytest.mark.parametrize("content", [b"", b"\n\n", b"\xef\xbb\xbf"])
def test_an_empty_file_is_named(name: str, content: bytes) -> None:
    assert error_of(write(name, content)) == "is empty: expected rows of delimited text"


def test_a_file_without_json_lines_has_no_rows() -> None:
    assert read(write("data.jsonl", "")) == ([], [])


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (["a", "b"], '["a", "b"]'),
        ({"en": "a"}, '{"en": "a"}'),
        (["x" * 200], '["' + "x" * 77 + "…"),
    ],
)
def test_a_list_or_object_in_the_place_of_a_text_is_named(
    value: object, found: str
) -> None:
    path = write_jsonl([{"text": "a", "label": "b"}, {"text": value, "label": "b"}])
    assert error_of(path) == f"row 2: 'text': expected a text, found {found}"


def test_a_parquet_column_of_lists_is_named() -> None:
    path = write_parquet([{"text": ["a"], "label": "b"}])
    assert error_of(path).startswith("row 1: 'text': expected a text, found list<")


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ('{"text": "a", "label"', '{"text": "a", "label"'),
        ("text,label", "text,label"),
        ("", "an empty line"),
        ("[" * 100_000, "[" * 79 + "…"),
    ],
)
def test_a_line_that_is_not_json_is_named_with_its_row(line: str, shown: str) -> None:
    path = write("data.jsonl", f'{{"text": "a", "label": "b"}}\n{line}\n')
    assert error_of(path) == f"row 2: not valid JSON: {shown}"


@pytest.mark.parametrize("line", ['["a", "b"]', '"a"', "3", "null"])
def test_a_json_line_that_is_no_object_is_named(line: str) -> None:
    assert (
        error_of(write("data.jsonl", line))
        == f"row 1: expected an object with 'text', 'label': {line}"
    )


def test_a_lone_surrogate_in_json_is_named() -> None:
    path = write("data.jsonl", '{"text": "ab\\ud83d", "label": "b"}\n')
    assert (
        error_of(path)
        == "row 1: 'text': not valid Unicode: a lone surrogate at character 3"
    )


def test_a_surrogate_pair_in_json_is_one_character() -> None:
    assert read(write("data.jsonl", '{"text": "\\ud83d\\ude00", "label": "b"}\n'))[
        0
    ] == ["😀"]


@pytest.mark.parametrize(
    "content", [b"", b"text,label\na,b\n", b"PAR1 but nothing else PAR1"]
)
def test_a_file_that_is_no_parquet_file_is_named(content: bytes) -> None:
    message = error_of(write("data.parquet", content))
    assert re.match(r"not a readable Parquet file|cannot be read", message)


def test_a_parquet_file_cut_short_is_named() -> None:
    path = write_parquet(ROWS)
    path.write_bytes(path.read_bytes()[:-30])
    assert error_of(path).startswith("not a readable Parquet file: ")


def test_a_damaged_parquet_file_is_named_in_one_line() -> None:
    path = write_parquet(ROWS)
    content = bytearray(path.read_bytes())
    content[4:40] = bytes(36)
    path.write_bytes(content)
    assert re.fullmatch(
        r"(cannot be read|not a readable Parquet file): [^\n]*", error_of(path)
    )


@pytest.mark.parametrize("name", ["none.csv", "none.tsv", "none.jsonl", "none.parquet"])
def test_a_missing_file_is_named(name: str) -> None:
    assert error_of(Path(name)) == (
        f"no such file; looked in {Path.cwd()}, the folder in which the command runs"
    )


def test_a_missing_file_with_a_complete_path_is_named_alone() -> None:
    assert error_of(Path("none.csv").resolve()) == "no such file"


def test_a_pattern_without_files_names_the_folder_of_the_search() -> None:
    folder = Path.cwd()
    assert error_of(Path("none/*.csv")) == (
        f"has no data files, searched in {folder}: name a file, or a folder of them"
    )


def test_a_missing_file_of_lines_is_named() -> None:
    assert error_of(Path("none.txt"), TEXT_ONLY) == (
        f"no such file; looked in {Path.cwd()}, the folder in which the command runs"
    )


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.jsonl", "a.parquet", "a.txt"])
def test_a_folder_in_the_place_of_a_file_is_named(name: str) -> None:
    Path(name).mkdir()
    assert error_of(Path(name), TEXT_ONLY) == (
        "has no data files: name a file, or a folder of them"
    )


def test_a_damaged_workbook_is_named() -> None:
    assert error_of(write("data.xlsx", "a\n")) == (
        "not a readable Excel workbook: File is not a zip file"
    )


@pytest.mark.parametrize("name", ["data.txt", "data"])
def test_an_unknown_ending_is_refused_where_labels_are_wanted(name: str) -> None:
    assert (
        error_of(write(name, "a\n"))
        == "unknown file format: expected .csv, .tsv, .jsonl or .parquet: rename the"
        " file, or before the training set data.delimiter or let 'rnncls init"
        f" {name}' detect it"
    )


@pytest.mark.parametrize("name", ["data.csv", "data.tsv", "data.txt", "data"])
@pytest.mark.parametrize("delimiter", [";", "|", "\t", ","])
def test_a_delimiter_that_is_given_holds_for_every_ending(
    name: str, delimiter: str
) -> None:
    path = write(name, f"label{delimiter}text\na{delimiter}one\nb{delimiter}two\n")
    assert read(path, Columns(("text",), "label", delimiter=delimiter)) == (
        ["one", "two"],
        ["a", "b"],
    )


@pytest.mark.parametrize("writer", [write_jsonl, write_parquet])
def test_a_delimiter_changes_nothing_where_there_is_none(writer: Writer) -> None:
    path = writer(ROWS)
    assert read(path, Columns(("text",), "label", delimiter=";")) == read(path)


def test_rows_before_a_wrong_one_are_handed_on_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(row_limits, "ROWS_AT_ONCE", 2)
    rows = read_rows(
        write("data.jsonl", '{"text": "a", "label": "b"}\n' * 2 + "oops\n"), ONE
    )
    assert next(rows).texts == ["a", "a"]


def test_data_errors_end_the_program_with_code_3() -> None:
    assert DataError.exit_code == 3


@pytest.mark.parametrize("rows", [[0], [2, 0, 2], [9_000, 1], []])
def test_texts_are_found_by_the_numbers_of_their_rows(
    tmp_path: Path, rows: list[int]
) -> None:
    path = tmp_path / "many.jsonl"
    path.write_text(
        "".join(f'{{"text": "text {number}"}}\n' for number in range(9_001)),
        encoding="utf-8",
    )
    assert find_texts(path, Columns(("text",), None), rows) == [
        f"text {number}" for number in rows
    ]


def test_a_row_that_is_gone_is_told(tmp_path: Path) -> None:
    (tmp_path / "few.jsonl").write_text('{"text": "a"}\n', encoding="utf-8")
    with pytest.raises(DataError, match="has 1 rows, fewer than before"):
        find_texts(tmp_path / "few.jsonl", Columns(("text",), None), [1])


# Pieces of a stream


KEPT_FILES = {
    "a.csv": b"id,text,row_label\n7,one,x\n8,two,y\n",
    "a.tsv": b"id\ttext\n7\tone\n8\ttwo\n",
    "a.jsonl": b'{"id": 7, "text": "one"}\n{"id": 8, "text": "two"}\n',
    "semicolon.csv": "id;text;länge\n7;one;3\n8;two;3\n".encode("cp1252"),
}


@pytest.mark.parametrize("name", KEPT_FILES)
def test_kept_columns_come_with_the_texts_in_one_reading(name: str) -> None:
    path = write(name, KEPT_FILES[name])
    columns = Columns(("text",), None, kept=("id", "row", "text"))
    (rows,) = read_rows(path, columns)
    assert rows.texts == ["one", "two"]
    assert rows.kept == [("7", "", "one"), ("8", "", "two")]


def test_kept_columns_of_a_parquet_file_come_with_texts_and_labels() -> None:
    table = {"id": [7, 8], "text": ["one", "two"], "label": ["a", "b"], "row": [3, 4]}
    pa_parquet.write_table(pa.table(table), "a.parquet")
    columns = Columns(("text",), "label", kept=("label", "row", "id"))
    (rows,) = read_rows(Path("a.parquet"), columns)
    assert (rows.texts, rows.labels) == (["one", "two"], ["a", "b"])
    assert rows.kept == [("a", "3", "7"), ("b", "4", "8")]


@pytest.mark.parametrize("name", [*KEPT_FILES, "lines.txt"])
def test_a_kept_column_must_be_in_the_file(name: str) -> None:
    path = write(name, KEPT_FILES.get(name, b"one\ntwo\n"))
    with pytest.raises(DataError, match="no column 'ids'"):
        list(read_rows(path, Columns(("text",), None, kept=("ids",))))


def test_a_kept_column_may_not_appear_twice() -> None:
    path = write("a.csv", "id,text,id\n1,one,2\n")
    with pytest.raises(DataError, match="'id' appears twice in the header"):
        list(read_rows(path, Columns(("text",), None, kept=("id",))))


def test_a_kept_label_may_be_missing() -> None:
    path = write("a.csv", "text,label\none,a\ntwo,\nthree,b\n")
    (rows,) = read_rows(path, Columns(("text",), None, kept=("label",)))
    assert rows.kept == [("a",), ("",), ("b",)]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv", "title,body\nx,y\n", True),
        ("a.jsonl", '{"title": "x", "body": "y"}\n', True),
        ("a.txt", "title\tbody\nx\ty\n", True),
        ("a.txt", "one text\nanother text\n", False),
        ("a.txt", "__label__a one text\n__label__b another text\n", False),
    ],
)
def test_a_table_is_told_from_lines_of_text(
    name: str, content: str, expected: bool
) -> None:
    Path(name).write_text(content)
    columns = Columns(("title", "body"), None)
    assert has_columns(Path(name), columns) is expected
