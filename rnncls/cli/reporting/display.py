"""Numbers and names as text: percentages, intervals, bars and short run names."""

from collections.abc import Sequence
from pathlib import Path

INTERVAL = "95% interval"
"""The header of a column of intervals."""
MIN_BOOTSTRAP_ROWS = 20
"""Of fewer rows, a bootstrap interval is not shown."""


def percent(share: float, decimals: int = 2) -> str:
    """Format a share: 0.9429 as "94.29%"."""
    return f"{share:.{decimals}%}"


def percent_range(interval: tuple[float, float]) -> str:
    """Format an interval of shares: "93.91% to 94.64%"."""
    low, high = interval
    return f"{percent(low)} to {percent(high)}"


def bootstrap_range(interval: tuple[float, float], score: float, num_rows: int) -> str:
    """Format a bootstrap interval of a score, or say why it has none.

    Samples of a few rows take too few values to say anything of other texts. Those of
    rows that are all right, or all wrong, do not differ: an interval without a width
    says nothing either.
    """
    if num_rows < MIN_BOOTSTRAP_ROWS:
        return (
            f"no interval: {num_rows} rows are too few, at least"
            f" {MIN_BOOTSTRAP_ROWS} are needed"
        )
    low, high = interval
    if low < high:
        return f"{INTERVAL} {percent_range(interval)}, bootstrap"
    if score == 1:
        return f"no interval: no error in {num_rows:,} rows"
    return "no interval: all samples of these rows have the same value"


def interval_cell(cell: str, interval: tuple[float, float]) -> str:
    """Return the cell of a bootstrap interval; "none" if the interval has no width."""
    low, high = interval
    return cell if low < high else "none"


def signed(value: float) -> str:
    """Format a number with its sign and 4 decimals; zero has a plus."""
    return f"{round(value, 4) + 0.0:+.4f}"


def bar(share: float, width: int, *, is_ascii: bool = False) -> str:
    """Return a horizontal bar for a share of 0 to 1.

    Args:
        share: The length of the bar.
        width: The number of characters of a full bar.
        is_ascii: Whether to draw it with "#" instead of eighths of a block.
    """
    eighths = round(share * width * 8)
    if is_ascii:
        return "#" * max(round(eighths / 8), eighths > 0)
    full_blocks, rest = divmod(eighths, 8)
    return "█" * full_blocks + " ▏▎▍▌▋▊▉"[rest].strip()


def interval_line(
    value: float, interval: tuple[float, float], scale: tuple[float, float], width: int
) -> str:
    """Draw an interval as a line with a dot at the value.

    Args:
        value: Where the dot is.
        interval: The ends of the line.
        scale: The values at the left and the right edge.
        width: The number of characters of the scale.
    """
    span = max(scale[1] - scale[0], 1e-12)

    def column(position: float) -> int:
        return round((position - scale[0]) / span * (width - 1))

    left, right = column(interval[0]), column(interval[1])
    line = " " * left + "─" * (right - left + 1)
    return line[: column(value)] + "●" + line[column(value) + 1 :]


def short_names(paths: Sequence[str]) -> list[str]:
    """Return the paths without the folders that all of them share."""
    parts = [Path(path).parts for path in paths]
    num_shared = 0
    while _share_a_folder(parts, num_shared):
        num_shared += 1
    return [str(Path(*names[num_shared:])) for names in parts]


def _share_a_folder(parts: Sequence[tuple[str, ...]], depth: int) -> bool:
    """Return whether all paths have the same folder at this depth."""
    if any(len(names) <= depth + 1 for names in parts):
        return False
    return len({names[depth] for names in parts}) == 1
