"""A YAML document with the location of each key, and overrides of its values."""

from dataclasses import dataclass, field
from typing import Any

import yaml

from rnncls import ConfigError
from rnncls.config.yaml_format import YamlLoader

KeyPath = tuple[str, ...]

_YAML_ERRORS = (yaml.YAMLError, ValueError, RecursionError)
_WORDS_QUOTED = 100
_MAX_DEPTH = 3  # section, key, and one more for a key that is put too deep


@dataclass
class Document:
    """The values of a YAML document.

    Attributes:
        source: Where the document comes from, for messages.
        values: Section names and keys with their values, not validated yet.
        locations: Where each key is set: `my.yaml:3` or `--set train.lr=1`.
        errors: One line for each key that is set twice.
        quoted: For each value that is a word or a list of words, its text with each
            word in quotation marks, for messages.
    """

    source: str
    values: dict[str, Any] = field(default_factory=dict)
    locations: dict[KeyPath, str] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    quoted: dict[KeyPath, str] = field(default_factory=dict)

    def override(self, override: str) -> None:
        """Apply an override of the form `key.path=value`.

        Raises:
            ConfigError: The override has another form, its value is not valid YAML, or
                its path leads through a key that is not a section.
        """
        location = f"--set {shorten(override)}"
        dotted, equals, text = override.partition("=")
        path = tuple(dotted.strip().split("."))
        if not equals or not all(path):
            raise ConfigError(
                f"{location}: expected key.path=value, as in --set train.lr=0.002"
            )
        value, quoted = _parse_value(text, path, location)
        if quoted:
            self.quoted[path] = quoted
        self._set(path, value, location)

    def set(self, key: str, value: object) -> None:
        """Set the value of a key such as `train.lr`.

        Raises:
            ConfigError: The key is not a path, or leads through a key that is not a
                section.
        """
        location = f"overrides[{shorten(key)!r}]"
        path = tuple(key.split("."))
        if not all(path):
            raise ConfigError(f"{location}: expected a path such as 'train.lr'")
        self._set(path, value, location)

    def _set(self, path: KeyPath, value: object, location: str) -> None:
        section = self.values
        for name in path[:-1]:
            if section.get(name) is None:
                section[name] = {}
            section = section[name]
            if not isinstance(section, dict):
                raise ConfigError(f"{location}: '{name}' is a key, not a section")
        section[path[-1]] = value
        self._relocate(path, location)

    def _relocate(self, path: KeyPath, location: str) -> None:
        replaced = [known for known in self.locations if known[: len(path)] == path]
        for known in replaced:
            del self.locations[known]
        for depth in range(1, len(path) + 1):
            self.locations.setdefault(path[:depth], location)


def parse_document(text: str, source: str) -> Document:
    """Return the document that the YAML `text` from `source` holds.

    Raises:
        ConfigError: The text is not valid YAML, or not a mapping.
    """
    document = Document(source)
    try:
        values = _read_yaml(text, (), document)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        problem = str(error.problem).removeprefix("but ")
        raise ConfigError(f"{source}:{line}: not valid YAML: {problem}") from error
    except _YAML_ERRORS as error:
        problem = str(error).splitlines()[0]
        raise ConfigError(f"{source}: not valid YAML: {problem}") from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"{source}: expected a mapping of keys such as 'data:' and 'model:'"
        )
    document.values = values
    return document


def shorten(text: str, limit: int = 80) -> str:
    """Return a text on one line of at most `limit` characters."""
    line = " ".join(text.split())
    return line if len(line) <= limit else line[: limit - 1] + "…"


def _parse_value(text: str, path: KeyPath, location: str) -> tuple[Any, str]:
    """Return the value of an override, and its text in quotes (see `Document`)."""
    document = Document(location)
    try:
        value = _read_yaml(text, path, document)
        quoted = _quote(YamlLoader(text).get_single_node())
    except _YAML_ERRORS as error:
        raise ConfigError(f"{location}: the value is not valid YAML") from error
    if document.errors:
        raise ConfigError("\n".join(document.errors))
    return value, quoted


def _read_yaml(text: str, prefix: KeyPath, document: Document) -> Any:
    """Return the value of a YAML text; record locations and errors in `document`."""
    loader = YamlLoader(text)
    node = loader.get_single_node()
    if node is None:
        return None
    if isinstance(node, yaml.MappingNode):
        _record_keys(node, prefix, document)
    return loader.construct_document(node)


def _record_keys(node: yaml.MappingNode, prefix: KeyPath, document: Document) -> None:
    """Record the location of each key and an error for each that is set twice."""
    for key_node, value_node in node.value:
        path = (*prefix, str(key_node.value))
        line = key_node.start_mark.line + 1
        location = f"{document.source}:{line}"
        if path in document.locations:
            error = _describe_duplicate(path, location, document.locations[path])
            document.errors.append(error)
        document.locations[path] = location
        if quoted := _quote(value_node):
            document.quoted[path] = quoted
        _make_key_a_text(key_node)
        if isinstance(value_node, yaml.MappingNode) and len(path) < _MAX_DEPTH:
            _record_keys(value_node, path, document)


def _describe_duplicate(path: KeyPath, location: str, first_location: str) -> str:
    key = shorten(".".join(path))
    first_line = first_location.rsplit(":", 1)[1]
    return f"{location}: duplicate key '{key}' (first on line {first_line})"


def _quote(node: yaml.Node | None) -> str:
    """Return a word, or a list of words, with quotes; an empty text for others."""
    if isinstance(node, yaml.ScalarNode):
        return _quote_word(node)
    if not isinstance(node, yaml.SequenceNode) or len(node.value) > _WORDS_QUOTED:
        return ""
    # Only one level: aliases may nest lists into billions of items.
    if not all(isinstance(item, yaml.ScalarNode) for item in node.value):
        return ""
    return f"[{', '.join(_quote_word(item) for item in node.value)}]"


def _quote_word(node: yaml.ScalarNode) -> str:
    return "'" + str(node.value).replace("'", "''") + "'"


def _make_key_a_text(key_node: yaml.Node) -> None:
    """Read a key such as `no` or `1` as text, except for the merge key `<<`."""
    is_merge_key = key_node.tag == "tag:yaml.org,2002:merge"
    if isinstance(key_node, yaml.ScalarNode) and not is_merge_key:
        key_node.tag = "tag:yaml.org,2002:str"
