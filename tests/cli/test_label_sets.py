"""Commands on a run with several labels a text."""

import json
from pathlib import Path

import pytest

from tests.builders import LABEL_WORDS, train_label_sets
from tests.cli.conftest import Cli

TEXT = "the day was happy angry indeed"


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A left-to-right run on texts whose words say which labels they have."""
    folder = tmp_path_factory.mktemp("labels")
    return str(train_label_sets(folder, "model.bidirectional=false"))


def test_each_label_of_a_text_is_explained(cli: Cli, run: str) -> None:
    rows = cli("explain", "--run", run, "--json", TEXT).stdout.splitlines()
    explanations = list(map(json.loads, rows))
    assert {each["label"] for each in explanations} == {"joy", "anger"}
    for explanation in explanations:
        assert set(explanation["labels"]) == {"joy", "anger"}
        strongest = max(explanation["tokens"], key=lambda each: each["contribution"])
        assert strongest["token"] == LABEL_WORDS[explanation["label"]]
    shown = cli("explain", "--run", run, TEXT).stdout
    assert "Why joy?" in shown
    assert "Why anger?" in shown


def test_any_label_can_be_explained(cli: Cli, run: str) -> None:
    arguments = ("--run", run, "--label", "fear", "--html", "why.html")
    stdout = cli("explain", TEXT, *arguments).stdout
    assert stdout.startswith("Labels: ")
    assert "Why fear?" in stdout
    assert "which is below its threshold" in " ".join(stdout.split())
    assert "Why anger?" not in stdout
    assert "Labels: " in Path("why.html").read_text(encoding="utf-8")


def test_a_row_is_named_with_its_labels(cli: Cli, run: str) -> None:
    data = str(Path(run).with_name("data.jsonl"))
    arguments = ("explain", "--run", run, "--data", data, "--json", "--row")
    found = json.loads(cli(*arguments, "4").stdout.splitlines()[0])
    assert found["true_label"] == "joy, anger"
    found = json.loads(cli(*arguments, "1").stdout.splitlines()[0])
    assert found["true_label"] == "no label"


def test_the_labels_after_each_token_are_shown(cli: Cli, run: str) -> None:
    arguments = ("explain", "--run", run, "--trajectory", TEXT)
    shown = " ".join(cli(*arguments).stdout.split())
    assert "the token after it does not change them" in shown
    found = json.loads(cli(*arguments, "--json").stdout)
    assert found["verdicts"][0] == []
    assert set(found["verdicts"][-1]) == {"joy", "anger"}


def test_a_stream_has_the_labels_so_far(cli: Cli, run: str) -> None:
    stdin = f"{TEXT}\n".encode()
    lines = cli("stream", run, "--json", stdin=stdin).stdout.splitlines()
    predictions = list(map(json.loads, lines))
    assert predictions[0]["labels"] == []
    assert set(predictions[-1]["labels"]) == {"joy", "anger"}
    assert "thresholds" not in predictions[0]
    shown = cli("stream", run, stdin=stdin).stdout.splitlines()
    assert shown[0].split() == ["1", "-", "the"]
    refused = cli("stream", run, "--min-confidence", "0.9", stdin=stdin)
    assert refused.exit_code == 2
    assert "has several labels a text" in refused.stderr


def test_flags_are_compared_by_label(cli: Cli, run: str) -> None:
    found = json.loads(cli("flags", run, "--json").stdout)
    assert {flag["label"] for flag in found["flags"]} <= set(LABEL_WORDS)


def test_gates_of_a_text_are_shown(cli: Cli, run: str) -> None:
    assert cli("gates", "--run", run, TEXT).exit_code == 0


def test_an_exported_file_predicts_sets(cli: Cli, run: str) -> None:
    assert "labels changed" in cli("export", run, "--output", "run.onnx").stdout
    for source in (run, "run.onnx"):
        first, _, _ = cli("predict", "--run", source, TEXT).stdout.partition("\t")
        assert set(first.split("|")) == {"joy", "anger"}
        every = cli("predict", "--run", source, "--threshold", "0", TEXT).stdout
        assert every.count("|") == 4
        top = cli("predict", "--run", source, "--top-k", "1", TEXT).stdout
        assert top.split("\t")[0] in {"joy", "anger"}
