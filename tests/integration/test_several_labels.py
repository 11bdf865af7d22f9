"""Several labels a text: init, train, eval, predict; other commands refuse."""

import json
from pathlib import Path

import pytest

import rnncls
from rnncls import ConfigError
from rnncls.cli.init import init_config
from rnncls.config.loading import load_config
from rnncls.data.conversion import ConversionOptions
from rnncls.evaluation.label_evaluation import evaluate_label_sets_of_run
from rnncls.runs.portable import load_portable
from rnncls.runs.run import load_run
from rnncls.training.run import train

WORDS = {"joy": "happy", "anger": "angry", "fear": "afraid"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a run on texts whose words say which labels they have."""
    folder = tmp_path_factory.mktemp("several")
    lines = []
    for number in range(320):
        names = [name for bit, name in enumerate(WORDS) if number >> bit & 1]
        words = " ".join(WORDS[name] for name in names)
        text = f"the day {number % 7} was {words} indeed"
        lines.append(json.dumps({"text": text, "labels": names}))
    (folder / "data.jsonl").write_text("\n".join(lines))
    out = folder / "data.yaml"
    source = str(folder / "data.jsonl")
    init_config(source, out, [], None, ConversionOptions())
    sets = [
        "model.hidden_size=8",
        "train.max_epochs=8",
        "train.lr=0.02",
        "data.split=rows",
    ]
    config = load_config(out, [*sets, "train.monitor=micro_f1"])
    assert config.model.task == "several_labels"
    train(config, folder / "run", becomes_latest=False)
    return folder / "run"


def test_the_run_learns_each_label(run: Path) -> None:
    scores = evaluate_label_sets_of_run(run, split="test").scores
    assert scores.micro_f1 > 0.9
    assert scores.num_rows_without_labels > 0


def test_a_prediction_has_the_labels_that_reach_their_threshold(run: Path) -> None:
    prediction = rnncls.load(run)("the day was happy angry indeed")
    thresholds = prediction.thresholds
    assert thresholds is not None
    reached = {n for n, prob in prediction.probs.items() if prob >= thresholds[n]}
    assert set(prediction.labels) == reached == {"joy", "anger"}
    assert prediction.label == prediction.labels[0]


def test_the_thresholds_are_stored_with_the_weights(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    classifier = load_run(run, may_have_several_labels=True).classifier
    assert classifier.thresholds is not None
    assert list(summary["thresholds"].values()) == classifier.thresholds
    assert summary["valid"]["micro_f1"] > 0.9


def test_what_supports_one_label_refuses_the_run(run: Path) -> None:
    for load in (load_run, load_portable):
        with pytest.raises(ConfigError, match="has several labels a text"):
            load(run)
