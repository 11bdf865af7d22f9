"""Data sets that Hugging Face's library loads, written as CSV files."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rnncls import ConfigError, DataError
from rnncls.data.conversion import csv_path, save_csv
from rnncls.data.rows import Record
from rnncls.data.source_files import SPLIT_NAMES, Files

HUB = "hf:"
"""The prefix of a data set of the Hugging Face Hub, or of a folder that its library
can load."""


def fetch_from_hub(source: str, out: Path, *, overwrite: bool) -> Files:
    """Write the splits of a `hf:` data set as CSV beside the config at `out`.

    Raises:
        ConfigError: Hugging Face's library is not installed.
        DataError: The library cannot load the data set.
    """
    splits = _load_from_hub(source)
    files: Files = {}
    for split, names in SPLIT_NAMES.items():
        dataset = next((splits[name] for name in names if name in splits), None)
        if dataset is not None:
            records = (read_hub_row(row, dataset.features) for row in dataset)
            columns = list(dataset.features)
            rows = ([record[name] for name in columns] for record in records)
            files[split] = csv_path(out, split)
            save_csv(files[split], columns, rows, overwrite=overwrite)
    if "train" not in files:
        raise DataError(
            f"{source}: has no training rows, found the splits {', '.join(splits)}"
        )
    return files


def _load_from_hub(source: str) -> Mapping[str, Any]:
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{source}: needs Hugging Face's library ({error.msg}): pip install"
            " 'rnncls[hf]'"
        ) from error
    name, _, subset = source.removeprefix(HUB).partition("#")
    try:
        loaded: Mapping[str, Any] = datasets.load_dataset(name, subset or None)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{source}: cannot be loaded: {str(error).splitlines()[0]}"
        ) from error
    return loaded


def read_hub_row(row: Mapping[str, Any], features: Mapping[str, Any]) -> Record:
    """Return a row as texts; a class by its name, and a list of classes as JSON.

    Args:
        row: The row.
        features: What each column has, as Hugging Face's library says it.
    """
    record = {}
    for column, value in row.items():
        feature = features[column]
        if isinstance(value, list):
            names = _class_names(_feature_of_items(feature))
            items = [_name_class(item, names) for item in value]
            record[column] = json.dumps(items, ensure_ascii=False, default=str)
        else:
            named = _name_class(value, _class_names(feature))
            record[column] = "" if named is None else str(named)
    return record


def _feature_of_items(feature: Any) -> Any:
    """Return what the items of a column of lists are."""
    if isinstance(feature, list):
        return feature[0]
    return getattr(feature, "feature", None)


def _class_names(feature: Any) -> Sequence[str]:
    return getattr(feature, "names", None) or []


def _name_class(value: Any, names: Sequence[str]) -> Any:
    """Return the name of a class; other values as they are."""
    is_class = isinstance(value, int) and 0 <= value < len(names)
    return names[value] if is_class else value
