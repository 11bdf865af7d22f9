"""A classifier in NumPy becomes one in torch."""

from pathlib import Path

import torch

from rnncls.nn.classifier import TextClassifier
from rnncls.runs.classifier import build_classifier
from rnncls.runs.portable import load_portable
from rnncls.runs.run import load_run
from rnncls.runs.weights import save_temperature


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
