"""Check that an output replaces only a file of the same kind, not a file of the user.

A file that is empty or a single word, and a pipe or a device, can always be written.
"""

import csv
import json
import re
from collections.abc import Collection, Sequence
from pathlib import Path

from rnncls import ConfigError
from rnncls.cli.outputs import is_special

_PREDICTION_COLUMNS = ("label", "prob", "text")
"""Columns and keys that predictions of every version have."""
_DELIMITERS = {".csv": ",", ".tsv": "\t"}
_JSON_ENDINGS = {".jsonl", ".ndjson"}
_MAX_LINE_BYTES = 1 << 20
_PROBS = re.compile(r"[01]\.\d{4}(\|[01]\.\d{4})*")
"""The second field of a plain line; several labels have several probabilities."""


def check_replaces_predictions(option: str, path: Path) -> None:
    """Check that an existing file, if there is one, holds predictions.

    Args:
        option: The name of the option, for the message.
        path: The file to write.

    Raises:
        ConfigError: It holds something else.
    """
    if not has_content(path):
        return
    ending = path.suffix.lower()
    if ending in _DELIMITERS or ending in _JSON_ENDINGS or ending == ".parquet":
        names = _read_names(path, ending)
        _check_names(option, path, names, _PREDICTION_COLUMNS, "predictions")
    elif not _is_prediction_line(_read_first_line(path)):
        raise ConfigError(
            f"{option}: {path} already exists, and its first line is not a prediction:"
            " choose another name, or delete the file first"
        )


def check_replaces_table(
    option: str, path: Path, columns: Sequence[str], kind: str
) -> None:
    """Check that an existing CSV file, if there is one, has the columns of an output.

    Args:
        option: The name of the option, for the message.
        path: The file to write.
        columns: The columns.
        kind: What they are the columns of, for the message.

    Raises:
        ConfigError: It lacks some of them.
    """
    if has_content(path):
        _check_names(option, path, _read_names(path, ".csv"), columns, kind)


def has_content(path: Path) -> bool:
    """Return whether a path is that of a file with more than one word."""
    if is_special(path):
        return False
    try:
        if not path.is_file():
            return False
        with path.open("rb") as stream:
            return len(stream.read(_MAX_LINE_BYTES).split()) > 1
    except OSError:  # the writer will raise a clear error
        return False


def _check_names(
    option: str,
    path: Path,
    names: Collection[str],
    expected: Sequence[str],
    kind: str,
) -> None:
    """Check that a file has all expected columns or keys.

    Raises:
        ConfigError: It lacks one.
    """
    missing = [name for name in expected if name not in names]
    if missing:
        plural = "columns" if len(missing) > 1 else "column"
        raise ConfigError(
            f"{option}: {path} already exists, and does not hold {kind} (it has no"
            f" {plural} {', '.join(missing)}): choose another name, or delete the file"
            " first"
        )


def _read_names(path: Path, ending: str) -> list[str]:
    """Return the columns of a table, or the keys of the first line of JSON lines."""
    if ending == ".parquet":
        return _read_parquet_names(path)
    line = _read_first_line(path)
    if ending in _DELIMITERS:
        return next(csv.reader([line], delimiter=_DELIMITERS[ending]), [])
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        return []
    return list(row) if isinstance(row, dict) else []


def _read_parquet_names(path: Path) -> list[str]:
    import pyarrow as pa
    import pyarrow.parquet as pa_parquet

    try:
        names: list[str] = pa_parquet.read_schema(path).names
    except (pa.ArrowException, OSError):
        return []
    return names


def _read_first_line(path: Path) -> str:
    """Return the first line of a file; of a file that cannot be read, nothing."""
    try:
        with path.open("rb") as stream:
            line = stream.readline(_MAX_LINE_BYTES)
    except OSError:
        return ""
    return line.decode("utf-8-sig", "replace").rstrip("\r\n")


def _is_prediction_line(line: str) -> bool:
    """Return whether a plain line has a label, its probability and a text.

    A text of several labels may have none of them, and then no probability.
    """
    fields = line.split("\t")
    if len(fields) < len(_PREDICTION_COLUMNS):
        return False
    has_no_label = fields[0] == fields[1] == ""
    return has_no_label or _PROBS.fullmatch(fields[1]) is not None
