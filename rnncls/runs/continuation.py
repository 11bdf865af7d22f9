"""Which run a run continues, and which rows it uses (`from.json`).

Shapes: N rows.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnncls import DataError, RunError
from rnncls.config.data_section import DataSection
from rnncls.config.sections import TextSection
from rnncls.data.cache import load_cached
from rnncls.data.checksums import checksum
from rnncls.data.datasets import LabelledTexts
from rnncls.data.file_rows import (
    Continuation,
    FileRows,
    LoadedFile,
    begins_with,
    no_rows,
    take_first_rows,
)
from rnncls.data.sources import draw_rows
from rnncls.machine.files import read_json, sha256_of, write_json
from rnncls.runs.companions import load_run_config
from rnncls.runs.folder import RunFolder


def save_continuation(path: Path, continuation: Continuation) -> None:
    """Write which run the run at `path` continues.

    Raises:
        RunError: The file cannot be written.
    """
    write_json(RunFolder(path).continuation, continuation.to_dict())


def load_continuation(path: Path) -> Continuation | None:
    """Load which run the run at `path` continues; None: it continues none.

    Raises:
        RunError: The file is damaged.
    """
    file = RunFolder(path).continuation
    if not file.is_file():
        return None
    try:
        return Continuation.from_dict(read_json(file))
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise RunError(f"{file}: damaged: not the rows of a run") from error


def load_chosen_rows(path: Path) -> Mapping[str, list[int]]:
    """Load the row numbers of the splits that the config of a run does not draw.

    They are rows of its own files, not of those of the run that it continues.

    Returns:
        Split → row numbers; empty: the config draws all splits.

    Raises:
        RunError: The file is damaged.
    """
    continuation = load_continuation(path)
    if continuation is None:
        return {}
    first, last = continuation.own_files[0], continuation.own_files[-1]
    rows = {"train": first.train_rows.tolist(), "valid": last.valid_rows.tolist()}
    # Otherwise the rows that the earlier run kept for testing are not used at all.
    if first.section.test_fraction is not None:
        rows["test"] = first.test_rows.tolist()
    return rows


class EarlierFiles(NamedTuple):
    """The files that a finished run was trained with.

    Attributes:
        loaded: Those that still have the rows of the run.
        missing: The names of the others.
    """

    loaded: list[LoadedFile]
    missing: list[str]


def load_earlier_files(
    path: Path, new_file: Path, text: TextSection, *, use_cache: bool
) -> EarlierFiles:
    """Load the files that a finished run was trained with.

    A file may also be the beginning of the new one, to which rows were appended.

    Args:
        path: The folder of the run.
        new_file: The training file of the run that continues it.
        text: How the texts are tokenised.
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        DataError: A row of a file is wrong.
        RunError: A file of the run folder is damaged.
    """
    continuation = load_continuation(path)
    if continuation is None:
        return _load_drawn_rows(path, new_file, text, use_cache=use_cache)
    used = [*continuation.own_files, *continuation.earlier_files]
    return _load_known_rows(used, new_file, text, use_cache=use_cache)


def load_reused_files(
    continuation: Continuation, text: TextSection, *, use_cache: bool
) -> EarlierFiles:
    """Load the files of earlier runs whose validation rows validate a run too.

    A file may also be the beginning of the run's own training file.

    Args:
        continuation: The rows of the run.
        text: How the texts are tokenised.
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        DataError: A row of a file is wrong.
    """
    files = EarlierFiles([], [])
    own_file = Path(continuation.own_files[0].path)
    for rows in continuation.earlier_files:
        if not len(rows.reused_valid_rows):
            continue
        source = _find_known_source(rows, own_file, text, use_cache=use_cache)
        if source is None:
            files.missing.append(rows.path)
        else:
            files.loaded.append(LoadedFile(rows, source))
    return files


def _load_drawn_rows(
    path: Path, new_file: Path, text: TextSection, *, use_cache: bool
) -> EarlierFiles:
    """Load the files of a run whose config draws its rows."""
    config = load_run_config(path)
    summary = _load_data_summary(path)
    found = EarlierFiles([], [])
    for split in ("train", "valid"):
        file = summary["files"].get(split)
        if file is None:
            continue
        source = _find_source(file, config.data, new_file, text, use_cache=use_cache)
        if source is None:
            found.missing.append(file["path"])
            continue
        rows = _assign_rows(split, source, config.data, config.seed)
        if _is_split(rows, summary, split):
            found.loaded.append(LoadedFile(rows, source))
        else:
            found.missing.append(file["path"])
    return found


def _load_data_summary(path: Path) -> dict[str, Any]:
    """Return what the summary of a run says of its data.

    Raises:
        RunError: The summary is damaged.
    """
    file = RunFolder(path).summary
    data = read_json(file).get("data")
    if not isinstance(data, dict) or not isinstance(data.get("files"), dict):
        raise RunError(f"{file}: damaged: not the summary of a run")
    return data


def _load_known_rows(
    used: list[FileRows], new_file: Path, text: TextSection, *, use_cache: bool
) -> EarlierFiles:
    """Load the files of a run that itself continues another run."""
    found = EarlierFiles([], [])
    for rows in used:
        source = _find_known_source(rows, new_file, text, use_cache=use_cache)
        if source is None:
            found.missing.append(rows.path)
            continue
        located = replace(
            rows,
            path=str(source.path),
            sha256=source.sha256,
            replayed_rows=no_rows(),
            reused_valid_rows=no_rows(),
        )
        found.loaded.append(LoadedFile(located, source))
    return found


def _find_known_source(
    rows: FileRows, new_file: Path, text: TextSection, *, use_cache: bool
) -> LabelledTexts | None:
    """Return the rows of a file that a run lists; None: they are not at hand."""
    file = {"path": rows.path, "sha256": rows.sha256, "num_rows": rows.num_rows}
    return _find_source(file, rows.section, new_file, text, use_cache=use_cache)


def _find_source(
    file: Mapping[str, Any],
    section: DataSection,
    new_file: Path,
    text: TextSection,
    *,
    use_cache: bool,
) -> LabelledTexts | None:
    """Return the rows of a file, from where it was or from the new file.

    Args:
        file: Its path, its checksum and the number of its rows.
        section: How it is read.
        new_file: The new file.
        text: How the texts are tokenised.
        use_cache: Whether to use the cache of tokenised files.

    Returns:
        The rows; None: they are not at hand.
    """
    path, sha256 = Path(file["path"]), file["sha256"]
    if not _has_checksum(path, sha256):
        path = new_file
        if not _has_checksum(path, sha256) and not begins_with(path, sha256):
            return None
    source = load_cached(path, section, text, use_cache=use_cache)
    return take_first_rows(source, file["num_rows"])


def _has_checksum(path: Path, sha256: str) -> bool:
    """Return whether a file, or a set of files, exists and has a checksum."""
    try:
        return checksum(path, "sha256") == sha256
    except (OSError, DataError):
        return False


def _assign_rows(
    split: str, source: LabelledTexts, section: DataSection, seed: int
) -> FileRows:
    """Return how a run used the rows of its training or its validation file."""
    num_rows = len(source.labels)
    file = FileRows(str(source.path), source.sha256, num_rows, section, no_rows())
    if split == "valid":
        return replace(file, valid_rows=np.arange(num_rows))
    drawn = draw_rows(source, section, seed)
    return replace(file, valid_rows=drawn.valid, test_rows=drawn.test)


def _is_split(rows: FileRows, summary: Mapping[str, Any], split: str) -> bool:
    """Return whether the validation rows are those that the summary of a run names."""
    expected = summary.get("split", {}).get("valid_rows_sha256")
    if split != "train" or expected is None:
        return True
    return sha256_of(rows.valid_rows.tobytes()) == str(expected)
