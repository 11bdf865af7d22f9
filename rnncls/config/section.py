"""A group of keys: frozen, closed, strictly typed, and checked by pydantic's own core.

A section is a frozen dataclass whose annotations are what its keys take. Its validator
is the one of pydantic-core that a pydantic model would have, built here from those
annotations: to import pydantic itself takes as long as the rest of a short command, so
only the JSON schema does that (docs/performance.md).
"""

import ast
import dataclasses
import inspect
import itertools
import textwrap
import types
from collections.abc import Mapping
from dataclasses import dataclass
from typing import (
    Annotated,
    Any,
    ClassVar,
    Literal,
    Self,
    Union,
    dataclass_transform,
    get_args,
    get_origin,
    get_type_hints,
)

from annotated_types import Ge, Gt, Le, Lt, MinLen
from pydantic_core import (
    ArgsKwargs,
    CoreSchema,
    PydanticCustomError,
    SchemaValidator,
    core_schema,
)

_SCALARS: dict[type, CoreSchema] = {
    bool: core_schema.bool_schema(strict=True),
    int: core_schema.int_schema(strict=True),
    float: core_schema.float_schema(strict=True, allow_inf_nan=False),
    str: core_schema.str_schema(strict=True),
}


@dataclass(frozen=True)
class Pattern:
    """A text that a regular expression matches; the examples say to a reader what that
    is.
    """

    regex: str
    examples: tuple[str, ...]

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> CoreSchema:
        """Tell pydantic, for the JSON schema."""
        return core_schema.str_schema(pattern=self.regex, strict=True)


@dataclass_transform(frozen_default=True, kw_only_default=True)
class Section:
    """A closed and frozen group of keys: an unknown key is an error, and so is a text
    where a number belongs.
    """

    __pydantic_config__: ClassVar = {
        "extra": "forbid",
        "use_attribute_docstrings": True,
    }  # for the JSON schema
    __dataclass_fields__: ClassVar[dict[str, Any]]
    _validator: ClassVar[SchemaValidator]
    _schema: ClassVar[CoreSchema]

    def __init_subclass__(cls) -> None:
        """Make a frozen dataclass of a subclass, and build its validator."""
        for name, value in list(vars(cls).items()):
            if isinstance(value, list):
                setattr(cls, name, dataclasses.field(default_factory=value.copy))
        dataclass(frozen=True, kw_only=True, init=False)(cls)
        cls._schema = _section_schema(cls)
        cls._validator = SchemaValidator(cls._schema)

    def __init__(self, **values: Any) -> None:
        """Check the values of all keys.

        Raises:
            pydantic_core.ValidationError: A key is unknown or missing, or a value is
                wrong.
        """
        self._validator.validate_python(ArgsKwargs((), values), self_instance=self)

    def check(self) -> None:
        """Look at the keys together.

        Raises:
            ValueError: They do not fit each other.
        """

    @classmethod
    def model_validate(cls, values: Mapping[str, Any]) -> Self:
        """Return a section with these values; see `__init__`."""
        checked: Self = cls._validator.validate_python(values)
        return checked

    def model_dump(self) -> dict[str, Any]:
        """Return the values of all keys, those of sections as dictionaries too."""
        return dataclasses.asdict(self)

    def model_copy(self, update: Mapping[str, Any]) -> Self:
        """Return a section with other values for some keys."""
        return dataclasses.replace(self, **update)

    @classmethod
    def model_json_schema(cls) -> dict[str, Any]:
        """Return the JSON schema, as pydantic writes it."""
        from pydantic import TypeAdapter

        return TypeAdapter(cls).json_schema()


def annotations_of(section: type[Section]) -> dict[str, Any]:
    """Return what each key of a section takes, as it is annotated."""
    hints = get_type_hints(section, include_extras=True)
    return {field.name: hints[field.name] for field in dataclasses.fields(section)}


def default_of(section: type[Section], key: str) -> Any:
    """Return the default of a key that has one."""
    (field,) = (field for field in dataclasses.fields(section) if field.name == key)
    return (
        field.default
        if field.default_factory is dataclasses.MISSING
        else field.default_factory()
    )


def documentation_of(section: type[Section]) -> dict[str, str]:
    """Return the text that stands below each key of a section."""
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(section))).body
    assert isinstance(definition, ast.ClassDef)
    return {
        node.target.id: inspect.cleandoc(below.value.value)
        for node, below in itertools.pairwise(definition.body)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
        if isinstance(below, ast.Expr)
        and isinstance(below.value, ast.Constant)
        and isinstance(below.value.value, str)
    }


def allowed(annotation: Any) -> str:
    """Return which values a key takes, as a reader of YAML would say it."""
    kind, *details = (
        get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    )
    if get_origin(kind) in (Union, types.UnionType):
        return " | ".join(map(allowed, get_args(kind)))
    if get_origin(kind) is Literal:
        return " | ".join(get_args(kind))
    if get_origin(kind) is list:
        item = allowed(*get_args(kind))
        return (
            f"{'non-empty ' if details else ''}list of"
            f" {'texts' if item == 'text' else item}"
        )
    if examples := [
        example
        for detail in details
        if isinstance(detail, Pattern)
        for example in detail.examples
    ]:
        return " | ".join(examples)
    names = {
        str: "text",
        int: "whole number",
        float: "number",
        bool: "true | false",
        types.NoneType: "null",
    }
    signs = {Ge: (">=", "ge"), Gt: (">", "gt"), Le: ("<=", "le"), Lt: ("<", "lt")}
    bounds = [
        f"{signs[type(detail)][0]} {getattr(detail, signs[type(detail)][1]):g}"
        for detail in details
        if type(detail) in signs
    ]
    return names[kind] + (f" ({', '.join(bounds)})" if bounds else "")


def _section_schema(section: type[Section]) -> CoreSchema:
    fields = [
        core_schema.dataclass_field(
            key, _with_default(section, key, _schema_of(annotation)), kw_only=True
        )
        for key, annotation in annotations_of(section).items()
    ]
    arguments = core_schema.dataclass_args_schema(section.__name__, fields)
    config = core_schema.CoreConfig(extra_fields_behavior="forbid")
    schema = core_schema.dataclass_schema(
        section, arguments, [*annotations_of(section)], frozen=True, config=config
    )

    def check(checked: Section) -> Section:
        checked.check()
        return checked

    return core_schema.no_info_after_validator_function(check, schema)


def _with_default(section: type[Section], key: str, schema: CoreSchema) -> CoreSchema:
    default = default_of(section, key)
    if default is dataclasses.MISSING:
        return schema
    if isinstance(default, list):
        return core_schema.with_default_schema(schema, default_factory=default.copy)
    return core_schema.with_default_schema(schema, default=default)


def _schema_of(annotation: Any) -> CoreSchema:
    kind, *details = (
        get_args(annotation) if get_origin(annotation) is Annotated else (annotation,)
    )
    if get_origin(kind) in (Union, types.UnionType):
        some = [
            _schema_of(each) for each in get_args(kind) if each is not types.NoneType
        ]
        return core_schema.nullable_schema(
            some[0] if len(some) == 1 else core_schema.union_schema([*some])
        )
    if get_origin(kind) is Literal:
        return core_schema.literal_schema([*get_args(kind)])
    if get_origin(kind) is list:
        schema: Any = core_schema.list_schema(_schema_of(*get_args(kind)), strict=True)
    else:
        schema = kind._schema if issubclass(kind, Section) else {**_SCALARS[kind]}
    for detail in details:
        schema |= _limits(detail)
    return (
        core_schema.no_info_after_validator_function(_refuse_nul, schema)
        if kind is str
        else schema
    )


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError(
            "nul", "has a NUL character, which no file or column has in its name"
        )
    return text


def _limits(detail: Any) -> dict[str, Any]:
    match detail:
        case MinLen():
            return {"min_length": detail.min_length}
        case Pattern():
            return {"pattern": detail.regex}
        case _:
            return dataclasses.asdict(
                detail
            )  # ge, gt, le or lt: annotated_types and pydantic-core name them alike
