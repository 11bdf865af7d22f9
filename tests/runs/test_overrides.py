"""The keys that were set apart from the config file, and what a resume keeps."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rnncls import ConfigError, RunError
from rnncls.config.sections import Config
from rnncls.config.yaml_format import dump_config
from rnncls.machine.files import write_json
from rnncls.runs.folder import RunFolder
from rnncls.runs.overrides import (
    load_kept_values,
    load_overridden_keys,
    load_training_config,
    name_overridden_keys,
    save_overridden_keys,
)

FOLDER = RunFolder(Path("run"))


@pytest.fixture
def run(make_config: Callable[..., Config]) -> Path:
    """A folder with the config of a run of which two keys were overridden."""
    FOLDER.state.parent.mkdir(parents=True)
    config = make_config("train.max_epochs=6", "train.lr=1e-05")
    FOLDER.config.write_text(dump_config(config), encoding="utf-8")
    save_overridden_keys(FOLDER.path, ["train.max_epochs", "train.lr"])
    return FOLDER.path


@pytest.fixture
def file(make_config: Callable[..., Config]) -> Path:
    """A config file with other values."""
    path = Path("own.yaml")
    path.write_text(dump_config(make_config("train.max_epochs=30")), encoding="utf-8")
    return path


def test_the_keys_of_overrides_are_named() -> None:
    assert name_overridden_keys(["train.lr=0.1", " seed =3", "data.text=a=b"]) == [
        "train.lr",
        "seed",
        "data.text",
    ]


def test_keys_of_later_calls_are_added(run: Path) -> None:
    save_overridden_keys(run, ["seed", "train.lr"])
    assert load_overridden_keys(run) == ["train.max_epochs", "train.lr", "seed"]


def test_a_run_without_overrides_has_no_file_of_them_and_keeps_nothing() -> None:
    save_overridden_keys(FOLDER.path, [])
    assert not FOLDER.path.exists()
    assert load_kept_values(FOLDER.path) == {}


def test_kept_values_are_those_of_the_run(run: Path) -> None:
    assert load_kept_values(run) == {"train.max_epochs": 6, "train.lr": 1e-05}


def test_a_kept_value_wins_over_the_file_and_is_named(
    run: Path, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        config = load_training_config(file, ["train.lr=0.5"], run)
    assert (config.train.max_epochs, config.train.lr) == (6, 0.5)
    assert caplog.messages == [
        "run: train.max_epochs stays 6, as it was set for this run; the config has 30:"
        " to change it, set it again"
    ]


def test_a_new_run_keeps_nothing(file: Path) -> None:
    assert load_training_config(file, [], None).train.max_epochs == 30


def test_a_file_may_be_complete_with_the_kept_values_only(
    run: Path, file: Path
) -> None:
    text = file.read_text(encoding="utf-8").replace("max_epochs: 30", "max_epochs: 0")
    file.write_text(text, encoding="utf-8")
    assert load_training_config(file, [], run).train.max_epochs == 6
    with pytest.raises(ConfigError, match=r"train\.max_epochs"):
        load_training_config(file, [], None)


@pytest.mark.parametrize("keys", [None, "seed", [1]])
def test_a_file_without_a_list_of_keys_is_damaged(run: Path, keys: object) -> None:
    write_json(FOLDER.overrides, {"keys": keys})
    with pytest.raises(RunError, match=r"overrides\.json: damaged: expected a list"):
        load_kept_values(run)
