"""`rnncls eval`: what it measures, on which rows, and where it says so."""

import json
from pathlib import Path
from typing import Any

import pytest

from rnncls.storage import read_json
from tests.cli.conftest import Cli
from tests.test_checkpoint import write_run

pytestmark = pytest.mark.usefixtures("run_path")


def evaluate(cli: Cli, *arguments: str) -> dict[str, Any]:
    """Return what `rnncls eval --json` prints."""
    exit_code, stdout, stderr = cli("eval", *arguments, "--json")
    assert (exit_code, stderr) == (0, "")
    result: dict[str, Any] = json.loads(stdout)
    return result


def test_json_is_one_object_with_all_that_is_promised(cli: Cli) -> None:
    keys = {"accuracy", "accuracy_interval", "macro_f1", "loss", "num_rows", "per_class", "confusion_matrix", "data"}
    assert keys <= evaluate(cli).keys()


def test_the_accuracy_is_the_share_of_right_predictions(cli: Cli) -> None:
    labels = [line.split(",")[0] for line in Path("toy.csv").read_text().splitlines()[1:]]
    lines = cli("predict", "--input", "toy.csv", "--json").stdout.splitlines()
    right = [json.loads(line)["label"] == label for line, label in zip(lines, labels, strict=True)]
    assert evaluate(cli)["accuracy"] == sum(right) / 96


def test_the_figures_are_those_of_the_confusion_matrix(cli: Cli) -> None:
    result = evaluate(cli)
    (a, b), (c, d) = result["confusion_matrix"]
    assert (a + b, c + d) == (48, 48)
    assert result["accuracy"] == (a + d) / 96
    assert result["macro_f1"] == pytest.approx((2 * a / (2 * a + b + c) + 2 * d / (2 * d + b + c)) / 2)
    assert [row["support"] for row in result["per_class"]] == [48, 48]


def test_the_interval_is_wilsons(cli: Cli) -> None:
    result = evaluate(cli)
    p, n, z = result["accuracy"], 96, 1.959964
    middle, half = (p + z**2 / (2 * n)) / (1 + z**2 / n), z / (1 + z**2 / n)
    half *= (p * (1 - p) / n + z**2 / (4 * n**2)) ** 0.5
    assert result["accuracy_interval"] == pytest.approx([middle - half, middle + half], abs=1e-6)


def test_the_default_is_the_newest_run_and_its_test_rows(cli: Cli) -> None:
    result = evaluate(cli)
    assert Path(result["run"]) == Path("runs/toy").resolve()
    assert (result["data"]["path"], result["data"]["split"], result["num_rows"]) == ("toy.csv", "test", 96)


def test_a_run_can_be_named(cli: Cli) -> None:
    assert evaluate(cli, "runs/toy")["run"] == "runs/toy"


def test_the_validation_rows_score_what_the_best_epoch_scored(cli: Cli) -> None:
    rows = [json.loads(line) for line in Path("runs/toy/metrics.jsonl").read_text().splitlines()]
    best = next(row for row in reversed(rows) if row["is_best"])
    result = evaluate(cli, "--split", "valid")
    assert (result["accuracy"], result["num_rows"]) == (best["valid_accuracy"], 20)
    assert result["macro_f1"] == pytest.approx(best["valid_macro_f1"], rel=1e-12)
    assert result["loss"] == pytest.approx(best["valid_loss"], rel=1e-6)


def test_training_and_validation_rows_add_up_to_all_rows(cli: Cli) -> None:
    train, valid, both = (evaluate(cli, "--split", split)["confusion_matrix"] for split in ("train", "valid", "test"))
    added = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(train, valid, strict=True)]
    assert added == both


def test_another_file_can_be_evaluated(cli: Cli) -> None:
    Path("own.jsonl").write_text('{"label": "sport", "title": "rovers meet oslo", "description": "the crowd waits"}\n')
    result = evaluate(cli, "--data", "own.jsonl")
    assert (result["num_rows"], result["data"]["path"], result["data"]["split"]) == (1, "own.jsonl", None)
    assert [row["support"] for row in result["per_class"]] == [1, 0]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("label,title,description\nsport,a,b\nwether,a,b\n", "own.csv: row 2: unknown label 'wether'"),
        ("label,title\nsport,a\n", "own.csv: no column 'description', found 'label', 'title'"),
        ("label,title,description\n", "own.csv: has no rows"),
    ],
    ids=["label", "column", "rows"],
)
def test_data_that_does_not_fit_the_run_leaves_with_3(cli: Cli, text: str, message: str) -> None:
    Path("own.csv").write_text(text)
    exit_code, stdout, stderr = cli("eval", "--data", "own.csv")
    assert (exit_code, stdout) == (3, "")
    assert stderr.startswith(f"error: {message}")


@pytest.mark.parametrize(
    ("arguments", "name"),
    [
        ([], "eval-test.json"),
        (["--split", "valid"], "eval-valid.json"),
        (["--data", "elsewhere/own.csv"], "eval-file-own.json"),
    ],
    ids=["test", "valid", "own"],
)
def test_the_scores_are_kept_in_the_run(cli: Cli, arguments: list[str], name: str) -> None:
    Path("elsewhere").mkdir()
    Path("elsewhere/own.csv").write_text(Path("toy.csv").read_text())
    result = evaluate(cli, *arguments)
    assert read_json(Path("runs/toy") / name) == result


def test_people_get_figures_with_rows_uncertainty_and_unit(cli: Cli) -> None:
    result = evaluate(cli)
    lines = cli("eval").stdout.splitlines()
    low, high = result["accuracy_interval"]
    assert lines[:4] == [
        "toy on toy.csv: 96 rows",
        f"accuracy  {result['accuracy']:.2%}  (95 % interval {low:.2%} to {high:.2%})",
        f"macro-F1  {result['macro_f1']:.2%}",
        f"loss      {result['loss']:.4f} nats",
    ]


def test_people_get_a_table_of_classes_and_one_of_confusions(cli: Cli) -> None:
    stdout = cli("eval").stdout
    assert "Per class" in stdout
    assert "Confusion matrix" in stdout


def test_nothing_but_results_goes_to_stdout(cli: Cli) -> None:
    assert cli("eval", "--json", "--device", "auto").stdout.count("\n") == 1


def test_a_table_of_many_classes_keeps_its_figures_on_a_narrow_screen(cli: Cli) -> None:
    labels = [f"class-{number:02}" for number in range(30)]
    write_run(Path("wide"), labels=labels, words=["a"])
    Path("wide.csv").write_text("label,title,description\n" + "".join(f"{label},a,b\n" for label in labels * 123))
    stdout = cli("eval", "wide", "--data", "wide.csv").stdout
    # A model sees one text, so it says one class: 123 of each true class stand in that column.
    assert stdout.count(" 123 ") == 30 + 30
    assert "…" not in stdout


def test_a_damaged_run_leaves_with_4_and_names_the_file(cli: Cli) -> None:
    Path("runs/toy/vocab.txt").write_text("<pad>\n<unk>\n")
    exit_code, stdout, stderr = cli("eval")
    assert (exit_code, stdout) == (4, "")
    assert stderr.endswith("runs/toy/vocab.txt: damaged, or not from the run that wrote model.safetensors\n")


def test_split_and_data_together_are_refused(cli: Cli) -> None:
    outcome = cli("eval", "--split", "valid", "--data", "toy.csv")
    assert outcome.exit_code == 2
    assert "give one of them" in outcome.stderr


def test_the_rows_of_a_changed_training_file_are_refused(cli: Cli) -> None:
    path = Path("toy.csv")
    path.write_text(path.read_text(encoding="utf-8").replace("meet", "greet", 1), encoding="utf-8")
    outcome = cli("eval", "--split", "valid")
    assert outcome.exit_code == 3
    assert "has changed since" in outcome.stderr
