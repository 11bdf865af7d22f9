"""YAML: numbers, tags and limits; a dumped config reads back the same."""

import json

import pytest
import yaml

from rnncls.config.loading import parse_config
from rnncls.config.sections import (
    Config,
    DataSection,
    ModelSection,
    TextSection,
    TrainSection,
)
from rnncls.config.yaml_format import YamlLoader, dump_config, to_yaml
from tests.config.cases import DATA, DOCUMENTED_DEFAULTS, errors_of


@pytest.mark.parametrize(
    "value",
    [
        "!!bool maybe",
        "!!int ''",
        "!!float ''",
        "!!timestamp now",
        "1" + ":1" * 400 + ".5",
    ],
)
def test_a_value_that_its_tag_does_not_fit_is_named_with_its_line(value: str) -> None:
    kind = value.split()[0].removeprefix("!!") if " " in value else "float"
    assert (
        errors_of(f"{DATA}seed: {value}\n")[0]
        == f"my.yaml:2: not valid YAML: not a valid {kind}"
    )


@pytest.mark.parametrize("number", ["1" * 400, "1" + ":1" * 4000])
def test_a_number_without_end_is_named_with_its_line(number: str) -> None:
    assert errors_of(f"{DATA}seed: {number}\n") == [
        "my.yaml:2: not valid YAML: a number with too many digits"
    ]


def test_merge_keys_that_multiply_are_refused() -> None:
    lines = [
        "a0: &a0 {x: 1}",
        *(
            f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 10)}]}}"
            for n in range(1, 30)
        ),
    ]
    assert (
        errors_of("\n".join(lines))[0]
        == "my.yaml:5: not valid YAML: too many keys are merged with <<"
    )


@pytest.mark.parametrize(
    "name",
    [
        "\x85",
        "a\u2028b",
        "\u2029",
        "\ufeffa",
        "a\r\nb",
        "\t",
        "世界",
        "1e5",
        "no",
        " a ",
    ],
)
def test_any_name_is_the_same_when_it_has_been_written_and_read(name: str) -> None:
    config = parse_config(
        json.dumps({"data": {"train": name, "text": [name]}}), "my.yaml"
    )
    assert config.data.train == name
    assert parse_config(dump_config(config), "dumped.yaml") == config


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 1e-3),
        ("2E+1", 20.0),
        ("3.e-2", 0.03),
        ("1", 1.0),
        ("0.5", 0.5),
        ("5.0e-4", 5e-4),
        ("+1e2", 100.0),
    ],
)
def test_numbers_read_as_they_are_written(text: str, value: float) -> None:
    assert parse_config(f"{DATA}train: {{lr: {text}}}\n", "my.yaml").train.lr == value


@pytest.mark.parametrize("text", ["e3", "1e", "1-3", "'1e-3'"])
def test_text_that_only_looks_like_a_number_is_none(text: str) -> None:
    assert "expected number" in errors_of(f"{DATA}train: {{lr: {text}}}\n")[0]


def test_a_dumped_config_holds_every_key() -> None:
    dumped = yaml.safe_load(dump_config(parse_config(DATA, "my.yaml")))
    assert dumped == DOCUMENTED_DEFAULTS


@pytest.mark.parametrize(
    "label",
    [
        "1e-3",
        "1e5",
        "12:30",
        "on",
        "~",
        " a ",
        "über",
        "a: b",
        "#x",
        "",
        "=",
        "2020-01-01",
        "a\nb",
        "'",
        "0x1",
    ],
)
def test_a_dumped_config_reads_back_the_same(label: str) -> None:
    config = Config(
        data=DataSection(train="a.csv", label=label, text=["title", f"{label}2"]),
        device="cuda:1",
    )
    assert parse_config(dump_config(config), "my.yaml") == config


def test_a_dumped_config_with_no_default_left_reads_back_the_same() -> None:
    config = Config(
        seed=2**63 - 1,
        device="cpu",
        data=DataSection(
            name="quickstart",
            root="/a b",
            text=["title"],
            label="class",
            valid_fraction=1e-7,
        ),
        text=TextSection(
            tokenizer="whitespace",
            clean=False,
            mark_case=True,
            same_digits=True,
            min_freq=1,
            max_vocab=3,
            max_tokens=1,
            vectors="glove.6B.50d",
        ),
        model=ModelSection(
            cell="none",
            embedding_dim=1,
            hidden_size=2,
            num_layers=3,
            bidirectional=False,
            pooling=["attention"],
            dropout=0.0,
            word_dropout=0.25,
        ),
        train=TrainSection(
            max_epochs=1,
            batch_size=2,
            optimizer="sgd",
            lr=1e-5,
            schedule="one_cycle",
            warmup_fraction=0.0,
            weight_decay=1e-20,
            label_smoothing=0.0,
            clip_norm=None,
            patience=None,
            monitor="loss",
            precision="bfloat16",
        ),
    )
    assert parse_config(dump_config(config), "my.yaml") == config


@pytest.mark.parametrize(
    "value",
    ["two\nlines", "two  blanks", " \ttab\n", "\x1b[31m", ["a\nb", " c"] * 2000],
)
def test_a_value_on_one_line_is_read_back(value: object) -> None:
    written = to_yaml(value)
    assert "\n" not in written
    assert yaml.load(written, YamlLoader) == value  # noqa: S506 - a safe loader
