"""Weights that do not fit the model."""

from pathlib import Path

import pytest
import torch

from rnncls import RunError
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.weights import load_weights


def test_weights_of_another_shape_name_file_and_tensor(model: TextClassifier) -> None:
    weights = {**model.state_dict(), "linear.bias": torch.zeros(7)}
    with pytest.raises(
        RunError,
        match=(
            r"^some\.file: the weights do not fit the config: size mismatch for"
            r" linear\.bias"
        ),
    ):
        load_weights(model, weights, Path("some.file"))


def test_weights_with_a_tensor_missing_name_it(model: TextClassifier) -> None:
    weights = model.state_dict()
    del weights["linear.bias"]
    with pytest.raises(
        RunError, match=r'do not fit the config: Missing key.* "linear\.bias"'
    ):
        load_weights(model, weights, Path("some.file"))
