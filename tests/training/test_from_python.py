"""`rnncls.train`: the run of the command, and the settings of the program are kept."""

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

import rnncls
from rnncls import ConfigError, DataError, Interrupted, RunError
from rnncls.config.sections import Config
from rnncls.training.from_python import TrainedRun
from rnncls.training.run import train
from tests.conftest import toy_yaml


@pytest.fixture
def settings(toy_csv: Path) -> dict[str, Any]:
    """A small config as a mapping."""
    values: dict[str, Any] = yaml.safe_load(toy_yaml(toy_csv))
    return values


def test_the_weights_are_those_of_the_command(
    settings: dict[str, Any], make_config: Callable[..., Config], tmp_path: Path
) -> None:
    expected = train(make_config("train.lr=0.01"), tmp_path / "command")
    run = rnncls.train(settings, {"train.lr": 0.01}, out=tmp_path / "python")
    assert run.path == tmp_path / "python"
    assert run.summary["weights_sha256"] == expected["weights_sha256"]
    assert run.scores == expected["valid"]


def test_a_file_names_its_run_folder(settings: dict[str, Any], tmp_path: Path) -> None:
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(settings), encoding="utf-8")
    run = rnncls.train(file, {"train.max_epochs": 1})
    assert run.path.parent == Path("runs")
    assert run.path.name.startswith("small-")
    assert Path("runs/latest").resolve() == run.path.resolve()
    assert run.summary["num_epochs"] == 1


def test_the_result_can_be_used_as_a_path(tmp_path: Path) -> None:
    assert os.fspath(TrainedRun(tmp_path / "a", {})) == str(tmp_path / "a")


def test_an_interrupted_run_can_be_resumed(
    settings: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = rnncls.train(settings, out=tmp_path / "complete")

    def interrupt(*_: Any, **__: Any) -> None:
        raise Interrupted("stopped")

    with monkeypatch.context() as patch:
        patch.setattr("rnncls.training.run.finish_run", interrupt)
        with pytest.raises(Interrupted):
            rnncls.train(settings, out="run")
    with pytest.raises(ConfigError, match="run: already exists"):
        rnncls.train(settings, out="run")
    resumed = rnncls.train(settings, out="run", resume=True)
    assert resumed.summary["weights_sha256"] == expected.summary["weights_sha256"]


def test_a_resumed_run_keeps_the_values_of_its_overrides(
    settings: dict[str, Any],
) -> None:
    rnncls.train(settings, {"seed": 5}, out="run")
    resumed = rnncls.train(settings, out="run", resume=True)
    assert resumed.summary["seed"] == 5


def test_without_a_run_to_resume_there_is_an_error(settings: dict[str, Any]) -> None:
    with pytest.raises(RunError, match="no unfinished run of this config"):
        rnncls.train(settings, resume=True)


def test_errors_leave_no_folder(settings: dict[str, Any]) -> None:
    with pytest.raises(DataError, match="missing"):
        rnncls.train(settings, {"data.train": "missing.csv"})
    assert list(Path("runs").iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"config": 5},
            "config: expected a YAML file or a mapping of sections, found 5",
        ),
        (
            {"overrides": ["train.lr=1"]},
            "overrides: expected a mapping of keys to values, such as {'train.lr':"
            " 0.002}, found ['train.lr=1']",
        ),
        ({"out": 5}, "out: expected the path of a run folder, or None, found 5"),
        (
            {"out": "taken"},
            "taken: already exists; choose another folder for out, or continue the run"
            " in it with resume=True",
        ),
    ],
    ids=str,
)
def test_wrong_arguments_are_reported(
    settings: dict[str, Any], arguments: dict[str, Any], message: str
) -> None:
    Path("taken").write_text("mine")
    with pytest.raises(ConfigError) as caught:
        rnncls.train(**{"config": settings, **arguments})
    assert str(caught.value) == message
    assert Path("taken").read_text() == "mine"


def test_the_program_keeps_its_torch_settings(settings: dict[str, Any]) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    torch.set_flush_denormal(False)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    rnncls.train(settings, {"train.max_epochs": 1}, out="run")
    drawn = torch.rand(3)
    num_after = torch.get_num_threads()
    denormal = torch.tensor([1e-30]).mul(1e-10).item()
    torch.set_num_threads(before)
    torch.set_flush_denormal(True)
    assert torch.equal(drawn, expected)
    assert num_after == 3
    assert denormal > 0


def test_a_thread_can_train(settings: dict[str, Any]) -> None:
    runs = []

    def work() -> None:
        runs.append(
            rnncls.train(settings, {"train.max_epochs": np.int64(1)}, out="run")
        )

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert rnncls.load(runs[0])("rovers meet oslo").label in {"sport", "world"}


def test_a_missing_column_is_named_with_those_of_the_file_and_the_key(
    tmp_path: Path,
) -> None:
    file = tmp_path / "own.csv"
    file.write_text("body,label\ngood,pos\nbad,neg\n", encoding="utf-8")
    with pytest.raises(DataError) as raised:
        rnncls.train({"data": {"train": file}})
    message = str(raised.value)
    assert "own.csv: no column 'title', found 'body', 'label'" in message
    assert "data.text is 'title', 'description': set it to columns of" in message
