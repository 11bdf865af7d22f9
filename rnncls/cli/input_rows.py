"""Rows of the input of `rnncls predict`, and whether they may arrive slowly."""

import sys
from dataclasses import dataclass
from pathlib import Path

from rnncls.cli.outputs import is_special
from rnncls.cli.text_arguments import STDIN


@dataclass(frozen=True)
class InputRows:
    """Consecutive rows of the input.

    Attributes:
        texts: One text per row.
        kept: The values of the kept columns of each row; empty if none are kept.
    """

    texts: list[str]
    kept: list[list[str]]


def is_live(source: str | None) -> bool:
    """Return whether the rows of a source may arrive slowly, from another program."""
    if source is None:
        return False
    if source != STDIN:
        return is_special(Path(source))
    try:
        return is_special(Path(f"/dev/fd/{sys.stdin.fileno()}"))
    except (OSError, ValueError):
        return True
