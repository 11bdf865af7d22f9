"""Texts that fit none of the classes, as `predict` and `eval --outside` find them."""

import csv
import json
import re
from pathlib import Path
from typing import Any

import pyarrow.parquet as pa_parquet
import pytest

import rnncls
from rnncls.machine.files import read_json
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.runs.thresholds import SCOPE_RULE
from tests.builders import train_label_sets
from tests.cli.conftest import Cli

KNOWN, UNKNOWN = "rovers meet oslo the crowd waits", "xqzt vlrp"
STRANGE = "waits waits crowd crowd"
NOTE = "fits none of the classes"


@pytest.fixture
def outside(workplace: Path) -> Path:
    """A file of texts of no class, with the text columns of the toy data."""
    path = workplace / "outside.csv"
    rows = f"{UNKNOWN},\n" * 15 + "waits waits,crowd crowd\n" * 5
    path.write_text(f"title,description\n{rows}", encoding="utf-8")
    return path


def remove_threshold(run_path: Path) -> None:
    """Make a run one of an earlier version."""
    file = run_path / "model.safetensors"
    tensors, metadata = load_tensors(file)
    del tensors[SCOPE_RULE]
    save_tensors(file, tensors, metadata)


def predict(cli: Cli, *words: str) -> list[dict[str, Any]]:
    lines = cli("predict", "--run", "runs/toy", "--json", *words).stdout.splitlines()
    return [json.loads(line) for line in lines]


def test_predict_says_which_texts_fit(run_path: Path, cli: Cli) -> None:
    texts = [KNOWN, UNKNOWN, STRANGE]
    known, unknown, strange = predict(cli, *texts)
    assert (known["fits"], unknown["fits"], strange["fits"]) == (True, False, False)
    assert strange["label"] in {"sport", "world"}
    lines = cli("predict", "--run", str(run_path), *texts).stdout.splitlines()
    assert lines[0].endswith(KNOWN)
    assert lines[1].endswith(f"{UNKNOWN}\t(no known word)")
    assert lines[2].endswith(f"{STRANGE}\t({NOTE})")


def test_tables_have_a_column(run_path: Path, cli: Cli) -> None:
    rows = f"fits,title,description\nno,{KNOWN},\nyes,{UNKNOWN},\n"
    Path("texts.csv").write_text(rows)
    source = ["--run", str(run_path), "--input", "texts.csv", "--keep", "fits"]
    for name in ("out.csv", "out.parquet"):
        assert cli("predict", *source, "--output", name).exit_code == 0
    with Path("out.csv").open(newline="") as stream:
        table = list(csv.DictReader(stream))
    assert [row["fits"] for row in table] == ["true", "false"]
    assert [row["input_fits"] for row in table] == ["no", "yes"]
    columns = pa_parquet.read_table("out.parquet").to_pydict()
    assert columns["fits"] == [True, False]


def test_the_texts_that_no_class_fits_are_counted(run_path: Path, cli: Cli) -> None:
    texts = [KNOWN, UNKNOWN, STRANGE, STRANGE]
    options = ["--run", str(run_path), "--output", "out.csv"]
    done = cli("predict", *options, *texts)
    counts = "1 text without a known word, 2 texts that no class fits"
    assert done.stdout == f"out.csv: 4 predictions ({counts})\n"
    done = cli("predict", *options, "--min-confidence", "1", KNOWN, UNKNOWN)
    counts = "2 texts without an answer, 1 text without a known word"
    assert done.stdout == f"out.csv: 2 predictions ({counts})\n"


def test_a_run_of_an_earlier_version_does_not_say_it(run_path: Path, cli: Cli) -> None:
    before = predict(cli, KNOWN, UNKNOWN)
    remove_threshold(run_path)
    after = predict(cli, KNOWN, UNKNOWN)
    for row in before:
        del row["fits"]
    assert after == before
    cli("predict", "--run", str(run_path), UNKNOWN, "--output", "out.csv")
    assert "fits" not in Path("out.csv").read_text()
    assert NOTE not in cli("predict", "--run", str(run_path), STRANGE).stdout


def test_resuming_a_finished_run_adds_the_threshold(run_path: Path, cli: Cli) -> None:
    before = predict(cli, KNOWN, UNKNOWN)
    remove_threshold(run_path)
    assert cli("train", "--resume", "--out", str(run_path)).exit_code == 0
    assert predict(cli, KNOWN, UNKNOWN) == before


def test_the_threshold_keeps_the_validation_texts(run_path: Path, cli: Cli) -> None:
    summary = read_json(run_path / "summary.json")
    assert summary["data"]["num_valid_rows"] == 20  # so one is refused
    texts = f"title,description\n{UNKNOWN},\n"
    Path("outside.csv").write_text(texts)
    command = ["eval", str(run_path), "--split", "valid", "--outside", "outside.csv"]
    result = json.loads(cli(*command, "--json").stdout)["outside"]
    assert result["stored"]["threshold"] == summary["scope_rule"]["threshold"]
    assert result["stored"]["kept"] == 0.95


@pytest.mark.parametrize(
    ("name", "use"),
    [("toy.csv", "training"), ("copy.csv", "training"), ("other.csv", "evaluation")],
)
def test_the_runs_own_texts_are_not_of_no_class(
    run_path: Path, name: str, use: str, cli: Cli
) -> None:
    texts = Path("toy.csv").read_text(encoding="utf-8")
    Path("copy.csv").write_text(texts, encoding="utf-8")
    head, *rows = texts.splitlines(keepends=True)
    Path("other.csv").write_text(head + "".join(rows[::-1]), encoding="utf-8")
    command = ["eval", str(run_path), "--data", "other.csv", "--outside", name]
    message = " ".join(cli(*command).stderr.split())
    assert f"{name}: these are the {use} texts, which belong to the classes" in message


def test_eval_measures_texts_of_no_class(
    run_path: Path, outside: Path, cli: Cli
) -> None:
    command = ["eval", str(run_path), "--outside", str(outside)]
    outcome = cli(*command)
    printed = outcome.stdout
    assert f"{outside}: 20 texts of no class" in " ".join(printed.split())
    assert "these are" not in outcome.stderr
    assert re.search(r"AUROC     [01]\.\d{4}", printed)
    result = json.loads(cli(*command, "--json").stdout)
    values = result["outside"]
    assert (values["num_rows"], values["path"]) == (20, str(outside))
    assert 0.75 <= values["auroc"] <= 1
    low, high = values["auroc_interval"]
    assert low <= values["auroc"] <= high
    assert values["at_95"]["kept"] == pytest.approx(0.95, abs=0.011)
    assert values["at_95"]["recall"] >= 0.75
    assert read_json(run_path / "eval-test.json")["outside"] == values
    assert (
        rnncls.evaluate(run_path, outside=outside)["outside"]["auroc"]
        == (values["auroc"])
    )
    del result["outside"]
    assert json.loads(cli("eval", str(run_path), "--json").stdout) == result


def test_eval_counts_the_labelled_texts_that_fit(run_path: Path, cli: Cli) -> None:
    command = ["eval", str(run_path), "--split", "valid"]  # of 20 texts, one is refused
    fits = json.loads(cli(*command, "--json").stdout)["fits"]
    rule = read_json(run_path / "summary.json")["scope_rule"]
    assert (fits["kept"], fits["threshold"]) == (0.95, rule["threshold"])
    assert fits["unknown_weight"] == rule["unknown_weight"]
    line = (
        "fits      95.00% of these texts fit a class  (95% interval 76.39% to 99.11%)"
    )
    assert line in cli(*command).stdout
    remove_threshold(run_path)
    command = ["eval", str(run_path)]
    assert json.loads(cli(*command, "--json").stdout)["fits"] is None
    assert "fits  " not in cli(*command).stdout


def test_few_texts_of_no_class_have_no_interval(run_path: Path, cli: Cli) -> None:
    Path("few.csv").write_text("title,description\n" + "xqzt vlrp,\n" * 19)
    printed = cli("eval", str(run_path), "--outside", "few.csv").stdout
    assert re.search(r"AUROC     1\.0000$", printed, re.MULTILINE)


def test_the_report_has_what_eval_measured(
    run_path: Path, outside: Path, cli: Cli
) -> None:
    result = json.loads(
        cli("eval", str(run_path), "--outside", str(outside), "--json").stdout
    )
    page = report(run_path, cli)
    scores = result["outside"]
    assert f"{result['fits']['kept']:.2%}" in page
    assert f"{result['fits']['threshold']:.4f}" in page
    assert f"{scores['auroc']:.4f}" in page
    assert f"{scores['stored']['recall']:.2%}" in page
    cli("eval", str(run_path))  # the newest result is that of no such texts
    assert "labelled texts that fit" in report(run_path, cli)
    assert "AUROC" not in report(run_path, cli)
    remove_threshold(run_path)
    assert "fit none of the classes" not in report(run_path, cli)


def report(run_path: Path, cli: Cli) -> str:
    """Return the report of a run."""
    assert cli("report", str(run_path)).exit_code == 0
    return (run_path / "report.html").read_text(encoding="utf-8")


def test_the_model_card_says_from_where_on_a_text_fits(run_path: Path) -> None:
    threshold = read_json(run_path / "summary.json")["scope_rule"]["threshold"]
    card = (run_path / "README.md").read_text(encoding="utf-8")
    assert f"a text fits if its score is at least {threshold:.3f}" in card


def test_eval_says_that_a_run_has_no_threshold(
    run_path: Path, outside: Path, cli: Cli
) -> None:
    remove_threshold(run_path)
    outcome = cli("eval", str(run_path), "--outside", str(outside))
    assert "the run has no threshold" in " ".join(outcome.stdout.split())


@pytest.mark.parametrize(
    ("content", "message"),
    [("title,body\na,b\n", "description"), ("title,description\n", "has no rows")],
)
def test_a_wrong_file_is_an_error(
    content: str, message: str, run_path: Path, cli: Cli
) -> None:
    Path("wrong.csv").write_text(content)
    outcome = cli("eval", str(run_path), "--outside", "wrong.csv")
    assert outcome.exit_code == 3
    assert "wrong.csv" in outcome.stderr
    assert message in outcome.stderr


def test_several_labels_have_no_texts_of_no_class(tmp_path: Path, cli: Cli) -> None:
    run = str(train_label_sets(tmp_path, "train.max_epochs=1"))
    Path("outside.csv").write_text("text\na\n")
    outcome = cli("eval", run, "--outside", "outside.csv")
    assert outcome.exit_code == 2
    assert "--outside: the run has several labels a text" in outcome.stderr
    row = json.loads(cli("predict", "--run", run, "--json", "a b").stdout)
    assert "fits" not in row


def test_a_damaged_threshold_is_an_error(run_path: Path, cli: Cli) -> None:
    file = run_path / "model.safetensors"
    tensors, metadata = load_tensors(file)
    tensors[SCOPE_RULE] = tensors[SCOPE_RULE] * float("nan")
    save_tensors(file, tensors, metadata)
    for command in (["predict", "--run", str(run_path), "a"], ["eval", str(run_path)]):
        outcome = cli(*command)
        assert outcome.exit_code == 4
        assert f"damaged: {SCOPE_RULE}: expected two numbers" in outcome.stderr


def test_a_file_with_other_columns_is_told_to_rename_them(
    run_path: Path, cli: Cli
) -> None:
    Path("others.csv").write_text("body\na great film\n", encoding="utf-8")
    outcome = cli("eval", str(run_path), "--outside", "others.csv")
    assert outcome.exit_code == 3
    message = " ".join(outcome.stderr.split())
    assert "give the columns of the text the names" in message
    assert "--text" not in outcome.stderr
