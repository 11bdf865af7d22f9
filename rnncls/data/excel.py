"""Reader of Excel workbooks (.xlsx): the first sheet, whose first row is the header."""

import logging
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from zipfile import BadZipFile

from rnncls import ConfigError, DataError
from rnncls.config.document import shorten
from rnncls.data.rows import Record, quote_names

logger = logging.getLogger(__name__)


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
        names = tuple(sheet.title for sheet in workbook.worksheets)
        rows = workbook.worksheets[0].iter_rows(values_only=True)
        texts = [[_to_text(value) for value in row] for row in rows]
        workbook.close()
    except (OSError, ValueError, LookupError, SyntaxError, BadZipFile) as error:
        raise DataError(
            f"{path}: not a readable Excel workbook: {shorten(str(error))}"
        ) from error
    stat = path.stat()
    _note_sheets(path, names, (stat.st_mtime_ns, stat.st_size))
    filled = (row for row in texts if any(row))
    header = next(filled, [])
    _check_header(path, header)
    for row in filled:
        yield dict(zip(header, row, strict=False))


@lru_cache(maxsize=64)
def _note_sheets(path: Path, names: tuple[str, ...], _state: tuple[int, int]) -> None:
    """Log which sheet is read of several; once, although a command reads it again."""
    if len(names) > 1:
        others = ", ".join(f"'{name}'" for name in names[1:])
        logger.info(
            "%s: only the first sheet, '%s', is read; not %s: to use another one, save"
            " it as CSV",
            path,
            names[0],
            shorten(others),
        )


def _check_header(path: Path, header: list[str]) -> None:
    """Check that no column appears twice.

    Raises:
        DataError: One does.
    """
    for name in header:
        if name and header.count(name) > 1:
            raise DataError(
                f"{path}: column '{name}' appears twice in the header:"
                f" {quote_names(header)}"
            )


def _to_text(value: object) -> str:
    """Return the value of a cell as text; a number without decimals as in Excel."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return "" if value is None else str(value)
