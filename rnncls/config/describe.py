"""Reference of the config's keys: allowed values, defaults and descriptions.

Everything here is read from the types and docstrings of the sections. The docstrings
are read from the source, when they are needed: pydantic's own option,
`use_attribute_docstrings`, does so at each start, which takes a tenth of the time of
a config error.
"""

import ast
import functools
import inspect
import itertools
import types
from collections.abc import Iterator, Mapping
from typing import (
    Annotated,
    Any,
    Literal,
    NamedTuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from annotated_types import Ge, Gt, Le, Len, Lt, MinLen
from pydantic.fields import FieldInfo

from rnncls.config import data_section, model_section, sections
from rnncls.config.sections import SECTIONS, Config, Section
from rnncls.config.yaml_format import to_yaml

_KINDS = {
    str: "text",
    int: "whole number",
    float: "number",
    bool: "true | false",
    types.NoneType: "null",
}


class KeyReference(NamedTuple):
    """What a user has to know of a key.

    Attributes:
        path: The key with its section, as in `train.lr`.
        values: The allowed values, as in `number (> 0) | null`.
        default: The default value as YAML.
        description: What the key does, on one line.
    """

    path: str
    values: str
    default: str
    description: str


def iter_keys() -> Iterator[KeyReference]:
    """Yield the reference of every key, top-level keys first."""
    for key in Config.model_fields:
        if key not in SECTIONS:
            yield _describe_key(Config, key, key)
    for name, section in SECTIONS.items():
        for key in section.model_fields:
            yield _describe_key(section, key, f"{name}.{key}")


def keys_as_markdown() -> str:
    """Return the table of all keys in Markdown."""
    rows = ["| key | value | default | what it does |", "|---|---|---|---|"]
    for key in iter_keys():
        values = key.values.replace("|", "\\|")
        rows.append(
            f"| `{key.path}` | {values} | `{key.default}` | {key.description} |"
        )
    return "\n".join(rows)


def build_json_schema() -> dict[str, Any]:
    """Return the JSON schema of the config, with a description of each key."""
    schema = Config.model_json_schema()
    for name, definition in [("Config", schema), *schema["$defs"].items()]:
        descriptions = read_docstrings()[name]
        properties = definition["properties"]
        for key in descriptions:
            described = properties[key] | {"description": descriptions[key]}
            properties[key] = dict(sorted(described.items()))
    return schema


def get_default(section: type[Section], key: str) -> Any:
    """Return the default of a key that has one."""
    return section.model_fields[key].get_default(call_default_factory=True)


def describe_values(section: type[Section], key: str) -> str:
    """Return the allowed values of a key, as in `number (> 0) | null`."""
    annotations = get_type_hints(section, include_extras=True)
    return _describe_type(annotations[key])


def _describe_key(section: type[Section], key: str, path: str) -> KeyReference:
    description = read_docstrings()[section.__name__].get(key, "")
    return KeyReference(
        path,
        describe_values(section, key),
        to_yaml(get_default(section, key)),
        " ".join(description.split()),
    )


@functools.cache
def read_docstrings() -> Mapping[str, Mapping[str, str]]:
    """Return the docstring below each key that has one, by class and key."""
    docstrings: dict[str, dict[str, str]] = {}
    for module in (data_section, model_section, sections):
        for node in ast.parse(inspect.getsource(module)).body:
            if isinstance(node, ast.ClassDef):
                docstrings[node.name] = dict(_iter_docstrings(node))
    return docstrings


def _iter_docstrings(section: ast.ClassDef) -> Iterator[tuple[str, str]]:
    """Yield each key of a class that has a docstring below it, and the docstring."""
    for key, below in itertools.pairwise(section.body):
        match key, below:
            case (
                ast.AnnAssign(target=ast.Name(name)),
                ast.Expr(ast.Constant(str(docstring))),
            ):
                yield name, inspect.cleandoc(docstring)


def _describe_type(annotation: Any) -> str:
    kind, constraints = _split_annotation(annotation)
    origin = get_origin(kind)
    if origin in (Union, types.UnionType):
        choices = [_describe_type(choice) for choice in get_args(kind)]
        return " | ".join(choices)
    if origin is Literal:
        return " | ".join(get_args(kind))
    if origin is list:
        return _describe_list(kind, constraints)
    if origin is dict:
        _, item_type = get_args(kind)
        return f"mapping of class to {_describe_type(item_type)}"
    for constraint in constraints:
        if isinstance(constraint, FieldInfo) and constraint.examples:
            return " | ".join(constraint.examples)
    return _KINDS[kind] + _describe_bounds(constraints)


def _split_annotation(annotation: Any) -> tuple[Any, list[Any]]:
    """Return a type without its constraints, and the constraints."""
    if get_origin(annotation) is not Annotated:
        return annotation, []
    kind, *constraints = get_args(annotation)
    return kind, constraints


def _describe_list(kind: Any, constraints: list[Any]) -> str:
    (item_type,) = get_args(kind)
    item = _describe_type(item_type)
    # The only lists of texts are lists of columns.
    items = "column names, as in [text]" if item == "text" else item
    for constraint in constraints:
        if isinstance(constraint, Len):
            items = item.replace("number", "numbers")
            return f"list of {constraint.min_length} {items}"
    is_bounded = any(isinstance(constraint, MinLen) for constraint in constraints)
    if not is_bounded or item == "text":
        return f"list of {items}"
    return f"list of {items}, at least one"


def _describe_bounds(constraints: list[Any]) -> str:
    bounds = []
    for constraint in constraints:
        match constraint:
            case Ge():
                bounds.append(f">= {constraint.ge:g}")
            case Gt():
                bounds.append(f"> {constraint.gt:g}")
            case Le():
                bounds.append(f"<= {constraint.le:g}")
            case Lt():
                bounds.append(f"< {constraint.lt:g}")
    return f" ({', '.join(bounds)})" if bounds else ""
