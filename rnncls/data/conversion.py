"""Convert files that training cannot read into UTF-8 CSV files."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from rnncls import ConfigError, DataError
from rnncls.data.encodings import find_encoding
from rnncls.data.formats import DELIMITERS, FileFormat, detect_format
from rnncls.data.readers import read_records
from rnncls.data.rows import Record
from rnncls.data.source_files import SPLIT_NAMES, Files
from rnncls.data.splits import Split
from rnncls.machine.files import write_atomic

Formats = Mapping[Split, FileFormat]
HUB = "hf:"
"""The prefix of a data set of the Hugging Face Hub, or of a folder that its library
can load."""
_ENDINGS = {"jsonl": {".jsonl", ".ndjson"}, "parquet": {".parquet"}}
"""The endings by which training recognises a format; delimited files have any other."""
_DEFAULT_DELIMITERS = {(".csv", ","), (".tsv", "\t")}


def detect_formats(files: Files) -> dict[Split, FileFormat]:
    """Return the format of each file.

    A delimited file with the ending of the training file has its columns too.
    """
    train = files["train"]
    train_format = detect_format(train)
    formats: dict[Split, FileFormat] = {}
    for split, path in files.items():
        has_same_ending = path.is_file() and path.suffix == train.suffix
        if has_same_ending and train_format.kind == "delimited":
            encoding = find_encoding(path)
            formats[split] = replace(train_format, encoding=encoding)
        else:
            formats[split] = detect_format(path)
    return formats


def format_keys(path: Path, file_format: FileFormat) -> dict[str, Any]:
    """Return the keys of the data section that describe the format of a file."""
    keys: dict[str, Any] = {}
    if file_format.kind != "delimited":
        return keys
    if (path.suffix.lower(), file_format.delimiter) not in _DEFAULT_DELIMITERS:
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
    suffix = path.suffix.lower()
    if not file_format.is_readable:
        return False
    if file_format.kind in _ENDINGS:
        return suffix in _ENDINGS[file_format.kind]
    return all(suffix not in endings for endings in _ENDINGS.values())


def convert_files(
    files: Files,
    formats: Formats,
    out: Path,
    names: Sequence[str],
    *,
    overwrite: bool,
) -> Files:
    """Write the named columns of each file as CSV beside the config at `out`.

    Returns:
        The new files.

    Raises:
        DataError: A file or one of its rows is wrong.
        ConfigError: A new file already exists.
    """
    converted: Files = {}
    for split, path in files.items():
        records = read_records(path, formats[split])
        rows = ([record.get(name, "") for name in names] for record in records)
        new_path = _csv_path(out, split)
        _save_csv(new_path, names, rows, overwrite=overwrite)
        converted[split] = new_path
    return converted


def _csv_path(out: Path, split: Split) -> Path:
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


def _save_csv(
    path: Path, names: Sequence[str], rows: Iterator[Sequence[str]], *, overwrite: bool
) -> None:
    check_absent(path, overwrite=overwrite)
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    write_atomic(path, stream.getvalue().encode("utf-8", "replace"))


# Hugging Face


def fetch_from_hub(source: str, out: Path, *, overwrite: bool) -> Files:
    """Write the splits of a `hf:` data set as CSV beside the config at `out`.

    Raises:
        ConfigError: Hugging Face's library is not installed.
        DataError: The library cannot load the data set.
    """
    splits = _load_from_hub(source)
    files: Files = {}
    for split, names in SPLIT_NAMES.items():
        dataset = next((splits[name] for name in names if name in splits), None)
        if dataset is not None:
            records = (_hub_record(row, dataset.features) for row in dataset)
            columns = list(dataset.features)
            rows = ([record[name] for name in columns] for record in records)
            files[split] = _csv_path(out, split)
            _save_csv(files[split], columns, rows, overwrite=overwrite)
    if "train" not in files:
        raise DataError(
            f"{source}: has no training rows, found the splits {', '.join(splits)}"
        )
    return files


def _load_from_hub(source: str) -> Mapping[str, Any]:
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{source}: needs Hugging Face's library ({error.msg}): pip install"
            " 'rnncls[hf]'"
        ) from error
    name, _, subset = source.removeprefix(HUB).partition("#")
    try:
        loaded: Mapping[str, Any] = datasets.load_dataset(name, subset or None)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{source}: cannot be loaded: {str(error).splitlines()[0]}"
        ) from error
    return loaded


def _hub_record(row: Mapping[str, Any], features: Mapping[str, Any]) -> Record:
    """Return a row as texts; a class by its name."""
    record = {}
    for column, value in row.items():
        names = getattr(features[column], "names", None)
        if names and isinstance(value, int) and 0 <= value < len(names):
            record[column] = names[value]
        else:
            record[column] = "" if value is None else str(value)
    return record
