"""What `rnncls init` reads is read the same by training, evaluation and prediction."""

import csv
import io
from dataclasses import replace
from pathlib import Path
from typing import Literal

import pytest
from hypothesis import strategies as st

from rnncls import ConfigError, DataError
from rnncls.data.conversion import ConversionOptions
from rnncls.data.datasets import columns_of
from rnncls.data.init_config import Draft, draft_config
from rnncls.data.label_names import normalize_label
from rnncls.data.readers import read_rows
from rnncls.data.rows import Columns
from tests.fuzz.cases import attempt, damaged, fuzz

pytestmark = pytest.mark.usefixtures("small_blocks")

OUT = Path("drafted.yaml")
Quoting = Literal[0, 1]
"""csv.QUOTE_MINIMAL or csv.QUOTE_ALL."""
Table = list[tuple[str, str]]
words = st.sampled_from(
    ["good", "schön", "größer", "don't", 'say "no"', "a, b", "x; y", "1998", "e\u0301t",
     "<b>", "R&amp;D", "very", "!", "two\nlines", "it\u2019s"]
)  # fmt: skip
some_texts = st.lists(words, min_size=3, max_size=8).map(" ".join)
classes = st.sampled_from(["gut", "schlecht", "na ja"])
tables = st.lists(st.tuples(some_texts, classes), min_size=4, max_size=12)


def as_table(
    table: Table, delimiter: str, end: str, quoting: Quoting, head: tuple[str, ...]
) -> str:
    stream = io.StringIO(newline="")
    writer = csv.writer(
        stream, delimiter=delimiter, lineterminator=end, quoting=quoting
    )
    writer.writerows([head, *table] if head else table)
    return stream.getvalue()


def draft(
    source: str, text: tuple[str, ...] = (), label: str | None = None
) -> Draft | Exception:
    options = ConversionOptions(overwrite=True)
    drafted = attempt(
        lambda: draft_config(source, OUT, text, label, options), DataError, ConfigError
    )
    assert isinstance(drafted, Draft | DataError | ConfigError)
    return drafted


def read(path: Path, columns: Columns) -> Table:
    rows: Table = []
    for block in read_rows(path, columns):
        labels = [normalize_label(label) for label in block.labels]
        if columns.label is None:
            labels = [""] * len(block.texts)
        rows += zip(block.texts, labels, strict=True)
    return rows


def check_read_alike(source: Path, drafted: Draft) -> Table:
    """Check that all commands read the rows of a file alike; return these rows."""
    section = drafted.config.data
    columns = columns_of(section)
    trained = read(Path(str(section.train)), columns)
    assert len(trained) == drafted.stats.num_rows
    assert read(source, columns) == trained  # rnncls eval --data
    texts = [text for text, _ in read(source, replace(columns, label=None))]
    assert texts == [text for text, _ in trained]  # rnncls predict --input
    return trained


@fuzz(
    table=tables,
    delimiter=st.sampled_from(",;\t|"),
    end=st.sampled_from(["\n", "\r\n"]),
    head=st.sampled_from([("text", "label"), ("Text", "Klasse"), ("body", "y")]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16", "cp1252"]),
    name=st.sampled_from(["own.csv", "own.tsv", "own.txt"]),
)
def test_a_table_in_quotation_marks_loses_no_row(
    table: Table,
    delimiter: str,
    end: str,
    head: tuple[str, ...],
    encoding: str,
    name: str,
) -> None:
    content = as_table(table, delimiter, end, csv.QUOTE_ALL, head)
    Path(name).write_bytes(content.encode(encoding, "replace"))
    drafted = draft(name, head[:1], head[1])
    if isinstance(drafted, Draft):
        expected = [
            (text.encode(encoding, "replace").decode(encoding), label)
            for text, label in table
        ]
        assert check_read_alike(Path(name), drafted) == expected
    else:
        assert len({label for _, label in table}) < 2


@fuzz(
    table=tables,
    delimiter=st.sampled_from(",;\t|"),
    head=st.sampled_from([("text", "label"), ("a", "b"), ()]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    name=st.sampled_from(["own.csv", "own.tsv", "own.txt"]),
)
def test_any_table_is_read_alike_by_all_commands(
    table: Table, delimiter: str, head: tuple[str, ...], quoting: Quoting, name: str
) -> None:
    Path(name).write_text(as_table(table, delimiter, "\n", quoting, head), newline="")
    drafted = draft(name)
    if isinstance(drafted, Draft):
        check_read_alike(Path(name), drafted)


@fuzz(table=tables)
def test_fasttext_lines_are_read_alike_by_all_commands(table: Table) -> None:
    rows = [(" ".join(text.split()), label.replace(" ", "-")) for text, label in table]
    lines = [f"__label__{label} {text}\n" for text, label in rows]
    Path("own.txt").write_text("".join(lines), encoding="utf-8")
    drafted = draft("own.txt")
    if isinstance(drafted, Draft):
        assert check_read_alike(Path("own.txt"), drafted) == rows
    else:
        assert len({label for _, label in rows}) < 2


@fuzz(
    content=damaged(
        tables.map(
            lambda table: as_table(
                table, ";", "\n", csv.QUOTE_MINIMAL, ("text", "label")
            ).encode("cp1252", "replace")
        )
    )
    | st.binary(max_size=200),
    name=st.sampled_from(["own.csv", "own.jsonl", "own.txt", "own.json", "own.xlsx"]),
)
def test_any_bytes_are_drafted_or_refused_in_one_line(
    content: bytes, name: str
) -> None:
    Path(name).write_bytes(content)
    drafted = draft(name)
    if not isinstance(drafted, Draft):
        assert len(str(drafted).splitlines()) == 1
