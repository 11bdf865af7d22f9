"""YAML of configs: PyYAML's safe loader and dumper, with numbers as in YAML 1.2."""

import re
from collections.abc import Mapping
from typing import Any

import yaml

from rnncls.config.sections import Config

_MAX_BITS = 1024
_MAX_MERGED_KEYS = 1000
_UNLIMITED = 1 << 30


class YamlLoader(yaml.SafeLoader):
    """PyYAML's safe loader, which also reads 1e-3 as a number, as YAML 1.2 does."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:  # noqa: FBT001, FBT002 - PyYAML's signature
        """Return the value of a node.

        Raises:
            yaml.constructor.ConstructorError: The value does not fit its tag, as in
                `!!bool maybe`, or is a number with too many digits.
        """
        try:
            value = super().construct_object(node, deep)
        except (ValueError, LookupError, AttributeError, ArithmeticError) as error:
            reason = str(error) if isinstance(error, ValueError) else ""
            kind = node.tag.rsplit(":", 1)[-1]
            problem = reason or f"not a valid {kind}"
            raise _error_at(node, problem) from error
        if isinstance(value, int) and value.bit_length() > _MAX_BITS:
            raise _error_at(node, "a number with too many digits")
        return value

    def flatten_mapping(self, node: yaml.MappingNode) -> None:
        """Merge the keys that `<<` names into a mapping.

        Raises:
            yaml.constructor.ConstructorError: There are too many keys: a few nested
                lines can name billions of them.
        """
        super().flatten_mapping(node)
        if len(node.value) > _MAX_MERGED_KEYS:
            raise _error_at(node, "too many keys are merged with <<")


class YamlDumper(yaml.SafeDumper):
    """PyYAML's safe dumper, which quotes text that the loader would read otherwise."""

    def represent_str(self, text: str) -> yaml.ScalarNode:
        """Return the node of a text, quoted if it has unusual line ends."""
        # PyYAML writes U+0085 and U+2028 unquoted, and then reads them as a space. It
        # writes a line end as an empty line, which is no value on one line.
        style = '"' if set(text) & set("\n\x85\u2028\u2029\ufeff") else None
        return self.represent_scalar("tag:yaml.org,2002:str", text, style)


_EXPONENT = (
    "tag:yaml.org,2002:float",
    re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"),
    list("-+0123456789"),
)
YamlLoader.add_implicit_resolver(*_EXPONENT)
YamlDumper.add_implicit_resolver(*_EXPONENT)
YamlDumper.add_representer(str, YamlDumper.represent_str)


def dump_config(config: Config) -> str:
    """Return the config as YAML, with a value for every key."""
    return dump_settings(config.model_dump())


def dump_settings(settings: Mapping[str, Any]) -> str:
    """Return the values of a config, by section and key, as YAML."""
    return yaml.dump(settings, Dumper=YamlDumper, sort_keys=False, allow_unicode=True)


def to_yaml(value: object) -> str:
    """Return a value as YAML on one line."""
    text = yaml.dump(
        value,
        Dumper=YamlDumper,
        default_flow_style=True,
        width=_UNLIMITED,
        allow_unicode=True,
    )
    return text.removesuffix("\n").removesuffix("\n...")


def _error_at(node: yaml.Node, problem: str) -> yaml.constructor.ConstructorError:
    return yaml.constructor.ConstructorError(None, None, problem, node.start_mark)
