"""What `rnncls tune` tries: a closed list around the config that it is given."""

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest

from rnncls.config.sections import Config
from rnncls.training.search_space import (
    CHOICES,
    LR_FACTOR,
    RANGES,
    Choice,
    Range,
    build_space,
    change,
    draw,
    read_value,
)

MakeConfig = Callable[..., Config]


def space_of(config: Config, *, has_limit: bool = False) -> dict[str, Choice | Range]:
    return build_space(config.model_dump(), has_limit=has_limit)


def test_the_own_values_of_a_config_are_always_searched(
    make_config: MakeConfig,
) -> None:
    own = (
        "model.hidden_size=7",
        "model.cell=rnn",
        "model.pooling=[max,attention]",
        "model.dropout=0.9",
        "train.lr=3.0",
    )
    config = make_config(*own)
    for key, kind in space_of(config).items():
        value = read_value(config.model_dump(), key)
        assert (
            value in kind.values
            if isinstance(kind, Choice)
            else kind.low <= value <= kind.high
        ), key


def test_the_own_values_change_nothing(make_config: MakeConfig) -> None:
    config = make_config("model.pooling=[max,attention]", "text.max_vocab=77")
    settings = config.model_dump()
    keys = space_of(config, has_limit=True)
    assert change(settings, {key: read_value(settings, key) for key in keys}) == config


def test_the_learning_rate_is_searched_around_the_own_one(
    make_config: MakeConfig,
) -> None:
    assert space_of(make_config("train.lr=0.5"))["train.lr"] == Range(
        0.1, 2.5, log=True
    )


@pytest.mark.parametrize(
    ("overrides", "has_limit", "missing"),
    [
        ([], True, set()),
        ([], False, {"text.max_vocab"}),
        (["text.vectors=glove.txt"], True, {"model.embedding_dim"}),
        (["train.precision=bfloat16"], True, {"model.cell"}),
    ],
)
def test_what_cannot_be_changed_is_not_searched(
    make_config: MakeConfig, overrides: list[str], has_limit: bool, missing: set[str]
) -> None:
    everything = space_of(make_config(), has_limit=True).keys()
    assert (
        everything - space_of(make_config(*overrides), has_limit=has_limit).keys()
        == missing
    )


def test_without_a_recurrent_layer_nothing_of_one_is_drawn(
    make_config: MakeConfig,
) -> None:
    config = make_config()
    space = space_of(config)
    without = {
        **{key: kind for key, kind in space.items() if key[:5] == "model"},
        "model.cell": Choice(("none",)),
    }
    values = draw(optuna.create_study().ask(), config.model.cell, without)
    assert sorted(values) == [
        "model.cell",
        "model.dropout",
        "model.embedding_dim",
        "model.word_dropout",
    ]


def test_a_draw_is_a_config(make_config: MakeConfig) -> None:
    config = make_config()
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    space = space_of(config, has_limit=True)
    drawn = [draw(study.ask(), config.model.cell, space) for _ in range(20)]
    changed = [change(config.model_dump(), values) for values in drawn]
    assert {candidate.model.cell for candidate in changed} == {"lstm", "gru", "none"}
    assert all(
        read_value(new.model_dump(), key) == value
        for new, values in zip(changed, drawn, strict=True)
        for key, value in values.items()
    )


def test_the_documented_values_are_those_that_are_searched() -> None:
    text = (Path(__file__).parents[2] / "docs" / "guides" / "tuning.md").read_text(
        encoding="utf-8"
    )
    rows = [
        [cell.strip() for cell in line.split("|")[1:3]]
        for line in text.splitlines()
        if line.startswith("| `") and not line.startswith("| `--")
    ]
    documented = {key.strip("`"): values for key, values in rows}
    names = {"True": "true", "False": "false", "None": "null"}
    expected = {
        key: ", ".join(names.get(str(value), str(value)) for value in values)
        for key, values in CHOICES.items()
    }
    expected["model.pooling"] = ", ".join(
        f"[{value.replace(',', ', ')}]" for value in map(str, CHOICES["model.pooling"])
    )
    expected |= {key: f"{low} to {high}" for key, (low, high) in RANGES.items()}
    assert documented.pop("train.lr").startswith(
        "from a fifth of the config's value to five times that value"
    )
    assert LR_FACTOR == 5
    assert documented == expected
