"""Predictions as columns of a table."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import rnncls
from rnncls import ConfigError, DataError, RunError
from rnncls.inference.loaded_classifier import LoadedClassifier
from rnncls.inference.prediction_columns import (
    classify_arrays,
    classify_table,
    load_model,
    predict_columns,
    rename_columns,
)
from tests.inference.engines.models import PATH, load_networks
from tests.inference.light.networks import LABELS

TEXTS = ["rovers meet oslo", "", "Again again", "zanzibar"]


@pytest.fixture
def classifier() -> LoadedClassifier:
    return load_networks()


def test_columns_are_the_predictions(classifier: LoadedClassifier) -> None:
    columns = predict_columns(classifier, np.array(TEXTS))
    predictions = classifier(TEXTS)
    assert list(columns) == ["label", "prob", "probs"]
    assert columns["label"].tolist() == [each.label for each in predictions]
    np.testing.assert_allclose(columns["prob"], [each.prob for each in predictions])
    np.testing.assert_array_equal(columns["probs"], classifier.predict_proba(TEXTS))
    assert columns["probs"].shape == (len(TEXTS), len(LABELS))
    assert columns["probs"].dtype == columns["prob"].dtype == np.float32


def test_several_labels_have_a_column_of_lists() -> None:
    classifier = load_networks(task="several_labels")
    columns = predict_columns(classifier, TEXTS)
    predictions = classifier(TEXTS)
    assert columns["labels"].tolist() == [each.labels for each in predictions]
    assert columns["label"].tolist() == [each.label for each in predictions]
    same_length = predict_columns(classifier, TEXTS[:1] * 2)
    assert same_length["labels"].shape == (2,)


def test_an_unsure_prediction_has_no_label() -> None:
    load_networks()
    columns = predict_columns(rnncls.load(PATH, min_confidence=1.0), TEXTS)
    assert columns["label"].tolist() == [None] * len(TEXTS)
    assert (columns["prob"] > 0).all()


@pytest.mark.parametrize("classify", [classify_arrays, classify_table])
def test_the_columns_of_the_input_stay(
    classify: Callable[..., Any], classifier: LoadedClassifier
) -> None:
    batch: Any = {"id": np.arange(4), "label": np.array(list("abcd")), "text": TEXTS}
    if classify is classify_table:
        batch = pd.DataFrame(batch, index=[7, 7, 5, 4])
    found = classify(classifier, batch, "text")
    assert list(found) == ["id", "input_label", "text", "label", "prob", "probs"]
    assert list(found["id"]) == [0, 1, 2, 3]
    assert list(found["input_label"]) == list("abcd")
    expected = predict_columns(classifier, TEXTS)
    assert list(found["label"]) == list(expected["label"])
    np.testing.assert_array_equal(np.stack(list(found["probs"])), expected["probs"])
    assert "label" in batch


@pytest.mark.parametrize("task", ["one_label", "several_labels"])
def test_a_table_without_rows_has_the_columns_too(task: str) -> None:
    classifier = load_networks(task=task)
    empty = classify_table(classifier, pd.DataFrame({"text": []}), "text")
    filled = classify_table(classifier, pd.DataFrame({"text": TEXTS}), "text")
    assert list(empty) == list(filled)
    assert len(empty) == 0
    arrays = classify_arrays(classifier, {"text": np.array([], str)}, "text")
    assert arrays["probs"].shape == (0, len(LABELS))


def test_two_columns_of_one_name_are_refused() -> None:
    assert rename_columns(["text", "prob"]) == {"text": "text", "prob": "input_prob"}
    with pytest.raises(DataError, match="columns label and input_label: rename one"):
        rename_columns(["label", "input_label"])


def test_a_missing_column_and_a_missing_text_are_errors(
    classifier: LoadedClassifier,
) -> None:
    with pytest.raises(DataError, match="the column 'body' of texts, found id, text"):
        classify_arrays(
            classifier, {"id": np.arange(1), "text": np.array([""])}, "body"
        )
    table = pd.DataFrame({"text": ["a", None]})
    with pytest.raises(TypeError, match=r"texts\[1\]: expected a string, found"):
        classify_table(classifier, table, "text")


def test_a_model_is_a_file_a_folder_or_a_loaded_one(
    classifier: LoadedClassifier,
) -> None:
    assert load_model(classifier) is classifier
    assert load_model("model.onnx").classes_.tolist() == LABELS
    with pytest.raises(RunError, match=r"none\.onnx"):
        load_model("none.onnx")
    none: Any = None
    with pytest.raises(ConfigError, match=r"model: expected an \.onnx file or a run"):
        load_model(none)
