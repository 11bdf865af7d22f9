"""Configs and run folders, which are arguments or options of many commands."""

import json
import shutil
from pathlib import Path

import pytest

from rnncls import ConfigError
from rnncls.cli.options import choose_config, choose_runs, split_arguments
from tests.cli.conftest import NEWEST, Cli

pytestmark = pytest.mark.usefixtures("run_path")

CONFIG_COMMANDS = [
    ["train", "--set", "train.max_epochs=1", "--out", "new"],
    ["pretrain", "--set", "train.max_epochs=1", "--out", "new"],
    ["crossval", "--set", "train.max_epochs=1", "--folds", "2", "--out", "new"],
    ["distill", "runs/toy", "--set", "train.max_epochs=1", "--out", "new"],
    ["inspect"],
    ["config", "validate"],
    ["config", "show"],
    ["gradient", "--cells", "gru", "--rows", "8"],
]
ERROR_COMMANDS = [
    ["tune", "--trials", "1"],
    ["benchmark", "train"],
    ["benchmark", "predict"],
    ["benchmark", "startup"],
]
RUN_COMMANDS = [
    ["eval", "--json"],
    ["report"],
    ["anytime"],
    ["flags"],
    ["check", "--texts", "4"],
    ["plot"],
    ["gradient", "--rows", "8"],
]


@pytest.mark.parametrize("command", CONFIG_COMMANDS, ids=lambda words: words[0])
def test_a_config_is_an_argument_or_an_option(cli: Cli, command: list[str]) -> None:
    as_argument = cli(*command, "toy.yaml")
    shutil.rmtree("new", ignore_errors=True)
    as_option = cli(*command, "--config", "toy.yaml")
    shutil.rmtree("new", ignore_errors=True)
    twice = cli(*command, "./toy.yaml", "-c", "toy.yaml")
    assert (as_argument.exit_code, as_option.exit_code, twice.exit_code) == (0, 0, 0)


@pytest.mark.parametrize(
    "command", CONFIG_COMMANDS + ERROR_COMMANDS, ids=lambda words: "-".join(words[:2])
)
def test_two_different_configs_are_refused(cli: Cli, command: list[str]) -> None:
    done = cli(*command, "other.yaml", "--config", "toy.yaml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        "error: --config: found toy.yaml, and other.yaml as an argument: give only one"
        " of them\n"
    )


@pytest.mark.parametrize(
    "command",
    [words for words in CONFIG_COMMANDS if words[0] != "gradient"] + ERROR_COMMANDS,
    ids=lambda words: "-".join(words[:2]),
)
def test_a_missing_config_is_asked_for(cli: Cli, command: list[str]) -> None:
    done = cli(*command)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr.startswith("error: no config: expected a YAML file")


@pytest.mark.parametrize("command", RUN_COMMANDS, ids=lambda words: words[0])
def test_a_run_is_an_argument_or_an_option(cli: Cli, command: list[str]) -> None:
    Path("runs/latest").unlink()
    assert "no finished run" in cli(*command).stderr
    as_argument = cli(*command, "runs/toy")
    as_option = cli(*command, "--run", "runs/toy")
    assert (as_argument.exit_code, as_option.exit_code) == (0, 0)
    assert as_argument.stdout == as_option.stdout


@pytest.mark.parametrize(
    "command", [*RUN_COMMANDS, ["order"], ["stream"]], ids=lambda words: words[0]
)
def test_two_different_runs_are_refused(cli: Cli, command: list[str]) -> None:
    shutil.copytree("runs/toy", "runs/other")
    done = cli(*command, "runs/other", "--run", "runs/toy")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "as an argument" in done.stderr or "as arguments" in done.stderr


def test_runs_to_compare_can_be_options(cli: Cli) -> None:
    shutil.copytree("runs/toy", "runs/other")
    as_options = cli("compare", "--json", "--run", "runs/toy", "--run", "runs/other")
    as_arguments = cli("compare", "--json", "runs/toy", "runs/other")
    assert as_options.exit_code == 0
    by_options, by_arguments = map(json.loads, (as_options.stdout, as_arguments.stdout))
    for found in (by_options, by_arguments):
        names = [Path(run["name"]).name for run in found["contenders"]]
        assert names == ["toy", "other"]


def test_the_config_is_found_among_run_folders() -> None:
    first, second, config = Path("runs/a"), Path("runs/b.yaml"), Path("c.YML")
    second.mkdir()
    arguments = [first, config, second]
    assert split_arguments(arguments, None) == ([first, second], config)
    assert split_arguments(None, config) == ([], config)
    with pytest.raises(ConfigError, match="as an argument"):
        split_arguments([config, Path("d.yaml")], None)


def test_choices_prefer_nothing() -> None:
    runs = [Path("a"), Path("b")]
    assert choose_runs(runs, None) == choose_runs(None, runs) == choose_runs(runs, runs)
    assert choose_runs(None, None) == []
    with pytest.raises(ConfigError, match="use only one"):
        choose_runs(runs, runs[::-1])
    assert choose_config(Path("a.yaml"), None) == choose_config(None, Path("a.yaml"))


@pytest.mark.parametrize(
    "command",
    [["predict", "oslo"], ["explain", "oslo"], ["eval", "--json"], ["plot"]],
    ids=lambda words: words[0],
)
def test_a_command_without_a_run_says_which_run_it_takes(
    cli: Cli, command: list[str]
) -> None:
    newest = cli(*command)
    named = cli(*command, "--run", "runs/toy")
    assert newest.stderr == NEWEST
    assert named.stderr == ""
    assert named.stdout.replace(str(Path.cwd()) + "/", "") == newest.stdout.replace(
        str(Path.cwd()) + "/", ""
    )


def test_the_newest_run_outside_of_runs_is_shown_by_its_path(cli: Cli) -> None:
    shutil.move("runs/toy", "elsewhere")
    Path("runs/latest").unlink()
    Path("runs/latest").symlink_to(Path("elsewhere").absolute())
    stderr = cli("plot").stderr
    assert stderr == f"run: {Path('elsewhere').absolute()} (the newest finished run)\n"
