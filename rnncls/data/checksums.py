"""Checksums of files."""

import hashlib
from pathlib import Path


def checksum(path: Path, algorithm: str) -> str:
    """Return the checksum of a file, in hexadecimal digits."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, algorithm).hexdigest()
