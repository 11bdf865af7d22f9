"""Mislabelled training rows are found by networks that have not seen them."""

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from rnncls import label_issues
from rnncls.batching import EncodedTexts
from rnncls.checkpoint import load_run
from rnncls.config import Config
from rnncls.corpus import TrainingData, load_training_data
from rnncls.errors import ConfigError, DataError
from rnncls.evaluator import compute_logits
from rnncls.label_issues import find_label_issues, judge_unseen
from rnncls.model import TextClassifier
from rnncls.trainer import train

MakeConfig = Callable[..., Config]
FLIPPED = [7, 52, 101, 160]


@pytest.fixture
def noisy(toy_csv: Path) -> Path:
    """The toy file, with some labels turned round."""
    lines = toy_csv.read_text(encoding="utf-8").splitlines()
    for row in FLIPPED:
        label, text = lines[row].split(",", 1)
        lines[row] = f"{'world' if label == 'sport' else 'sport'},{text}"
    toy_csv.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return toy_csv


@pytest.mark.usefixtures("noisy")
def test_rows_whose_labels_were_turned_round_are_found(make_config: MakeConfig) -> None:
    pytest.importorskip("cleanlab", reason="extra clean")
    config = make_config("train.max_epochs=5", "data.valid_fraction=0.1")
    train(config, Path("run"))
    learnt = {int(row) + 1 for row in load_training_data(config).train.rows}  # type: ignore[union-attr]
    issues = find_label_issues(load_run(Path("run")), num_folds=3)
    assert {issue.row for issue in issues} == set(FLIPPED) & learnt
    lines = Path("toy.csv").read_text(encoding="utf-8").splitlines()
    for issue in issues:
        assert lines[issue.row].startswith(f"{issue.label},")
        assert issue.suggested != issue.label
        assert issue.prob < 0.5
    assert [issue.prob for issue in issues] == sorted(issue.prob for issue in issues)


def test_each_row_is_judged_by_a_network_that_has_not_seen_it(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = load_training_data(make_config("train.max_epochs=1"))
    trained, judged = [], []  # texts by where they begin
    fit, compute = label_issues._fit, compute_logits

    def note_fit(config: Config, part: TrainingData, pretrained: None) -> TextClassifier:
        trained.append(set(part.train.texts.starts.tolist()))
        return fit(config, part, pretrained)

    def note_judged(model: TextClassifier, texts: EncodedTexts) -> torch.Tensor:
        judged.append(set(texts.starts.tolist()))
        return compute(model, texts)

    monkeypatch.setattr(label_issues, "_fit", note_fit)
    monkeypatch.setattr(label_issues, "compute_logits", note_judged)
    probs = judge_unseen(make_config("train.max_epochs=1"), data, 4)
    everything = set(data.train.texts.starts.tolist())
    assert [own | other for own, other in zip(trained, judged, strict=True)] == [everything] * 4
    assert not any(own & other for own, other in zip(trained, judged, strict=True))
    assert set().union(*judged) == everything
    assert probs.sum(axis=1) == pytest.approx(np.ones(160))


def test_a_class_with_fewer_rows_than_folds_is_named(make_config: MakeConfig) -> None:
    config = make_config()
    with pytest.raises(DataError, match="label 'sport': 80 training rows are too few for --folds 81"):
        judge_unseen(config, load_training_data(config), 81)


def test_without_cleanlab_the_error_says_what_to_install(toy_run: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cleanlab.filter", None)
    with pytest.raises(ConfigError, match=r"pip install 'rnncls\[clean\]'"):
        find_label_issues(load_run(toy_run))
