"""Prediction is compared with the bare cell on the same texts."""

from collections.abc import Callable

import torch

from rnncls.config.sections import Config
from rnncls.data.loading import load_training_data
from rnncls.inference.predictor import Predictor
from rnncls.reporting.benchmark.prediction import compare_prediction
from rnncls.runs.classifier import Classifier
from rnncls.text.batching import encode_texts
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
