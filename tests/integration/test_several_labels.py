"""Several labels a text, from `init` to evaluation and tuning."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import rnncls
from rnncls import ConfigError
from rnncls.cli.init import init_config
from rnncls.config.loading import load_config
from rnncls.config.sections import Config
from rnncls.data.conversion import ConversionOptions
from rnncls.evaluation.compared_runs import evaluate_runs
from rnncls.evaluation.label_bootstrap import compute_f1
from rnncls.evaluation.label_comparison import compare_label_runs
from rnncls.evaluation.label_evaluation import summarize_labels
from rnncls.evaluation.run_evaluation import Evaluation, evaluate_run
from rnncls.inference.light.ngrams import compute_ngram_logits
from rnncls.machine.tensors import load_tensors
from rnncls.runs.folder import RunFolder
from rnncls.runs.run import load_run
from rnncls.text.ngram_table import NgramTable, unpack_table
from rnncls.training.cross_validation import cross_validate
from rnncls.training.cross_validation_files import predictions_csv, scores_json
from rnncls.training.label_issues import find_label_issues
from rnncls.training.run import train

WORDS = {"joy": "happy", "anger": "angry", "fear": "afraid"}
SETS = [
    "model.hidden_size=8",
    "train.max_epochs=8",
    "train.lr=0.02",
    "data.split=rows",
    "train.monitor=micro_f1",
]


def write_rows(path: Path, num_wrong: int = 0) -> None:
    """Write texts whose words say which labels they have, but for the first rows."""
    lines = []
    for number in range(320):
        names = [name for bit, name in enumerate(WORDS) if number >> bit & 1]
        words = " ".join(WORDS[name] for name in names)
        text = f"the day {number % 7} was {words} indeed"
        if number < num_wrong:
            names = [name for name in WORDS if name not in names]
        lines.append(json.dumps({"text": text, "labels": names}))
    path.write_text("\n".join(lines))


def draft(folder: Path, *sets: str, num_wrong: int = 0) -> Config:
    """Return the config that `init` writes for such texts."""
    write_rows(folder / "data.jsonl", num_wrong)
    out = folder / "data.yaml"
    init_config(str(folder / "data.jsonl"), out, [], None, ConversionOptions())
    return load_config(out, [*SETS, *sets])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("several")


@pytest.fixture(scope="module")
def config(folder: Path) -> Config:
    config = draft(folder)
    assert config.model.task == "several_labels"
    return config


@pytest.fixture(scope="module")
def run(config: Config, folder: Path) -> Path:
    """Return a run on texts whose words say which labels they have."""
    train(config, folder / "run", becomes_latest=False)
    return folder / "run"


@pytest.fixture(scope="module")
def evaluation(run: Path) -> Evaluation:
    return evaluate_run(load_run(run))


def test_the_run_learns_each_label(evaluation: Evaluation) -> None:
    scores = summarize_labels(evaluation).scores
    assert scores.micro_f1 > 0.9
    assert scores.num_rows_without_labels > 0


def test_a_program_gets_the_same_scores(run: Path, evaluation: Evaluation) -> None:
    expected = summarize_labels(evaluation).to_dict()
    assert rnncls.evaluate(run) == expected


def test_runs_of_different_tasks_are_not_compared(run: Path, toy_run: Path) -> None:
    with pytest.raises(ConfigError, match=r"its model\.task is one_label"):
        evaluate_runs([run, toy_run])


def test_a_prediction_has_the_labels_that_reach_their_threshold(run: Path) -> None:
    prediction = rnncls.load(run)("the day was happy angry indeed")
    thresholds = prediction.thresholds
    assert thresholds is not None
    reached = {n for n, prob in prediction.probs.items() if prob >= thresholds[n]}
    assert set(prediction.labels) == reached == {"joy", "anger"}
    assert prediction.label == prediction.labels[0]


def test_the_thresholds_are_stored_with_the_weights(run: Path) -> None:
    summary = json.loads((run / "summary.json").read_text())
    classifier = load_run(run).classifier
    assert classifier.thresholds is not None
    assert list(summary["thresholds"].values()) == classifier.thresholds
    assert summary["valid"]["micro_f1"] > 0.9


def test_the_ngrams_are_a_part_of_the_run(run: Path, evaluation: Evaluation) -> None:
    summary = json.loads((run / "summary.json").read_text())
    names = [part["name"] for part in summary["ngrams"]["valid"]]
    assert names == ["network", "n-grams", "together"]
    result = summarize_labels(evaluation)
    assert [part.name for part in result.parts] == names
    assert result.parts[1].micro_f1 > 0.9


def _load_table(evaluation: Evaluation) -> NgramTable:
    tensors, _ = load_tensors(RunFolder(evaluation.run.path).model)
    arrays = {name: tensor.numpy() for name, tensor in tensors.items()}
    return unpack_table(arrays)


def test_the_ngrams_are_the_same_in_numpy(evaluation: Evaluation) -> None:
    ngrams = evaluation.run.classifier.model.ngrams
    assert ngrams is not None
    assert evaluation.parts is not None
    found = compute_ngram_logits(_load_table(evaluation), evaluation.split.texts)
    expected = evaluation.parts.ngrams.numpy() * ngrams.scale
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_ngrams_alone_learn_each_label(folder: Path, config: Config) -> None:
    model = config.model.replace(ngrams="alone")
    train(config.replace(model=model), folder / "alone", becomes_latest=False)
    run = load_run(folder / "alone")
    found = evaluate_run(run)
    result = summarize_labels(found)
    assert result.parts == []
    assert result.scores.micro_f1 > 0.9


def test_runs_are_compared_by_their_f1(run: Path, config: Config, folder: Path) -> None:
    plain = config.replace(model=config.model.replace(ngrams=None))
    few = plain.replace(train=plain.train.replace(max_epochs=1))
    train(few, folder / "few", becomes_latest=False)
    paths = [folder / "few", run]
    evaluations = evaluate_runs(paths)
    comparison = compare_label_runs(paths, evaluations, None)
    first, second = comparison.contenders
    (difference,) = comparison.differences
    assert difference.micro_f1.difference == pytest.approx(
        second.scores.micro_f1 - first.scores.micro_f1
    )
    assert difference.gained - difference.lost == round(
        second.scores.num_rows
        * (second.scores.subset_accuracy - first.scores.subset_accuracy)
    )
    assert comparison.settings["train.max_epochs"] == [1, 8]
    assert comparison.num_disagreements == difference.gained + difference.lost


def test_cross_validation_scores_each_row(config: Config) -> None:
    found = cross_validate(config, 2)
    assert found.label_scores().micro_f1 > 0.9
    assert found.labels.shape == found.thresholds().shape
    predicted = found.probs() >= found.thresholds()
    scores = scores_json(found)
    micro_f1, macro_f1 = compute_f1(found.labels.astype(bool), predicted)
    assert scores["micro_f1"] == pytest.approx(micro_f1)
    assert scores["macro_f1"] == pytest.approx(macro_f1)
    assert set(scores["spread"]) == {"accuracy", "micro_f1", "macro_f1", "loss"}
    rows = list(csv.DictReader(predictions_csv(found).splitlines()))
    assert len(rows) == len(found.rows)
    names = [set(filter(None, row["label"].split("|"))) for row in rows]
    assert [len(row) for row in names] == found.labels.sum(axis=1).tolist()


@pytest.mark.slow
def test_wrong_label_sets_are_found(tmp_path: Path) -> None:
    pytest.importorskip("cleanlab")
    issues = find_label_issues(draft(tmp_path, num_wrong=6), num_folds=3).issues
    found = {issue.row for issue in issues[:6]}
    assert len(found & set(range(1, 7))) >= 3
    assert all(0 <= issue.prob <= 1 for issue in issues)


def test_micro_f1_cannot_be_searched_for_one_label(
    make_config: Callable[..., Config], tmp_path: Path
) -> None:
    study = pytest.importorskip("rnncls.training.study")
    from rnncls.training.trials import Budget
    from rnncls.training.tuning import tune

    goal = study.Goal("micro_f1")
    with pytest.raises(ConfigError, match="micro_f1 is for"):
        tune(make_config(), tmp_path / "search", goal, Budget(1))


def test_a_search_maximises_micro_f1(config: Config, tmp_path: Path) -> None:
    study = pytest.importorskip("rnncls.training.study")
    from rnncls.training.trials import Budget
    from rnncls.training.tuning import tune

    short = config.replace(train=config.train.replace(max_epochs=2))
    goal = study.Goal("micro_f1")
    result = tune(short, tmp_path / "search", goal, Budget(2))
    scores = [trial["scores"]["micro_f1"] for trial in result["trials"]]
    assert result["best"]["scores"]["micro_f1"] == max(scores)
