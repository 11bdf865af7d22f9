"""Load a config from YAML, apply `key.path=value` overrides and validate it.

One `ConfigError` lists every error, each on a line with its file and line.
"""

import shlex
from collections.abc import Sequence
from pathlib import Path

from pydantic_core import ValidationError

from rnncls import ConfigError
from rnncls.config.document import Document, parse_document
from rnncls.config.messages import format_errors
from rnncls.config.sections import Config

DATA_ENDINGS = {".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xlsm"}
"""Endings of data files, which are sometimes given instead of a config."""
_COMPRESSED_ENDINGS = {".gz", ".bz2", ".zst"}


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML config, apply `key.path=value` overrides and validate the result.

    Raises:
        ConfigError: The file cannot be read, is not a YAML mapping or sets a key twice,
            or a key or value is wrong.
    """
    path = Path(path)
    _refuse_data(path)
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


def _refuse_data(path: Path) -> None:
    """Check that a path is not that of data or of a run.

    Raises:
        ConfigError: It is a folder, or its ending is that of a data file.
    """
    if path.is_dir():
        own_config = path / "config.yaml"
        if own_config.is_file():
            raise ConfigError(
                f"{path}: is a run folder, not a config: its config is {own_config}"
            )
    ending = path.suffix.lower()
    if ending in _COMPRESSED_ENDINGS:
        ending = path.with_suffix("").suffix.lower()
    if path.is_file() and ending in DATA_ENDINGS:
        raise ConfigError(
            f"{path}: is a data file, expected a config (YAML): 'rnncls init"
            f" {shlex.quote(str(path))}' writes one for it"
        )


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
