"""The classifier for scikit-learn, in what people use it for."""

import pickle
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import torch
import yaml
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import (
    GridSearchCV,
    cross_val_predict,
    cross_val_score,
)
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks

import rnncls
from rnncls import ConfigError, Interrupted
from rnncls.inference.predictor import Predictor
from rnncls.runs.run import load_run
from rnncls.sklearn import TextClassifier

TEXTS = ["a good film", "what a fine film", "not good at all", "a dull film"] * 12
LABELS = ["good", "good", "bad", "bad"] * 12
SMALL: dict[str, Any] = {
    "cell": "rnn",
    "embedding_dim": 6,
    "hidden_size": 5,
    "max_epochs": 4,
    "batch_size": 4,
    "lr": 0.02,
    "device": "cpu",
}


def small(**arguments: Any) -> TextClassifier:
    return TextClassifier(**(SMALL | arguments))


@pytest.fixture(scope="module")
def fitted() -> TextClassifier:
    """A classifier that knows which films are good."""
    return small().fit(TEXTS, LABELS)


@pytest.mark.parametrize(
    "check",
    [
        "check_no_attributes_set_in_init",
        "check_parameters_default_constructible",
        "check_get_params_invariance",
        "check_set_params",
        "check_estimator_cloneable",
        "check_estimator_repr",
        "check_estimator_tags_renamed",
        "check_valid_tag_types",
        "check_do_not_raise_errors_in_init_or_set_params",
        "check_mixin_order",
    ],
)
def test_the_checks_of_sklearn_that_need_no_numbers_pass(check: str) -> None:
    getattr(estimator_checks, check)("TextClassifier", TextClassifier())


def test_the_classes_and_the_predictions_are_those_given(
    fitted: TextClassifier,
) -> None:
    assert fitted.classes_.tolist() == ["bad", "good"]
    probs = fitted.predict_proba(TEXTS[:4])
    assert probs.shape == (4, 2)
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs.sum(axis=1), 1, rtol=1e-5)
    assert fitted.predict(TEXTS[:4]).tolist() == LABELS[:4]
    assert fitted.score(TEXTS, LABELS) == 1.0
    assert fitted.summary_["data"]["num_valid_rows"] > 0


@pytest.mark.parametrize(
    "labels",
    [
        [10, 9],
        ["été ", "Ärger"],
        pytest.param([True, False], marks=pytest.mark.slow),
        pytest.param(["10", "9"], marks=pytest.mark.slow),
        pytest.param(np.array([2, -1]), marks=pytest.mark.slow),
        pytest.param(pd.Series(["x", "y"], index=[7, 8]), marks=pytest.mark.slow),
    ],
    ids=["integers", "words", "truth values", "digits", "array", "Series"],
)
def test_each_kind_of_class_comes_back_as_it_was(labels: Any) -> None:
    known = list(labels)
    classes = [known[0], known[0], known[1], known[1]] * 12
    fitted = small().fit(TEXTS, classes)
    assert fitted.classes_.tolist() == sorted(known)
    assert fitted.predict(TEXTS[:4]).tolist() == classes[:4]
    assert fitted.score(TEXTS, classes) == 1.0


@pytest.mark.parametrize(
    "collect",
    [tuple, np.array, pd.Series, lambda texts: np.array(texts, dtype=object)],
    ids=["tuple", "array", "Series", "objects"],
)
def test_texts_may_be_in_any_collection(
    fitted: TextClassifier, collect: Callable[[list[str]], Any]
) -> None:
    expected = fitted.predict_proba(TEXTS[:4])
    np.testing.assert_array_equal(fitted.predict_proba(collect(TEXTS[:4])), expected)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_classifier(fitted: TextClassifier) -> None:
    expected = fitted.predict_proba(TEXTS)
    again = small().fit(pd.Series(TEXTS), np.array(LABELS))
    np.testing.assert_array_equal(again.predict_proba(TEXTS), expected)
    other = small(random_state=1).fit(TEXTS, LABELS).predict_proba(TEXTS)
    assert not np.array_equal(other, expected)


def test_nothing_is_left_in_the_folder() -> None:
    small(max_epochs=1).fit(TEXTS, LABELS)
    assert list(Path().iterdir()) == []


def test_the_run_can_be_kept(tmp_path: Path) -> None:
    fitted = small(run_folder=tmp_path / "run").fit(TEXTS, LABELS)
    probs = rnncls.load(tmp_path / "run").predict_proba(TEXTS)
    np.testing.assert_array_equal(probs, fitted.predict_proba(TEXTS))
    with pytest.raises(ConfigError, match="run: already exists"):
        fitted.fit(TEXTS, LABELS)


def test_a_run_that_is_kept_can_be_evaluated(tmp_path: Path) -> None:
    small(run_folder=tmp_path / "run").fit(TEXTS, LABELS)
    assert rnncls.evaluate(tmp_path / "run", split="valid")["accuracy"] > 0.5
    rows = (tmp_path / "run-rows.jsonl").read_text("utf-8").splitlines()
    assert len(rows) == len(TEXTS)


def test_a_training_that_fails_leaves_no_rows(tmp_path: Path) -> None:
    with pytest.raises(ConfigError):
        small(run_folder=tmp_path / "run", lr=-1.0).fit(TEXTS, LABELS)
    assert not list(tmp_path.glob("run*"))


def test_odd_texts_are_trained_on() -> None:
    odd = ["", " \n", 'a "quoted"\nline\r\nend', "NUL \0", "\u2028 \x85 😀"]
    fitted = small(max_epochs=1).fit(odd * 10, ["x", "y", "x", "y", "x"] * 10)
    assert fitted.predict(odd).shape == (5,)


@pytest.mark.slow
def test_a_config_gives_the_values_that_no_argument_has(tmp_path: Path) -> None:
    file = tmp_path / "film.yaml"
    values = {
        "data": {"name": "ag_news", "valid_fraction": 0.5},
        "model": {"cell": "gru", "hidden_size": 7},
        "train": {"average": 0.5},
    }
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    arguments = {**SMALL, "cell": None, "max_epochs": 1}
    for config in (values, file):
        folder = tmp_path / type(config).__name__
        TextClassifier(config=config, **arguments, run_folder=folder).fit(TEXTS, LABELS)
        saved = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
        assert saved["data"]["name"] is None
        assert saved["data"]["valid_fraction"] == 0.5
        assert saved["text"]["clean"] is True  # as for that data set
        assert (saved["model"]["cell"], saved["model"]["hidden_size"]) == ("gru", 5)
        assert saved["train"]["average"] == 0.5


def test_a_config_needs_no_data(tmp_path: Path) -> None:
    config = {"train": {"label_smoothing": 0.0, "patience": None}}
    small(config=config, run_folder="run", max_epochs=1).fit(TEXTS, LABELS)
    saved = yaml.safe_load((tmp_path / "run/config.yaml").read_text("utf-8"))
    assert (saved["train"]["patience"], saved["data"]["split"]) == (None, "texts")
    assert (saved["train"]["label_smoothing"], saved["train"]["lr"]) == (0.0, 0.02)


@pytest.mark.parametrize(
    "config",
    [
        {"text": {"char_ngrams": [3, 5], "ngram_buckets": 50}},
        {"model": {"ngrams": 2}},
        pytest.param({"text": {"tokenizer": "subwords"}}, marks=pytest.mark.slow),
        pytest.param({"text": {"tokenizer": "characters"}}, marks=pytest.mark.slow),
        pytest.param({"model": {"cell": "grid_lstm"}}, marks=pytest.mark.slow),
    ],
    ids=["character n-grams", "n-grams", "subwords", "characters", "grid_lstm"],
)
def test_every_kind_of_run_can_be_loaded(
    config: dict[str, Any], tmp_path: Path
) -> None:
    arguments = {**SMALL, "cell": None, "max_epochs": 1}
    run = tmp_path / "run"
    fitted = TextClassifier(config=config, **arguments, run_folder=run)
    probs = fitted.fit(TEXTS, LABELS).predict_proba(TEXTS)
    predictor = Predictor(load_run(run).classifier, torch.device("cpu"))
    expected = [list(each.probs.values()) for each in predictor.predict(TEXTS)]
    np.testing.assert_allclose(probs, expected, atol=1e-5)
    copied = pickle.loads(pickle.dumps(fitted))  # noqa: S301 - it was just made
    np.testing.assert_array_equal(copied.predict_proba(TEXTS), probs)


@pytest.mark.slow
def test_the_weight_of_a_class_is_given_by_its_value() -> None:
    texts, labels = TEXTS, [1, 1, 0, 0] * 12
    weighted = small(class_weight={0: 9.0}).fit(texts, labels)
    plain = small().fit(texts, labels)
    assert (
        weighted.predict_proba(texts)[:, 0].mean()
        > plain.predict_proba(texts)[:, 0].mean()
    )
    small(class_weight="balanced", max_epochs=1).fit(texts, labels)
    with pytest.raises(ConfigError, match="2"):
        small(class_weight={2: 9.0}).fit(texts, labels)


def test_a_wrong_argument_is_named() -> None:
    with pytest.raises(ConfigError, match=r"model\.cell: expected rnn \| lstm"):
        small(cell="cnn").fit(TEXTS, LABELS)
    with pytest.raises(TypeError, match="hidden"):
        small(hidden=3)


@pytest.mark.parametrize(
    ("texts", "labels", "error", "message"),
    [
        ("a film", ["x"], TypeError, "X: expected a list of texts, found one string"),
        (["a", 3], ["x", "y"], TypeError, r"texts\[1\]: expected a string, found 3"),
        (["a", "b"], ["x"], ValueError, "inconsistent numbers of samples"),
        (["a", "b"], ["x", None], ValueError, r"y\[1\]: expected a class, found None"),
        (["a", "b"], ["x", np.nan], ValueError, r"y\[1\]: expected a class, found nan"),
        (["a", "b"], [0.5, 1.5], ValueError, "continuous"),
        (["a", "b"], ["x", "x "], ValueError, "the class .* equals another one"),
        (["a", "b"], ["x", " "], ValueError, "the class .* is empty"),
        (["a", "b"], ["x", "x"], ValueError, r"two classes or more, found \['x'\]"),
    ],
)
def test_wrong_rows_are_refused(
    texts: Any, labels: Any, error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        small().fit(texts, labels)


def test_ctrl_c_ends_a_search_and_not_only_one_fit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def interrupt(*_: Any, **__: Any) -> None:
        raise Interrupted("stopped")

    monkeypatch.setattr("rnncls.training.run.finish_run", interrupt)
    search = GridSearchCV(small(max_epochs=1), {"cell": ["none", "rnn"]}, cv=2)
    with pytest.raises(KeyboardInterrupt):
        search.fit(TEXTS, LABELS)


def test_before_fit_there_is_no_prediction(fitted: TextClassifier) -> None:
    with pytest.raises(NotFittedError):
        small().predict(TEXTS)
    with pytest.raises(TypeError, match="found one string"):
        fitted.predict("a film")


@pytest.mark.parametrize("module", [pickle, cloudpickle], ids=["pickle", "cloudpickle"])
def test_a_copy_predicts_the_same(fitted: TextClassifier, module: Any) -> None:
    copied = module.loads(module.dumps(fitted))
    np.testing.assert_array_equal(
        copied.predict_proba(TEXTS), fitted.predict_proba(TEXTS)
    )
    joblib.dump(fitted, "film.joblib")
    assert joblib.load("film.joblib").predict(TEXTS[:4]).tolist() == LABELS[:4]


def test_a_clone_has_the_arguments_only(fitted: TextClassifier) -> None:
    cloned = clone(fitted)
    assert cloned.get_params() == fitted.get_params()
    assert not hasattr(cloned, "classes_")


@pytest.mark.slow
def test_a_pipeline_and_a_grid_search_choose_arguments() -> None:
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    pipeline = Pipeline([("lower", lower), ("film", small(max_epochs=2))])
    search = GridSearchCV(pipeline, {"film__cell": ["none", "gru"]}, cv=2)
    search.fit(TEXTS, LABELS)
    assert search.best_params_["film__cell"] in {"none", "gru"}
    assert set(search.predict(TEXTS)) <= {"good", "bad"}


def test_cross_validation_passes_classes_as_numbers() -> None:
    probs = cross_val_predict(small(), TEXTS, LABELS, cv=2, method="predict_proba")
    assert probs.shape == (len(TEXTS), 2)
    labels = np.array(["bad", "good"])[probs.argmax(axis=1)]
    assert accuracy_score(LABELS, labels) > 0.9


@pytest.mark.slow
def test_cross_validation_scores_a_pipeline() -> None:
    scores = cross_val_score(make_pipeline(small()), np.array(TEXTS), LABELS, cv=2)
    assert scores.shape == (2,)
    assert scores.mean() > 0.9


def test_a_fitted_classifier_can_be_calibrated(fitted: TextClassifier) -> None:
    calibrated = CalibratedClassifierCV(FrozenEstimator(fitted), method="sigmoid")
    calibrated.fit(np.array(TEXTS), LABELS)
    assert calibrated.predict(TEXTS[:4]).tolist() == LABELS[:4]


@pytest.mark.slow
def test_calibration_can_fit_the_classifier_itself() -> None:
    calibrated = CalibratedClassifierCV(small(), method="sigmoid", cv=2)
    calibrated.fit(np.array(TEXTS), LABELS)
    assert calibrated.predict(TEXTS[:4]).tolist() == LABELS[:4]


@pytest.mark.slow
def test_other_processes_get_a_fitted_classifier(fitted: TextClassifier) -> None:
    # joblib pickles with cloudpickle, as Spark and Ray do.
    calls = [joblib.delayed(fitted.predict_proba)(TEXTS[row:]) for row in range(2)]
    found = joblib.Parallel(n_jobs=2)(calls)
    for row, probs in enumerate(found):
        expected = fitted.predict_proba(TEXTS[row:])
        np.testing.assert_allclose(probs, expected, rtol=0, atol=1e-6)


def test_the_program_keeps_its_threads() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    small(max_epochs=1).fit(TEXTS, LABELS).predict(TEXTS)
    num_after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert num_after == 3


@pytest.mark.slow
def test_lime_explains_a_prediction(fitted: TextClassifier) -> None:
    lime_text = pytest.importorskip("lime.lime_text", reason="needs lime")
    explainer = lime_text.LimeTextExplainer(
        class_names=fitted.classes_.tolist(), random_state=0
    )
    explanation = explainer.explain_instance(
        "what a fine film", fitted.predict_proba, num_features=4, num_samples=300
    )
    weights = dict(explanation.as_list())
    assert max(weights, key=lambda word: weights[word]) in {"fine", "what"}
    assert weights["fine"] > weights["film"]


@pytest.mark.slow
def test_cleanlab_finds_a_wrong_label() -> None:
    classification = pytest.importorskip("cleanlab.classification")
    labels = np.array([1, 1, 0, 0] * 12)
    wrong = [5, 30]
    labels[wrong] = 1 - labels[wrong]
    learning = classification.CleanLearning(small(max_epochs=8), cv_n_folds=3)
    issues = learning.find_label_issues(np.array(TEXTS), labels)
    assert np.flatnonzero(issues["is_label_issue"]).tolist() == wrong
    learning.fit(np.array(TEXTS), labels, label_issues=issues)
    assert learning.predict(TEXTS[:4]).tolist() == [1, 1, 0, 0]


@pytest.mark.slow
def test_a_grid_search_can_use_several_processes() -> None:
    search = GridSearchCV(small(), {"cell": ["rnn", "gru"]}, cv=2, n_jobs=2)
    search.fit(TEXTS, LABELS)
    assert search.best_score_ > 0.9


WORDS = ["happy", "angry", "afraid"]
SETS = np.array([[number >> bit & 1 for bit in range(3)] for number in range(8)])
MOODS = [
    f"day {number % 5} was {' '.join(np.array(WORDS)[SETS[number % 8] == 1])} indeed"
    for number in range(160)
]
INDICATORS = SETS[np.arange(160) % 8]


def test_a_matrix_of_labels_comes_back_as_a_matrix() -> None:
    # No text has the last label.
    matrix = np.pad(INDICATORS, ((0, 0), (0, 1)))
    fitted = small(max_epochs=12, run_folder="moods").fit(MOODS, csr_array(matrix))
    assert fitted.classes_.tolist() == [0, 1, 2, 3]
    probs = fitted.predict_proba(MOODS[:8])
    assert probs.shape == (8, 4)
    assert (probs[:, 3] == 0).all()
    predicted = fitted.predict(MOODS)
    assert predicted.shape == matrix.shape
    assert f1_score(matrix, predicted, average="micro") > 0.9
    assert fitted.score(MOODS, matrix) == (predicted == matrix).all(axis=1).mean()
    loaded = rnncls.load("moods")
    expected = loaded.predict(MOODS)
    np.testing.assert_array_equal(predicted[:, :3], expected)
    assert [set(one.labels) for one in loaded(MOODS[:8])] == [
        {str(column) for column in np.flatnonzero(row)} for row in expected[:8]
    ]


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([[0, 2]] * 4, r"expected 1 for each label of a text .* found \[0, 2\]"),
        ([["good", "bad"]] * 4, "use MultiLabelBinarizer"),
        (
            [[0, 1], [1, 0], [1, np.nan], [1, 1]],
            r"y\[2\]: expected 1 .* found \[1, nan\]",
        ),
        (np.zeros((4, 3)), "found 0 among 3 columns of 4 rows"),
        ([[0, 1, 0]] * 4, "two or more labels that a text has, .* found 1 among 3"),
        ([["good"], ["good", "bad"]] * 2, r"y\[0\]: .* MultiLabelBinarizer"),
        ([{"good"}, set()] * 2, r"y\[0\]: .* MultiLabelBinarizer"),
    ],
)
def test_other_kinds_of_several_labels_are_refused(labels: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small().fit(TEXTS[:4], labels)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"config": 5}, "config: expected a YAML file or a mapping of sections"),
        ({"run_folder": 5}, "run_folder: expected a path, or None, found 5"),
        ({"class_weight": 5}, "class_weight: expected 'balanced' or a mapping"),
        ({"class_weight": {"a": "x"}}, "expected a number above 0, found 'x'"),
        ({"random_state": np.random.RandomState(1)}, "found RandomState"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_wrong_arguments_are_reported(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        TextClassifier(**arguments).fit(TEXTS, LABELS)
