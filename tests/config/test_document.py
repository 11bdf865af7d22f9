"""YAML documents and overrides: what they set, and where errors are located."""

import itertools
from pathlib import Path
from typing import Any

import pytest

from rnncls import ConfigError
from rnncls.config.loading import parse_config
from tests.config.cases import DATA, errors_of


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
        == f"my.yaml:{line}: duplicate key '{key}' (first on line {first})"
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
        ("data.train.x=1", "'train' is a key, not a section"),
        (
            "model.pooling=[last, foo]",
            (
                "model.pooling: expected list of last | max | mean |"
                " attention, at least one, found foo"
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
    assert "duplicate key 'train.lr'" in errors_of(DATA, "train={lr: 1, lr: 2}")[0]


def test_yaml_merge_keys_yield_to_keys_of_ones_own() -> None:
    assert (
        parse_config(
            "data: {<<: {train: a.csv, label: x}, label: y}\n", "my.yaml"
        ).data.label
        == "y"
    )


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
