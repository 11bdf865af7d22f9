"""The classifier of `rnncls.load`: calls, arrays, streams, pickle, threads, fork."""

import json
import multiprocessing
import os
import pickle
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cloudpickle
import joblib
import numpy as np
import pandas as pd
import pytest
import torch

import rnncls
from rnncls import ConfigError, DeviceError, RunError
from rnncls.inference.insight.explanation import explain
from rnncls.inference.loaded_classifier import LoadedClassifier
from rnncls.inference.predictor import Predictor
from rnncls.runs.run import load_run
from rnncls.runs.weights import save_model, save_temperature
from tests.builders import write_run

LABELS = ["sport", "world", "weather"]
TEXTS = ["rovers meet oslo", "oslo", "", "again rovers meet again", "rain " * 40]
MULTI = [
    TEXTS,
    tuple(TEXTS),
    np.array(TEXTS),
    np.array(TEXTS, dtype=object),
    pd.Series(TEXTS, index=range(3, 8)),
    pd.Index(TEXTS),
]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run with weights so large that texts get different answers."""
    path = tmp_path / "run"
    torch.manual_seed(0)
    model = write_run(path, labels=LABELS, words=["oslo", "rovers", "meet", "rain"])
    with torch.no_grad():
        model.embedding.weight.mul_(5)
        model.linear.weight.mul_(5)
        model.linear.bias.zero_()
    save_model(path, model)
    save_temperature(path, 0.8)
    return path


@pytest.fixture
def classifier(run: Path) -> LoadedClassifier:
    """The run as a classifier."""
    return rnncls.load(run)


def torch_predictor(run: Path) -> Predictor:
    return Predictor(load_run(run).classifier, torch.device("cpu"))


def probs_of_torch(run: Path) -> np.ndarray[Any, Any]:
    predictions = torch_predictor(run).predict(TEXTS)
    return np.array([list(each.probs.values()) for each in predictions])


def test_one_text_gets_one_prediction(classifier: LoadedClassifier, run: Path) -> None:
    (expected,) = torch_predictor(run).predict(TEXTS[0])
    prediction = classifier(TEXTS[0])
    assert (prediction.text, prediction.label) == (TEXTS[0], expected.label)
    assert prediction.probs == pytest.approx(expected.probs, abs=1e-5)
    assert prediction.num_unknown == 0


def test_a_string_of_numpy_is_one_text(classifier: LoadedClassifier) -> None:
    assert classifier(np.array(TEXTS)[1]).text == "oslo"


@pytest.mark.parametrize("texts", MULTI, ids=lambda texts: type(texts).__name__)
def test_several_texts_get_a_list_whatever_holds_them(
    classifier: LoadedClassifier, texts: Any
) -> None:
    predictions = classifier(texts)
    assert [prediction.text for prediction in predictions] == TEXTS
    assert [prediction.label for prediction in predictions] == [
        classifier(text).label for text in TEXTS
    ]


def test_a_generator_is_read_once(classifier: LoadedClassifier) -> None:
    predictions = classifier(text for text in TEXTS)
    assert [prediction.text for prediction in predictions] == TEXTS


def test_labels_and_probabilities_are_arrays(
    classifier: LoadedClassifier, run: Path
) -> None:
    probs = classifier.predict_proba(TEXTS)
    assert probs.shape == (5, 3)
    assert probs.dtype == np.float32
    np.testing.assert_allclose(probs, probs_of_torch(run), atol=1e-5)
    assert classifier.classes_.tolist() == LABELS
    labels = classifier.predict(TEXTS)
    assert labels.tolist() == [LABELS[index] for index in probs.argmax(axis=1)]
    assert len(set(labels.tolist())) > 1


def test_one_text_is_one_row(classifier: LoadedClassifier) -> None:
    assert classifier.predict("oslo").tolist() == [classifier("oslo").label]
    assert classifier.predict_proba("oslo").shape == (1, 3)


def test_no_texts_get_nothing(classifier: LoadedClassifier) -> None:
    assert classifier([]) == []
    assert classifier.predict([]).shape == (0,)
    assert classifier.predict_proba([]).shape == (0, 3)


@pytest.mark.parametrize(
    ("item", "found"),
    [
        (None, "None"),
        (float("nan"), r"nan \(float\)"),
        (3, r"3 \(int\)"),
        (b"oslo", r"b'oslo' \(bytes\): decode it first"),
        (["oslo"], r"\['oslo'\] \(list\): a text is one string"),
    ],
)
@pytest.mark.parametrize("method", ["__call__", "predict", "predict_proba", "stream"])
def test_an_item_that_is_no_text_is_named(
    classifier: LoadedClassifier, method: str, item: object, found: str
) -> None:
    call: Callable[[Any], Any] = getattr(classifier, method)
    message = rf"^texts\[2\]: expected a string, found {found}"
    with pytest.raises(TypeError, match=message):
        list(call(["oslo", "rovers", item]))


def test_a_stream_answers_each_line_before_it_reads_the_next(
    classifier: LoadedClassifier,
) -> None:
    read = []

    def lines() -> Iterator[str]:
        for text in TEXTS:
            read.append(text)
            yield text

    answers = classifier.stream(lines(), batch_size=1)
    assert next(answers).text == TEXTS[0]
    assert read == TEXTS[:1]
    assert [answer.text for answer in answers] == TEXTS[1:]


@pytest.mark.parametrize("batch_size", [1, 2, 5, 1000])
def test_a_stream_answers_as_a_call_does(
    classifier: LoadedClassifier, batch_size: int
) -> None:
    streamed = list(classifier.stream(TEXTS, batch_size=batch_size))
    for answer, expected in zip(streamed, classifier(TEXTS), strict=True):
        assert answer.text == expected.text
        assert answer.probs == pytest.approx(expected.probs, abs=1e-5)


def test_a_stream_names_the_position_in_all_lines(
    classifier: LoadedClassifier,
) -> None:
    lines: Any = ["oslo", "rovers", "meet", 4]
    with pytest.raises(TypeError, match=r"^texts\[3\]: expected a string, found 4"):
        list(classifier.stream(lines, batch_size=2))


def test_a_stream_of_one_string_is_one_text(classifier: LoadedClassifier) -> None:
    assert [answer.text for answer in classifier.stream("oslo")] == ["oslo"]


@pytest.mark.parametrize("label", [None, "weather"])
def test_the_explanation_is_that_of_rnncls_explain(
    classifier: LoadedClassifier, run: Path, label: str | None
) -> None:
    expected = explain(load_run(run).classifier, TEXTS[0], label)
    assert classifier.explain(TEXTS[0], label) == expected


def test_only_one_text_of_a_known_class_can_be_explained(
    classifier: LoadedClassifier,
) -> None:
    texts: Any = TEXTS
    with pytest.raises(TypeError, match="text: expected a string, found list"):
        classifier.explain(texts)
    with pytest.raises(ConfigError, match="has no label 'sports'"):
        classifier.explain("oslo", "sports")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"run": 5}, "run: expected a run folder or an .onnx file, or None, found 5"),
        (
            {"min_confidence": 80},
            "min_confidence: expected a number from 0 to 1, found 80; did you mean"
            " 0.8?",
        ),
        (
            {"min_confidence": float("nan")},
            "min_confidence: expected a number from 0 to 1, found nan",
        ),
        (
            {"device": 5},
            "device: expected auto, cpu, cuda, cuda:N or mps, found 5",
        ),
        (
            {"threshold": 0.5},
            "the run has one label a text: use min_confidence, not threshold",
        ),
        (
            {"threshold": -1},
            "threshold: expected a number from 0 to 1, found -1",
        ),
    ],
    ids=str,
)
def test_wrong_arguments_are_reported(
    run: Path, arguments: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        rnncls.load(**{"run": run, **arguments})
    assert str(caught.value) == message


@pytest.mark.parametrize("k", [0, -1, "1", 1.5], ids=str)
def test_the_number_of_labels_is_at_least_one(
    classifier: LoadedClassifier, k: Any
) -> None:
    with pytest.raises(ConfigError, match=r"^k: expected a whole number from 1, found"):
        classifier("oslo").top(k)


def test_a_stream_of_no_lines_at_a_time_is_refused(
    classifier: LoadedClassifier,
) -> None:
    with pytest.raises(ConfigError, match="batch_size: expected a whole number from 1"):
        classifier.stream(["a"], batch_size=0)


def test_below_the_confidence_there_is_no_answer(run: Path) -> None:
    classifier = rnncls.load(run, min_confidence=1.0)
    assert [each.answer for each in classifier(TEXTS)] == [None] * len(TEXTS)
    assert (
        classifier.predict(TEXTS).tolist() == rnncls.load(run).predict(TEXTS).tolist()
    )


def test_a_missing_run_and_a_missing_device_are_reported(
    tmp_path: Path, run: Path
) -> None:
    with pytest.raises(RunError, match="no such run folder"):
        rnncls.load(tmp_path / "nothing")
    with pytest.raises(RunError, match=r"train one with .*, or name its folder"):
        rnncls.load()
    if not torch.cuda.is_available():
        with pytest.raises(DeviceError, match="cuda"):
            rnncls.load(run, device="cuda")


def test_the_representation_names_the_classes(
    classifier: LoadedClassifier,
) -> None:
    assert repr(classifier) == (
        "<rnncls classifier of 3 classes: sport, world, weather>"
    )


def copy_by_joblib(classifier: LoadedClassifier) -> LoadedClassifier:
    joblib.dump(classifier, "classifier.joblib")
    copy: LoadedClassifier = joblib.load("classifier.joblib")
    return copy


def copy_by(module: Any) -> Callable[[LoadedClassifier], LoadedClassifier]:
    return lambda classifier: module.loads(module.dumps(classifier))


@pytest.mark.parametrize(
    "copy",
    [copy_by(pickle), copy_by(cloudpickle), copy_by_joblib],
    ids=["pickle", "cloudpickle", "joblib"],
)
@pytest.mark.parametrize("is_used", [False, True])
def test_a_pickled_classifier_needs_no_run_folder(
    run: Path,
    copy: Callable[[LoadedClassifier], LoadedClassifier],
    *,
    is_used: bool,
) -> None:
    classifier = rnncls.load(run, device="cpu", min_confidence=0.5)
    expected = classifier(TEXTS)
    if not is_used:
        classifier = rnncls.load(run, device="cpu", min_confidence=0.5)
    run.rename("elsewhere")
    copied = copy(classifier)
    assert copied(TEXTS) == expected
    assert copied.explain("oslo").label == expected[1].label


def test_a_copy_for_another_machine_does_not_insist_on_the_device(
    classifier: LoadedClassifier,
) -> None:
    classifier._predictor.__dict__["_device"] = "cuda"  # as if this machine had one
    copied = copy_by(pickle)(classifier)
    state = vars(copied._predictor)
    assert state["_device"] is None
    assert state["_configured_device"] == "cuda"
    assert copied("oslo").label in LABELS


@pytest.mark.slow
def test_a_started_process_gets_the_classifier_by_pickle(
    classifier: LoadedClassifier,
) -> None:
    expected = classifier.predict(TEXTS).tolist()
    context = multiprocessing.get_context("spawn")
    with context.Pool(1) as pool:
        assert pool.map(classifier.predict, [TEXTS])[0].tolist() == expected


@pytest.mark.slow
@pytest.mark.parametrize("is_file", [False, True], ids=["run", "ONNX file"])
def test_processes_of_joblib_get_the_classifier(run: Path, *, is_file: bool) -> None:
    path = rnncls.export(run, "rovers.onnx").path if is_file else run
    classifier = rnncls.load(path)
    calls = [joblib.delayed(classifier.predict)(TEXTS[start:]) for start in range(3)]
    found = joblib.Parallel(n_jobs=2)(calls)
    expected = classifier.predict(TEXTS).tolist()
    assert [labels.tolist() for labels in found] == [
        expected,
        expected[1:],
        expected[2:],
    ]


def test_eight_threads_get_what_one_gets(classifier: LoadedClassifier) -> None:
    expected = [classifier(TEXTS[start:]) for start in range(len(TEXTS))]
    fresh = copy_by(pickle)(classifier)
    starts = [index % len(TEXTS) for index in range(80)]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda start: fresh(TEXTS[start:]), starts))
    assert found == [expected[start] for start in starts]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_answers_and_the_host_keeps_its_threads(run: Path) -> None:
    program = f"""
import os, signal, sys, torch, rnncls
torch.set_num_threads(4)
few, many = {TEXTS!r}, {TEXTS!r} * 400
classifier = rnncls.load({str(run)!r})
expected = classifier(few), classifier(many)
assert torch.get_num_threads() == 4
classifier.explain("oslo")
assert torch.get_num_threads() == 4
torch.ones(300, 300) @ torch.ones(300, 300)
child = os.fork()
if child == 0:
    signal.alarm(30)
    os._exit(int((classifier(few), classifier(many)) != expected))
assert os.waitpid(child, 0)[1] == 0
assert (classifier(few), classifier(many)) == expected
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=False, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()


def test_few_texts_need_no_torch(run: Path) -> None:
    program = f"""
import sys, rnncls
classifier = rnncls.load({str(run)!r}, device="cpu")
classifier("oslo")
classifier.predict_proba(["oslo"] * 1000)
list(classifier.stream(["oslo"] * 1000))
assert "torch" not in sys.modules
"""
    command = [sys.executable, "-c", program]
    done = subprocess.run(command, check=False, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr.decode()


def test_torch_answers_what_follows_a_thousand_lines(
    classifier: LoadedClassifier,
) -> None:
    answers = classifier.stream(["oslo"] * 1002, batch_size=500)
    for _ in range(1000):
        next(answers)
    assert "full" not in vars(classifier._predictor)
    assert len(list(answers)) == 2
    assert "full" in vars(classifier._predictor)


def test_many_texts_get_the_same_probabilities(classifier: LoadedClassifier) -> None:
    few = classifier.predict_proba(TEXTS)
    many = classifier.predict_proba(TEXTS * 201)
    np.testing.assert_allclose(many[-5:], few, atol=1e-5)


def test_an_exported_file_is_a_classifier_too(run: Path, tmp_path: Path) -> None:
    file = rnncls.export(run, tmp_path / "rovers.onnx").path
    expected = rnncls.load(run)
    classifier = rnncls.load(file)
    copies = [copy_by(pickle), copy_by(cloudpickle), copy_by_joblib]
    for each in (classifier, *(copy(classifier) for copy in copies)):
        assert each.classes_.tolist() == LABELS
        np.testing.assert_allclose(
            each.predict_proba(TEXTS), expected.predict_proba(TEXTS), atol=1e-5
        )
        assert each("oslo").label == expected("oslo").label
        labels = [answer.label for answer in each.stream(TEXTS, batch_size=2)]
        assert labels == expected.predict(TEXTS).tolist()


def test_what_an_exported_file_cannot_do_is_said(run: Path, tmp_path: Path) -> None:
    file = rnncls.export(run, tmp_path / "rovers.onnx", embedding="int8").path
    with pytest.raises(ConfigError, match="cannot explain: load the run folder"):
        rnncls.load(file).explain("oslo")
    with pytest.raises(ConfigError, match="runs on the cpu, not on cuda"):
        rnncls.load(file, device="cuda")


def test_to_import_the_package_imports_nothing_else() -> None:
    root = str(Path(rnncls.__file__).parents[1])
    program = f"""
import json, sys
sys.path.insert(0, {root!r})
before = set(sys.modules)
import rnncls
print(json.dumps(sorted(set(sys.modules) - before)))
"""
    command = [sys.executable, "-I", "-S", "-c", program]
    done = subprocess.run(command, check=True, capture_output=True)
    assert json.loads(done.stdout) == ["rnncls"]
