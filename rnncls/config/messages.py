"""One line for each error of a config: location, key, values allowed, value found."""

import difflib
from collections.abc import Iterable

from pydantic_core import ErrorDetails
from yaml.representer import RepresenterError

from rnncls.config.describe import describe_values
from rnncls.config.document import Document, KeyPath, shorten
from rnncls.config.sections import DATA_SOURCE_HINT, SECTIONS, Config
from rnncls.config.yaml_format import to_yaml

_COLUMN_KEYS = {"data.text", "data.label", "data.columns"}
_IS_VALUE = 2


def format_errors(errors: Iterable[ErrorDetails], document: Document) -> list[str]:
    """Return a line for each of pydantic's errors about the values of a document."""
    return [_format_error(error, document) for error in _drop_alternatives([*errors])]


def _drop_alternatives(errors: list[ErrorDetails]) -> list[ErrorDetails]:
    """Return one error for a key that takes a word, a list or a mapping.

    pydantic reports one for each of them.
    """
    best_rank: dict[KeyPath, int] = {}
    for error in errors:
        key = _key_of(error)
        best_rank[key] = max(best_rank.get(key, 0), _rank_of(error))
    kept, keys_of_kept_types = [], set()
    for error in errors:
        key, rank = _key_of(error), _rank_of(error)
        is_repeated = rank < _IS_VALUE and key in keys_of_kept_types
        if rank == best_rank[key] and not is_repeated:
            kept.append(error)
            keys_of_kept_types.add(key)
    return kept


def _key_of(error: ErrorDetails) -> KeyPath:
    return tuple(str(part) for part in error["loc"][:2])


def _rank_of(error: ErrorDetails) -> int:
    """Return how much an error says about a value: a wrong item more than a type."""
    if error["type"] == "literal_error":
        return 0
    return 1 if error["type"] in {"list_type", "dict_type"} else _IS_VALUE


def _format_error(error: ErrorDetails, document: Document) -> str:
    path = tuple(str(part) for part in error["loc"])
    location = _find_location(_find_key(error, path), document)
    advice = _advise_to_quote(error, document)
    return f"{location}: {_describe_problem(error, path)}{advice}"


def _find_key(error: ErrorDetails, path: KeyPath) -> KeyPath:
    """Return the key that an error is about.

    An error about several keys has the path of their section, and its message begins
    with the key to change.
    """
    if error["type"] != "value_error":
        return path
    first_word = error["msg"].removeprefix("Value error, ").split()[0]
    key = tuple(first_word.rstrip(":").split("."))
    return key if key[: len(path)] == path else path


def _describe_problem(error: ErrorDetails, path: KeyPath) -> str:
    """Return the message of an error without its location."""
    key = ".".join(path[:2])
    message = error["msg"]
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key '{shorten(key)}'{_suggest(path)}"
        case "missing":
            return f"section '{key}' is missing: {DATA_SOURCE_HINT}"
        case "value_error":
            return message.removeprefix("Value error, ")
        case "nul":
            return f"{key}: {message}"
    expected = _describe_expected(path[:2])
    actual = shorten(_show(error["input"]))
    return f"{key}: expected {expected}, found {actual}"


def _show(value: object) -> str:
    """Return a value as YAML; an object of a Python program as Python shows it."""
    try:
        return to_yaml(value)
    except RepresenterError:
        return repr(value)


def _advise_to_quote(error: ErrorDetails, document: Document) -> str:
    """Return how to write a text that YAML reads as a truth value or a number.

    Columns may be called `no`, `yes`, `on` or `2`.
    """
    path = tuple(str(part) for part in error["loc"])[:2]
    if ".".join(path) not in _COLUMN_KEYS:
        return ""
    value = error["input"]
    quoted = document.quoted.get(path)
    if error["type"] not in {"string_type", "list_type"} or quoted is None:
        return ""
    if not isinstance(value, bool | int | float):
        return ""
    key = ".".join(path)
    if error["type"] == "list_type":
        quoted = f"[{quoted}]"
    if _find_location(path, document).startswith("--set "):
        advice = f'--set "{key}={quoted}"'
    else:
        advice = f"{path[-1]}: {quoted}"
    return f": YAML reads it so without quotation marks; write {advice}"


def _find_location(path: KeyPath, document: Document) -> str:
    """Return where a key is set, or else the section that should have it."""
    for depth in range(len(path), 0, -1):
        if path[:depth] in document.locations:
            return document.locations[path[:depth]]
    return document.source


def _describe_expected(path: KeyPath) -> str:
    if len(path) == 1 and path[0] in SECTIONS:
        return "a section of keys"
    section = SECTIONS[path[0]] if len(path) > 1 else Config
    return describe_values(section, path[-1])


def _suggest(path: KeyPath) -> str:
    """Return the end of a message on an unknown key: the nearest key, or all keys."""
    siblings = _list_siblings(path)
    same_section = {sibling.rsplit(".", 1)[-1]: sibling for sibling in siblings}
    anywhere = {known.rsplit(".", 1)[-1]: known for known in reversed(_list_keys())}
    for candidates in (same_section, anywhere | same_section):
        nearest = difflib.get_close_matches(path[-1].lower(), candidates, n=1)
        if nearest:
            return f"; did you mean '{candidates[nearest[0]]}'?"
    return f"; known keys: {', '.join(same_section)}"


def _list_siblings(path: KeyPath) -> list[str]:
    return [known for known in _list_keys() if known.split(".")[:-1] == [*path[:-1]]]


def _list_keys() -> list[str]:
    """Return the paths of all keys, top-level ones first and sections last."""
    top_level = [key for key in Config.model_fields if key not in SECTIONS]
    in_sections = [
        f"{name}.{key}"
        for name, section in SECTIONS.items()
        for key in section.model_fields
    ]
    return [*top_level, *in_sections, *SECTIONS]
