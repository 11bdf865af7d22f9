"""Each runtime says of the same texts that they fit none of the classes."""

import json
import pickle
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnncls.config.sections import TextSection
from rnncls.evaluation.scope import score_texts
from rnncls.inference.export import predict_script
from rnncls.inference.export.onnx_export import export_onnx
from rnncls.inference.export.predict_script import Classifier
from rnncls.inference.light.network import compute_outputs
from rnncls.inference.loaded_classifier import load_classifier
from rnncls.inference.onnx_predictor import load_onnx_predictor
from rnncls.inference.picklable_predictor import PicklablePredictor
from rnncls.inference.prediction import Prediction
from rnncls.inference.prediction_columns import predict_columns
from rnncls.nn.scope import ScopeRule
from rnncls.runs.classifier import build_classifier
from tests.inference.light.networks import (
    WORDS,
    Networks,
    add_ngrams,
    add_scope,
    build_networks,
    set_rule,
)

PATH = Path("model.onnx")
GENERATOR = np.random.default_rng(1)
TEXTS = [
    "zanzibar",
    "",
    "oslo zanzibar meet",
    "rovers meet zanzibar .",
    "oslo " * 9 + "rovers zanzibar zanzibar",  # cut before the unknown words
    "zanzibar " * 10 + "oslo",  # cut before the only known word
    *(" ".join(GENERATOR.choice(WORDS[2:], size=4)) for _ in range(40)),
]


def list_fits(predictions: list[Prediction]) -> list[bool | None]:
    return [prediction.fits for prediction in predictions]


@pytest.fixture(params=["network", "n-grams", "alone"])
def networks(request: pytest.FixtureRequest) -> Networks:
    built = build_networks(text=TextSection(tokenizer="words", max_tokens=10))
    if request.param != "network":
        built = add_ngrams(built, is_alone=request.param == "alone")
    return add_scope(built, TEXTS)


def test_every_runtime_finds_the_same_texts(networks: Networks) -> None:
    expected = list_fits(networks.predictor().predict(TEXTS))
    assert set(expected) == {True, False}
    assert expected[:2] == [False, False]  # no known word
    assert expected[5] is False
    assert list_fits(networks.light().predict(TEXTS)) == expected
    built = build_classifier(networks.numpy)
    assert built.scope_rule == networks.numpy.scope_rule
    export_onnx(networks.numpy, PATH)
    assert list_fits(load_onnx_predictor(PATH).predict(TEXTS)) == expected
    assert Classifier(PATH).find_fitting(TEXTS) == expected


def test_a_pickled_classifier_finds_the_same_texts(networks: Networks) -> None:
    predictor = PicklablePredictor(networks.numpy, "cpu")
    copy = pickle.loads(pickle.dumps(predictor))  # noqa: S301 - written by this test
    expected = list_fits(networks.predictor().predict(TEXTS))
    assert list_fits(copy.predict(TEXTS)) == expected
    assert list_fits(copy.full.predict(TEXTS)) == expected


def test_engines_get_a_column(networks: Networks) -> None:
    export_onnx(networks.numpy, PATH)
    columns = predict_columns(load_classifier(PATH), TEXTS)
    assert columns["fits"].dtype == np.bool_
    expected = list_fits(networks.predictor().predict(TEXTS))
    assert columns["fits"].tolist() == expected


def test_unknown_words_with_vectors_can_fit() -> None:
    text = TextSection(tokenizer="words", char_ngrams=[2, 3], ngram_buckets=20)
    networks = set_rule(build_networks(text=text), ScopeRule(-100.0, 1.0))
    texts = ["", *(f"zanz{n}" for n in range(3))]
    expected = [False, True, True, True]
    assert list_fits(networks.predictor().predict(texts)) == expected
    assert list_fits(networks.light().predict(texts)) == expected
    encoded = networks.encode(texts)
    logits = compute_outputs(networks.numpy, encoded).logits
    assert (score_texts(logits, encoded, 1.0) >= -100.0).tolist() == expected


@pytest.mark.parametrize("task", ["one_label", "several_labels"])
def test_a_run_without_a_threshold_does_not_say_it(task: str) -> None:
    networks = build_networks(task=task)
    export_onnx(networks.numpy, PATH)
    for predictor in (
        networks.predictor(),
        networks.light(),
        load_onnx_predictor(PATH),
    ):
        (prediction,) = predictor.predict("oslo")
        assert prediction.fits is None
    assert Classifier(PATH).find_fitting(["oslo"]) is None
    assert "fits" not in predict_columns(load_classifier(PATH), ["oslo"])


def run_script(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str
) -> list[str]:
    monkeypatch.setattr(sys, "argv", ["predict.py", "--model", str(PATH), *words])
    assert predict_script.main() == 0
    return capsys.readouterr().out.splitlines()


def test_the_script_says_which_texts_fit_none(
    networks: Networks,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    export_onnx(networks.numpy, PATH)
    texts = [text for text in TEXTS if text]
    expected = list_fits(networks.predictor().predict(texts))
    lines = run_script(monkeypatch, capsys, "--", *texts)
    notes = ("\t(fits none of the classes)", "\t(no known word)")
    assert [not line.endswith(notes) for line in lines] == expected
    found: list[dict[str, Any]] = [
        json.loads(line)
        for line in run_script(monkeypatch, capsys, "--json", "--", *texts)
    ]
    assert [line["fits"] for line in found] == expected
