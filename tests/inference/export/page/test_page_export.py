"""The export of a run folder as a page."""

from pathlib import Path

import pytest

from rnncls import ConfigError, DataError
from rnncls.data.rows import Columns
from rnncls.inference.export.page.page_export import (
    PageOptions,
    export_page,
    read_examples,
)

PAGE = Path("page.html")
COLUMNS = Columns(("text",), None)


def test_a_run_is_exported_with_its_card(toy_run: Path) -> None:
    exported = export_page(toy_run, PAGE, PageOptions(examples=["rovers <meet>"]))
    assert exported.size == PAGE.stat().st_size
    assert (exported.num_dropped, exported.changes) != (0, None)
    text = PAGE.read_text("utf-8")
    assert '<h1 dir="auto">toy-run</h1>' in text
    assert "160 texts of toy.csv" in text
    assert "40 texts, which selected the epoch" in text
    assert "rovers &lt;meet&gt;</span></button>" in text


def test_fewer_words_change_labels_and_the_card_says_so(toy_run: Path) -> None:
    full = export_page(toy_run, PAGE)
    limit = (full.size + 100) / 1e6
    exported = export_page(toy_run, PAGE, PageOptions(max_size_mb=limit))
    assert exported.size <= limit * 1e6
    assert exported.num_dropped > 0
    assert exported.changes is not None
    assert exported.changes.num_texts == 40
    assert f"{exported.num_dropped} rarest words" in PAGE.read_text("utf-8")


def test_a_run_whose_data_are_gone_is_exported(toy_run: Path, toy_csv: Path) -> None:
    toy_csv.unlink()
    assert export_page(toy_run, PAGE).changes is None


def test_examples_are_one_a_line() -> None:
    Path("a.txt").write_text("\ufeffone text\n\n  another  \n", "utf-8")
    assert read_examples(Path("a.txt"), COLUMNS) == ["one text", "another"]


@pytest.mark.parametrize("line", ["text\tlabel", "label,text", '{"text": "a"}'])
def test_a_table_is_not_taken_for_examples(line: str) -> None:
    Path("a.txt").write_text(f"{line}\nb\n", "utf-8")
    message = r"^--examples: a\.txt: row 1 looks like (CSV|JSONL) with the run"
    with pytest.raises(DataError, match=message):
        read_examples(Path("a.txt"), COLUMNS)
    Path("a.txt").write_text(f"\n{line}\nb\n", "utf-8")
    assert read_examples(Path("a.txt"), COLUMNS) == [line, "b"]


@pytest.mark.parametrize("content", [b"\n \n", b"\xff"])
def test_a_file_without_examples_is_an_error(content: bytes) -> None:
    Path("a.txt").write_bytes(content)
    with pytest.raises(ConfigError, match=r"--examples: a\.txt: "):
        read_examples(Path("a.txt"), COLUMNS)
