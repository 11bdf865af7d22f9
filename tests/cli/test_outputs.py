"""The files that commands write: their folder must exist before any work is done."""

from pathlib import Path

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("run_path")


@pytest.mark.parametrize(
    ("command", "option", "name"),
    [
        (["predict", "oslo"], "--output", "x.csv"),
        (["predict", "--input", "toy.csv"], "--output", "x.jsonl"),
        (["report"], "--output", "r.html"),
        (["compare", "runs/toy", "runs/toy"], "--html", "c.html"),
        (["plot"], "--output", "p.png"),
        (["explain", "oslo"], "--html", "e.html"),
        (["explain", "--trajectory", "oslo"], "--plot", "t.png"),
        (["anytime"], "--plot", "a.png"),
        (["gates", "oslo"], "--plot", "g.png"),
        (["gradient"], "--plot", "g.png"),
        (["order"], "--plot", "o.png"),
        (["inspect", "toy.yaml"], "--html", "i.html"),
        (["inspect", "toy.yaml"], "--csv", "i.csv"),
        (["export", "runs/toy"], "--output", "m.onnx"),
        (["export", "runs/toy", "--to", "page"], "--output", "m.html"),
        (["init", "toy.csv"], "--out", "t.yaml"),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
def test_a_folder_that_does_not_exist_is_named_before_any_work(
    cli: Cli, command: list[str], option: str, name: str
) -> None:
    path = f"sub/{name}"
    done = cli(*command, option, path)
    assert (done.exit_code, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: {option}: {path}: the folder sub does not exist: create it first, or"
        " choose another one\n"
    )
    assert not Path("sub").exists()


@pytest.mark.parametrize("command", ["predict", "report"])
def test_a_folder_is_no_file_for_an_output(cli: Cli, command: str) -> None:
    arguments = ["oslo"] if command == "predict" else []
    done = cli(command, *arguments, "--output", "runs")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "--output: runs is a folder: name a file in it" in done.stderr


def test_a_file_is_no_folder_for_an_output(cli: Cli) -> None:
    Path("sub").write_text("mine")
    done = cli("report", "--output", "sub/r.html")
    assert done.exit_code == 2
    assert "--output: sub/r.html: sub is a file, not a folder" in done.stderr
