"""The columns of the input that predictions repeat, and their own names."""

from collections import deque
from collections.abc import Sequence

COUNTS = ("num_tokens", "num_unknown", "num_cut")
FITS = "fits"
"""Whether a text fits one of the classes; predictions have it if the run can tell."""
_OWN_NAMES = {
    "row",
    "text",
    "label",
    "labels",
    "prob",
    "probs",
    *COUNTS,
    FITS,
    "attention",
    "attention_spans",
}


class KeptColumns:
    """The columns of the input that the output repeats, such as an id."""

    def __init__(
        self, names: Sequence[str] = (), values: deque[list[str]] | None = None
    ) -> None:
        """Keep columns.

        Args:
            names: The columns. A column "row" without values is the row's number.
            values: A queue of the values in each row, in the order of the predictions.
        """
        self._values = values if values is not None else deque[list[str]]()
        self.names = [
            f"input_{name}" if name in _OWN_NAMES - {"row"} else name for name in names
        ]

    @property
    def further_names(self) -> list[str]:
        """The names of the columns that a table has besides its own."""
        return [name for name in self.names if name != "row"]

    def next_row(self, row: int) -> dict[str, str]:
        """Return the values of the next row by their names in the output."""
        if not self.names:
            return {}
        values = dict(zip(self.names, self._values.popleft(), strict=True))
        if values.get("row") == "":
            values["row"] = str(row)
        return values
