"""Reader of Parquet files."""

from collections.abc import Iterator
from pathlib import Path

from rnncls import DataError
from rnncls.config.document import shorten
from rnncls.data import rows as row_limits
from rnncls.data.arrow import is_list_type, rows_of_batches
from rnncls.data.label_sets import join_items
from rnncls.data.rows import Columns, Record, Rows, check_columns


def read_parquet_rows(path: Path, columns: Columns) -> Iterator[Rows]:
    """Yield the rows of a file.

    Raises:
        DataError: The file cannot be read, lacks a column, or a row is wrong.
    """
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    try:
        with pa_parquet.ParquetFile(path) as file:
            names = file.schema_arrow.names
            check_columns(path, columns, names)
            batches = file.iter_batches(
                batch_size=row_limits.ROWS_AT_ONCE,
                columns=columns.names_to_read(names, str(path)),
            )
            yield from rows_of_batches(batches, str(path), columns)
    # A UnicodeDecodeError: the name of a column is not UTF-8.
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise DataError(
            f"{path}: not a readable Parquet file: {shorten(str(error))}"
        ) from error


def read_parquet_records(path: Path, *, with_sets: bool = False) -> Iterator[Record]:
    """Yield the rows of a file; nested columns are left out.

    With `with_sets`, columns of lists are kept, as `join_labels` writes them.

    Raises:
        DataError: The file cannot be read.
    """
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    try:
        with pa_parquet.ParquetFile(path) as file:
            names = [
                field.name
                for field in file.schema_arrow
                if not pa.types.is_nested(field.type)
                or (with_sets and is_list_type(field.type))
            ]
            for batch in file.iter_batches(
                batch_size=row_limits.ROWS_AT_ONCE, columns=names
            ):
                for row in batch.to_pylist():
                    yield {name: _to_text(row[name], path, name) for name in names}
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path}: not a readable Parquet file: {error}") from error


def count_parquet_rows(path: Path) -> int:
    """Return how many rows a file has, from its metadata."""
    import pyarrow.parquet as pa_parquet

    return int(pa_parquet.read_metadata(path).num_rows)


def _to_text(value: object, path: Path, name: str) -> str:
    if isinstance(value, list):
        return join_items(value, f"{path}: '{name}'")
    return "" if value is None else str(value)
