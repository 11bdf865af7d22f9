"""`rnncls gradient`: which networks it measures on which rows, and how it says so."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from rnncls.config.loading import load_config
from rnncls.data.loading import load_training_data
from rnncls.machine.seeds import seed_everything
from rnncls.runs.run import load_run
from rnncls.training.initialization import build_model, initial_model_of
from rnncls.training.run import train
from tests.cli.conftest import NEWEST, Cli

pytestmark = pytest.mark.usefixtures("run_path")
CELLS = ("--cells", "rnn,lstm,gru", "--config", "toy.yaml")


def measure(cli: Cli, *arguments: str) -> dict[str, Any]:
    exit_code, stdout, stderr = cli("gradient", *arguments, "--json")
    assert (exit_code, stderr.removeprefix(NEWEST)) == (0, "")
    result: dict[str, Any] = json.loads(stdout)
    return result


def test_json_has_a_curve_a_direction_before_and_after_training(cli: Cli) -> None:
    result = measure(cli)
    found = [(each["weights"], each["direction"]) for each in result["networks"]]
    assert found == [
        (w, d) for w in ("first", "trained") for d in ("forward", "backward")
    ]
    assert (result["num_measured"], result["data"]["path"], result["floor"]) == (
        96,
        "toy.csv",
        0.01,
    )
    for each in result["networks"]:
        assert each["shares"][0] == 1.0
        assert len(each["shares"]) == len(each["norms"]) == len(each["num_texts"])
        assert each["num_texts"][-1] >= 30


def test_fresh_cells_are_measured_side_by_side(cli: Cli) -> None:
    result = measure(
        cli,
        *CELLS,
        "--set",
        "model.bidirectional=false",
        "--set",
        "model.pooling=[last]",
    )
    assert [(each["name"], each["weights"]) for each in result["networks"]] == [
        ("rnn", "first"),
        ("lstm", "first"),
        ("gru", "first"),
    ]


def test_the_first_weights_are_those_that_training_starts_from() -> None:
    config = load_config("toy.yaml")
    data = load_training_data(config.data_settings)
    seed_everything(config.seed)
    expected = build_model(config.model, config.text.vectors, data).state_dict()
    found = initial_model_of(load_run(Path("runs/toy"))).state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_fewer_rows_can_be_measured(cli: Cli) -> None:
    result = measure(cli, "--rows", "40", "--split", "train")
    assert (result["num_measured"], result["data"]["num_rows"]) == (40, 76)


def test_people_get_the_memories_and_what_is_measured(cli: Cli) -> None:
    stdout = cli("gradient").stdout
    assert stdout.startswith("96 of the 96 rows of toy.csv\n")
    assert "memory" in stdout
    assert "The pooling of toy also reads each state directly" in stdout
    assert max(map(len, stdout.splitlines()[:9])) <= 90


def test_the_picture_is_written(cli: Cli) -> None:
    assert cli("gradient", "--plot", "curves.png").exit_code == 0
    assert Path("curves.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--cells", "rnn"],
            "give run folders, or --cells rnn,lstm,gru and --config FILE",
        ),
        (
            ["runs/toy", *CELLS],
            "give run folders, or --cells rnn,lstm,gru and --config FILE",
        ),
        (["--set", "seed=1"], "--set changes the config of --cells"),
        (
            ["--cells", "rnn,none", "--config", "toy.yaml"],
            "expected some of rnn,lstm,gru, found 'none'",
        ),
    ],
)
def test_a_wrong_command_line_leaves_with_2(
    cli: Cli, arguments: list[str], message: str
) -> None:
    exit_code, stdout, stderr = cli("gradient", *arguments)
    assert (exit_code, stdout) == (2, "")
    assert message in stderr


def test_runs_of_different_rows_are_refused(cli: Cli) -> None:
    text = Path("toy.csv").read_text(encoding="utf-8")
    Path("other.csv").write_text(text + "sport,rovers win,again\n", encoding="utf-8")
    train(
        load_config("toy.yaml", ["data.test=other.csv", "train.max_epochs=1"]),
        Path("runs/other"),
    )
    exit_code, _, stderr = cli("gradient", "runs/toy", "runs/other")
    assert exit_code == 2
    assert (
        "runs/other: its rows are from other.csv, those of runs/toy are from toy.csv"
        in " ".join(stderr.split())
    )
