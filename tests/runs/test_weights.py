"""The files of a run, one by one: weights that do not fit, the temperature, words."""

from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

from rnncls import RunError
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.scope import ScopeRule
from rnncls.runs.companions import load_vocab
from rnncls.runs.weights import (
    drop_calibration,
    load_weights,
    pop_temperature,
    save_temperature,
)


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


def test_the_last_of_several_misfits_is_named(model: TextClassifier) -> None:
    weights = {**model.state_dict(), "linear.bias": torch.zeros(7)}
    del weights["linear.weight"]
    with pytest.raises(RunError, match=r"config: size mismatch for linear\.bias"):
        load_weights(model, weights, Path("some.file"))


def test_the_temperature_is_a_float64_scalar_beside_the_weights(
    run: Path, model: TextClassifier
) -> None:
    save_temperature(run, 0.1)
    tensors = safetensors.torch.load_file(run / "model.safetensors")
    assert tensors["temperature"].dtype is torch.float64
    assert pop_temperature(tensors, run) == 0.1
    assert set(tensors) == set(model.state_dict())


def test_only_the_weights_remain_without_what_was_fitted_after_the_training(
    run: Path, model: TextClassifier
) -> None:
    ngrams = {"ngrams.bias": np.zeros(2, np.float32)}
    save_temperature(run, 0.1, ngrams, np.array([0.5, 0.5]), ScopeRule(3.0, 1.0))
    tensors = safetensors.torch.load_file(run / "model.safetensors")
    assert len(tensors) == len(model.state_dict()) + 4
    drop_calibration(tensors, run)
    assert set(tensors) == set(model.state_dict())


def test_without_a_temperature_it_is_1(run: Path) -> None:
    assert pop_temperature({"weight": torch.zeros(2)}, run) == 1.0


@pytest.mark.parametrize(
    "value", [0.0, -1.0, float("inf"), float("nan"), [1.0, 2.0], []]
)
def test_a_temperature_that_is_no_positive_number_is_damage(
    run: Path, value: float | list[float]
) -> None:
    message = (
        r"run.model\.safetensors: damaged: the temperature is not a positive number"
    )
    with pytest.raises(RunError, match=message):
        pop_temperature({"temperature": torch.tensor(value)}, run)


def test_a_word_may_contain_any_space_but_a_line_feed(run: Path) -> None:
    words = ["<pad>", "<unk>", "a\u00a0b", "c\td", "e\u2028f", "\u3000"]
    text = "".join(f"{word}\n" for word in words)
    (run / "vocab.txt").write_bytes(text.encode())
    assert load_vocab(run).words == words
