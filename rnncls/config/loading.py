"""Load a config from YAML, apply `key.path=value` overrides and validate it.

One `ConfigError` lists every error, each on a line with its file and line.
"""

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import ValidationError

from rnncls import ConfigError
from rnncls.config.arguments import check_path
from rnncls.config.document import Document, parse_document
from rnncls.config.sections import Config, DataSection

DATA_ENDINGS = {".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".xlsx", ".xlsm"}
"""Endings of data files, which are sometimes given instead of a config."""
CONFIG_ENDINGS = {".yaml", ".yml"}
_COMPRESSED_ENDINGS = {".gz", ".bz2", ".zst"}
_FIRST_LINE = re.compile(r"---|%|\{|[\"']?[a-z_]+[\"']?\s*:(\s|$)")
"""How the first line of a config begins that is neither empty nor a comment."""


def load_config(path: Path | str, overrides: Sequence[str] = ()) -> Config:
    """Read a YAML config, apply `key.path=value` overrides and validate the result.

    Raises:
        ConfigError: The file cannot be read, is not a YAML mapping or sets a key twice,
            or a key or value is wrong.
    """
    path = Path(path)
    return parse_config(_read_text(path), str(path), overrides)


def _read_text(path: Path) -> str:
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
        hint = ""
        if path.suffix.lower() not in CONFIG_ENDINGS:
            hint = f": if it is data, 'rnncls init {shlex.quote(str(path))}' reads it"
        raise ConfigError(f"{path}: not UTF-8 at byte {error.start}{hint}") from error
    _refuse_text(path, text)
    return text


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
        raise ConfigError(
            f"{path}: is a folder, expected a config (YAML); if it holds data, 'rnncls"
            f" init {shlex.quote(str(path))}' writes one for it"
        )
    if path.is_file() and has_data_ending(path):
        raise ConfigError(
            f"{path}: is a data file, expected a config (YAML): 'rnncls init"
            f" {shlex.quote(str(path))}' writes one for it"
        )


def has_data_ending(path: Path) -> bool:
    """Return whether a name ends as that of a data file, compressed or not."""
    ending = path.suffix.lower()
    if ending in _COMPRESSED_ENDINGS:
        ending = path.with_suffix("").suffix.lower()
    return ending in DATA_ENDINGS


def _refuse_text(path: Path, text: str) -> None:
    """Check that a file without the ending of a config does not begin like data.

    Raises:
        ConfigError: Its first line has no key.
    """
    if path.suffix.lower() in CONFIG_ENDINGS:
        return
    lines = (line.strip() for line in text.splitlines())
    first = next((line for line in lines if line and not line.startswith("#")), "")
    if first and not _FIRST_LINE.match(first):
        raise ConfigError(
            f"{path}: looks like data, expected a config (YAML), which begins with a"
            f" key such as 'data:': 'rnncls init {shlex.quote(str(path))}' writes a"
            " config for data"
        )


def parse_config(text: str, source: str, overrides: Sequence[str] = ()) -> Config:
    """Return the config that the YAML `text` from `source` holds; see `load_config`."""
    document = parse_document(text, source)
    errors = document.errors + _apply_overrides(document, overrides)
    return _validate(document, errors)


def build_config(
    config: str | os.PathLike[str] | Mapping[str, Any], overrides: Mapping[str, Any]
) -> Config:
    """Return the config of a Python program.

    Args:
        config: A YAML file, or the sections with their keys.
        overrides: Values by their paths, such as `{"train.lr": 0.002}`.

    Raises:
        ConfigError: The file cannot be read, or a key or value is wrong.
    """
    if not isinstance(overrides, Mapping):
        raise ConfigError(
            "overrides: expected a mapping of keys to values, such as"
            f" {{'train.lr': 0.002}}, found {overrides!r}"
        )
    if isinstance(config, Mapping):
        document = Document("config", values=to_plain(config))
    else:
        path = check_path("config", config, "a YAML file or a mapping of sections")
        document = parse_document(_read_text(path), str(path))
    errors = list(document.errors)
    for key, value in overrides.items():
        try:
            document.set(key, to_plain(value))
        except ConfigError as error:
            errors.append(str(error))
    return _validate(document, errors)


def build_data_section(values: Mapping[str, Any]) -> DataSection:
    """Return the data section of a config that has no other sections yet.

    Args:
        values: The values of the keys.

    Raises:
        ConfigError: A key or value is wrong.
    """
    try:
        return DataSection(**values)
    except ValidationError as error:
        from rnncls.config.messages import format_errors  # needed for errors only

        details = error.errors()
        for detail in details:
            detail["loc"] = ("data", *detail["loc"])
        document = Document("config", values={"data": dict(values)})
        raise ConfigError("\n".join(format_errors(details, document))) from error


def to_plain(value: Any) -> Any:
    """Return a value of a Python program as YAML would give it.

    Tuples and arrays become lists, NumPy's numbers Python's, and paths texts.
    """
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if hasattr(value, "tolist"):  # an array or a number of NumPy
        return value.tolist()
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def _validate(document: Document, errors: list[str]) -> Config:
    """Return the config that a document holds.

    Raises:
        ConfigError: There are errors already, or a key or value is wrong.
    """
    try:
        config = Config.model_validate(document.values)
    except ValidationError as error:
        from rnncls.config.messages import format_errors  # needed for errors only

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
