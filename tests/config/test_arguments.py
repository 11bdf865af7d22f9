"""The arguments of a Python program: what is accepted, and what is said of others."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnncls import ConfigError
from rnncls.config.arguments import (
    check_choice,
    check_count,
    check_optional_path,
    check_path,
    check_positive,
    check_probability,
    check_strings,
)


def test_right_values_are_accepted() -> None:
    assert check_path("run", "a/b", "a folder") == Path("a/b")
    assert check_optional_path("run", None, "a folder") is None
    assert check_optional_path("run", Path("a"), "a folder") == Path("a")
    assert check_strings("text", ["a", "b"], "columns") == ("a", "b")
    check_choice("split", "test", ["train", "test"])
    for probability in (0, 1, 0.5, np.float32(0.25), np.int64(1), Fraction(1, 2)):
        check_probability("threshold", probability)
    for size in (1, 0.5, np.float64(3)):
        check_positive("size", size)
    for count in (1, np.int64(3)):
        check_count("count", count)


@pytest.mark.parametrize("value", [5, b"a", True, 1.5, ["a"]], ids=str)
def test_what_is_no_path_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^run: expected a folder, or None, found "):
        check_optional_path("run", value, "a folder")


@pytest.mark.parametrize("value", ["Test", "", 5, None, ["test"]], ids=str)
def test_another_word_is_refused_with_all_allowed_ones(value: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        check_choice("split", value, ["train", "valid", "test"])
    assert str(caught.value) == (
        f"split: expected 'train', 'valid' or 'test', found {value!r}"
    )


@pytest.mark.parametrize("value", [-0.1, 1.1, 2, math.nan, "0.5", None, True], ids=str)
def test_what_is_no_probability_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^p: expected a number from 0 to 1, found"):
        check_probability("p", value)


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, "1", True], ids=str)
def test_what_is_not_above_zero_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^size: expected a number above 0, found"):
        check_positive("size", value)


@pytest.mark.parametrize("value", [0, -1, 1.0, "1", True, None], ids=str)
def test_what_is_no_count_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^n: expected a whole number from 1, found"):
        check_count("n", value)


@pytest.mark.parametrize("value", ["text", b"text", 5, [1], ["a", None]], ids=str)
def test_what_is_no_list_of_texts_is_refused(value: Any) -> None:
    with pytest.raises(ConfigError, match=r"^examples: expected a list of texts"):
        check_strings("examples", value, "a list of texts")
