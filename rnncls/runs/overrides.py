"""The config keys of a run that the user set apart from the config file.

A run that is resumed keeps their values, whatever the config file says.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from rnncls import ConfigError, RunError
from rnncls.config.loading import load_config
from rnncls.config.sections import Config
from rnncls.config.yaml_format import to_yaml
from rnncls.machine.files import read_json, write_json
from rnncls.runs.folder import RunFolder

logger = logging.getLogger(__name__)

LoadConfig = Callable[[Mapping[str, Any]], Config]
"""Loads a config, and sets these values by their paths."""


def load_training_config(
    source: Path, overrides: Sequence[str], run: Path | None
) -> Config:
    """Load the config of a training of the command line; see `load_with_kept_values`.

    Args:
        source: The config file.
        overrides: Such as `train.lr=0.002`.
        run: The folder of the run to resume; None: the run is new.

    Raises:
        ConfigError, RunError: As `load_with_kept_values` does.
    """

    def load(kept: Mapping[str, Any]) -> Config:
        kept_overrides = [f"{key}={to_yaml(value)}" for key, value in kept.items()]
        return load_config(source, [*kept_overrides, *overrides])

    return load_with_kept_values(run, load)


def load_with_kept_values(run: Path | None, load: LoadConfig) -> Config:
    """Load the config of a training, with the values that a run to resume keeps.

    The log names each kept value that differs from the config file.

    Args:
        run: The folder of the run to resume; None: the run is new.
        load: Loads the config file, and sets these values by their paths unless the
            user overrides them now.

    Raises:
        ConfigError: The file cannot be read, or a key or value is wrong.
        RunError: A file of the run is damaged.
    """
    kept = load_kept_values(run) if run is not None else {}
    config = load(kept)
    if kept:
        try:
            file_config = load({})
        except ConfigError:  # the file is complete only with the kept values
            return config
        values, file_values = config.model_dump(), file_config.model_dump()
        _log_kept_values(f"{run}", kept, values, file_values)
    return config


def _log_kept_values(
    run: str,
    kept: Iterable[str],
    values: Mapping[str, Any],
    file_values: Mapping[str, Any],
) -> None:
    """Log which values differ because they are kept."""
    for key in kept:
        value, file_value = find_value(values, key), find_value(file_values, key)
        if value != file_value:
            logger.info(
                "%s: %s stays %s, as it was set for this run; the config has %s: to"
                " change it, set it again",
                run,
                key,
                to_yaml(value),
                to_yaml(file_value),
            )


def load_kept_values(run: Path) -> dict[str, Any]:
    """Return the values of a run that a resume keeps, by their paths.

    Raises:
        RunError: A file of the run is damaged.
    """
    keys = load_overridden_keys(run)
    if not keys or not RunFolder(run).config.is_file():
        return {}
    from rnncls.runs.companions import load_run_config  # it imports NumPy

    settings = load_run_config(run).model_dump()
    return {key: find_value(settings, key) for key in keys}


def find_value(settings: Mapping[str, Any], key: str) -> Any:
    """Return the value of a path such as `train.lr`; None if there is none."""
    value: Any = settings
    for name in key.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def name_overridden_keys(overrides: Sequence[str]) -> list[str]:
    """Return the keys of overrides such as `train.lr=0.002`."""
    return [override.partition("=")[0].strip() for override in overrides]


def load_overridden_keys(run: Path) -> list[str]:
    """Load which keys of a run were overridden; runs of earlier versions have none.

    Raises:
        RunError: The file is damaged.
    """
    file = RunFolder(run).overrides
    if not file.is_file():
        return []
    keys = read_json(file).get("keys")
    if isinstance(keys, list) and all(isinstance(key, str) for key in keys):
        return keys
    raise RunError(f"{file}: damaged: expected a list of keys")


def save_overridden_keys(run: Path, keys: Iterable[str]) -> None:
    """Record which keys of a run were overridden, beside those of earlier calls.

    Raises:
        RunError: The file cannot be written, or is damaged.
    """
    known = load_overridden_keys(run)
    all_keys = list(dict.fromkeys([*known, *keys]))
    if all_keys != known:
        write_json(RunFolder(run).overrides, {"keys": all_keys})
