"""Checks of an output file before a command starts: its ending, and what it replaces.

An output must never destroy an input: neither the file that is read, by any name or
link, nor a file of a run, nor the data that a run was trained on.
"""

import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from rnncls import ConfigError, DataError
from rnncls.config.arguments import check_parent
from rnncls.runs.folder import find_owner

if TYPE_CHECKING:
    from rnncls.config.sections import DataSection


HTML, PNG = (".html", ".htm"), (".png",)


def check_target(option: str, path: Path | None, endings: Sequence[str]) -> None:
    """Check that a file can be written: its name fits the format, its folder exists.

    A pipe or a device has any name.

    Args:
        option: The name of the option, for the message.
        path: The file; None: none is written.
        endings: The endings of the formats in which it can be written; an empty one
            for a name without an ending.

    Raises:
        ConfigError: It has another ending, is a folder, or its folder does not exist.
    """
    if path is None or is_special(path):
        return
    if path.suffix.lower() not in endings:
        known = ", ".join(ending for ending in endings if ending)
        if "" in endings:
            known += " or no ending"
        found = path.suffix or "no ending"
        raise ConfigError(f"{option}: {path}: expected {known}, found {found}")
    check_parent(option, path)
    if os.path.isdir(path):  # noqa: PTH112 - no error for a long name
        raise ConfigError(f"{option}: {path} is a folder: name a file in it")


def check_output(
    option: str, path: Path, inputs: Iterable[Path], run_data: Iterable[Path] = ()
) -> None:
    """Check that writing an output file replaces neither an input nor a run's file.

    Args:
        option: The name of the option, for the message.
        path: The output file.
        inputs: All files that are read; those that do not exist are ignored.
        run_data: The data files of the run, which other commands read again.

    Raises:
        ConfigError: The output file is one of these.
    """
    if is_special(path):
        return
    for source in inputs:
        if _is_same_file(path, source):
            raise ConfigError(_describe_input(option, path, source))
    if any(_is_same_file(path, file) for file in run_data):
        raise ConfigError(
            f"{option}: {path} is a data file of the run, which other commands read"
            " again: choose another name"
        )
    if _is_stdin(path):
        raise ConfigError(
            f"{option}: {path} is the file that stdin reads: choose another name"
        )
    run_path = find_owner(path.resolve())
    if run_path is not None:
        raise ConfigError(
            f"{option}: {path} is a file of the run {run_path}: choose another name"
        )


def _describe_input(option: str, path: Path, source: Path) -> str:
    """Return that an output is an input, which may have another name."""
    problem = f"{path} is the same file as the input {source}"
    if path == source:
        problem = f"{path} is also the input"
    return f"{option}: {problem}: choose another name"


def check_stdout(source: Path) -> None:
    """Check that stdout is not redirected to the file that is read.

    Raises:
        ConfigError: stdout is that file.
    """
    try:
        printed = os.fstat(sys.stdout.fileno())
        is_same = os.path.samestat(printed, source.stat())
    except (OSError, ValueError):
        return  # no such file, or stdout is not a file
    if is_same and stat.S_ISREG(printed.st_mode):
        raise ConfigError(
            f"{source}: is read and written at once: redirect the output to another"
            " file"
        )


def find_files(names: Iterable[str | None]) -> Iterator[Path]:
    """Yield the files that patterns stand for, and the files that are named."""
    from rnncls.data.file_sets import list_files

    for name in names:
        if name is not None:
            with suppress(DataError, OSError):  # the reader will raise a clear error
                yield from list_files(Path(name))


def find_data(section: "DataSection") -> Iterator[Path]:
    """Yield the files that a data section names."""
    yield from find_files([section.train, section.valid, section.test])
    yield from find_files(section.unlabelled)
    if section.name is not None:
        yield from (Path(section.root) / section.name).glob("*")


def is_special(path: Path) -> bool:
    """Return whether a path is a pipe or a device."""
    try:
        is_there = path.exists()
    except OSError:  # the name is too long: the writer will raise a clear error
        return False
    return is_there and not path.is_file() and not path.is_dir()


def _is_same_file(path: Path, other: Path) -> bool:
    """Return whether two paths lead to one file, by links or by hard links too."""
    try:
        return path.samefile(other)
    except OSError:
        return path.resolve() == other.resolve()


def _is_stdin(path: Path) -> bool:
    """Return whether stdin is redirected from this file."""
    try:
        return path.exists() and os.path.samestat(path.stat(), os.fstat(0))
    except OSError:  # stdin is closed
        return False
