"""Sections: closed, frozen and strict groups of keys; pydantic itself is asked for the
same answers."""

import dataclasses
import subprocess
import sys
from typing import Annotated, Any, Literal

import pytest
from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ValidationError as CoreError

from rnncls.config.section import (
    Pattern,
    Section,
    allowed,
    annotations_of,
    default_of,
    documentation_of,
)


class Inner(Section):
    """A section in a section."""

    depth: Annotated[int, Ge(1)] = 1
    """How deep."""


class Outer(Section):
    """A section with a key of each kind."""

    count: Annotated[int, Ge(0), Lt(10)]
    """How many."""
    share: Annotated[float, Gt(0.0), Le(1.0)] = 0.5
    wanted: bool = False
    kind: Literal["a", "b"] | None = None
    names: Annotated[list[str], MinLen(1)] = ["x"]  # noqa: RUF012 - sections copy it
    code: Annotated[str, Pattern("^[a-z]+$", examples=("abc",))] = "abc"
    inner: Inner = Inner()

    def check(self) -> None:
        """See that no name stands twice."""
        if len(set(self.names)) < len(self.names):
            raise ValueError("a name stands twice")


class Model(BaseModel):
    """The same keys, but for the section inside, as pydantic's own model."""

    model_config = ConfigDict(extra="forbid", strict=True)

    count: Annotated[int, Field(ge=0, lt=10)]
    share: Annotated[float, Field(gt=0.0, le=1.0, allow_inf_nan=False)] = 0.5
    wanted: bool = False
    kind: Literal["a", "b"] | None = None
    names: Annotated[list[str], Field(min_length=1)] = ["x"]
    code: Annotated[str, Field(pattern="^[a-z]+$")] = "abc"


@pytest.mark.parametrize(
    "values",
    [
        {"count": 3},
        {"count": 3, "share": 1},
        {
            "count": 3,
            "share": 1.0,
            "wanted": True,
            "kind": "b",
            "names": ["p", "q"],
            "code": "z",
        },
        {"count": 3, "kind": None},
        {},
        {"count": -1},
        {"count": 10},
        {"count": "3"},
        {"count": 3.0},
        {"count": True},
        {"count": None},
        {"count": 3, "share": 0.0},
        {"count": 3, "share": 1.5},
        {"count": 3, "share": float("nan")},
        {"count": 3, "share": float("inf")},
        {"count": 3, "share": "0.5"},
        {"count": 3, "wanted": 1},
        {"count": 3, "wanted": "yes"},
        {"count": 3, "kind": "c"},
        {"count": 3, "names": []},
        {"count": 3, "names": "x"},
        {"count": 3, "names": ("x",)},
        {"count": 3, "names": [1]},
        {"count": 3, "code": "A"},
        {"count": 3, "code": 1},
        {"count": 3, "other": 1},
        {"count": 99, "share": -1.0, "code": "A"},
    ],
    ids=str,
)
def test_a_section_takes_what_a_strict_pydantic_model_takes(
    values: dict[str, Any],
) -> None:
    def outcome(build: Any, error: type[Exception]) -> Any:
        try:
            made = build(values)
        except error as caught:
            return sorted(item["loc"] for item in caught.errors())  # type: ignore[attr-defined]
        return {key: getattr(made, key) for key in Model.model_fields}

    assert outcome(Outer.model_validate, CoreError) == outcome(
        Model.model_validate, ValidationError
    )


def test_a_section_is_checked_however_it_is_made() -> None:
    with pytest.raises(CoreError, match="less than 10"):
        Outer(count=11)
    with pytest.raises(CoreError, match="less than 10"):
        Outer(count=1).model_copy({"count": 11})


def test_keys_are_looked_at_together() -> None:
    with pytest.raises(CoreError, match="a name stands twice"):
        Outer(count=1, names=["x", "x"])


def test_a_section_inside_is_checked_and_built() -> None:
    assert Outer.model_validate({"count": 1, "inner": {"depth": 4}}).inner == Inner(
        depth=4
    )
    with pytest.raises(CoreError) as caught:
        Outer.model_validate({"count": 1, "inner": {"depth": 0, "wide": 1}})
    assert sorted(item["loc"] for item in caught.value.errors()) == [
        ("inner", "depth"),
        ("inner", "wide"),
    ]


def test_a_default_list_belongs_to_one_section_alone() -> None:
    first, second = Outer(count=1), Outer(count=1)
    first.names.append("y")
    assert (second.names, Outer(count=1).names, default_of(Outer, "names")) == (
        ["x"],
        ["x"],
        ["x"],
    )


def test_a_section_cannot_be_changed() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Outer(count=1).count = 2  # type: ignore[misc]


def test_a_section_becomes_plain_values_and_comes_back() -> None:
    section = Outer(count=1, inner=Inner(depth=3))
    assert section.model_dump()["inner"] == {"depth": 3}
    assert Outer.model_validate(section.model_dump()) == section


def test_a_copy_differs_in_what_was_updated() -> None:
    assert Outer(count=1, share=0.25).model_copy({"count": 2}) == Outer(
        count=2, share=0.25
    )


def test_documentation_is_the_text_below_a_key() -> None:
    assert (documentation_of(Outer), documentation_of(Inner)) == (
        {"count": "How many."},
        {"depth": "How deep."},
    )


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("count", "whole number (>= 0, < 10)"),
        ("share", "number (> 0, <= 1)"),
        ("wanted", "true | false"),
        ("kind", "a | b | null"),
        ("names", "non-empty list of texts"),
        ("code", "abc"),
    ],
)
def test_a_reader_is_told_what_a_key_takes(key: str, text: str) -> None:
    assert allowed(annotations_of(Outer)[key]) == text


def test_the_json_schema_is_closed_and_has_bounds_patterns_and_descriptions() -> None:
    schema = Outer.model_json_schema()
    keys = schema["properties"]
    assert (schema["additionalProperties"], schema["required"]) == (False, ["count"])
    assert keys["count"] == {
        "description": "How many.",
        "exclusiveMaximum": 10,
        "minimum": 0,
        "title": "Count",
        "type": "integer",
    }
    assert keys["code"]["pattern"] == "^[a-z]+$"


def test_a_config_is_checked_without_importing_pydantic() -> None:
    program = "import sys, rnncls.config.schema; sys.exit('pydantic' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0
