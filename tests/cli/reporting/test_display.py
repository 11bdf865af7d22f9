"""Percentages, bars, intervals and run names, as they are shown."""

import pytest

from rnncls.cli.reporting.display import (
    bar,
    interval_line,
    percent,
    percent_range,
    short_names,
    signed,
)


def test_a_share_is_a_percentage_of_two_decimals() -> None:
    assert percent(0.94289) == "94.29%"
    assert percent(0.125, 1) == "12.5%"
    assert percent_range((0.86123, 0.88777)) == "86.12% to 88.78%"


@pytest.mark.parametrize(
    ("value", "expected"), [(0.5, "+0.5000"), (-0.5, "-0.5000"), (-1e-9, "+0.0000")]
)
def test_a_number_has_its_sign(value: float, expected: str) -> None:
    assert signed(value) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, ""), (1.0, "████"), (0.5, "██"), (1 / 32, "▏"), (0.25 + 7 / 32, "█▉")],
)
def test_a_bar_is_as_long_as_its_share(share: float, expected: str) -> None:
    assert bar(share, 4) == expected


@pytest.mark.parametrize(
    ("share", "expected"),
    [(0.0, ""), (1.0, "####"), (0.01, ""), (0.05, "#"), (0.5, "##")],
)
def test_a_bar_can_be_plain(share: float, expected: str) -> None:
    assert bar(share, 4, is_ascii=True) == expected


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["runs/a", "runs/b"], ["a", "b"]),
        (["runs/x/a", "runs/y/a"], ["x/a", "y/a"]),
        (["a", "runs/b"], ["a", "runs/b"]),
        (["runs/a", "runs/a"], ["a", "a"]),
    ],
)
def test_names_lack_the_folders_that_all_share(
    paths: list[str], names: list[str]
) -> None:
    assert short_names(paths) == names


def test_an_interval_is_drawn_to_scale() -> None:
    assert interval_line(0.5, (0.0, 1.0), (0.0, 1.0), 48) == "─" * 24 + "●" + "─" * 23
    assert interval_line(1.0, (1.0, 1.0), (0.0, 1.0), 48) == " " * 47 + "●"
    assert interval_line(0.5, (0.5, 0.5), (0.5, 0.5), 48) == "●"
