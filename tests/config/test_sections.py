"""Sections are closed, frozen, strict and checked as a whole."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from rnncls import ConfigError
from rnncls.config.describe import build_json_schema
from rnncls.config.loading import parse_config
from rnncls.config.sections import (
    SECTIONS,
    Config,
    ModelSection,
    TrainSection,
)
from rnncls.config.yaml_format import dump_config
from tests.config.cases import DATA, DOCUMENTED_DEFAULTS, errors_of


def test_defaults_are_the_documented_ones() -> None:
    assert parse_config(DATA, "my.yaml").model_dump() == DOCUMENTED_DEFAULTS


@pytest.mark.parametrize(
    "key",
    ["data.train", "data.text", "text.vectors", "model.pretrained", "train.teachers"],
)
def test_a_nul_character_in_a_name_is_refused(key: str) -> None:
    value = '["a\\0b"]' if key in {"data.text", "train.teachers"} else '"a\\0b"'
    with pytest.raises(
        ConfigError, match=rf"^--set .*: {key}: contains a NUL character"
    ):
        parse_config(DATA, "my.yaml", [f"{key}={value}"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "data: {root: data}\n",
            "set data.name to a built-in data set, or data.train to your own file",
        ),
        (
            "data: {name: ag_news, test: b.csv}\n",
            "data.name: ag_news has its own files: set data.name to null to use yours",
        ),
        (
            "data: {train: a.csv, label: title}\n",
            "data.text and data.label must name different columns, each once",
        ),
        (
            "data: {train: a.csv, text: [a, a]}\n",
            "data.text and data.label must name different columns, each once",
        ),
        (
            "model: {pooling: [last, last]}\n" + DATA,
            "model.pooling must name each pooling once",
        ),
        (
            "text: {char_ngrams: [5, 3]}\n" + DATA,
            "text.char_ngrams: expected the shortest length first, found [5, 3]",
        ),
        (
            "text: {char_ngrams: [3, 5], vectors: a, vector_words: 9}\n" + DATA,
            "text.vector_words and text.char_ngrams: an unknown word is read in one"
            " way only: set text.vector_words to 0, or text.char_ngrams to null",
        ),
        (
            "text: {char_ngrams: [3, 5], tokenizer: characters}\n" + DATA,
            "text.char_ngrams are n-grams of words, but text.tokenizer is characters:"
            " set text.char_ngrams to null, or text.tokenizer to words",
        ),
    ],
)
def test_keys_that_contradict_each_other_are_named(text: str, message: str) -> None:
    assert errors_of(text) == [f"my.yaml:1: {message}"]


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_a_built_in_data_set_takes_no_files_of_ones_own(split: str) -> None:
    assert (
        "has its own files"
        in errors_of(f"data: {{name: quickstart, {split}: a.csv}}\n")[0]
    )


@pytest.mark.parametrize("section", [None, *SECTIONS])
def test_a_config_cannot_be_changed(section: str | None) -> None:
    config = parse_config(DATA, "my.yaml")
    target: Any = getattr(config, section) if section else config
    with pytest.raises(ValidationError, match="frozen"):
        setattr(target, next(iter(type(target).model_fields)), 1)


@pytest.mark.parametrize(
    "section", [Config, *SECTIONS.values()], ids=lambda section: section.__name__
)
def test_every_section_of_the_json_schema_is_closed(section: type[Config]) -> None:
    assert section.model_json_schema()["additionalProperties"] is False


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_of_the_json_schema_is_described(name: str) -> None:
    definition = build_json_schema()["$defs"][SECTIONS[name].__name__]
    keys = definition["properties"]
    assert [key for key, entry in keys.items() if not entry.get("description")] == []


def test_the_json_schema_names_choices_bounds_and_what_is_required() -> None:
    schema = json.loads(json.dumps(build_json_schema()))
    model, train = (
        schema["$defs"]["ModelSection"]["properties"],
        schema["$defs"]["TrainSection"]["properties"],
    )
    assert (
        schema["required"],
        model["cell"]["enum"],
        train["patience"]["anyOf"],
        train["lr"]["exclusiveMinimum"],
    ) == (
        ["data"],
        ["rnn", "lstm", "gru", "grid_lstm", "none"],
        [{"minimum": 1, "type": "integer"}, {"type": "null"}],
        0,
    )


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ("name: ag_news, delimiter: tab", "data.name: ag_news has its own file format"),
        (
            "name: ag_news, columns: [label, title, description]",
            "data.name: ag_news has its own file format",
        ),
        (
            "name: ag_news, test_fraction: 0.1",
            "data.test_fraction: the data already has a test file",
        ),
        (
            "train: a.csv, test: b.csv, test_fraction: 0.1",
            "data.test_fraction: the data already has a test file",
        ),
        (
            "train: a.csv, text: [b], columns: [b]",
            "data.columns must list every column once",
        ),
        (
            "train: a.csv, text: [b], columns: [b, label, label]",
            "data.columns must list every column once",
        ),
    ],
)
def test_what_says_how_files_are_written_must_fit_them(
    section: str, message: str
) -> None:
    (error,) = errors_of(f"data: {{{section}}}\n")
    assert error.startswith(f"my.yaml:1: {message}")


def test_an_error_about_several_keys_names_the_line_of_the_key_to_change() -> None:
    (error,) = errors_of("data:\n  train: a.csv\n  test: b.csv\n  test_fraction: 0.1\n")
    assert error.startswith("my.yaml:4: data.test_fraction: the data already has")
    with pytest.raises(
        ConfigError, match=r"^--set data\.test_fraction=0\.1: data\.test"
    ):
        parse_config(
            "data: {train: a.csv, test: b.csv}", "my.yaml", ["data.test_fraction=0.1"]
        )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["train.class_weights=balanced", "train.sampling=balanced"],
            "both are balanced",
        ),
        (
            ["train.teachers=[runs/a]", "train.focal_gamma=2.0"],
            "the focal loss cannot be combined",
        ),
    ],
)
def test_what_makes_no_sense_together_is_refused(
    overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(DATA, "my.yaml", overrides)


def test_a_section_with_other_values_is_validated() -> None:
    section = TrainSection(lr=0.5, batch_size=3)
    assert section.replace(lr=0.25) == TrainSection(lr=0.25, batch_size=3)
    with pytest.raises(ValidationError, match="greater than 0"):
        section.replace(lr=-1.0)
    with pytest.raises(ValidationError, match="Extra inputs"):
        section.replace(rate=1.0)
    with pytest.raises(ValidationError, match="both are balanced"):
        section.replace(class_weights="balanced", sampling="balanced")


def test_a_section_is_validated_when_it_is_built() -> None:
    with pytest.raises(ValidationError, match="greater than 0"):
        TrainSection(lr=0.0)


def test_a_default_list_is_not_shared_between_sections() -> None:
    first, second = ModelSection(), ModelSection()
    first.pooling.append("attention")
    assert second.pooling == ModelSection().pooling == ["last", "max", "mean"]


@pytest.mark.parametrize(
    ("override", "weights"),
    [("{spam: 2, ham: 1.5}", {"spam": 2.0, "ham": 1.5}), ("{1: 2}", {"1": 2.0})],
)
def test_class_weights_can_be_a_mapping_of_names(
    override: str, weights: dict[str, float]
) -> None:
    config = parse_config(DATA, "my.yaml", [f"train.class_weights={override}"])
    assert config.train.class_weights == weights
    assert parse_config(dump_config(config), "again.yaml") == config


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("data: {name: ag_news}", True),
        ("data: {name: ag_news}\ntext: {clean: html}", "html"),
        ("data: {train: a.csv}", "html"),
        ("data: {train: a.csv}\ntext: {min_freq: 1}", "html"),
        ("data: {train: a.csv}\ntext: {clean: true}", True),
        ("data: {train: a.csv}\ntext: {clean: false}", False),
    ],
)
def test_the_cleaning_depends_on_where_the_data_comes_from(
    text: str, *, clean: bool | str
) -> None:
    assert parse_config(text, "a.yaml").text.clean == clean
