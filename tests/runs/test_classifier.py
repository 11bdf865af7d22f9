"""A classifier in NumPy becomes one in torch."""

from pathlib import Path

import numpy as np
import torch

from rnncls.nn.classifier import TextClassifier
from rnncls.runs.classifier import build_classifier
from rnncls.runs.portable import load_portable
from rnncls.runs.run import load_run
from rnncls.runs.weights import save_temperature
from rnncls.text.ngram_table import NgramTable, pack_table


def test_it_is_the_classifier_of_the_run(run: Path, model: TextClassifier) -> None:
    save_temperature(run, 1.25)
    built = build_classifier(load_portable(run))
    loaded = load_run(run).classifier
    assert built.model.temperature == loaded.model.temperature == 1.25
    assert (built.text, built.label_names) == (loaded.text, loaded.label_names)
    assert built.vocab.words == loaded.vocab.words
    assert not built.model.training
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(built.model.state_dict()[name], tensor)


def test_it_has_the_ngrams_of_the_run(run: Path) -> None:
    weights = np.array([[0.5, -0.5], [-1.0, 1.0]], np.float32)
    ones = np.ones(2, np.float32)
    table = NgramTable(2, np.array([3, 7]), weights, ones, np.zeros(2, np.float32))
    save_temperature(run, 1.25, pack_table(table, ones))
    built = build_classifier(load_portable(run)).model.ngrams
    loaded = load_run(run).classifier.model.ngrams
    assert built is not None
    assert loaded is not None
    torch.testing.assert_close(built.rows, loaded.rows)
    torch.testing.assert_close(built.keys, loaded.keys)
