"""Reader of Excel workbooks (.xlsx): the first sheet, whose first row is the header."""

from collections.abc import Iterator
from pathlib import Path
from zipfile import BadZipFile

from rnncls import ConfigError, DataError
from rnncls.config.document import shorten
from rnncls.data.rows import Record


def read_excel_records(path: Path) -> Iterator[Record]:
    """Yield the rows of the first sheet, without rows that are empty.

    Raises:
        ConfigError: openpyxl is not installed.
        DataError: The file cannot be read.
    """
    try:
        import openpyxl
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{path}: needs openpyxl: pip install 'rnncls[excel]', or save the sheet as"
            " CSV"
        ) from error
    # openpyxl has no error class of its own for a damaged file.
    try:
        workbook = openpyxl.load_workbook(path, read_only=True, data_only=True)
        rows = workbook.worksheets[0].iter_rows(values_only=True)
        texts = [[_to_text(value) for value in row] for row in rows]
        workbook.close()
    except (OSError, ValueError, LookupError, SyntaxError, BadZipFile) as error:
        raise DataError(
            f"{path}: not a readable Excel workbook: {shorten(str(error))}"
        ) from error
    filled = (row for row in texts if any(row))
    header = next(filled, [])
    for row in filled:
        yield dict(zip(header, row, strict=False))


def _to_text(value: object) -> str:
    """Return the value of a cell as text; a number without decimals as in Excel."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)
