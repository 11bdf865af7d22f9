"""Excel workbooks: which sheet is read, and headers that name a column twice."""

import logging
from pathlib import Path

import openpyxl
import pytest

from rnncls import DataError
from rnncls.data.excel import read_excel_records


def write(path: Path, *sheets: list[list[object]]) -> Path:
    """Write a workbook with a sheet for each list of rows."""
    workbook = openpyxl.Workbook()
    workbook.remove(workbook.active)
    for number, rows in enumerate(sheets, start=1):
        sheet = workbook.create_sheet(f"sheet {number}")
        for row in rows:
            sheet.append(row)
    workbook.save(path)
    return path


def test_sheets_that_are_not_read_are_named_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    first: list[list[object]] = [
        ["text", "label"],
        ["a", 1.0],
        [None, None],
        ["b", True],
    ]
    path = write(tmp_path / "a.xlsx", first, [["text"]], [["text"]])
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            records = list(read_excel_records(path))
    assert records == [{"text": "a", "label": "1"}, {"text": "b", "label": "True"}]
    assert [record.message for record in caplog.records] == [
        f"{path}: only the first sheet, 'sheet 1', is read; not 'sheet 2', 'sheet 3':"
        " to use another one, save it as CSV"
    ]


def test_one_sheet_needs_no_note(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = write(tmp_path / "a.xlsx", [["text"], ["a"]])
    with caplog.at_level(logging.INFO):
        assert list(read_excel_records(path)) == [{"text": "a"}]
    assert caplog.records == []


def test_a_column_that_appears_twice_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", [["text", None, None, "text"], ["a", 1, 2, "b"]])
    with pytest.raises(DataError, match=r"a\.xlsx: column 'text' appears twice"):
        list(read_excel_records(path))
