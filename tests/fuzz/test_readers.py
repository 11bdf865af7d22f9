"""What a library writes is read back; anything else is read, or refused by its row."""

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
from hypothesis import assume
from hypothesis import strategies as st

from rnncls import DataError
from rnncls.config.loading import parse_config
from rnncls.data.datasets import load_labelled
from rnncls.data.encodings import find_certain_encoding
from rnncls.data.label_names import normalize_label
from rnncls.data.readers import read_rows
from rnncls.data.rows import Columns
from rnncls.data.text_files import read_lines
from rnncls.text.tokenizer import build_tokenizer
from tests.fuzz.cases import attempt, damaged, fuzz, labels, texts, written

COLUMNS = Columns(("text",), "label")
ENDINGS = [".csv", ".tsv", ".jsonl", ".parquet"]
Row = tuple[str, str]
rows = st.lists(st.tuples(texts(), labels()), max_size=8)
numbers = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_subnormal=False)
)


def as_csv(
    table: list[Row],
    delimiter: str = ",",
    end: str = "\n",
    quoting: Any = csv.QUOTE_ALL,
) -> bytes:
    stream = io.StringIO(newline="")
    writer = csv.writer(
        stream, delimiter=delimiter, lineterminator=end, quoting=quoting
    )
    writer.writerows([("text", "label"), *table])
    return stream.getvalue().encode()


def as_jsonl(table: list[Row]) -> bytes:
    return "".join(
        json.dumps({"text": text, "label": label}) + "\n" for text, label in table
    ).encode()


def as_parquet(table: list[Row]) -> bytes:
    stream = io.BytesIO()
    schema = pa.schema([("text", pa.string()), ("label", pa.string())])
    items = [{"text": text, "label": label} for text, label in table]
    pa_parquet.write_table(
        pa.Table.from_pylist(items, schema), stream, row_group_size=3
    )
    return stream.getvalue()


WRITERS: dict[str, Callable[[list[Row]], bytes]] = {
    ".csv": as_csv,
    ".tsv": lambda table: as_csv(table, "\t"),
    ".jsonl": as_jsonl,
    ".parquet": as_parquet,
}


def read(path: Path, columns: Columns = COLUMNS) -> list[tuple[str, ...]]:
    """Return all rows of a file as tuples."""
    found: list[tuple[str, ...]] = []
    for chunk in read_rows(path, columns):
        found += (
            zip(chunk.texts, chunk.labels, strict=True)
            if columns.label
            else ((text,) for text in chunk.texts)
        )
    return found


def check(path: Path, columns: Columns = COLUMNS) -> None:
    """See that a file is read, or refused under its name."""
    result = attempt(lambda: read(path, columns), DataError)
    if isinstance(result, DataError):
        assert str(result).startswith(f"{path}: ")
        assert len(str(result)) < 1000
    else:
        assert all(label.strip() for _, *labels in result for label in labels)


# Round trips


@fuzz(table=rows, end=st.sampled_from(["\n", "\r\n", "\r"]), with_mark=st.booleans())
def test_a_csv_file_is_read_as_it_was_written(
    table: list[Row], end: str, with_mark: bool
) -> None:
    mark = b"\xef\xbb\xbf" if with_mark else b""
    assert read(written("data.csv", mark + as_csv(table, end=end))) == table


@fuzz(
    table=st.lists(
        st.tuples(texts(without="\r"), labels().filter(lambda text: "\r" not in text)),
        max_size=8,
    )
)
def test_a_csv_file_with_few_quotes_is_read_as_it_was_written(table: list[Row]) -> None:
    assert read(written("data.csv", as_csv(table, quoting=csv.QUOTE_MINIMAL))) == table


@fuzz(column=st.lists(texts(), max_size=8))
def test_a_csv_file_of_one_column_is_read_as_it_was_written(column: list[str]) -> None:
    stream = io.StringIO(newline="")
    csv.writer(stream, quoting=csv.QUOTE_ALL).writerows(
        [("text",), *((text,) for text in column)]
    )
    path = written("data.csv", stream.getvalue().encode())
    assert read(path, Columns(("text",), None)) == [(text,) for text in column]


@fuzz(table=rows)
def test_a_tsv_file_is_read_as_it_was_written_or_the_first_doubtful_row_is_named(
    table: list[Row],
) -> None:
    path = written("data.tsv", as_csv(table, "\t"))
    doubtful = [
        row for row, (text, _) in enumerate(table, 1) if "\t" in text and "\n" in text
    ]
    result = attempt(lambda: read(path), DataError)
    if doubtful:
        assert str(result).startswith(
            f"data.tsv: row {doubtful[0]}: a field continues over several lines"
        )
    else:
        assert result == table


@fuzz(table=rows, ascii_=st.booleans())
def test_a_jsonl_file_is_read_as_it_was_written(table: list[Row], ascii_: bool) -> None:
    lines = [
        json.dumps({"label": label, "text": text}, ensure_ascii=ascii_)
        for text, label in table
    ]
    assert (
        read(written("data.jsonl", "".join(f"{line}\n" for line in lines).encode()))
        == table
    )


@fuzz(
    table=rows,
    kind=st.sampled_from(
        [pa.string(), pa.large_string(), pa.binary(), pa.string_view()]
    ),
)
def test_a_parquet_file_is_read_as_it_was_written(
    table: list[Row], kind: pa.DataType
) -> None:
    column = pa.array([text.encode() for text, _ in table], pa.binary()).cast(kind)
    pa_parquet.write_table(
        pa.table(
            {
                "text": column,
                "label": pa.array([label for _, label in table], pa.string()),
            }
        ),
        "data.parquet",
    )
    assert read(Path("data.parquet")) == table


@fuzz(lines=st.lists(texts(without="\r\n"), max_size=8))
def test_lines_are_read_as_they_were_written(lines: list[str]) -> None:
    assume(not (lines and lines[0].startswith("\ufeff")))
    chunks = read_lines(
        io.BytesIO("".join(f"{line}\n" for line in lines).encode()), "stdin"
    )
    assert [text for chunk in chunks for text in chunk.texts] == lines


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.usefixtures("small_blocks")
@fuzz(share=0.5, table=rows)
def test_rows_of_many_blocks_are_read_as_they_were_written(
    ending: str, table: list[Row]
) -> None:
    assume(
        ending != ".tsv" or not any("\t" in text and "\n" in text for text, _ in table)
    )
    assert read(written(f"data{ending}", WRITERS[ending](table))) == table


@fuzz(values=st.lists(numbers, min_size=1, max_size=8))
def test_numbers_of_json_lines_are_texts_as_json_writes_them(values: list[Any]) -> None:
    lines = "".join(
        json.dumps({"text": value, "label": "a"}) + "\n" for value in values
    )
    expected = ["" if value is None else json.dumps(value) for value in values]
    assert [text for text, _ in read(written("data.jsonl", lines.encode()))] == expected


# Rows that are wrong


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.usefixtures("small_blocks")
@fuzz(
    share=0.5,
    table=rows.filter(bool),
    place=st.integers(0, 7),
    blank=st.sampled_from(["", " ", "\t", "\u2003"]),
)
def test_a_missing_label_is_named_with_its_row(
    ending: str, table: list[Row], place: int, blank: str
) -> None:
    assume(
        ending != ".tsv" or not any("\t" in text and "\n" in text for text, _ in table)
    )
    row = place % len(table)
    text = table[row][0]
    assume(text.strip())  # else the row is empty, and may be dropped
    table[row] = (text, blank)
    result = attempt(
        lambda: read(written(f"data{ending}", WRITERS[ending](table))), DataError
    )
    assert (
        str(result)
        == f"data{ending}: row {row + 1}: the label (column 'label') is missing: fill"
        " it in, or remove the row"
    )


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl"])
@fuzz(share=0.5, table=rows, place=st.integers(0, 8), byte=st.integers(0x80, 0xFF))
def test_a_byte_that_is_no_utf_8_is_named_unless_the_file_is_surely_windows_1252(
    ending: str, table: list[Row], place: int, byte: int
) -> None:
    assume(
        ending != ".tsv" or not any("\t" in text and "\n" in text for text, _ in table)
    )
    row = place % (len(table) + 1)
    table.insert(row, ("MARK", "a"))
    content = WRITERS[ending](table).replace(b"MARK", b"x" + bytes([byte]))
    path = written(f"data{ending}", content)
    result = attempt(lambda: read(path), DataError)
    if find_certain_encoding(path) == "cp1252":
        assert ("x" + bytes([byte]).decode("cp1252"), "a") in result
        return
    assert str(result).startswith(f"data{ending}: row {row + 1}: ")
    assert f"not UTF-8: byte 0x{byte:02x} at position " in str(result)


@fuzz(table=rows, place=st.integers(0, 8), num_fields=st.sampled_from([1, 3, 9]))
def test_a_row_with_a_wrong_number_of_fields_is_named(
    table: list[Row], place: int, num_fields: int
) -> None:
    row = place % (len(table) + 1)
    table.insert(row, tuple("x" * num_fields))  # type: ignore[arg-type]  # that is the mistake
    result = attempt(lambda: read(written("data.csv", as_csv(table))), DataError)
    assert str(result).startswith(
        f"data.csv: row {row + 1}: expected 2 columns, found {num_fields}: "
    )


# Files that nobody wrote


@pytest.mark.parametrize("ending", [*ENDINGS, ".txt"])
@fuzz(
    content=st.binary(max_size=300)
    | st.lists(st.sampled_from(list(',\t"\r\n\0ab\\{}[]:')), max_size=60).map(
        lambda pieces: "".join(["text,label\n", *pieces]).encode()
    )
)
def test_any_bytes_are_rows_or_an_error_that_names_the_file(
    ending: str, content: bytes
) -> None:
    check(
        written(f"data{ending}", content),
        COLUMNS if ending in ENDINGS else Columns(("text",), None),
    )


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.usefixtures("small_blocks")
@fuzz(data=st.data())
def test_a_damaged_file_is_rows_or_an_error_that_names_the_file(
    ending: str, data: st.DataObject
) -> None:
    check(written(f"data{ending}", data.draw(damaged(rows.map(WRITERS[ending])))))


arrow_types = st.sampled_from(
    [
        *(
            pa.int8(),
            pa.uint64(),
            pa.float16(),
            pa.float64(),
            pa.bool_(),
            pa.null(),
            pa.date32(),
            pa.date64(),
        ),
        *(
            pa.time32("s"),
            pa.time64("ns"),
            pa.timestamp("us"),
            pa.timestamp("ms", "UTC"),
            pa.timestamp("us", "No/Where"),
        ),
        *(
            pa.duration("s"),
            pa.decimal128(20, 3),
            pa.binary(8),
            pa.binary(),
            pa.list_(pa.int64()),
            pa.uuid(),
        ),
        *(
            pa.struct([("text", pa.string())]),
            pa.map_(pa.string(), pa.int64()),
            pa.dictionary(pa.int8(), pa.binary()),
        ),
    ]
)


@fuzz(
    kind=arrow_types,
    items=st.lists(st.integers(-(2**40), 2**40) | st.none(), max_size=5),
    name=st.booleans(),
)
def test_a_parquet_column_of_any_type_is_texts_or_an_error_that_names_the_file(
    kind: pa.DataType, items: list[int | None], name: bool
) -> None:
    column = attempt_cast(items, kind)
    other = pa.array(["a"] * len(column), pa.string())
    pa_parquet.write_table(
        pa.table(
            {"text": other if name else column, "label": column if name else other}
        ),
        "data.parquet",
    )
    check(Path("data.parquet"))


def attempt_cast(items: list[int | None], kind: pa.DataType) -> pa.Array:
    """Return the numbers as another type, or as many nulls of it."""
    array = pa.array(items, pa.int64())
    try:
        return array.cast(kind, safe=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        return pa.nulls(len(items), kind)


@fuzz(
    line=st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_subnormal=False)
        | texts(surrogates=True),
        lambda inner: (
            st.lists(inner, max_size=3)
            | st.dictionaries(st.sampled_from(["text", "label", "x"]), inner)
        ),
        max_leaves=6,
    )
)
def test_any_json_line_is_a_row_or_an_error_that_names_it(line: Any) -> None:
    path = written(
        "data.jsonl",
        b'{"text": "a", "label": "b"}\n' + json.dumps(line).encode() + b"\n",
    )
    result = attempt(lambda: read(path), DataError)
    if isinstance(result, list):
        # A row at the end with neither a text nor a label is ignored.
        assert len(result) == (1 if is_blank_row(line) else 2)
    else:
        assert str(result).startswith("data.jsonl: row 2: ")


def is_blank_row(line: Any) -> bool:
    if not isinstance(line, dict):
        return False
    values = [line.get("text"), line.get("label")]
    return all(value is None or not str(value).strip() for value in values)


# Data sets


@pytest.mark.parametrize("ending", ENDINGS)
@fuzz(share=0.5, table=rows)
def test_a_data_set_has_the_labels_and_tokens_of_its_file(
    ending: str, table: list[Row]
) -> None:
    assume(
        ending != ".tsv" or not any("\t" in text and "\n" in text for text, _ in table)
    )
    config = parse_config("data: {train: x, text: [text]}", "fuzz.yaml")
    path = written(f"data{ending}", WRITERS[ending](table))
    found = attempt(lambda: load_labelled(path, config.data, config.text), DataError)
    if not table:
        assert (
            str(found) == f"data{ending}: has no rows: expected one labelled text a row"
        )
        return
    tokenize = build_tokenizer(config.text)
    assert [found.label_names[label] for label in found.labels] == [
        normalize_label(label) for _, label in table
    ]
    tokens = [token for text, _ in table for token in tokenize(text)]
    assert [found.texts.words[number] for number in found.texts.word_ids] == tokens
    assert len(set(found.label_names)) == len(found.label_names)


# Sizes


@pytest.mark.slow
def test_a_million_rows_of_one_token_are_read_and_tokenised() -> None:
    config = parse_config("data: {train: x, text: [text]}", "fuzz.yaml")
    found = load_labelled(
        written("data.csv", b"text,label\n" + b"word,a\n" * 1_000_000),
        config.data,
        config.text,
    )
    assert (found.texts.words, len(found.labels), int(found.texts.lengths.sum())) == (
        ["word"],
        1_000_000,
        1_000_000,
    )


@pytest.mark.parametrize("ending", [*ENDINGS, ".txt"])
def test_a_line_of_ten_megabytes_is_a_text(ending: str) -> None:
    text = "again " * (10_000_000 // 6)
    if ending == ".txt":
        assert read(written("data.txt", text.encode()), Columns(("text",), None)) == [
            (text,)
        ]
    else:
        assert read(written(f"data{ending}", WRITERS[ending]([(text, "a")]))) == [
            (text, "a")
        ]


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl"])
def test_no_message_holds_a_whole_line_of_ten_megabytes(ending: str) -> None:
    result = attempt(
        lambda: read(written(f"data{ending}", b"x" * 10_000_000)), DataError
    )
    assert str(result).startswith(f"data{ending}: ")
    assert len(str(result)) < 500
