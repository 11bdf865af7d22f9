"""What `rnncls tune` tries: a closed list of keys with their values, around the config
that it is given.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rnncls.config.sections import Config

if TYPE_CHECKING:
    import optuna

Value = str | int | float | bool | None


@dataclass(frozen=True)
class Choice:
    """Values of which one is drawn; a list stands as a text, its items joined with
    commas.
    """

    values: tuple[str | int | bool | None, ...]


@dataclass(frozen=True)
class Range:
    """Numbers from the lowest to the highest, drawn evenly, or evenly in their
    logarithm.
    """

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
"""The learning rate is searched from the config's own by this to that many times it,
for each optimiser has its own."""
_OF_THE_RECURRENT_LAYER = (
    "model.hidden_size",
    "model.num_layers",
    "model.bidirectional",
    "model.pooling",
)


def build_space(config: Config, *, has_limit: bool) -> dict[str, Choice | Range]:
    """Return what is searched around a config; its own values are always among it.

    The size of the vocabulary is searched where that of the model has a limit. With
    `text.vectors` the width of the embedding is not searched, and with bfloat16 the
    cell is not: another one may not have it.
    """
    fixed = set() if has_limit else {"text.max_vocab"}
    fixed |= {"model.embedding_dim"} if config.text.vectors is not None else set()
    fixed |= {"model.cell"} if config.train.precision == "bfloat16" else set()
    space: dict[str, Choice | Range] = {}
    for key in (key for key in CHOICES if key not in fixed):
        own = read_value(config, key)
        space[key] = Choice(
            CHOICES[key] if own in CHOICES[key] else (*CHOICES[key], own)
        )
    for key, (low, high) in RANGES.items():
        own = read_value(config, key)
        space[key] = Range(min(low, own), max(high, own))
    return {
        **space,
        "train.lr": Range(
            config.train.lr / LR_FACTOR, config.train.lr * LR_FACTOR, log=True
        ),
    }


def read_value(config: Config, key: str) -> Any:
    """Return a config's value of a key that can be searched."""
    section, name = key.split(".")
    value = getattr(getattr(config, section), name)
    return ",".join(value) if isinstance(value, list) else value


def change(config: Config, values: Mapping[str, Value]) -> Config:
    """Return the config with other values of keys that can be searched."""
    document = config.model_dump()
    for key, value in values.items():
        section, name = key.split(".")
        document[section][name] = value.split(",") if key == "model.pooling" else value  # type: ignore[union-attr]
    return Config.model_validate(document)


def draw(
    trial: "optuna.Trial", config: Config, space: Mapping[str, Choice | Range]
) -> dict[str, Value]:
    """Return a value for each key that does something: without a recurrent layer, what
    shapes one is left out.
    """
    values: dict[str, Value] = {}
    for key, kind in space.items():  # model.cell stands before what hangs on it
        if (
            key in _OF_THE_RECURRENT_LAYER
            and values.get("model.cell", config.model.cell) == "none"
        ):
            continue
        if isinstance(kind, Choice):
            values[key] = trial.suggest_categorical(key, kind.values)
        else:
            values[key] = trial.suggest_float(key, kind.low, kind.high, log=kind.log)
    return values
