"""Every mistake in a config is named with its place, and what is right comes back as it
was written."""

import itertools
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from pydantic import ValidationError

from rnncls import ConfigError
from rnncls.config.describe import iter_keys, keys_as_markdown
from rnncls.config.loading import load_config, parse_config
from rnncls.config.sections import (
    SECTIONS,
    Config,
    DataSection,
    ModelSection,
    TextSection,
    TrainSection,
)
from rnncls.config.yaml_format import dump_config

DATA = "data: {train: a.csv}\n"
KEYS = [key for key, *_ in iter_keys()]
DOCUMENTED_DEFAULTS: dict[str, Any] = {
    "seed": 0,
    "device": "auto",
    "deterministic": False,
    "data": {
        "name": None,
        "root": "data",
        "train": "a.csv",
        "valid": None,
        "test": None,
        "unlabelled": [],
        "text": ["title", "description"],
        "label": "label",
        "delimiter": None,
        "columns": None,
        "valid_fraction": 0.05,
        "split_seed": None,
        "test_fraction": None,
    },
    "text": {
        "tokenizer": "basic_english",
        "clean": True,
        "mark_case": False,
        "same_digits": False,
        "min_freq": 2,
        "max_vocab": None,
        "max_tokens": 256,
        "vectors": None,
    },
    "model": {
        "cell": "lstm",
        "embedding_dim": 100,
        "hidden_size": 128,
        "num_layers": 1,
        "bidirectional": True,
        "pooling": ["last", "max", "mean"],
        "dropout": 0.5,
        "word_dropout": 0.1,
        "input_dropout": 0.0,
        "recurrent_dropout": 0.0,
        "pretrained": None,
    },
    "train": {
        "max_epochs": 6,
        "batch_size": 128,
        "optimizer": "adamw",
        "lr": 0.003,
        "schedule": "linear",
        "warmup_fraction": 0.1,
        "layer_lr_decay": 1.0,
        "freeze_encoder": 0,
        "freeze_embedding": 0,
        "weight_decay": 0.0,
        "label_smoothing": 0.1,
        "class_weights": None,
        "sampling": "uniform",
        "focal_gamma": 0.0,
        "adversarial": 0.0,
        "virtual_adversarial": 0.0,
        "r_drop": 0.0,
        "average": 0.0,
        "teachers": [],
        "teacher_weight": 0.7,
        "clip_norm": 1.0,
        "save_every": 10.0,
        "patience": 3,
        "monitor": "accuracy",
        "calibrate": True,
        "tensorboard": False,
        "precision": "float32",
    },
    "pretrain": {
        "max_epochs": 10,
        "batch_size": 32,
        "lr": 0.003,
        "dropout": 0.1,
        "word_dropout": 0.1,
    },
}


def errors_of(text: str, *overrides: str) -> list[str]:
    """Return the lines of the error that a config text raises."""
    with pytest.raises(ConfigError) as caught:
        parse_config(text, "my.yaml", overrides)
    return str(caught.value).split("\n")


def test_defaults_are_the_documented_ones() -> None:
    assert parse_config(DATA, "my.yaml").model_dump() == DOCUMENTED_DEFAULTS


def test_values_of_the_file_replace_the_defaults() -> None:
    config = parse_config(
        DATA + "seed: 7\nmodel:\n  cell: gru\n  pooling: [attention]\n", "my.yaml"
    )
    assert (config.seed, config.model.cell, config.model.pooling) == (
        7,
        "gru",
        ["attention"],
    )


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("seed", "-1", "whole number (>= 0, < 9.22337e+18)"),
        ("seed", "1.5", "whole number (>= 0, < 9.22337e+18)"),
        ("seed", "1e-3", "whole number (>= 0, < 9.22337e+18)"),
        ("device", "gpu", "auto | cpu | cuda | cuda:0 | mps"),
        ("device", "3", "auto | cpu | cuda | cuda:0 | mps"),
    ],
)
def test_a_wrong_value_at_top_level_is_named(
    key: str, value: str, allowed: str
) -> None:
    shown = "0.001" if value == "1e-3" else value
    assert errors_of(f"{DATA}{key}: {value}\n") == [
        f"my.yaml:2: {key}: expected {allowed}, found {shown}"
    ]


@pytest.mark.parametrize(
    ("key", "value", "allowed", "found"),
    [
        ("data.name", "imdb", "ag_news | quickstart | null", "imdb"),
        ("data.root", "3", "text", "3"),
        ("data.train", "[a.csv]", "text | null", "[a.csv]"),
        ("data.text", "title", "non-empty list of texts", "title"),
        ("data.text", "[]", "non-empty list of texts", "[]"),
        ("data.text", "[title, 3]", "non-empty list of texts", "3"),
        ("data.delimiter", "';'", "comma | semicolon | tab | pipe | null", ";"),
        ("data.columns", "[]", "non-empty list of texts | null", "[]"),
        ("data.test_fraction", "1.0", "number (> 0, < 1) | null", "1.0"),
        ("data.valid_fraction", "0", "number (> 0, < 1)", "0"),
        ("data.valid_fraction", "1.0", "number (> 0, < 1)", "1.0"),
        ("data.valid_fraction", ".nan", "number (> 0, < 1)", ".nan"),
        ("text.tokenizer", "spacy", "basic_english | whitespace", "spacy"),
        ("text.clean", "'yes'", "true | false", "'yes'"),
        ("text.min_freq", "0", "whole number (>= 1)", "0"),
        ("text.min_freq", "'2'", "whole number (>= 1)", "'2'"),
        ("text.max_vocab", "2", "whole number (>= 3) | null", "2"),
        ("text.max_tokens", "null", "whole number (>= 1)", "null"),
        ("text.vectors", "no", "text | null", "false"),
        ("model.cell", "lstmm", "rnn | lstm | gru | grid_lstm | none", "lstmm"),
        ("model.cell", "null", "rnn | lstm | gru | grid_lstm | none", "null"),
        ("model.embedding_dim", "0", "whole number (>= 1)", "0"),
        ("model.hidden_size", "abc", "whole number (>= 1)", "abc"),
        ("model.num_layers", "1.5", "whole number (>= 1, <= 1000)", "1.5"),
        ("model.bidirectional", "3", "true | false", "3"),
        (
            "model.pooling",
            "last",
            "non-empty list of last | max | mean | attention",
            "last",
        ),
        (
            "model.pooling",
            "[]",
            "non-empty list of last | max | mean | attention",
            "[]",
        ),
        (
            "model.pooling",
            "[last, maxx]",
            "non-empty list of last | max | mean | attention",
            "maxx",
        ),
        ("model.dropout", "1.0", "number (>= 0, < 1)", "1.0"),
        ("model.dropout", "true", "number (>= 0, < 1)", "true"),
        ("model.word_dropout", ".nan", "number (>= 0, < 1)", ".nan"),
        ("train.max_epochs", "-1", "whole number (>= 1)", "-1"),
        ("train.batch_size", "true", "whole number (>= 1)", "true"),
        ("train.optimizer", "AdamW", "sgd | adam | adamw", "AdamW"),
        ("train.lr", ".inf", "number (> 0)", ".inf"),
        ("train.lr", "0", "number (> 0)", "0"),
        ("train.schedule", "step", "constant | linear | cosine | one_cycle", "step"),
        ("train.weight_decay", "-1", "number (>= 0)", "-1"),
        ("train.clip_norm", "0", "number (> 0) | null", "0"),
        ("train.clip_norm", "abc", "number (> 0) | null", "abc"),
        ("train.patience", "0", "whole number (>= 1) | null", "0"),
        ("train.monitor", "acc", "accuracy | macro_f1 | loss", "acc"),
        ("train.precision", "float16", "float32 | bfloat16 | auto", "float16"),
    ],
)
def test_a_wrong_value_is_named_with_line_key_and_what_is_allowed(
    key: str, value: str, allowed: str, found: str
) -> None:
    section, name = key.split(".")
    text = f"# first line\n{section}:\n  {name}: {value}\n" + (
        "" if section == "data" else DATA
    )
    assert errors_of(text) == [f"my.yaml:3: {key}: expected {allowed}, found {found}"]


@pytest.mark.parametrize("value", ["3", "null", "[lr]", "text"])
def test_a_value_in_the_place_of_a_section_is_named(value: str) -> None:
    assert errors_of(f"{DATA}train: {value}\n") == [
        f"my.yaml:2: train: expected a section of keys, found {value}",
    ]


def test_a_long_wrong_value_is_shortened() -> None:
    (line,) = errors_of(f"{DATA}device: {'x' * 10_000}\n")
    assert len(line) < 200


@pytest.mark.parametrize(
    ("text", "line", "key", "nearest"),
    [
        ("sede: 1\n" + DATA, 1, "sede", "seed"),
        ("Seed: 1\n" + DATA, 1, "Seed", "seed"),
        (DATA + "trian: {}\n", 2, "trian", "train"),
        (
            DATA + "model:\n  hiden_size: 3\n",
            3,
            "model.hiden_size",
            "model.hidden_size",
        ),
        (
            DATA + "train:\n  lr: 0.1\n  epochs: 3\n",
            4,
            "train.epochs",
            "train.max_epochs",
        ),
        (DATA + "model:\n  lr: 3\n", 3, "model.lr", "train.lr"),
        (
            DATA + "text:\n  hidden_sise: 3\n",
            3,
            "text.hidden_sise",
            "model.hidden_size",
        ),
        (DATA + "hidden_size: 3\n", 2, "hidden_size", "model.hidden_size"),
        (DATA + "text:\n  text: [a]\n", 3, "text.text", "data.text"),
    ],
)
def test_an_unknown_key_is_named_with_the_nearest_known_one(
    text: str, line: int, key: str, nearest: str
) -> None:
    assert errors_of(text) == [
        f"my.yaml:{line}: unknown key '{key}'; did you mean '{nearest}'?"
    ]


@pytest.mark.parametrize(
    ("text", "line", "key", "known"),
    [
        (
            DATA + "zzz: 1\n",
            2,
            "zzz",
            "seed, device, deterministic, data, text, model, train, pretrain",
        ),
        (
            DATA + "text:\n  zzz: 1\n",
            3,
            "text.zzz",
            (
                "tokenizer, clean, mark_case, same_digits, min_freq, max_vocab,"
                " max_tokens, vectors"
            ),
        ),
        (
            "no: 1\n" + DATA,
            1,
            "no",
            "seed, device, deterministic, data, text, model, train, pretrain",
        ),
        (
            "1: 2\n" + DATA,
            1,
            "1",
            "seed, device, deterministic, data, text, model, train, pretrain",
        ),
        (
            "null: 2\n" + DATA,
            1,
            "null",
            "seed, device, deterministic, data, text, model, train, pretrain",
        ),
    ],
)
def test_an_unknown_key_like_no_other_is_named_with_the_known_ones(
    text: str, line: int, key: str, known: str
) -> None:
    assert errors_of(text) == [
        f"my.yaml:{line}: unknown key '{key}'; known here: {known}"
    ]


def test_all_mistakes_are_named_at_once() -> None:
    text = (
        "seed: -1\ndata:\n  train: 3\n  colour: red\nmodel:\n  cell: cnn\n  dropout:"
        " 2\ntrain: 5\nsede: 1\nsede: 2\n"
    )
    places = [
        line.split(": ", 1)[0]
        for line in errors_of(text, "lr", "train.lr.x=1", "text.clean=maybe")
    ]
    assert sorted(places) == [
        "--set lr",
        "--set text.clean=maybe",
        "--set train.lr.x=1",
        *(f"my.yaml:{line}" for line in (1, 10, 10, 3, 4, 6, 7, 8)),
    ]


def test_a_missing_data_section_is_named_with_what_it_is_for() -> None:
    assert errors_of("seed: 1\n") == [
        "my.yaml: section 'data' is missing: set data.name to a built-in data set, or"
        " data.train to your own file"
    ]


@pytest.mark.parametrize(
    ("text", "line", "key", "first"),
    [
        ("seed: 1\nseed: 2\n" + DATA, 2, "seed", 1),
        (DATA + "model:\n  cell: rnn\n\n  cell: gru\n", 5, "model.cell", 3),
        (DATA + "model: {cell: rnn}\nmodel: {cell: gru}\n", 3, "model", 2),
    ],
)
def test_a_key_that_stands_twice_is_named_with_both_lines(
    text: str, line: int, key: str, first: int
) -> None:
    assert (
        errors_of(text)[0]
        == f"my.yaml:{line}: key '{key}' stands twice (first in line {first})"
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "model: [1\n",
            "my.yaml:2: not valid YAML: expected ',' or ']', but got '<stream end>'",
        ),
        (
            "seed: 1\nmodel: cell: rnn\n",
            "my.yaml:2: not valid YAML: mapping values are not allowed here",
        ),
        (
            "seed: 1\n---\nseed: 2\n",
            "my.yaml:2: not valid YAML: found another document",
        ),
        (
            "model:\n\tcell: rnn\n",
            (
                "my.yaml:2: not valid YAML: found character '\\t' that cannot start any"
                " token"
            ),
        ),
        ("seed: *first\n", "my.yaml:1: not valid YAML: found undefined alias 'first'"),
        ("[1, 2]: 3\n", "my.yaml:1: not valid YAML: found unhashable key"),
        ("seed: 2020-99-01\n", "my.yaml:1: not valid YAML: month must be in 1..12"),
        (
            "seed: \x00\n",
            (
                "my.yaml: not valid YAML: unacceptable character #x0000: special"
                " characters are not allowed"
            ),
        ),
    ],
)
def test_text_that_is_not_yaml_is_named_with_its_line(text: str, message: str) -> None:
    assert errors_of(text) == [message]


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
        == f"my.yaml:2: not valid YAML: not a value of the kind '{kind}'"
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
        == "my.yaml:5: not valid YAML: too many keys come from <<"
    )


def test_the_same_mistake_in_many_items_is_told_once() -> None:
    text = f"data: {{train: a.csv, text: [{', '.join(['1'] * 1000)}]}}\n"
    assert errors_of(text) == [
        "my.yaml:1: data.text: expected non-empty list of texts, found 1"
    ]


def test_a_long_unknown_key_is_shortened() -> None:
    assert errors_of(f"{DATA}{'k' * 100}: 1\n")[0].startswith(
        f"my.yaml:2: unknown key '{'k' * 79}…'; known here: "
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


def test_a_mistake_takes_one_line_whatever_stands_in_it() -> None:
    text = f'{DATA}"a\\nb": 1\n"a\\nb": 2\n'
    assert [line.split("; ")[0] for line in errors_of(text)] == [
        "my.yaml:3: key 'a b' stands twice (first in line 2)",
        "my.yaml:3: unknown key 'a b'",
    ]
    with pytest.raises(
        ConfigError, match=r"^--set seed= x y: seed: expected whole number .*found x y$"
    ):
        parse_config(DATA, "my.yaml", ["seed=\nx\ny"])


@pytest.mark.parametrize(
    "key",
    ["data.train", "data.text", "text.vectors", "model.pretrained", "train.teachers"],
)
def test_a_nul_character_in_a_name_is_refused(key: str) -> None:
    value = '["a\\0b"]' if key in {"data.text", "train.teachers"} else '"a\\0b"'
    with pytest.raises(ConfigError, match=rf"^--set .*: {key}: has a NUL character"):
        parse_config(DATA, "my.yaml", [f"{key}={value}"])


def test_yaml_nested_too_deeply_is_an_error_of_the_config() -> None:
    assert errors_of("seed: " + "[" * 5000)[0].startswith("my.yaml: not valid YAML: ")


@pytest.mark.parametrize(
    "text", ["", "# nothing\n", "- seed\n", "just words\n", "3\n", "!!set {data}\n"]
)
def test_yaml_that_is_no_mapping_is_refused(text: str) -> None:
    assert errors_of(text) == [
        "my.yaml: expected a mapping of keys such as 'data:' and 'model:'"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "!!python/object/apply:os.system ['touch hacked']\n",
        "data: !!python/object/apply:os.system ['touch hacked']\n",
        "!!python/object/new:os.system\ndata: [touch hacked]\n",
        "data: !!python/name:os.system\n",
    ],
)
def test_yaml_that_would_run_code_is_refused(text: str, tmp_path: Path) -> None:
    assert (len(errors_of(text)), list(tmp_path.iterdir())) == (1, [])


def test_an_override_that_would_run_code_is_refused(tmp_path: Path) -> None:
    override = "data.train=!!python/object/apply:os.system ['touch hacked']"
    assert errors_of(DATA, override) == [
        f"--set {override}: the value is not valid YAML"
    ]
    assert list(tmp_path.iterdir()) == []


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


@pytest.mark.parametrize(
    ("override", "key", "value"),
    [
        ("seed=3", ("seed",), 3),
        ("train.lr=1e-3", ("train", "lr"), 0.001),
        ("train.lr = 0.1", ("train", "lr"), 0.1),
        ("model.pooling=[max, attention]", ("model", "pooling"), ["max", "attention"]),
        ("train.patience=null", ("train", "patience"), None),
        ("train.clip_norm=", ("train", "clip_norm"), None),
        ("model.bidirectional=false", ("model", "bidirectional"), False),
        ("data.label=a=b", ("data", "label"), "a=b"),
        ("data.text=['on', 'two words']", ("data", "text"), ["on", "two words"]),
    ],
)
def test_an_override_sets_its_key(
    override: str, key: tuple[str, ...], value: object
) -> None:
    found: Any = parse_config(DATA, "my.yaml", [override]).model_dump()
    for name in key:
        found = found[name]
    assert found == value


def test_an_override_leaves_the_other_keys_of_its_section_alone() -> None:
    config = parse_config(
        DATA + "train: {lr: 0.5, batch_size: 3}\n", "my.yaml", ["train.lr=0.25"]
    )
    assert (config.train.lr, config.train.batch_size) == (0.25, 3)


def test_the_last_override_of_a_key_holds() -> None:
    assert parse_config(DATA, "my.yaml", ["seed=1", "seed=2"]).seed == 2


def test_overrides_can_fill_an_empty_section() -> None:
    assert parse_config(DATA + "train:\n", "my.yaml", ["train.lr=0.5"]).train.lr == 0.5


def test_overrides_alone_can_name_the_data() -> None:
    assert (
        parse_config("seed: 1\n", "my.yaml", ["data.name=ag_news"]).data.name
        == "ag_news"
    )


def test_an_override_can_replace_a_whole_section() -> None:
    config = parse_config(
        DATA + "train: {lr: 0.5}\n", "my.yaml", ["train={batch_size: 3}"]
    )
    assert (config.train.lr, config.train.batch_size) == (0.003, 3)


@pytest.mark.parametrize(
    "override",
    ["train.lr", "=3", "train.=3", ".lr=3", "train..lr=3", "", "train.lr: 3"],
)
def test_an_override_in_the_wrong_form_is_refused(override: str) -> None:
    assert errors_of(DATA, override) == [
        f"--set {override}: expected key.path=value, as in --set train.lr=0.002",
    ]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("train.lrr=1", "unknown key 'train.lrr'; did you mean 'train.lr'?"),
        ("lr=1", "unknown key 'lr'; did you mean 'train.lr'?"),
        ("optim.lr=1", "unknown key 'optim'; did you mean 'train.optimizer'?"),
        ("seed=[1", "the value is not valid YAML"),
        ("train.lr=abc", "train.lr: expected number (> 0), found abc"),
        ("train={lr: abc}", "train.lr: expected number (> 0), found abc"),
        ("train=1", "train: expected a section of keys, found 1"),
        ("seed.x=1", "seed: expected whole number (>= 0, < 9.22337e+18), found {x: 1}"),
        ("data.train.x=1", "'train' holds a value, not a section"),
        (
            "model.pooling=[last, foo]",
            (
                "model.pooling: expected non-empty list of last | max | mean |"
                " attention, found foo"
            ),
        ),
    ],
)
def test_a_wrong_override_is_named(override: str, message: str) -> None:
    assert errors_of(DATA, override) == [f"--set {override}: {message}"]


def test_a_wrong_override_of_a_key_in_the_file_is_not_blamed_on_the_file() -> None:
    (line,) = errors_of(DATA + "train: {lr: 0.1}\n", "train={lr: abc}")
    assert line.startswith("--set train={lr: abc}: ")


def test_a_key_that_stands_twice_in_an_override_is_refused() -> None:
    assert "key 'train.lr' stands twice" in errors_of(DATA, "train={lr: 1, lr: 2}")[0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "data: {root: data}\n",
            "set data.name to a built-in data set, or data.train to your own file",
        ),
        (
            "data: {name: ag_news, test: b.csv}\n",
            "data.name: ag_news brings its own files: set it to null to use yours",
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
    ],
)
def test_keys_that_contradict_each_other_are_named(text: str, message: str) -> None:
    assert errors_of(text) == [f"my.yaml:1: {message}"]


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_a_built_in_data_set_takes_no_files_of_ones_own(split: str) -> None:
    assert (
        "brings its own files"
        in errors_of(f"data: {{name: quickstart, {split}: a.csv}}\n")[0]
    )


def test_yaml_merge_keys_yield_to_keys_of_ones_own() -> None:
    assert (
        parse_config(
            "data: {<<: {train: a.csv, label: x}, label: y}\n", "my.yaml"
        ).data.label
        == "y"
    )


@pytest.mark.parametrize("section", [None, *SECTIONS])
def test_a_config_cannot_be_changed(section: str | None) -> None:
    config = parse_config(DATA, "my.yaml")
    target: Any = getattr(config, section) if section else config
    with pytest.raises(ValidationError, match="frozen"):
        setattr(target, next(iter(type(target).model_fields)), 1)


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


def test_a_config_file_is_read_as_utf8(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes("data: {train: ä.csv}\n".encode())
    assert load_config(path, ["seed=5"]).data.train == "ä.csv"


def test_a_missing_config_file_is_named() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^none\.yaml: no such config: 'rnncls init YOUR_DATA' writes one$",
    ):
        load_config("none.yaml")


def test_a_folder_in_the_place_of_a_config_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=rf"^{re.escape(str(tmp_path))}: cannot be read: Is a directory$",
    ):
        load_config(tmp_path)


def test_a_config_file_that_is_not_utf8_is_named_with_the_byte(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes(b"seed: \xff\n")
    with pytest.raises(ConfigError, match=r"my\.yaml: not UTF-8 at byte 6$"):
        load_config(path)


def test_mistakes_in_a_config_file_are_named_by_its_path(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_text("seed: 0\nsede: 1\n" + DATA)
    with pytest.raises(
        ConfigError, match=rf"^{re.escape(str(path))}:2: unknown key 'sede'"
    ):
        load_config(path)


@pytest.mark.parametrize(
    "text",
    [
        (
            "seed: x\ndata: 3\nmodel: {cell: 1, pooling: 2, lr: 1}\ntrain: {clip_norm:"
            " x}\n"
        ),
        "data: {name: ag_news, train: a.csv}\n",
        "seed: [",
        "",
    ],
)
def test_error_texts_hold_no_traces_of_the_machinery(text: str) -> None:
    told = "\n".join(errors_of(text))
    assert not re.search(
        r"Traceback|pydantic|https?:|Section\b|Input should|Value error", told
    )


def test_config_errors_end_the_program_with_code_2() -> None:
    assert ConfigError.exit_code == 2


def test_keys_are_listed_in_the_order_of_the_schema() -> None:
    names = ("data", "text", "model", "train", "pretrain")
    sections = [f"{name}.{key}" for name in names for key in DOCUMENTED_DEFAULTS[name]]
    assert ["seed", "device", "deterministic", *sections] == KEYS


@pytest.mark.parametrize(
    ("key", "allowed", "default", "text"), list(iter_keys()), ids=KEYS
)
def test_every_key_has_allowed_values_a_default_and_documentation(
    key: str, allowed: str, default: str, text: str
) -> None:
    parsed: Any = DOCUMENTED_DEFAULTS | {
        "data": DOCUMENTED_DEFAULTS["data"] | {"train": None}
    }
    for name in key.split("."):
        parsed = parsed[name]
    assert (bool(allowed), yaml.safe_load(default), len(text) > 10) == (
        True,
        parsed,
        True,
    )


@pytest.mark.parametrize("key", KEYS)
def test_the_table_of_keys_has_one_row_for_each(key: str) -> None:
    rows = [
        line
        for line in keys_as_markdown().split("\n")
        if line.startswith(f"| `{key}` |")
    ]
    assert len(rows) == 1


def test_every_row_of_the_table_has_four_cells() -> None:
    cells = {
        len(re.findall(r"(?<!\\)\|", line)) for line in keys_as_markdown().split("\n")
    }
    assert cells == {5}


def test_the_table_says_what_a_key_takes() -> None:
    assert (
        "| `train.patience` | whole number (>= 1) \\| null | `3` "
        "| Stop after so many epochs without a better validation score; null: never. |"
        in keys_as_markdown().split("\n")
    )


@pytest.mark.parametrize(
    "section", [Config, *SECTIONS.values()], ids=lambda section: section.__name__
)
def test_every_section_of_the_json_schema_is_closed(section: type[Config]) -> None:
    assert section.model_json_schema()["additionalProperties"] is False


@pytest.mark.parametrize("name", SECTIONS)
def test_every_key_of_the_json_schema_is_described(name: str) -> None:
    keys = SECTIONS[name].model_json_schema()["properties"]
    assert [key for key, entry in keys.items() if not entry.get("description")] == []


def test_the_json_schema_names_choices_bounds_and_what_is_required() -> None:
    schema = json.loads(json.dumps(Config.model_json_schema()))
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
        ("name: ag_news, delimiter: tab", "data.name: ag_news has a form of its own"),
        (
            "name: ag_news, columns: [label, title, description]",
            "data.name: ag_news has a form of its own",
        ),
        (
            "name: ag_news, test_fraction: 0.1",
            "data.test_fraction: there is a test file",
        ),
        (
            "train: a.csv, test: b.csv, test_fraction: 0.1",
            "data.test_fraction: there is a test file",
        ),
        (
            "train: a.csv, text: [b], columns: [b]",
            "data.columns must name all columns, each once",
        ),
        (
            "train: a.csv, text: [b], columns: [b, label, label]",
            "data.columns must name all columns, each once",
        ),
    ],
)
def test_what_says_how_files_are_written_must_fit_them(
    section: str, message: str
) -> None:
    (error,) = errors_of(f"data: {{{section}}}\n")
    assert error.startswith(f"my.yaml:1: {message}")


@pytest.mark.parametrize(
    ("override", "found"),
    [("[1, -1]", "-1"), ("[]", "[]"), ("equal", "equal"), ("3", "3"), ("[1, a]", "a")],
)
def test_wrong_class_weights_are_told_once(override: str, found: str) -> None:
    with pytest.raises(ConfigError) as raised:
        parse_config(DATA, "my.yaml", [f"train.class_weights={override}"])
    expected = "expected balanced | non-empty list of number (> 0) | null"
    assert (
        str(raised.value)
        == f"--set train.class_weights={override}: train.class_weights: {expected},"
        f" found {found}"
    )


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["train.class_weights=balanced", "train.sampling=balanced"],
            "balanced twice over",
        ),
        (
            ["train.teachers=[runs/a]", "train.focal_gamma=2.0"],
            "focal_gamma is for labels",
        ),
    ],
)
def test_what_makes_no_sense_together_is_refused(
    overrides: list[str], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_config(DATA, "my.yaml", overrides)


def test_a_config_of_aliases_of_aliases_is_refused_without_being_written_out() -> None:
    # Nine names, each ten times the one before: a billion texts, were they ever written
    # out.
    levels = [
        f"{name}: &{name} [{', '.join([f'*{before}'] * 10)}]"
        for before, name in itertools.pairwise("abcdefghi")
    ]
    bomb = "\n".join(
        [
            "a: &a [x, x, x, x, x, x, x, x, x, x]",
            *levels,
            "data: {train: a.csv, text: *i}",
        ]
    )
    with pytest.raises(ConfigError, match=r"unknown key 'a'"):
        parse_config(bomb, "bomb.yaml")
