"""The search space of `rnncls tune`: keys and values around the given config.

The config is read by key here, so the functions take it as a mapping of sections.
"""

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rnncls.config.sections import Config
from rnncls.runs.overrides import find_value

if TYPE_CHECKING:
    import optuna

Value = str | int | float | bool | None
Settings = Mapping[str, Any]
"""The values of a config by section and key, as `Config.model_dump` returns them."""


@dataclass(frozen=True)
class Choice:
    """A categorical choice; a list is written as text, its items joined by commas."""

    values: tuple[str | int | bool | None, ...]


@dataclass(frozen=True)
class Range:
    """A range of numbers, sampled uniformly, or uniformly in the logarithm."""

    low: float
    high: float
    log: bool = False


CHOICES: dict[str, tuple[str | int | bool | None, ...]] = {
    "text.min_freq": (1, 2, 3, 5, 10),
    "text.max_vocab": (1000, 2000, 5000, 10_000, 20_000, None),
    "model.cell": ("lstm", "gru", "none"),
    "model.embedding_dim": (32, 64, 100, 200),
    "model.hidden_size": (32, 64, 128, 256),
    "model.num_layers": (1, 2),
    "model.bidirectional": (True, False),
    "model.pooling": ("last", "max", "mean", "attention", "last,max,mean"),
    "train.batch_size": (32, 64, 128, 256),
}
RANGES = {
    "model.dropout": (0.0, 0.7),
    "model.word_dropout": (0.0, 0.3),
    "train.label_smoothing": (0.0, 0.2),
}
LR_FACTOR = 5.0
"""The learning rate is searched from 1/5 of the config's to 5 times it: a
good one depends on the optimiser."""
_OF_THE_RECURRENT_LAYER = (
    "model.hidden_size",
    "model.num_layers",
    "model.bidirectional",
    "model.pooling",
)


def build_space(settings: Settings, *, has_limit: bool) -> dict[str, Choice | Range]:
    """Return the search space around a config; it contains the config's current values.

    The vocabulary size is searched only if the model size is limited. With
    `text.vectors` the embedding size is fixed. With bfloat16 the cell is fixed, because
    other cells may not support it.
    """
    fixed = set() if has_limit else {"text.max_vocab"}
    if settings["text"]["vectors"] is not None:
        fixed.add("model.embedding_dim")
    if settings["train"]["precision"] == "bfloat16":
        fixed.add("model.cell")
    space: dict[str, Choice | Range] = {}
    for key in (key for key in CHOICES if key not in fixed):
        current = read_value(settings, key)
        space[key] = Choice(
            CHOICES[key] if current in CHOICES[key] else (*CHOICES[key], current)
        )
    for key, (low, high) in RANGES.items():
        current = read_value(settings, key)
        space[key] = Range(min(low, current), max(high, current))
    lr = settings["train"]["lr"]
    space["train.lr"] = Range(lr / LR_FACTOR, lr * LR_FACTOR, log=True)
    return space


def read_value(settings: Settings, key: str) -> Any:
    """Return a config's value of a key in the search space, a list as text."""
    value = find_value(settings, key)
    return ",".join(value) if isinstance(value, list) else value


def change(settings: Settings, values: Mapping[str, Value]) -> Config:
    """Return the config with other values of keys in the search space."""
    document = {key: copy(value) for key, value in settings.items()}
    for key, value in values.items():
        section, name = key.split(".")
        document[section][name] = value.split(",") if key == "model.pooling" else value  # type: ignore[union-attr]
    return Config.model_validate(document)


def draw(
    trial: "optuna.Trial", cell: str, space: Mapping[str, Choice | Range]
) -> dict[str, Value]:
    """Sample a value for each key that has an effect.

    Without a recurrent layer, the keys that shape one are left out.

    Args:
        trial: The trial to sample for.
        cell: The cell, if the space does not contain `model.cell`.
        space: The keys and their values.
    """
    values: dict[str, Value] = {}
    for key, kind in space.items():  # model.cell precedes the keys that need it
        if key in _OF_THE_RECURRENT_LAYER and values.get("model.cell", cell) == "none":
            continue
        if isinstance(kind, Choice):
            values[key] = trial.suggest_categorical(key, kind.values)
        else:
            values[key] = trial.suggest_float(key, kind.low, kind.high, log=kind.log)
    return values
