"""The number of cases is printed."""

import pytest

from rnncls.data import rows as row_limits
from tests.fuzz.cases import CASES


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many cases were checked, and in what time, drawing them included."""
    reports = [
        *terminalreporter.getreports("passed"),
        *terminalreporter.getreports("failed"),
    ]
    seconds = sum(report.duration for report in reports if "fuzz" in report.nodeid)
    terminalreporter.write_line(
        f"fuzzing: {CASES.total():,} cases of {len(CASES)} properties in"
        f" {seconds:.0f} s"
    )


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the readers hand on two rows at a time."""
    monkeypatch.setattr(row_limits, "ROWS_AT_ONCE", 2)
