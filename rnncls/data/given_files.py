"""Validation and test files that the user names for `rnncls init`."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rnncls import ConfigError, DataError
from rnncls.config.sections import DataSection
from rnncls.data.conversion import Formats
from rnncls.data.datasets import columns_of
from rnncls.data.encodings import find_encoding
from rnncls.data.formats import FileFormat, detect_format
from rnncls.data.label_names import normalize_label
from rnncls.data.readers import read_records, read_rows
from rnncls.data.rows import Columns, quote_names
from rnncls.data.source_files import Files, find_files
from rnncls.data.splits import Split
from rnncls.text.display import list_names

GivenFiles = Mapping[Split, Path]


def add_given_files(files: Files, given: GivenFiles) -> Files:
    """Return the files of a data set with those that the user names.

    Raises:
        DataError: A file does not exist.
        ConfigError: A file is also that of another split.
    """
    files = dict(files)
    for split, path in given.items():
        files[split] = find_files(path)["train"]
    for split in given:
        for other, path in files.items():
            if other != split and path.resolve() == files[split].resolve():
                raise ConfigError(
                    f"--{split}: {files[split]} is the {other} file too: expected"
                    " another file"
                )
    return files


def detect_given_formats(
    files: Files, given: GivenFiles, names: list[str], train_format: FileFormat
) -> dict[Split, FileFormat]:
    """Return the formats of the files that the user names.

    If the training file has no header, they have none either.
    """
    formats: dict[Split, FileFormat] = {}
    for split in given:
        if train_format.has_header:
            formats[split] = detect_format(files[split], names)
        else:
            encoding = find_encoding(files[split])
            formats[split] = replace(train_format, encoding=encoding)
    return formats


def check_given_columns(
    files: Files, given: GivenFiles, formats: Formats, columns: Columns
) -> None:
    """Check that the files that the user names have the columns of the training file.

    Raises:
        DataError: A file has no rows.
        ConfigError: A file lacks a column.
    """
    for split in given:
        path = files[split]
        first = next(iter(read_records(path, formats[split])), None)
        if first is None:
            raise DataError(f"--{split}: {path}: has no rows")
        for name in columns.wanted:
            if name not in first:
                raise ConfigError(
                    f"--{split}: {path}: no column '{name}', found"
                    f" {quote_names(first)}: expected the columns of {files['train']}"
                )


def check_given_rows(
    section: DataSection, given: GivenFiles, classes: Mapping[str, int]
) -> list[str]:
    """Read all rows of the files that the user names; return notes on their labels.

    Args:
        section: The data section of the new config.
        given: The files that the user names.
        classes: The classes of the training file, with the number of their rows.

    Raises:
        DataError: A file cannot be read, or a row is wrong.
    """
    notes = []
    columns = columns_of(section)
    written = {"valid": section.valid, "test": section.test}
    for split, path in given.items():
        used = Path(written[split] or path)
        counts: Counter[str] = Counter()
        for rows in read_rows(used, columns):
            counts.update(map(normalize_label, rows.labels))
        unknown = [name for name in counts if name not in classes]
        if unknown and not columns.has_several_labels:
            num_rows = sum(counts[name] for name in unknown)
            notes.append(
                f"{split}: {used}: {num_rows:,} rows have a label that no row of the"
                f" training file has: {list_names(unknown)}"
            )
    return notes
