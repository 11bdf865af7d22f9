"""Rows of the input of `rnncls predict`, whether they arrive slowly, and progress."""

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from rnncls.cli.outputs import is_special
from rnncls.cli.text_arguments import STDIN

Item = TypeVar("Item")


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


def show_progress(
    chunks: Iterator[list[Item]], source: str | None, task: str
) -> Iterator[list[Item]]:
    """Yield lists of rows, with a progress bar if they come from a file or stdin.

    Args:
        chunks: The lists.
        source: The file, or `-` for stdin; None: the rows come from elsewhere.
        task: What is done with the rows.
    """
    if source is None:
        yield from chunks
        return
    from tqdm import tqdm

    from rnncls.data.readers import count_rows

    total = None if source == STDIN else count_rows(Path(source))
    with tqdm(
        total=total,
        desc=task,
        unit=" texts",
        unit_scale=True,
        disable=None,
        leave=False,
    ) as bar:
        for chunk in chunks:
            bar.update(len(chunk))
            yield chunk
