"""`rnncls anytime`, `gates`, `flags` and `check`: what a run does inside, over a text
or a data set."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rnncls.config.sections import Config
from rnncls.inference.insight import invariance
from rnncls.training.run import train
from tests.cli.conftest import NEWEST, Cli

pytestmark = pytest.mark.usefixtures("run_path")

TEXT = "rovers meet oslo"
NUM_ROWS = 96


def test_the_anytime_curve_ends_with_the_accuracy_of_eval(cli: Cli) -> None:
    found = json.loads(cli("anytime", "--json").stdout)
    scores = json.loads(cli("eval", "--json").stdout)
    assert found["points"][-1]["accuracy"] == scores["accuracy"]
    assert found["points"][-1]["accuracy_interval"] == pytest.approx(
        scores["accuracy_interval"]
    )
    assert [point["num_tokens"] for point in found["points"]] == [1, 2, 4, 8]
    assert found["data"]["num_rows"] == NUM_ROWS


def test_the_anytime_curve_is_printed_and_drawn(cli: Cli) -> None:
    exit_code, stdout, stderr = cli(
        "anytime", "runs/toy", "--split", "valid", "--plot", "a.png"
    )
    assert (exit_code, stderr) == (0, "a.png: written\n")
    assert "95% interval" in stdout
    assert "of the texts end by then" in " ".join(stdout.split())
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")


def test_gates_have_a_row_a_token_and_direction_and_a_picture(cli: Cli) -> None:
    exit_code, stdout, stderr = cli("gates", TEXT, "--plot", "g.png")
    assert (exit_code, stderr) == (0, f"{NEWEST}g.png: written\n")
    assert [
        line.split()[0]
        for line in stdout.splitlines()
        if line[:6] in {"rovers", "meet  ", "oslo  "}
    ] == [
        *TEXT.split(),
        *TEXT.split(),
    ]
    assert "|cell|  input  forget  output" in stdout
    assert Path("g.png").read_bytes().startswith(b"\x89PNG")
    assert max(map(len, stdout.splitlines())) <= 80


def test_gates_in_json_have_every_value(cli: Cli) -> None:
    found = json.loads(cli("gates", TEXT, "--json").stdout)
    for way in ("forward", "backward"):
        values = found["directions"][way]
        assert list(values) == ["hidden", "cell", "input", "forget", "output"]
        assert {(len(rows), len(rows[0])) for rows in values.values()} == {(3, 8)}


def test_gates_refuse_a_layer_and_a_cell_that_they_cannot_show(
    cli: Cli, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    done = cli("gates", TEXT, "--layer", "2")
    assert (done.exit_code, done.stderr) == (
        2,
        f"{NEWEST}error: --layer: expected 1 to 1, found 2\n",
    )
    train(make_config("model.cell=none"), tmp_path / "bag")
    for arguments in (["gates", TEXT, "--run"], ["flags"]):
        done = cli(*arguments, str(tmp_path / "bag"))
        assert done.exit_code == 2
        assert "model.cell: none has no gates that can be shown" in done.stderr


def test_flags_are_ranked_with_their_words(cli: Cli) -> None:
    found = json.loads(cli("flags", "--json", "--top", "3", "--texts", "50").stdout)
    scores = [flag["score"] for flag in found["flags"]]
    assert len(scores) <= 3
    assert scores == sorted(scores, reverse=True)
    assert found["num_texts"] == 50


def test_flags_are_printed(cli: Cli) -> None:
    exit_code, stdout, stderr = cli("flags")
    assert (exit_code, stderr) == (0, NEWEST)
    assert "switched on by" in stdout
    assert "A flag unit is on where its value is at least 0.5" in stdout
    assert (
        "The best flag unit is" in " ".join(stdout.split())
        or "has no flag units" in stdout
    )


def test_a_sound_run_passes_the_check(cli: Cli) -> None:
    exit_code, stdout, stderr = cli("check", "--texts", "20")
    assert (exit_code, stderr) == (0, NEWEST)
    assert stdout.startswith("toy on 20 texts of toy.csv")
    assert "All checks passed: no logit of these 20 texts moved" in " ".join(
        stdout.split()
    )


def test_a_run_beyond_a_limit_leaves_with_1(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(invariance, "LIMIT", -1.0)
    exit_code, stdout, _ = cli("check", "--json", "--texts", "5")
    found = json.loads(stdout)
    assert (exit_code, found["holds"]) == (1, False)
    assert {check["name"] for check in found["checks"] if not check["holds"]} >= {
        "padding",
        "order",
    }


def test_other_texts_can_be_checked(cli: Cli) -> None:
    Path("in.txt").write_text("rovers meet oslo\noslo\n")
    found = json.loads(cli("check", "--input", "in.txt", "--json").stdout)
    assert (found["num_texts"], found["data"], found["holds"]) == (2, "in.txt", True)
    assert (
        json.loads(cli("check", "--input", "-", "--json", stdin=b"a\nb\nc\n").stdout)[
            "num_texts"
        ]
        == 3
    )
    assert cli("check", "--input", "-").exit_code == 3
    Path("in.csv").write_text("body\noslo\nrovers\n")
    done = cli("check", "--input", "in.csv", "--text", "body", "--json")
    assert json.loads(done.stdout)["num_texts"] == 2
    assert "--text: only allowed with --input" in cli("check", "--text", "a").stderr
