"""Convert files that training cannot read into UTF-8 CSV files."""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rnncls import ConfigError, DataError
from rnncls.data.converted_parts import Part, list_parts, list_shared_columns
from rnncls.data.detected import describe_format
from rnncls.data.encodings import find_encoding
from rnncls.data.file_sets import data_ending, list_files
from rnncls.data.formats import DELIMITERS, FileFormat, detect_format
from rnncls.data.label_sets import is_label_set, split_labels
from rnncls.data.readers import read_file_records, read_records
from rnncls.data.rows import Columns, Record, quote_names
from rnncls.data.source_files import Files
from rnncls.data.splits import Split
from rnncls.machine.files import write_atomic

Formats = Mapping[Split, FileFormat]
_ENDINGS = {"jsonl": {".jsonl", ".ndjson"}, "parquet": {".parquet"}}
"""The endings by which training recognises a format; delimited files have any other."""
_ROWS_LISTED = 5
_DEFAULT_DELIMITERS = {(".csv", ","), (".tsv", "\t")}


def detect_formats(files: Files, names: Sequence[str]) -> dict[Split, FileFormat]:
    """Return the format of each file.

    A delimited file with the ending of the training file has its columns too.

    Args:
        files: The files.
        names: Columns that the user has named: a row with these names is a header.
    """
    train = files["train"]
    train_format = detect_format(train, names)
    formats: dict[Split, FileFormat] = {}
    for split, path in files.items():
        has_same_ending = path.is_file() and path.suffix == train.suffix
        if has_same_ending and train_format.kind == "delimited":
            encoding = find_encoding(path)
            formats[split] = replace(train_format, encoding=encoding)
        else:
            formats[split] = detect_format(path, names)
    return formats


def format_keys(path: Path, file_format: FileFormat) -> dict[str, Any]:
    """Return the keys of the data section that describe the format of a file."""
    keys: dict[str, Any] = {}
    if file_format.kind != "delimited":
        return keys
    if (
        data_ending(list_files(path)[0]),
        file_format.delimiter,
    ) not in _DEFAULT_DELIMITERS:
        keys["delimiter"] = DELIMITERS[file_format.delimiter]
    if not file_format.has_header:
        keys["columns"] = list(file_format.names)
    return keys


def are_readable(files: Files, formats: Formats) -> bool:
    """Return whether training can read all files, with the same keys for each."""
    if not all(_is_readable(path, formats[split]) for split, path in files.items()):
        return False
    keys = [format_keys(path, formats[split]) for split, path in files.items()]
    return len({json.dumps(file_keys) for file_keys in keys}) == 1


def _is_readable(path: Path, file_format: FileFormat) -> bool:
    """Return whether training recognises the format of a file by its ending."""
    suffix = data_ending(list_files(path)[0])
    if not file_format.is_readable:
        return False
    if file_format.kind in _ENDINGS:
        return suffix in _ENDINGS[file_format.kind]
    return all(suffix not in endings for endings in _ENDINGS.values())


def convert_files(
    files: Files,
    formats: Formats,
    out: Path,
    columns: Columns,
    options: "ConversionOptions",
    separator: str | None = None,
) -> tuple[Files, list[str]]:
    """Write each file as CSV, with all its columns, beside the config at `out`.

    Rows with neither a text nor a label are left out.

    Args:
        files: The files.
        formats: Their formats.
        out: The path of the config.
        columns: The columns of the text and of the label.
        options: What the conversion may do.
        separator: What separates the labels of a list; None: there are no lists.

    Returns:
        The new files, and notes on the rows that were left out.

    Raises:
        DataError: A file or one of its rows is wrong.
        ConfigError: A new file already exists, or is one of the files that are read.
    """
    _check_keeps_data(files, out)
    converted: Files = {}
    notes: list[str] = []
    for split, path in files.items():
        try:
            parts = list_parts(path, formats[split], columns, is_first=split == "train")
        except DataError as error:
            if split == "train":
                raise
            notes.append(f"not used: {error}")
            continue
        selections = [
            _RowSelection(columns, skip_unlabelled=options.skip_unlabelled)
            for _ in parts
        ]
        records = _select_records(parts, selections, columns)
        if columns.has_several_labels:
            records = _write_lists(records, columns.label_columns, separator)
        names = list_shared_columns(parts, columns)
        rows = ([record.get(name, "") for name in names] for record in records)
        new_path = csv_path(out, split)
        save_csv(new_path, names, rows, overwrite=options.overwrite)
        converted[split] = new_path
        for part, selection in zip(parts, selections, strict=True):
            notes += selection.notes(part.path)
    return converted, notes


def _check_keeps_data(files: Files, out: Path) -> None:
    """Check that no new file replaces one that is read, by any name or link.

    Raises:
        ConfigError: One does.
    """
    for split in files:
        new_path = csv_path(out, split)
        for path in files.values():
            if new_path.exists() and any(map(new_path.samefile, list_files(path))):
                raise ConfigError(
                    f"{new_path}: is the data that is read, which its converted copy"
                    " would replace: choose another name for the config with --out"
                )


def _write_lists(
    records: Iterable[Record], label_columns: Sequence[str], separator: str | None
) -> Iterator[Record]:
    """Yield the rows with lists as texts.

    Args:
        records: The rows.
        label_columns: The columns of the labels.
        separator: What separates the labels of a list; None: they are no lists.
    """
    for record in records:
        written = {
            name: ", ".join(split_labels(value, None)) if is_label_set(value) else value
            for name, value in record.items()
        }
        if separator is not None:
            for name in label_columns:
                labels = split_labels(record.get(name, ""), None)
                written[name] = separator.join(labels)
        yield written


def _select_records(
    parts: Sequence[Part], selections: Sequence["_RowSelection"], columns: Columns
) -> Iterator[Record]:
    """Yield the rows of all files that are converted."""
    with_sets = columns.has_several_labels
    for part, selection in zip(parts, selections, strict=True):
        records = read_file_records(part.path, part.file_format, with_sets=with_sets)
        yield from selection.select(records)


@dataclass(frozen=True)
class ConversionOptions:
    """What a conversion may do.

    Attributes:
        overwrite: Whether a new file may replace an existing one.
        skip_unlabelled: Whether rows without a label are left out.
        is_temporary: Whether the new files are deleted afterwards.
    """

    overwrite: bool = False
    skip_unlabelled: bool = False
    is_temporary: bool = False


class _RowSelection:
    """Select the rows of a file that are converted, and remember the others.

    Attributes:
        empty: The numbers of the rows without a value, from 1.
        unlabelled: The numbers of other rows without a label that were left out.
    """

    def __init__(self, columns: Columns, *, skip_unlabelled: bool) -> None:
        self._columns = columns
        self._skip_unlabelled = skip_unlabelled
        self.empty: list[int] = []
        self.unlabelled: list[int] = []

    def select(self, records: Iterable[Record]) -> Iterator[Record]:
        """Yield the rows that are converted."""
        for number, record in enumerate(records, start=1):
            values = [record.get(name, "") for name in self._columns.wanted]
            if not any(map(str.strip, values)):
                self.empty.append(number)
            elif self._skip_unlabelled and self._lacks_label(record):
                self.unlabelled.append(number)
            else:
                yield record

    def _lacks_label(self, record: Record) -> bool:
        """Return whether the label, or one of the columns of 1 and 0, is blank."""
        labels = [record.get(name, "") for name in self._columns.label_columns]
        return not all(map(str.strip, labels))

    def notes(self, path: Path) -> list[str]:
        """Return what was left out."""
        notes = []
        if self.empty:
            notes.append(
                f"{path}: left out {_list_rows(self.empty)}: no text, no label"
            )
        if self.unlabelled:
            rows = _list_rows(self.unlabelled)
            has_flags = len(self._columns.label_columns) > 1
            reason = "a blank instead of 1 or 0" if has_flags else "no label"
            notes.append(f"{path}: left out {rows}: {reason}")
        return notes


def _list_rows(numbers: Sequence[int]) -> str:
    """Return a count of rows and the numbers of the first ones."""
    listed = ", ".join(f"{number:,}" for number in numbers[:_ROWS_LISTED])
    more = ", …" if len(numbers) > _ROWS_LISTED else ""
    word = "row" if len(numbers) == 1 else "rows"
    return f"{len(numbers):,} {word} ({listed}{more})"


def note_conversion(
    source: str, originals: Files, formats: Formats, files: Files
) -> list[str]:
    """Return a note on each file that was written: what it is made of, what changed.

    Args:
        source: What the user has named.
        originals: The file of each split that was converted.
        formats: Their formats.
        files: The file of each split that was written.
    """
    notes = []
    for split, path in files.items():
        changes = "; ".join(_describe_changes(originals[split], formats[split]))
        reason = f" ({changes})" if changes else ""
        notes.append(f"{path}: written from {originals[split]}{reason}")
    these = "this file" if len(notes) == 1 else "these files"
    notes[-1] += f": the config uses {these}, not {source}"
    return notes


def _describe_changes(path: Path, file_format: FileFormat) -> list[str]:
    """Return what was converted, as the new file is UTF-8 CSV with a header."""
    changes = []
    if file_format.kind != "delimited":
        changes.append(f"{describe_format(FileFormat(file_format.kind))}, now CSV")
    elif file_format.delimiter != ",":
        changes.append(f"delimiter {DELIMITERS[file_format.delimiter]}, now comma")
    if not file_format.has_header:
        changes.append(f"no header, now {quote_names(file_format.names)}")
    if file_format.encoding != "utf-8":
        changes.append(f"encoding {file_format.encoding}, now UTF-8")
    return changes + _describe_repairs(path, file_format)


def describe_reading(path: Path, file_format: FileFormat) -> list[str]:
    """Return what is unusual in the format of a file, for a note."""
    unusual = []
    if file_format.encoding != "utf-8":
        unusual.append(f"its encoding is {file_format.encoding}")
    return unusual + _describe_repairs(path, file_format)


def _describe_repairs(path: Path, file_format: FileFormat) -> list[str]:
    """Return what of a file was not read as it is written."""
    repairs = []
    if file_format.num_skipped:
        repairs.append(f"its first line, 'sep={file_format.delimiter}', is no row")
    if not file_format.is_quoted:
        row = _find_open_quote(path, file_format)
        repair = "all quotation marks were read as ordinary characters"
        if row is not None:
            place = f"row {row:,} has a quotation mark that is never closed"
            repair = f"{place}, so {repair}"
        repairs.append(repair)
    return repairs


def _find_open_quote(path: Path, file_format: FileFormat) -> int | None:
    """Return the number of the first row with a field that opens a quote for good."""
    for number, record in enumerate(read_records(path, file_format), start=1):
        for value in record.values():
            if value.startswith('"') and value.count('"') % 2:
                return number
    return None


def csv_path(out: Path, split: Split) -> Path:
    """Return the path of the CSV file of a split, beside the config at `out`."""
    return out.with_name(f"{out.stem}-{split}.csv")


def check_absent(path: Path, *, overwrite: bool) -> None:
    """Check that a file that is to be written does not exist, or may be replaced.

    Raises:
        ConfigError: It exists and may not be replaced.
    """
    if path.exists() and not overwrite:
        raise ConfigError(
            f"{path}: already exists: choose another name for the config with --out, or"
            " replace it with --overwrite"
        )


def save_csv(
    path: Path, names: Sequence[str], rows: Iterator[Sequence[str]], *, overwrite: bool
) -> None:
    """Write a header and rows as CSV in UTF-8.

    Raises:
        ConfigError: The file exists and may not be replaced.
    """
    check_absent(path, overwrite=overwrite)
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    write_atomic(path, stream.getvalue().encode("utf-8", "replace"))
