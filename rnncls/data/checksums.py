"""Checksums of files, and of folders and patterns of files."""

import hashlib
from pathlib import Path

from rnncls.data.file_sets import class_folders, list_files


def checksum(path: Path, algorithm: str) -> str:
    """Return the checksum of a file or of a set of files, in hexadecimal digits.

    The checksum of a set covers the names and the contents of its files.
    """
    files = list_files(path)
    if files == [path] and path.is_dir():
        folders = class_folders(path)
        files = [file for folder in folders for file in sorted(folder.iterdir())]
    elif files == [path]:
        return _checksum_file(path, algorithm)
    digest = hashlib.new(algorithm)
    for file in files:
        if file.is_file():
            name = f"{file.parent.name}/{file.name}"
            line = f"{_checksum_file(file, algorithm)} {name}\n"
            digest.update(line.encode("utf-8", "surrogateescape"))
    return digest.hexdigest()


def _checksum_file(path: Path, algorithm: str) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
