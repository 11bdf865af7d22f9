"""Several labels a text: each runtime gives the same labels, and Python reads them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import rnncls
from rnncls import ConfigError
from rnncls.config.loading import load_config
from rnncls.data.loading import load_training_data
from rnncls.evaluation.evaluator import compute_logits
from rnncls.inference.export.folder import export_folder
from rnncls.inference.export.page.page_export import export_page
from rnncls.inference.light.predictor import LightPredictor
from rnncls.inference.predictor import Predictor
from rnncls.runs.classifier import build_classifier
from rnncls.runs.metric_rows import append_row
from rnncls.runs.portable import load_portable
from rnncls.runs.run import load_run
from rnncls.training.distillation import add_distillation_targets
from rnncls.training.run import train
from tests.builders import RESUME, train_label_sets
from tests.inference.light.networks import assert_same_labels


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run on texts whose words say which labels they have."""
    return train_label_sets(tmp_path_factory.mktemp("labels"))


TEXTS = [
    "the day was happy angry indeed",
    "the day was indeed",
    "afraid",
    "",
    "the day 3 was happy and afraid",
]


def test_every_runtime_gives_the_same_labels(run: Path, tmp_path: Path) -> None:
    loaded = load_run(run)
    expected = Predictor(loaded.classifier, torch.device("cpu")).predict(TEXTS)
    assert_same_labels(LightPredictor(load_portable(run)).predict(TEXTS), expected)
    built = build_classifier(load_portable(run))
    assert built.thresholds == loaded.classifier.thresholds
    exported = export_folder(run, tmp_path / "folder")
    assert exported.comparison.num_changed_labels == 0
    assert exported.comparison.largest_difference < 1e-5
    assert_same_labels(rnncls.load(exported.path)(TEXTS), expected)
    readme = (tmp_path / "folder" / "README.md").read_text()
    assert "Labels, of which a text may have several, or none: anger, fear" in readme
    assert "predict_labels" in readme
    assert "- Validation micro-F1 " in readme
    page = export_page(run, tmp_path / "page.html")
    assert page.changes is not None
    assert page.changes.num_changed <= 1


def test_python_predicts_a_matrix_of_labels(run: Path) -> None:
    classifier = rnncls.load(run)
    matrix = classifier.predict(TEXTS)
    names = [set(classifier.classes_[row == 1]) for row in matrix]
    assert names == [set(prediction.labels) for prediction in classifier(TEXTS)]
    assert matrix.shape == (len(TEXTS), 3)
    assert rnncls.load(run, threshold=0.0).predict(TEXTS).all()
    certain = rnncls.load(run, min_confidence=1.0)
    assert [prediction.answer for prediction in certain(TEXTS)] == [None] * len(TEXTS)


def test_python_explains_any_label(run: Path) -> None:
    explanation = rnncls.load(run).explain(TEXTS[0], label="anger")
    (strongest,) = explanation.strongest(1)
    assert explanation.tokens[strongest].token == "angry"


def test_a_resumed_run_is_the_run_without_a_break(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weighted = ["train.class_weights={joy: 2, fear: 0.5}", "train.max_epochs=2"]
    config = load_config(run / "config.yaml", weighted)
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train(config, whole, becomes_latest=False)
    append, num_rows = append_row, 0

    def append_or_stop(*arguments: Any) -> None:
        nonlocal num_rows
        num_rows += 1
        if num_rows == 2:
            raise KeyboardInterrupt
        append(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("rnncls.training.recording.append_row", append_or_stop)
        with pytest.raises(KeyboardInterrupt):
            train(config, parts, becomes_latest=False)
    train(config, parts, RESUME, becomes_latest=False)
    weights = [(path / "model.safetensors").read_bytes() for path in (whole, parts)]
    assert weights[0] == weights[1]
    assert weights[0] != (run / "model.safetensors").read_bytes()


def test_a_class_weight_of_an_unknown_label_is_an_error(
    run: Path, tmp_path: Path
) -> None:
    config = load_config(run / "config.yaml", ["train.class_weights={jot: 2}"])
    with pytest.raises(ConfigError, match=r"no class is named 'jot'.*mean 'joy'"):
        train(config, tmp_path / "run", becomes_latest=False)


def test_a_run_learns_from_a_teacher_with_several_labels(
    run: Path, tmp_path: Path
) -> None:
    overrides = [f"train.teachers=['{run}']", "train.teacher_weight=0.25"]
    config = load_config(run / "config.yaml", overrides)
    settings = config.data_settings
    data = load_training_data(settings)
    cpu = torch.device("cpu")
    taught = add_distillation_targets(config.train, settings, data, cpu)
    classifier = load_run(run).classifier
    logits = compute_logits(classifier.model, data.train.texts)
    probs = logits.sigmoid().numpy()
    expected = 0.75 * data.train.labels + 0.25 * probs
    assert taught.targets is not None
    np.testing.assert_allclose(taught.targets, expected, atol=1e-6)
    train(config, tmp_path / "student", becomes_latest=False)
    scores = json.loads((tmp_path / "student" / "summary.json").read_text())["valid"]
    assert scores["micro_f1"] > 0.9
