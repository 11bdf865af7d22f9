"""Commands are timed as processes."""

from rnncls.reporting.benchmark.startup import compare_commands


def test_commands_are_timed_as_whole_processes() -> None:
    seconds, other_s, ratio = compare_commands(
        ["sleep", "0.2"], ["sleep", "0.05"], num_pairs=3
    )
    assert seconds > 0.2
    assert 0.05 < other_s < 0.2
    assert ratio > 1
