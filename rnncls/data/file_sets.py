"""The files of a path: a file, a compressed file, a folder or a pattern of files."""

import io
from pathlib import Path
from typing import BinaryIO, cast

from rnncls import DataError

COMPRESSIONS = {".gz": "gzip", ".bz2": "bz2", ".zst": "zstd"}
"""Endings of compressed files, and pyarrow's names of their formats."""
_UNLABELLED = {"unsup", "unlabeled", "unlabelled"}
"""Folders of texts without a class, as in aclImdb."""
_PATTERN_CHARACTERS = set("*?[")


def list_files(path: Path) -> list[Path]:
    """Return the files that hold the rows of a data set, in order.

    A folder with a subfolder per class is one item, and so is a file that is missing.

    Raises:
        DataError: A folder or a pattern has no data file, or files of several formats.
    """
    if path.is_dir():
        if len(class_folders(path)) >= 2:
            return [path]
        return _check_files(path, list(path.iterdir()))
    if path.exists() or not _PATTERN_CHARACTERS & set(str(path)):
        return [path]
    root = Path(path.anchor)
    return _check_files(path, list(root.glob(str(path.relative_to(root)))))


def missing_file(path: Path, kind: str = "file") -> DataError:
    """Return the error for a missing file, with the folder that was searched."""
    if path.is_absolute():
        return DataError(f"{path}: no such {kind}")
    return DataError(
        f"{path}: no such {kind}; looked in {Path.cwd()}, the folder in which the"
        " command runs"
    )


def _check_files(source: Path, paths: list[Path]) -> list[Path]:
    """Return the data files among paths, sorted by name.

    Other programs put files such as `_SUCCESS` and `.part.crc` beside the data.
    """
    files = [
        file
        for file in paths
        if file.is_file() and not file.name.startswith((".", "_"))
    ]
    if not files:
        is_pattern = not source.is_absolute() and not source.is_dir()
        place = f", searched in {Path.cwd()}" if is_pattern else ""
        raise DataError(
            f"{source}: has no data files{place}: name a file, or a folder of them"
        )
    endings = sorted({data_ending(file) or "no ending" for file in files})
    if len(endings) > 1:
        raise DataError(
            f"{source}: expected files of one format, found {', '.join(endings)}:"
            f" name one file, or a pattern such as '*{endings[0]}'"
        )
    return sorted(files)


def class_folders(path: Path) -> list[Path]:
    """Return the subfolders that hold one class each, sorted by name."""
    folders = []
    for folder in path.iterdir():
        is_hidden = folder.name.startswith(".")
        if folder.is_dir() and not is_hidden and folder.name not in _UNLABELLED:
            folders.append(folder)
    return sorted(folders)


def data_ending(path: Path) -> str:
    """Return the ending of a file in lower case, without that of its compression."""
    if is_compressed(path):
        path = path.with_suffix("")
    return path.suffix.lower()


def is_compressed(path: Path) -> bool:
    """Return whether the ending of a file stands for a compression."""
    return path.suffix.lower() in COMPRESSIONS


def open_binary(path: Path) -> BinaryIO:
    """Open a file, and decompress it if its ending says so.

    Raises:
        OSError: The file cannot be read.
    """
    compression = COMPRESSIONS.get(path.suffix.lower())
    if compression is None:
        return path.open("rb")
    import pyarrow as pa

    stream = pa.input_stream(str(path), compression=compression)
    return cast(BinaryIO, io.BufferedReader(stream))
