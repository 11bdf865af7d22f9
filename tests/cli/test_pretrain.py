"""`rnncls pretrain`: a folder for `model.pretrained`, and a line that says how good it
is and what comes next."""

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("workplace")


def test_a_classifier_is_trained_from_what_it_leaves(cli: Cli) -> None:
    outcome = cli(
        "pretrain",
        "--config",
        "toy.yaml",
        "--out",
        "lm",
        "--set",
        "pretrain.max_epochs=2",
    )
    assert outcome.exit_code == 0
    assert "lm: best epoch 2 of 2, perplexity " in outcome.stdout
    assert (
        "now: rnncls train --config toy.yaml --set pretrain.max_epochs=2 --set"
        " model.pretrained=lm" in outcome.stdout
    )
    assert "epoch 2/2  train loss " in outcome.stderr
    assert " perplexity " in outcome.stderr
    outcome = cli(
        "train", "--config", "toy.yaml", "--set", "model.pretrained=lm", "--out", "run"
    )
    assert outcome.exit_code == 0
    assert cli("predict", "oslo meet rovers", "--run", "run").exit_code == 0


def test_an_existing_folder_is_not_overwritten(cli: Cli) -> None:
    arguments = (
        "pretrain",
        "--config",
        "toy.yaml",
        "--out",
        "lm",
        "--set",
        "pretrain.max_epochs=1",
    )
    assert cli(*arguments).exit_code == 0
    outcome = cli(*arguments)
    assert outcome.exit_code == 2
    assert (
        "lm: already exists; choose another folder, or resume the run in it"
        " (--out FOLDER, --resume)" in outcome.stderr
    )
    assert cli(*arguments, "--resume").exit_code == 0


def test_no_out_is_a_usage_error(cli: Cli) -> None:
    assert cli("pretrain", "--config", "toy.yaml").exit_code == 2


def test_a_folder_that_is_not_there_is_named(cli: Cli) -> None:
    outcome = cli(
        "train",
        "--config",
        "toy.yaml",
        "--set",
        "model.pretrained=nowhere",
        "--out",
        "run",
    )
    assert outcome.exit_code == 4
    assert (
        "nowhere: has no language_model.safetensors: make one with 'rnncls pretrain"
        in outcome.stderr
    )
