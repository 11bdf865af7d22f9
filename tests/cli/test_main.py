"""The program as a whole: exit codes, what goes to stdout and to stderr, and what is
loaded for it."""

import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

import rnncls
from tests.cli.conftest import NEWEST, Cli, start


@pytest.fixture
def wrong_config(workplace: Path) -> str:
    """A config with a mistyped key in its third line."""
    Path("wrong.yaml").write_text("data: {train: toy.csv}\nmodel:\n  hiden_size: 4\n")
    return str(workplace / "wrong.yaml")


# The exit codes


@pytest.mark.parametrize(
    "arguments",
    [["--help"], ["-h"], ["train", "--help"], ["config", "-h"], ["--version"]],
)
def test_asking_for_help_is_no_error(cli: Cli, arguments: list[str]) -> None:
    assert cli(*arguments).exit_code == 0


def test_the_version_is_printed(cli: Cli) -> None:
    assert cli("--version").stdout == f"rnncls {rnncls.__version__}\n"


def test_the_help_names_each_command(cli: Cli) -> None:
    words = cli("--help").stdout.split()
    assert {"train", "eval", "predict", "config"} <= set(words)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["trian"], "trian"),
        (["train"], "--config"),
        (["train", "--config", "toy.yaml", "--epochs", "3"], "--epochs"),
        (["eval", "--split", "future"], "future"),
        (["predict", "a", "--top-k", "0"], "--top-k"),
        (["predict", "a", "--top-k", "many"], "--top-k"),
    ],
)
def test_a_wrong_command_line_leaves_with_2_and_names_what_is_wrong(
    cli: Cli, arguments: list[str], named: str
) -> None:
    exit_code, stdout, stderr = cli(*arguments)
    assert (exit_code, stdout) == (2, "")
    assert named in stderr


def test_a_config_error_leaves_with_2_and_names_line_and_nearest_key(
    cli: Cli, wrong_config: str
) -> None:
    exit_code, stdout, stderr = cli("train", "--config", wrong_config)
    assert (exit_code, stdout) == (2, "")
    assert (
        stderr
        == f"error: {wrong_config}:3: unknown key 'model.hiden_size'; did you mean"
        " 'model.hidden_size'?\n"
    )


@pytest.mark.usefixtures("workplace")
def test_a_data_error_leaves_with_3_and_names_the_row(cli: Cli) -> None:
    Path("bad.csv").write_text("label,title,description\na,b,c\n,b,c\n")
    exit_code, stdout, stderr = cli(
        "train", "--config", "toy.yaml", "--set", "data.train=bad.csv"
    )
    assert (exit_code, stdout) == (3, "")
    assert (
        stderr
        == "error: bad.csv: row 2: the label (column 'label') is missing: fill it in,"
        " or remove the row\n"
    )


def test_a_run_error_leaves_with_4(cli: Cli) -> None:
    assert cli("eval", "nowhere") == (
        4,
        "",
        "error: nowhere: no such run folder: name an existing one, or omit the run"
        " to use the newest\n",
    )


@pytest.mark.usefixtures("run_path")
@pytest.mark.parametrize(
    "arguments",
    [["train", "--config", "toy.yaml"], ["eval"], ["predict", "a"]],
    ids=lambda value: str(value[0]),
)
def test_a_device_that_is_not_there_leaves_with_5(
    cli: Cli, arguments: list[str]
) -> None:
    exit_code, stdout, stderr = cli(*arguments, "--device", "cuda:99")
    assert (exit_code, stdout) == (5, "")
    message = stderr.removeprefix(NEWEST)
    assert message.startswith("error: cuda:99: this machine has ")


@pytest.mark.usefixtures("run_path")
@pytest.mark.parametrize(
    "arguments",
    [["train", "--config", "toy.yaml"], ["eval"], ["predict", "a"]],
    ids=lambda value: str(value[0]),
)
def test_a_device_of_no_known_kind_leaves_with_2(
    cli: Cli, arguments: list[str]
) -> None:
    exit_code, stdout, stderr = cli(*arguments, "--device", "toaster")
    assert (exit_code, stdout) == (2, "")
    assert "toaster" in stderr
    assert stderr.removeprefix(NEWEST).count("\n") == 1


# The traceback


@pytest.mark.parametrize(
    "arguments",
    [
        ["--debug", "eval", "nowhere"],
        ["eval", "--debug", "nowhere"],
        ["eval", "nowhere", "--debug"],
    ],
    ids=["first", "in the middle", "last"],
)
def test_debug_shows_the_traceback_wherever_it_stands(
    cli: Cli, arguments: list[str]
) -> None:
    stderr = cli(*arguments).stderr
    assert stderr.startswith("Traceback (most recent call last):\n")
    assert stderr.endswith(
        "\nerror: nowhere: no such run folder: name an existing one, or omit the run"
        " to use the newest\n"
    )


def test_a_probability_in_percent_is_an_error_that_says_how_to_give_it(
    cli: Cli,
) -> None:
    exit_code, _, stderr = cli("predict", "a text", "--min-confidence", "80")
    assert exit_code == 2
    assert "give 80% as 0.8" in " ".join(stderr.replace("│", " ").split())


def test_debug_does_not_change_the_exit_code(cli: Cli) -> None:
    assert cli("eval", "nowhere", "--debug").exit_code == 4


@pytest.mark.usefixtures("run_path")
def test_debug_after_two_dashes_is_a_text(cli: Cli) -> None:
    stdout = cli("predict", "--", "--debug").stdout
    assert "\t--debug\t" in stdout


@pytest.mark.parametrize(
    "arguments",
    [["eval", "nowhere"], ["predict"], ["config", "validate", "-c", "nowhere.yaml"]],
)
def test_an_error_is_one_line_without_a_traceback(
    cli: Cli, arguments: list[str]
) -> None:
    stderr = cli(*arguments).stderr
    assert stderr.startswith("error: ")
    assert stderr.count("\n") == 1


# Notes


def test_notes_are_shown_once_however_often_the_program_runs(
    cli: Cli, capsys: pytest.CaptureFixture[str]
) -> None:
    cli("--version")
    cli("--version")
    logging.getLogger("rnncls.test").info("a note")
    assert capsys.readouterr() == ("", "a note\n")


# What is loaded

REPORT = """
import sys
from rnncls.cli.main import run
sys.argv = ["rnncls", *sys.argv[1:]]
try:
    run()
except SystemExit as leaving:
    heavy = {"torch", "torchtext", "sklearn", "pyarrow", "numpy"} & set(sys.modules)
    code = leaving.code or 0
    print("left with", code, "having loaded", sorted(heavy), file=sys.stderr)
"""


@pytest.mark.usefixtures("wrong_config")
@pytest.mark.parametrize(
    ("arguments", "exit_code"),
    [
        (["--help"], 0),
        (["train", "--help"], 0),
        (["--version"], 0),
        (["config", "validate", "--config", "toy.yaml"], 0),
        (["config", "show", "--config", "toy.yaml"], 0),
        (["config", "schema"], 0),
        (["config", "validate", "--config", "wrong.yaml"], 2),
        (["train", "--config", "wrong.yaml"], 2),
        (["train", "--config", "toy.yaml", "--set", "train.lr=fast"], 2),
        (["predict"], 2),
    ],
    ids=str,
)
def test_no_large_package_is_loaded_for(arguments: list[str], exit_code: int) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr.splitlines()[-1] == f"left with {exit_code} having loaded []"


@pytest.mark.usefixtures("run_path")
@pytest.mark.parametrize(
    "arguments",
    [
        ["init", "toy.csv", "--out", "new.yaml"],
        ["inspect", "toy.csv"],
        ["inspect", "toy.yaml", "--html", "data.html"],
        ["plot", "runs/toy"],
    ],
    ids=lambda arguments: arguments[0],
)
def test_torch_is_not_loaded_for(arguments: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", REPORT, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    report = done.stderr.splitlines()[-1]
    assert report.startswith("left with 0 having loaded [")
    assert "'torch'" not in report


# The program in a process of its own


def test_the_package_runs_as_a_module() -> None:
    with start("--version") as process:
        assert process.communicate(timeout=60) == (f"rnncls {rnncls.__version__}\n", "")
    assert process.returncode == 0


# As a user has it: Python writes to a pipe or a file only when its buffer is full, or
# at the end.
BUFFERED = {
    name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"
}
PIPED = 'set -o pipefail; "$0" -m rnncls {} | {}; echo "left with $?" >&2'


@pytest.mark.usefixtures("run_path")
@pytest.mark.parametrize(
    ("command", "reader", "stdout"),
    [
        ("predict --input many.txt", "head -1", "rovers meet oslo"),
        ("predict rovers oslo", "true", ""),
        ("config schema", "true", ""),
    ],
)
def test_a_reader_that_goes_away_is_no_error(
    command: str, reader: str, stdout: str
) -> None:
    Path("many.txt").write_text("rovers meet oslo\n" * 20_000)
    done = subprocess.run(
        ["bash", "-c", PIPED.format(command, reader), sys.executable],
        capture_output=True, text=True, check=False, timeout=60, env=BUFFERED,
    )  # fmt: skip
    assert done.stderr.removeprefix(NEWEST) == "left with 0\n"
    assert done.stdout.rstrip("\n").endswith(stdout)


@pytest.mark.usefixtures("run_path")
@pytest.mark.skipif(
    not Path("/dev/full").exists(), reason="needs a device that is always full"
)
def test_a_full_disk_under_stdout_is_one_line() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "rnncls", "predict", "oslo"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=60,
            env=BUFFERED,
        )
    assert (done.returncode, done.stderr) == (
        3,
        f"{NEWEST}error: [Errno 28] No space left on device\n",
    )


def test_what_the_terminal_cannot_show_is_escaped(workplace: Path) -> None:
    (workplace / "名.yaml").write_text("data: {train: toy.csv}\n")
    done = subprocess.run(
        [sys.executable, "-m", "rnncls", "config", "validate", "-c", "名.yaml"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**os.environ, "PYTHONIOENCODING": "latin-1"},
    )
    assert (done.returncode, done.stdout) == (0, "\\u540d.yaml: valid\n")
