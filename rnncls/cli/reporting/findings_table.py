"""All rows of the findings about a data set, as CSV."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from rnncls.data.quality import Finding
from rnncls.machine.files import write_atomic

HEADER = ("finding", "group", "split", "row", "label", "text")


def save_findings(
    path: Path, findings: Sequence[Finding], id_column: str | None
) -> None:
    """Write the rows of all findings; rows that belong together share a group number.

    Args:
        path: The CSV file.
        findings: What was found.
        id_column: The name of the column of the rows' ids, which comes last; None: the
            rows have no ids.

    Raises:
        RunError: The file cannot be written.
    """
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(HEADER if id_column is None else (*HEADER, id_column))
    for finding in findings:
        for number, group in enumerate(finding.groups, start=1):
            for row in group:
                values = [row.split, row.row, row.label, row.text]
                ids = [] if id_column is None else [row.id]
                writer.writerow([finding.kind, number, *values, *ids])
    write_atomic(path, stream.getvalue().encode("utf-8", "backslashreplace"))
