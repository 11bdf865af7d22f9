"""The reference of the keys: allowed values, defaults, descriptions, the table."""

import re
from typing import Any

import pytest
import yaml

from rnncls.config.describe import iter_keys, keys_as_markdown
from tests.config.cases import DOCUMENTED_DEFAULTS

KEYS = [key for key, *_ in iter_keys()]


def test_keys_are_listed_in_the_order_of_the_schema() -> None:
    names = ("data", "text", "model", "train", "pretrain")
    sections = [f"{name}.{key}" for name in names for key in DOCUMENTED_DEFAULTS[name]]
    assert ["seed", "device", "deterministic", *sections] == KEYS


@pytest.mark.parametrize(
    ("key", "allowed", "default", "text"), list(iter_keys()), ids=KEYS
)
def test_every_key_has_allowed_values_a_default_and_documentation(
    key: str, allowed: str, default: str, text: str
) -> None:
    parsed: Any = DOCUMENTED_DEFAULTS | {
        "data": DOCUMENTED_DEFAULTS["data"] | {"train": None}
    }
    for name in key.split("."):
        parsed = parsed[name]
    assert (bool(allowed), yaml.safe_load(default), len(text) > 10) == (
        True,
        parsed,
        True,
    )


@pytest.mark.parametrize("key", KEYS)
def test_the_table_of_keys_has_one_row_for_each(key: str) -> None:
    rows = [
        line
        for line in keys_as_markdown().split("\n")
        if line.startswith(f"| `{key}` |")
    ]
    assert len(rows) == 1


def test_every_row_of_the_table_has_four_cells() -> None:
    cells = {
        len(re.findall(r"(?<!\\)\|", line)) for line in keys_as_markdown().split("\n")
    }
    assert cells == {5}


def test_the_table_says_what_a_key_takes() -> None:
    assert (
        "| `train.patience` | whole number (>= 1) \\| null | `3` "
        "| Early stopping: number of epochs without a better validation score after"
        " which training stops. null: never. |" in keys_as_markdown().split("\n")
    )
