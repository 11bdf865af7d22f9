"""Which rows of which files a run uses, for a run that continues another run.

Such a run cannot draw its splits from its config alone: the texts that the earlier run
was validated with must not be trained on, and those that it was trained on say nothing
as validation rows.

Shapes: N rows.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnncls.config.data_section import DataSection
from rnncls.data.datasets import LabelledTexts
from rnncls.data.label_sets import count_labels
from rnncls.data.splits import Ints

_LINE_ENDINGS = (".csv", ".tsv", ".jsonl")
"""Files to which rows are appended at the end."""


def no_rows() -> Ints:
    """Return an empty list of row numbers. [0] int64."""
    return np.empty(0, dtype=np.int64)


@dataclass(frozen=True)
class FileRows:
    """How a run uses the first N rows of a labelled file.

    All row numbers start at 0.

    Attributes:
        path: The file.
        sha256: Its checksum.
        num_rows: N. The file may have more rows, which were appended later.
        section: How the file is read.
        valid_rows: [n] int64, the rows that the run is validated with.
        test_rows: [n] int64, the rows that are kept for testing.
        replayed_rows: [n] int64, the training rows of an earlier run that this run is
            trained on again.
        reused_valid_rows: [n] int64, the validation rows of an earlier run that
            validate this run too: those whose texts the new files lack.
    """

    path: str
    sha256: str
    num_rows: int
    section: DataSection
    valid_rows: Ints
    test_rows: Ints = field(default_factory=no_rows)
    replayed_rows: Ints = field(default_factory=no_rows)
    reused_valid_rows: Ints = field(default_factory=no_rows)

    @property
    def train_rows(self) -> Ints:
        """The rows that the run is trained on: all others. [n] int64."""
        others = np.union1d(self.valid_rows, self.test_rows)
        return np.setdiff1d(np.arange(self.num_rows), others)

    def to_dict(self) -> dict[str, Any]:
        """Return the values for a JSON file."""
        return {
            "path": self.path,
            "sha256": self.sha256,
            "num_rows": self.num_rows,
            "data": self.section.model_dump(),
            "valid_rows": format_rows(self.valid_rows),
            "test_rows": format_rows(self.test_rows),
            "replayed_rows": format_rows(self.replayed_rows),
            "reused_valid_rows": format_rows(self.reused_valid_rows),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "FileRows":
        """Return what `to_dict` returned.

        Raises:
            KeyError, TypeError, ValueError: The values are not from `to_dict`.
        """
        return cls(
            path=str(values["path"]),
            sha256=str(values["sha256"]),
            num_rows=int(values["num_rows"]),
            section=DataSection.model_validate(values["data"]),
            valid_rows=parse_rows(values["valid_rows"]),
            test_rows=parse_rows(values["test_rows"]),
            replayed_rows=parse_rows(values["replayed_rows"]),
            reused_valid_rows=parse_rows(values["reused_valid_rows"]),
        )


class LoadedFile(NamedTuple):
    """The rows of a file that a run uses, and their tokenised texts.

    Attributes:
        rows: Which rows are used for what.
        source: The first `rows.num_rows` rows of the file.
    """

    rows: FileRows
    source: LabelledTexts


@dataclass(frozen=True)
class Continuation:
    """What a run keeps of the run that it continues.

    Attributes:
        run: The folder of the earlier run.
        weights_sha256: The checksum of its weights.
        num_words: The size of its vocabulary.
        label_names: Its classes.
        replay: The share of its training rows that is trained on again.
        own_files: The rows of the training file of this run, and of its validation
            file if there is one.
        earlier_files: The rows of the files of earlier runs that are at hand.
        earlier_scores: The validation scores in the summary of the earlier run.
    """

    run: str
    weights_sha256: str
    num_words: int
    label_names: list[str]
    replay: float
    own_files: list[FileRows]
    earlier_files: list[FileRows]
    earlier_scores: dict[str, float]

    def to_dict(self) -> dict[str, Any]:
        """Return the values for a JSON file."""
        return {
            "run": self.run,
            "weights_sha256": self.weights_sha256,
            "num_words": self.num_words,
            "labels": self.label_names,
            "replay": self.replay,
            "valid": self.earlier_scores,
            "files": [rows.to_dict() for rows in self.own_files],
            "earlier_files": [rows.to_dict() for rows in self.earlier_files],
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Continuation":
        """Return what `to_dict` returned.

        Raises:
            KeyError, TypeError, ValueError: The values are not from `to_dict`.
        """
        own_files = [FileRows.from_dict(rows) for rows in values["files"]]
        earlier_files = [FileRows.from_dict(rows) for rows in values["earlier_files"]]
        return cls(
            run=str(values["run"]),
            weights_sha256=str(values["weights_sha256"]),
            num_words=int(values["num_words"]),
            label_names=[str(name) for name in values["labels"]],
            replay=float(values["replay"]),
            own_files=own_files,
            earlier_files=earlier_files,
            earlier_scores=dict(values["valid"]),
        )


def count_earlier_rows(files: Sequence[FileRows]) -> tuple[int, int]:
    """Return how many rows of an earlier run are trained on again, and validate."""
    num_replayed = sum(len(rows.replayed_rows) for rows in files)
    num_reused = sum(len(rows.reused_valid_rows) for rows in files)
    return num_replayed, num_reused


def format_rows(rows: Ints) -> str:
    """Return sorted row numbers as text, such as `0-4 7 9-10`."""
    if not len(rows):
        return ""
    breaks = np.flatnonzero(np.diff(rows) != 1) + 1
    parts = []
    for run in np.split(rows, breaks):
        first, last = int(run[0]), int(run[-1])
        parts.append(str(first) if first == last else f"{first}-{last}")
    return " ".join(parts)


def parse_rows(text: str) -> Ints:
    """Return the row numbers that `format_rows` wrote. [n] int64.

    Raises:
        ValueError: The text is another one.
    """
    runs = [no_rows()]
    for part in text.split():
        first, _, last = part.partition("-")
        runs.append(np.arange(int(first), int(last or first) + 1, dtype=np.int64))
    return np.concatenate(runs)


def take_first_rows(source: LabelledTexts, num_rows: int) -> LabelledTexts:
    """Return the first rows of a file, as if it had no others."""
    if num_rows >= len(source.labels):
        return source
    labels = source.labels[:num_rows]
    is_used = count_labels(labels, len(source.label_names)) > 0  # [C]
    new_index = np.cumsum(is_used) - 1  # [C]
    labels = labels[:, is_used] if labels.ndim > 1 else new_index[labels]
    names = zip(source.label_names, is_used.tolist(), strict=True)
    text_ids = source.text_ids
    return LabelledTexts(
        source.path,
        source.sha256,
        source.texts.select(np.arange(num_rows)),
        labels,
        [name for name, is_name_used in names if is_name_used],
        None if text_ids is None else text_ids[:num_rows],
    )


def begins_with(path: Path, sha256: str) -> bool:
    """Return whether a file is another file to which rows were appended.

    Args:
        path: The file: CSV, TSV or JSON lines; others are never recognised.
        sha256: The checksum of the other file.
    """
    if not path.is_file() or path.suffix.lower() not in _LINE_ENDINGS:
        return False
    wanted = bytes.fromhex(sha256)
    with path.open("rb") as lines:
        return any(digest == wanted for digest in _iter_digests(lines))


def _iter_digests(lines: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the SHA-256 up to the end of each line, without and with its newline."""
    hasher = hashlib.sha256()
    for line in lines:
        hasher.update(line.rstrip(b"\r\n"))
        yield hasher.digest()
        hasher.update(line[len(line.rstrip(b"\r\n")) :])
        yield hasher.digest()
