"""Loading a config file: all errors at once, with the path of the file."""

import re
from pathlib import Path

import numpy as np
import pytest

from rnncls import ConfigError
from rnncls.config.loading import (
    build_config,
    build_data_section,
    load_config,
    parse_config,
)
from tests.config.cases import DATA, errors_of


def test_values_of_the_file_replace_the_defaults() -> None:
    config = parse_config(
        DATA + "seed: 7\nmodel:\n  cell: gru\n  pooling: [attention]\n", "my.yaml"
    )
    assert (config.seed, config.model.cell, config.model.pooling) == (
        7,
        "gru",
        ["attention"],
    )


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


def test_a_config_file_is_read_as_utf8(tmp_path: Path) -> None:
    path = tmp_path / "my.yaml"
    path.write_bytes("data: {train: ä.csv}\n".encode())
    assert load_config(path, ["seed=5"]).data.train == "ä.csv"


def test_a_missing_config_file_is_named() -> None:
    with pytest.raises(
        ConfigError,
        match=r"^none\.yaml: no such file: 'rnncls init YOUR_DATA' creates a config$",
    ):
        load_config("none.yaml")


def test_a_folder_in_the_place_of_a_config_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError,
        match=rf"^{re.escape(str(tmp_path))}: is a folder, expected a config \(YAML\)",
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


def test_config_errors_end_the_program_with_code_2() -> None:
    assert ConfigError.exit_code == 2


@pytest.mark.parametrize("name", ["data.csv", "data.TSV", "data.jsonl", "data.csv.gz"])
def test_a_data_file_is_no_config(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("text,label\ngood,pos\n")
    with pytest.raises(ConfigError) as raised:
        load_config(path)
    assert f"{path}: is a data file, expected a config (YAML)" in str(raised.value)
    assert "rnncls init" in str(raised.value)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("fasttext.txt", "__label__pos good: very good\n__label__neg bad\n"),
        ("data.json", '[{"text": "good", "label": "pos"}]'),
        ("data", "text,label\ngood,pos\n"),
    ],
)
def test_a_file_that_looks_like_data_is_no_config(
    name: str, text: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(
        ConfigError, match="looks like data, expected a config"
    ) as raised:
        load_config(path)
    assert f"rnncls init {path}" in str(raised.value)


@pytest.mark.parametrize(
    "text", [f"# mine\n\n{DATA}", f"---\n{DATA}", "{data: {train: a.csv}}"]
)
def test_a_config_may_have_any_ending(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.txt"
    path.write_text(f"{text}\n")
    assert load_config(path).data.train


def test_a_run_folder_is_no_config(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("seed: 1\n")
    with pytest.raises(ConfigError, match="is a run folder, not a config") as raised:
        load_config(tmp_path)
    assert str(tmp_path / "config.yaml") in str(raised.value)


def test_a_name_with_dots_may_be_a_config(tmp_path: Path) -> None:
    path = tmp_path / "my.csv.yaml"
    path.write_text("data: {train: my.csv}\n")
    assert load_config(path).data.train == "my.csv"


def test_a_program_gives_a_file_or_a_mapping(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("data: {train: a.csv}\nmodel: {cell: gru}\n", encoding="utf-8")
    values = {"data": {"train": Path("a.csv")}, "model": {"cell": "gru"}}
    overrides = {"train.lr": 0.01, "model.pooling": ("max",)}
    config = build_config(file, overrides)
    assert build_config(values, overrides) == config
    assert (config.model.cell, config.train.lr) == ("gru", 0.01)
    assert config.model.pooling == ["max"]


def test_the_mapping_of_a_program_stays_as_it_is() -> None:
    values = {"data": {"train": "a.csv"}}
    build_config(values, {"data.train": "b.csv", "seed": 3})
    assert values == {"data": {"train": "a.csv"}}


def test_numbers_of_numpy_are_numbers() -> None:
    overrides = {
        "train.max_epochs": np.int64(4),
        "train.lr": np.float32(0.5),
        "train.calibrate": np.False_,
        "data.text": np.array(["title", "body"]),
    }
    config = build_config({"data": {"train": "a.csv"}}, overrides)
    assert (config.train.max_epochs, config.train.lr) == (4, 0.5)
    assert config.train.calibrate is False
    assert config.data.text == ["title", "body"]


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        (
            {"train.lr": "fast"},
            "overrides['train.lr']: train.lr: expected number (> 0), found fast",
        ),
        ({"trian.lr": 1.0}, "overrides['trian.lr']: unknown key 'trian'"),
        ({"seed.x": 1}, "overrides['seed.x']: 'seed' is a key, not a section"),
        ({"model..cell": "gru"}, "overrides['model..cell']: expected a path"),
    ],
)
def test_the_error_of_a_program_names_the_override(
    overrides: dict[str, object], error: str
) -> None:
    values = {"data": {"train": "a.csv"}, "seed": 1}
    with pytest.raises(ConfigError, match=re.escape(error)):
        build_config(values, overrides)


def test_the_error_of_a_mapping_names_the_key() -> None:
    values = {"data": {"train": "a.csv"}, "model": {"cell": "cnn"}}
    with pytest.raises(
        ConfigError, match=r"^config: model\.cell: expected rnn \| lstm"
    ):
        build_config(values, {})


def test_a_data_section_alone_is_checked_as_in_a_config() -> None:
    assert build_data_section({"train": "a.csv", "text": ["body"]}).text == ["body"]
    with pytest.raises(ConfigError, match=r"data\.delimiter: expected .*, found dot"):
        build_data_section({"train": "a.csv", "delimiter": "dot"})
    with pytest.raises(ConfigError, match="must name different columns, each once"):
        build_data_section({"train": "a.csv", "text": ["a"], "label": "a"})
