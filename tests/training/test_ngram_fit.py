"""The n-gram part of a run: fitted at its end, saved with it, added to its logits."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncls import DataError, RunError
from rnncls.cli.reporting.comparison_report import comparison_tables
from rnncls.cli.train import describe_parts
from rnncls.config.sections import Config, TrainSection
from rnncls.data.loading import load_training_data
from rnncls.evaluation.comparison import compare_runs
from rnncls.evaluation.evaluator import compute_part_logits
from rnncls.evaluation.run_evaluation import evaluate_run
from rnncls.inference.insight.explanation import explain
from rnncls.machine.files import read_json, write_json
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.runs.folder import RunFolder
from rnncls.runs.run import load_run, load_uncalibrated
from rnncls.training.cross_validation import cross_validate
from rnncls.training.ngram_fit import fit_ngrams
from rnncls.training.run import train
from tests.builders import RESUME

MakeConfig = Callable[..., Config]


@pytest.fixture
def run(make_config: MakeConfig, tmp_path: Path) -> Path:
    path = tmp_path / "run"
    train(make_config("model.ngrams=auto", "train.max_epochs=1"), path)
    return path


def test_the_logits_of_a_run_are_those_of_both_parts(run: Path) -> None:
    evaluation = evaluate_run(run)
    model = load_run(run).classifier.model
    parts = compute_part_logits(model, evaluation.split.texts)
    assert model.ngrams is not None
    expected = parts.network + model.ngrams.scale * parts.ngrams
    assert torch.equal(evaluation.logits, expected)
    names = [part.name for part in evaluation.part_scores()]
    assert names == ["network", "n-grams", "together"]


def test_the_summary_says_what_each_part_brings(run: Path) -> None:
    summary = read_json(RunFolder(run).summary)["ngrams"]
    assert [part["name"] for part in summary["valid"]] == [
        "network",
        "n-grams",
        "together",
    ]
    assert summary["num_ngrams"] > 0
    assert 0 < summary["num_bytes"] < 2e6


def test_the_network_is_that_of_a_run_without_ngrams(
    make_config: MakeConfig, tmp_path: Path, run: Path
) -> None:
    train(make_config("train.max_epochs=1"), tmp_path / "plain")
    own = load_uncalibrated(run).classifier.model.state_dict()
    other = load_uncalibrated(tmp_path / "plain").classifier.model.state_dict()
    assert all(torch.equal(own[name], other[name]) for name in other)


def test_a_resumed_run_has_the_same_ngrams(make_config: MakeConfig, run: Path) -> None:
    before, _ = load_tensors(RunFolder(run).model)
    train(make_config("model.ngrams=auto", "train.max_epochs=1"), run, RESUME)
    after, _ = load_tensors(RunFolder(run).model)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_ngrams_alone_are_a_linear_classifier(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    train(make_config("model.ngrams=alone"), tmp_path / "linear")
    loaded = load_run(tmp_path / "linear")
    model = loaded.classifier.model
    assert loaded.config.model.cell == "none"
    assert model.ngrams is not None
    evaluation = evaluate_run(tmp_path / "linear")
    texts = evaluation.split.texts
    expected = compute_part_logits(model, texts).ngrams * model.ngrams.scale
    assert torch.equal(evaluation.logits, expected)
    assert evaluation.part_scores() == []
    calibration = evaluation.calibration()
    assert calibration.temperature == 1 / model.ngrams.scale != 1
    assert calibration.raw_loss != evaluation.scores().loss


def test_damaged_ngrams_are_rejected(run: Path) -> None:
    file = RunFolder(run).model
    tensors, metadata = load_tensors(file)
    del tensors["ngrams.keys"]
    save_tensors(file, tensors, metadata)
    with pytest.raises(RunError, match=r"ngrams\.keys is missing"):
        load_run(run)


def test_ngrams_of_other_classes_are_rejected(run: Path) -> None:
    file = RunFolder(run).model
    tensors, metadata = load_tensors(file)
    tensors["ngrams.bias"] = torch.zeros(7)
    save_tensors(file, tensors, metadata)
    with pytest.raises(RunError, match="7 classes"):
        load_run(run)


def test_a_number_is_the_length_of_the_longest_ngrams(make_config: MakeConfig) -> None:
    data = load_training_data(make_config().data_settings)
    sizes = [
        len(fit_ngrams(data, size, TrainSection()).build(len(data.vocab)).keys)
        for size in (1, 2, 3)
    ]
    assert sizes[0] < sizes[1] < sizes[2]
    assert sizes[0] <= len(data.vocab) - 1


def test_the_fit_is_repeatable(make_config: MakeConfig) -> None:
    data = load_training_data(make_config().data_settings)
    first, second = (fit_ngrams(data, None, TrainSection()).arrays for _ in range(2))
    assert all(np.array_equal(first[name], second[name]) for name in first)


def test_training_rows_without_a_known_word_are_an_error(
    make_config: MakeConfig,
) -> None:
    config = make_config("text.min_freq=1000000")
    data = load_training_data(config.data_settings)
    with pytest.raises(DataError, match=r"lower text\.min_freq, or set model\.ngrams"):
        fit_ngrams(data, None, config.train)


def test_the_contributions_of_a_token_include_its_ngrams(run: Path) -> None:
    classifier = load_run(run).classifier
    explanation = explain(classifier, "the crowd will meet in oslo")
    ngrams = [token.ngrams for token in explanation.tokens]
    assert any(ngrams)
    contributions = sum(token.contribution for token in explanation.tokens)
    assert contributions == pytest.approx(explanation.difference, abs=0.02)
    assert explanation.is_complete


def test_an_explanation_of_ngrams_alone_is_exact(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    train(make_config("model.ngrams=alone"), tmp_path / "linear")
    classifier = load_run(tmp_path / "linear").classifier
    explanation = explain(classifier, "the crowd will meet in oslo")
    assert explanation.residual == pytest.approx(0, abs=1e-5)
    shares = [token.ngrams for token in explanation.tokens]
    assert [token.contribution for token in explanation.tokens] == shares


def test_the_validation_scores_are_those_of_the_classifier(run: Path) -> None:
    summary = read_json(RunFolder(run).summary)
    together = summary["ngrams"]["valid"][2]
    assert summary["valid"]["accuracy"] == together["accuracy"]
    lines = describe_parts(summary)
    assert [line.split()[0] for line in lines] == ["network", "n-grams", "together"]


def test_cross_validation_scores_the_classifier_with_its_ngrams(
    make_config: MakeConfig,
) -> None:
    overrides = ["train.max_epochs=1", "train.lr=1e-9"]
    plain = cross_validate(make_config(*overrides), 2)
    both = cross_validate(make_config(*overrides, "model.ngrams=auto"), 2)
    accuracies = [
        (found.logits.argmax(1) == found.labels).mean() for found in (plain, both)
    ]
    assert accuracies[1] > accuracies[0]


def test_a_comparison_has_the_parts_of_each_run(
    make_config: MakeConfig, tmp_path: Path, run: Path
) -> None:
    train(make_config("train.max_epochs=1"), tmp_path / "plain")
    comparison = compare_runs([tmp_path / "plain", run])
    plain, both = comparison.contenders
    assert plain.parts == []
    assert [part.name for part in both.parts] == ["network", "n-grams", "together"]
    assert both.parts[2].accuracy == both.scores.accuracy
    titles = [str(table.title) for table in comparison_tables(comparison)]
    assert titles[-1] == "run: The network, the n-grams, and both together"


@pytest.mark.parametrize("changes", [[], ["train.class_weights=balanced"]])
def test_classes_that_are_more_frequent_in_validation_are_predicted_more_often(
    make_config: MakeConfig, toy_csv: Path, changes: list[str]
) -> None:
    header, *lines = toy_csv.read_text(encoding="utf-8").splitlines()
    world = [line for line in lines if line.startswith("world")]
    sport = [line for line in lines if line.startswith("sport")]
    valid = "\n".join([header, *world[:30], *sport[:3]])
    Path("valid.csv").write_text(valid, encoding="utf-8")
    config = make_config(
        "model.ngrams=auto", "train.max_epochs=1", "data.valid=valid.csv", *changes
    )
    train(config, Path("shifted"))
    arrays, _ = load_tensors(RunFolder(Path("shifted")).model)
    data = load_training_data(config.data_settings)
    fitted = fit_ngrams(data, None, config.train).arrays["ngrams.bias"]
    difference = arrays["ngrams.bias"] - torch.from_numpy(fitted)
    is_world = torch.tensor([name == "world" for name in data.label_names])
    if changes:  # the user decides how often a class is predicted
        assert torch.equal(difference, torch.zeros(len(is_world)))
    else:
        assert difference[is_world] > 0 > difference[~is_world]
    evaluation = evaluate_run(Path("shifted"))
    model = load_run(Path("shifted")).classifier.model
    own_bias = compute_part_logits(model, evaluation.split.texts).ngrams - difference
    assert evaluation.parts is not None
    assert torch.allclose(evaluation.parts.ngrams, own_bias, atol=1e-5)
    assert torch.equal(evaluation.logits, evaluation.parts.together)


def test_class_biases_of_another_run_are_rejected(run: Path) -> None:
    file = RunFolder(run).summary
    summary = read_json(file)
    summary["ngrams"]["class_biases"] = [0.5]
    write_json(file, summary)
    with pytest.raises(RunError, match="class_biases has 1 numbers"):
        evaluate_run(run)


def test_a_run_without_class_biases_in_its_summary_is_evaluated(run: Path) -> None:
    file = RunFolder(run).summary
    summary = read_json(file)
    del summary["ngrams"]["class_biases"]
    write_json(file, summary)
    assert len(evaluate_run(run).part_scores()) == 3
