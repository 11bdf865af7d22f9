"""The manifest of a run: the checksums of the files that belong to its weights.

The weights file, and the saved state, hold the SHA-256 of the config, the words and the
labels that they were trained with. So one rename is enough to replace the weights by
those of a better epoch, and a file from another run is detected when the run is loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from rnncls import RunError
from rnncls.machine.files import read_bytes, sha256_of
from rnncls.runs.folder import (
    CONFIG,
    CONTINUATION,
    LABELS,
    LANGUAGE_MODEL,
    MODEL,
    TOKENIZER,
    VECTOR_WORDS,
    VOCAB,
)

COMPANIONS = {MODEL: (CONFIG, VOCAB, LABELS), LANGUAGE_MODEL: (CONFIG, VOCAB)}
"""Weights file → the files that it must be loaded with."""
OPTIONAL = (TOKENIZER, CONTINUATION, VECTOR_WORDS)
"""Files that are sealed with the weights if a run has them."""


@dataclass(frozen=True)
class Manifest:
    """The accepted checksums of some files of a run folder.

    Attributes:
        accepted: File name → SHA-256 values, of which the file must have one.
    """

    accepted: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, path: Path, names: Sequence[str]) -> Self:
        """Return the manifest of these files of a run folder as they are now.

        Files of `OPTIONAL` that exist are added.

        Raises:
            RunError: A file is missing.
        """
        present = [*names, *(name for name in OPTIONAL if (path / name).exists())]
        return cls({name: (sha256_of(read_bytes(path / name)),) for name in present})

    @classmethod
    def from_metadata(cls, metadata: Mapping[str, Any]) -> Self:
        """Read the manifest in the metadata of a weights or state file.

        An entry that is not a checksum, or a list of them, is left out, so that
        `verify` rejects the file.
        """
        files = metadata.get("files")
        accepted = {}
        for name, value in files.items() if isinstance(files, dict) else ():
            checksums = value if isinstance(value, list) else [value]
            if all(isinstance(checksum, str) for checksum in checksums):
                accepted[name] = tuple(checksums)
        return cls(accepted)

    def to_metadata(self) -> dict[str, str | list[str]]:
        """Return the value of `files` in the metadata."""
        files: dict[str, str | list[str]] = {}
        for name, checksums in self.accepted.items():
            files[name] = checksums[0] if len(checksums) == 1 else list(checksums)
        return files

    def also(self, name: str, sha256: str) -> "Manifest":
        """Return a manifest that accepts this checksum of a file too."""
        checksums = self.accepted.get(name, ())
        if sha256 not in checksums:
            checksums = (*checksums, sha256)
        return Manifest({**self.accepted, name: checksums})

    def verify(self, path: Path, source: str, names: Sequence[str]) -> None:
        """Check that files of a run folder have an accepted checksum.

        Files of `OPTIONAL` are checked if they exist and are in the manifest.

        Args:
            path: The run folder.
            source: The name of the file that holds the manifest.
            names: The names of the files to check.

        Raises:
            RunError: A file is missing or damaged, or not in the manifest.
        """
        optional = [
            name
            for name in OPTIONAL
            if name in self.accepted and (path / name).exists()
        ]
        for name in [*names, *optional]:
            checksums = self.accepted.get(name, ())
            if not checksums:
                raise RunError(f"{path / source}: damaged: has no checksum for {name}")
            if sha256_of(read_bytes(path / name)) not in checksums:
                raise RunError(
                    f"{path / name}: damaged, or not from the run that wrote {source}"
                )
