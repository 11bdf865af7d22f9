"""Commands on a run with several labels a text."""

import csv
import json
from pathlib import Path

import pytest
import torch

import rnncls
from rnncls.cli.gradient import load_first_model
from rnncls.cli.reporting.benchmark import (
    formats,
    latency,
    prediction,
    startup,
    training_step,
)
from rnncls.data.loading import load_training_data
from rnncls.machine.seeds import seed_everything
from rnncls.runs.run import load_run
from rnncls.training.initialization import build_model
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


def test_a_table_of_predictions_joins_labels_as_the_training_data_does(
    cli: Cli, run: str
) -> None:
    names = list(LABEL_WORDS)
    rows = [f"word {number},{';'.join(names[: number % 4])}" for number in range(80)]
    Path("labels.csv").write_text("\n".join(["text,labels", *rows]))
    Path("labels.yaml").write_text(
        "data: {train: labels.csv, text: [text], label: labels, label_separator: ;}\n"
        "model: {task: several_labels, embedding_dim: 4, hidden_size: 4}\n"
        "train: {max_epochs: 1, monitor: micro_f1}\n"
    )
    assert cli("train", "--config", "labels.yaml", "--out", "own").exit_code == 0
    for run_path, separator in (("own", ";"), (run, "|")):
        arguments = ("--run", run_path, "--threshold", "0", "--output", "out.csv")
        assert cli("predict", TEXT, *arguments).exit_code == 0
        with Path("out.csv").open(encoding="utf-8", newline="") as stream:
            (row,) = csv.DictReader(stream)
        assert row["labels"] == separator.join(sorted(names))


def test_a_text_whose_labels_are_not_certain_has_no_answer(cli: Cli, run: str) -> None:
    cli("export", run, "--output", "run.onnx")
    for source in (run, "run.onnx"):
        arguments = ("predict", "--run", source, TEXT, "--min-confidence")
        sure = json.loads(cli(*arguments, "0.01", "--json").stdout)
        assert set(sure["labels"]) == {"joy", "anger"}
        assert sure["label"] in {"joy", "anger"}
        probs = sure["probs"]
        product = probs["joy"] * probs["anger"] * (1 - probs["fear"])
        assert sure["confidence"] == pytest.approx(product)
        unsure = json.loads(cli(*arguments, "1", "--json").stdout)
        assert (unsure["label"], unsure["labels"]) == (None, None)
        assert unsure["probs"] == probs
        labels, shown, text, note = cli(*arguments, "1").stdout.split("\t")
        assert (labels, shown, text) == ("", "", TEXT)
        assert note.startswith("(no answer: the confidence is ")


def test_a_table_leaves_labels_that_are_not_certain_empty(cli: Cli, run: str) -> None:
    from pyarrow import parquet

    arguments = ("predict", "--run", run, TEXT, "--min-confidence", "1", "--output")
    cli(*arguments, "out.csv")
    with Path("out.csv").open(encoding="utf-8", newline="") as stream:
        (row,) = csv.DictReader(stream)
    assert (row["label"], row["labels"]) == ("", "")
    cli(*arguments, "out.parquet")
    (row,) = parquet.read_table("out.parquet").to_pylist()
    assert (row["label"], row["labels"]) == (None, None)


def test_a_kept_column_does_not_replace_the_confidence(cli: Cli, run: str) -> None:
    Path("in.csv").write_text(f"text,confidence\n{TEXT},high\n", encoding="utf-8")
    arguments = ("--input", "in.csv", "--keep", "confidence", "--json")
    found = json.loads(cli("predict", "--run", run, *arguments).stdout)
    assert 0 < found["confidence"] < 1
    assert found["input_confidence"] == "high"


def test_python_predicts_the_labels_whatever_the_confidence(run: str) -> None:
    classifier = rnncls.load(run, min_confidence=1.0)
    assert classifier(TEXT).answer is None
    assert classifier.predict(TEXT).tolist() == rnncls.load(run).predict(TEXT).tolist()


def test_control_characters_of_labels_are_escaped(cli: Cli) -> None:
    labels = ["jo\x1b[31my", "an\u202eger", "fe\nar\x07"]
    flags = [
        [int(number % divisor == 0) for divisor in (2, 3, 5)] for number in range(60)
    ]
    with Path("own.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["text", *labels])
        writer.writerows([[f"word {number}", *row] for number, row in enumerate(flags)])
    changes = ("train.max_epochs=1", "model.ngrams=null", "text.vectors=null")
    options = [part for change in changes for part in ("--set", change)]
    text = "word 1"
    commands = (
        ("init", "own.csv"),
        ("inspect", "own.yaml"),
        ("train", "--config", "own.yaml", "--out", "own", *options),
        ("eval", "own"),
        ("explain", "--run", "own", text),
        ("predict", "--run", "own", "--threshold", "0", text),
    )
    for command in commands:
        outcome = cli(*command)
        assert outcome.exit_code == 0
        shown = outcome.stdout + outcome.stderr
        assert not set(shown) & set("\x1b\x07\u202e")
    assert "jo\\x1b[31my" in shown
    found = json.loads(cli("predict", "--run", "own", "--json", text).stdout)
    assert set(found["probs"]) == set(labels)
    refused = cli("explain", "--run", "own", "--label", "\x1b[31m", text)
    assert refused.exit_code == 2
    assert not set(refused.stderr) & set("\x1b\x07\u202e")


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
    assert "the run has several labels a text" in refused.stderr


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


@pytest.mark.parametrize("name", ["train", "predict", "startup"])
def test_the_speed_of_a_config_is_measured(
    cli: Cli, run: str, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setattr(prediction, "TEXTS_PER_PAIR", 200)
    monkeypatch.setattr(prediction, "MIN_TOKENS", 1000)
    monkeypatch.setattr(training_step, "NUM_PAIRS", 2)
    monkeypatch.setattr(training_step, "STEPS_PER_PAIR", 2)
    monkeypatch.setattr(training_step, "VOCAB_SIZE", 50)
    monkeypatch.setattr(startup, "_run", lambda command: len(command) / 10)
    outcome = cli("benchmark", name, "--config", f"{run}/config.yaml", "--json")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    key = "predict_ratio" if name == "startup" else "ratio"
    assert json.loads(outcome.stdout)[key] > 0


def test_formats_are_scored_by_their_sets(
    cli: Cli, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(formats, "NUM_PASSES", 1)
    monkeypatch.setattr(latency, "NUM_TIMED", 5)
    monkeypatch.setattr(formats, "_time_start", lambda command: len(command) / 10)
    outcome = cli("benchmark", "formats", run, "--json")
    assert (outcome.exit_code, outcome.stderr) == (0, "")
    result = json.loads(outcome.stdout)
    expected = json.loads(cli("eval", run, "--json").stdout)
    rows = {row["format"]: row for row in result["formats"]}
    for name in ("torch", "numpy", "onnx float32"):
        assert rows[name]["num_changed"] == 0
        assert rows[name]["accuracy"] == expected["subset_accuracy"]
        assert rows[name]["micro_f1"] == pytest.approx(expected["micro_f1"])
        assert rows[name]["macro_f1"] == pytest.approx(expected["macro_f1"])
    header = [str(column.header) for column in formats.tabulate_formats(result).columns]
    assert header[-2:] == ["micro-F1", "macro-F1"]


def test_padding_and_batches_change_no_set(cli: Cli, run: str) -> None:
    outcome = cli("check", run, "--texts", "20", "--json")
    assert outcome.exit_code == 0
    found = json.loads(outcome.stdout)
    assert found["holds"]
    assert all(check["num_relabelled"] == 0 for check in found["checks"])
    Path("in.txt").write_text(f"{TEXT}\n", encoding="utf-8")
    assert cli("check", run, "--input", "in.txt").exit_code == 0


def test_the_scores_after_all_tokens_are_those_of_eval(cli: Cli, run: str) -> None:
    expected = json.loads(cli("eval", run, "--json").stdout)
    found = json.loads(cli("anytime", run, "--json").stdout)
    first, last = found["points"][0], found["points"][-1]
    assert last["accuracy"] == expected["subset_accuracy"]
    assert last["micro_f1"] == pytest.approx(expected["micro_f1"])
    assert last["macro_f1"] == pytest.approx(expected["macro_f1"])
    assert first["micro_f1"] < last["micro_f1"]
    assert found["meaning"].startswith("The micro-F1 is ")
    outcome = cli("anytime", run, "--plot", "anytime.png")
    assert "micro-F1" in outcome.stdout
    assert Path("anytime.png").exists()


def test_gradients_are_those_of_the_binary_losses(cli: Cli, run: str) -> None:
    found = json.loads(cli("gradient", run, "--json").stdout)
    weights = [network["weights"] for network in found["networks"]]
    assert weights == ["first", "trained"]
    config = ("--cells", "rnn", "--config", f"{run}/config.yaml")
    (fresh,) = json.loads(cli("gradient", *config, "--json").stdout)["networks"]
    assert fresh["shares"][0] == 1.0
    assert fresh["norms"][0] > 0


def test_the_first_weights_start_from_the_frequencies_of_the_labels(run: str) -> None:
    loaded = load_run(Path(run))
    config = loaded.config
    data = load_training_data(config.data_settings)
    seed_everything(config.seed)
    expected = build_model(config.model, config.text.vectors, data).state_dict()
    found = load_first_model(loaded).state_dict()
    assert all(torch.equal(found[name], weight) for name, weight in expected.items())


def test_regularised_training_learns_the_sets(tmp_path: Path) -> None:
    run = train_label_sets(
        tmp_path,
        *("train.r_drop=1.0", "train.virtual_adversarial=0.5", "model.dropout=0.3"),
    )
    rows = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(rows[-1])["valid_micro_f1"] > 0.9


def test_sets_do_not_depend_on_the_order_of_the_words(cli: Cli, run: str) -> None:
    expected = json.loads(cli("eval", run, "--json").stdout)
    changes = ("--set", "train.max_epochs=30", "--set", "train.lr=0.1")
    found = json.loads(cli("order", run, *changes, "--json").stdout)
    readings = {reading["name"]: reading for reading in found["readings"]}
    assert readings["as written"]["accuracy"] == expected["subset_accuracy"]
    # The words name the labels, in any order: thresholds of 0.5 would miss some.
    assert readings["bag of words"]["accuracy"] > 0.8
    bag = load_run(Path(run) / "bag-of-words")
    assert bag.classifier.thresholds != [0.5] * 3


def test_runs_are_compared_by_the_f1_of_their_sets(
    cli: Cli, run: str, tmp_path: Path
) -> None:
    other = str(train_label_sets(tmp_path, "model.ngrams=null", "train.max_epochs=2"))
    arguments = ("compare", other, run, "--data", str(tmp_path / "data.jsonl"))
    found = json.loads(cli(*arguments, "--json").stdout)
    (difference,) = found["differences"]
    baseline, compared = [each["scores"] for each in found["contenders"]]
    for score in ("micro_f1", "macro_f1"):
        expected = compared[score] - baseline[score]
        assert difference[score]["difference"] == pytest.approx(expected)
    num_gained = difference["gained"] - difference["lost"]
    accuracy = baseline["subset_accuracy"] + num_gained / baseline["num_rows"]
    assert compared["subset_accuracy"] == pytest.approx(accuracy)
    for row in found["disagreements"]:
        is_right = [predicted == row["labels"] for predicted in row["predicted"]]
        assert len(set(is_right)) == 2

    stdout = cli(*arguments, "--html", "page.html").stdout
    first = found["disagreements"][0]
    assert first["text"] in stdout
    words = " ".join(stdout.split())
    assert f"only this run gets all labels of {difference['gained']} rows" in words
    assert f"only the first one those of {difference['lost']} rows" in words
    assert first["text"] in Path("page.html").read_text(encoding="utf-8")


def test_cross_validation_scores_the_sets(cli: Cli, run: str) -> None:
    arguments = ("--folds", "2", "--set", "train.max_epochs=1", "--out", "folds")
    exit_code, stdout, _ = cli("crossval", "--config", f"{run}/config.yaml", *arguments)
    assert exit_code == 0
    saved = json.loads(Path("folds/crossval.json").read_text(encoding="utf-8"))
    assert f"micro-F1          {saved['micro_f1']:.2%}" in stdout
