"""Check the arguments of a Python program: paths, words of a list and numbers.

A message has the name of the argument, what was expected and what was found.
"""

import math
import numbers
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TypeGuard

from rnncls import ConfigError

_PERCENT = 100


def check_path(name: str, value: object, expected: str) -> Path:
    """Return the path that an argument gives.

    Args:
        name: The name of the argument.
        value: Its value.
        expected: What is expected, for the message.

    Raises:
        ConfigError: It is no path.
    """
    if isinstance(value, str | os.PathLike):
        path = os.fspath(value)
        if isinstance(path, str):
            return Path(path)
    raise ConfigError(f"{name}: expected {expected}, found {value!r}")


def check_optional_path(name: str, value: object, expected: str) -> Path | None:
    """Return the path that an argument gives; None if it gives none.

    Raises:
        ConfigError: It is neither a path nor None.
    """
    if value is None:
        return None
    return check_path(name, value, f"{expected}, or None")


def check_parent(name: str, path: Path) -> None:
    """Check that the folder of a file to write exists.

    Args:
        name: The name of the argument or option.
        path: The file.

    Raises:
        ConfigError: It does not exist, or is a file.
    """
    folder = path.parent
    if os.path.isdir(folder):  # noqa: PTH112 - no error for a long name
        return
    if os.path.exists(folder):  # noqa: PTH110 - no error for a long name
        raise ConfigError(f"{name}: {path}: {folder} is a file, not a folder")
    raise ConfigError(
        f"{name}: {path}: the folder {folder} does not exist: create it first, or"
        " choose another one"
    )


def check_choice(name: str, value: object, choices: Sequence[str]) -> None:
    """Check an argument that takes one of several words.

    Raises:
        ConfigError: It is none of them.
    """
    if isinstance(value, str) and value in choices:
        return
    first_ones = ", ".join(map(repr, choices[:-1]))
    raise ConfigError(
        f"{name}: expected {first_ones} or {choices[-1]!r}, found {value!r}"
    )


def check_probability(name: str, value: object) -> None:
    """Check that an argument is a number from 0 to 1.

    Raises:
        ConfigError: It is not.
    """
    if not _is_number(value) or not 0 <= value <= 1:
        hint = suggest_probability(value) if _is_number(value) else ""
        raise ConfigError(
            f"{name}: expected a number from 0 to 1, found {value!r}{hint}"
        )


def suggest_probability(value: float) -> str:
    """Return the end of a message on a number that may be meant in percent."""
    return f"; did you mean {value / 100:g}?" if 1 < value <= _PERCENT else ""


def check_positive(name: str, value: object) -> None:
    """Check that an argument is a finite number above 0.

    Raises:
        ConfigError: It is not.
    """
    if not _is_number(value) or not 0 < value < math.inf:
        raise ConfigError(f"{name}: expected a number above 0, found {value!r}")


def check_count(name: str, value: object) -> None:
    """Check that an argument is a whole number from 1.

    Raises:
        ConfigError: It is not.
    """
    if not (_is_integer(value) and value >= 1):
        raise ConfigError(f"{name}: expected a whole number from 1, found {value!r}")


def check_strings(name: str, value: object, expected: str) -> tuple[str, ...]:
    """Return the texts of an argument that takes several.

    Args:
        name: The name of the argument.
        value: Its value.
        expected: What is expected, for the message.

    Raises:
        ConfigError: It is one string or no list, or an item is not a string.
    """
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        strings = tuple(item for item in value if isinstance(item, str))
        if len(strings) == len(value):
            return strings
    raise ConfigError(f"{name}: expected {expected}, found {value!r}")


def _is_number(value: object) -> TypeGuard[float]:
    """Return whether a value is a real number, of Python or of NumPy."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _is_integer(value: object) -> TypeGuard[int]:
    """Return whether a value is a whole number, of Python or of NumPy."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)
