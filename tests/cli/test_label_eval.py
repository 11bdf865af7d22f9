"""`rnncls eval` and `report` on a run with several labels a text."""

import json
from pathlib import Path
from typing import Any

import pytest
from sklearn.metrics import f1_score, hamming_loss
from sklearn.preprocessing import MultiLabelBinarizer

import rnncls
from tests.builders import LABEL_WORDS, train_label_sets
from tests.cli.conftest import Cli

ROWS: list[tuple[str, list[str]]] = [
    ("the day was happy indeed", ["joy"]),
    ("the day was happy angry indeed", ["anger", "joy"]),
    ("the day was afraid indeed", ["Fear", "fear"]),
    ("the day was angry indeed", ["anger", "pride"]),
    ("the day was indeed", []),
    ("the day was indeed afraid", ["Fear"]),
]
"""Texts with their labels; the run does not know Fear and pride."""
KNOWN = [0, 1, 4]
"""The rows without an unknown label."""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A run on texts whose words say which labels they have."""
    return str(train_label_sets(tmp_path_factory.mktemp("labels")))


@pytest.fixture
def data() -> str:
    """A file with labels that the run does not know."""
    lines = [json.dumps({"text": text, "labels": labels}) for text, labels in ROWS]
    Path("own.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return "own.jsonl"


def evaluate(cli: Cli, run: str, data: str, treatment: str) -> dict[str, Any]:
    arguments = ("--data", data, "--unknown-labels", treatment)
    outcome = cli("eval", run, *arguments, "--json")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    values: dict[str, Any] = json.loads(outcome.stdout)
    return values


def predict(run: str) -> list[list[str]]:
    """Return the labels that the run predicts for each row."""
    classifier = rnncls.load(run)
    return [classifier(text).labels for text, _ in ROWS]


def test_unknown_labels_are_an_error_that_lists_them(
    cli: Cli, run: str, data: str
) -> None:
    outcome = cli("eval", run, "--data", data)
    assert outcome.exit_code == 3
    assert "row 3: unknown label 'Fear': expected one of 'anger'," in outcome.stderr
    assert "'Fear' (2 rows, first row 3, similar to 'fear')" in outcome.stderr
    assert "'pride' (1 row, first row 4)" in outcome.stderr
    assert "--unknown-labels skip or wrong" in outcome.stderr


def test_rows_with_an_unknown_label_can_be_skipped(
    cli: Cli, run: str, data: str
) -> None:
    found = evaluate(cli, run, data, "skip")
    lines = Path(data).read_text(encoding="utf-8").splitlines()
    known = "\n".join(lines[row] for row in KNOWN)
    Path("known.jsonl").write_text(known, encoding="utf-8")
    expected = evaluate(cli, run, "known.jsonl", "error")
    assert found["num_rows"] == 3
    assert [each["label"] for each in found["data"]["unknown_labels"]] == [
        "Fear",
        "pride",
    ]
    for key in ("micro_f1", "macro_f1", "hamming_loss", "loss", "per_label"):
        assert found[key] == expected[key], key
    stdout = cli("eval", run, "--data", data, "--unknown-labels", "skip").stdout
    assert "unknown labels, skipped: 'Fear' (2 rows" in stdout


def test_unknown_labels_can_count_as_missed(cli: Cli, run: str, data: str) -> None:
    found = evaluate(cli, run, data, "wrong")
    names = [*sorted(LABEL_WORDS), "Fear", "pride"]
    binarizer = MultiLabelBinarizer(classes=names)
    true = binarizer.fit_transform([labels for _, labels in ROWS])
    predicted = binarizer.transform(predict(run))
    for average in ("micro", "macro", "weighted"):
        expected = f1_score(true, predicted, average=average, zero_division=0.0)
        assert found[f"{average}_f1"] == pytest.approx(expected)
    assert found["hamming_loss"] == pytest.approx(hamming_loss(true, predicted))
    assert found["subset_accuracy"] == (true == predicted).all(axis=1).mean() == 0.5
    assert [row["label"] for row in found["per_label"]] == names
    assert found["per_label"][-2]["support"] == 2
    assert found["per_label"][-2]["threshold"] is None
    stdout = cli("eval", run, "--data", data, "--unknown-labels", "wrong").stdout
    assert "unknown labels, counted as wrong" in stdout
    assert ", those with the highest probability first (eval-*.json" in stdout


def test_the_report_counts_unknown_labels(cli: Cli, run: str, data: str) -> None:
    arguments = ("--data", data, "--unknown-labels", "wrong", "--output", "page.html")
    assert cli("report", run, *arguments).exit_code == 0
    page = Path("page.html").read_text(encoding="utf-8")
    assert "unknown labels, counted as wrong" in page
    assert "pride" in page


@pytest.mark.parametrize("treatment", ["skip", "wrong"])
def test_python_treats_unknown_labels_as_the_command_does(
    cli: Cli, run: str, data: str, treatment: Any
) -> None:
    expected = evaluate(cli, run, data, treatment)
    found = rnncls.evaluate(run, data=data, unknown_labels=treatment)
    assert found == expected


def test_a_file_without_a_row_to_score_is_an_error(cli: Cli, run: str) -> None:
    Path("own.jsonl").write_text('{"text": "a", "labels": ["x", "joy"]}\n')
    arguments = ("eval", run, "--data", "own.jsonl", "--unknown-labels")
    outcome = cli(*arguments, "skip")
    assert outcome.exit_code == 3
    assert "every row has an unknown label" in outcome.stderr
    assert cli(*arguments, "wrong").exit_code == 0
    Path("own.jsonl").write_text('{"text": "a", "labels": ["x"]}\n')
    for treatment in ("skip", "wrong"):
        outcome = cli(*arguments, treatment)
        assert outcome.exit_code == 3
        assert "no row has a known label" in outcome.stderr
