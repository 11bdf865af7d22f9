"""Prediction is compared with the bare cell on the same texts."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from rnncls.cli.reporting.benchmark.prediction import (
    compare_prediction,
    count_repeats,
    spread_evenly,
)
from rnncls.config.sections import Config
from rnncls.data.loading import load_training_data
from rnncls.inference.predictor import Predictor
from rnncls.runs.classifier import Classifier
from rnncls.text.encoded_texts import EncodedTexts, encode_texts
from rnncls.text.tokenizer import tokenize_texts
from rnncls.training.initialization import build_model

MakeConfig = Callable[..., Config]


def test_prediction_is_compared_with_the_bare_cell(make_config: MakeConfig) -> None:
    config = make_config()
    data = load_training_data(config.data_settings)
    run = Classifier(
        text=config.text,
        vocab=data.vocab,
        label_names=data.label_names,
        model=build_model(config.model, config.text.vectors, data),
    )
    predictor = Predictor(run, torch.device("cpu"))
    texts = ["oslo meet rovers", "rovers", "the crowd waits again"] * 10
    encoded = encode_texts(tokenize_texts(texts, config.text), data.vocab)
    result = compare_prediction(predictor, texts, encoded)
    assert result.bare_tokens_per_s > 0
    assert result.samples_per_s > 0


@pytest.mark.parametrize(
    ("num_texts", "length", "repeats"),
    [
        (200, 10, 132),  # 264,000 tokens
        (200, 1, 164),  # 32,800 texts
        (200, 1_000, 2),  # 400,000 tokens
        (40_000, 1, 1),
        (10_000, 300, 1),
        (3, 0, 10_923),
    ],
)
def test_a_small_data_set_is_repeated_until_a_pair_has_enough_work(
    num_texts: int, length: int, repeats: int
) -> None:
    lengths = np.full(num_texts, length)
    ids = np.zeros(num_texts * length, np.int32)
    starts = np.arange(num_texts) * length
    assert count_repeats(EncodedTexts(ids, lengths, starts)) == repeats


def test_the_texts_for_the_latency_are_evenly_spaced() -> None:
    texts = [str(number) for number in range(2_000)]
    assert spread_evenly(texts) == texts[::4]
    assert spread_evenly(texts[:7]) == texts[:7]
    assert len(spread_evenly(texts[:999])) == 500
