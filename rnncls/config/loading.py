"""Load a config from YAML, apply `key.path=value` overrides and validate it.

One `ConfigError` lists every error, each on a line with its file and line.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic_core import ValidationError

from rnncls import ConfigError
from rnncls.config.document import Document, parse_document
from rnncls.config.messages import format_errors
from rnncls.config.sections import Config


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML config, apply `key.path=value` overrides and validate the result.

    Raises:
        ConfigError: The file cannot be read, is not a YAML mapping or sets a key twice,
            or a key or value is wrong.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ConfigError(
            f"{path}: no such file: 'rnncls init YOUR_DATA' creates a config"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}") from error
    return parse_config(text, str(path), overrides)


def parse_config(text: str, source: str, overrides: Sequence[str] = ()) -> Config:
    """Return the config that the YAML `text` from `source` holds; see `load_config`."""
    document = parse_document(text, source)
    errors = document.errors + _apply_overrides(document, overrides)
    try:
        config = Config.model_validate(document.values)
    except ValidationError as error:
        errors += format_errors(error.errors(), document)
        without_repeats = dict.fromkeys(errors)
        raise ConfigError("\n".join(without_repeats)) from error
    if errors:
        raise ConfigError("\n".join(errors))
    return config


def _apply_overrides(document: Document, overrides: Sequence[str]) -> list[str]:
    """Apply the overrides in their order, and return an error for each wrong one."""
    errors = []
    for override in overrides:
        try:
            document.override(override)
        except ConfigError as error:
            errors.append(str(error))
    return errors
