"""The light predictor: the predictions of `Predictor`, without torch."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from rnncls import ConfigError
from rnncls.inference.light.predictor import LightPredictor
from rnncls.inference.prediction import Prediction
from rnncls.text.tokenizer import TEXTS_A_PIECE
from tests.builders import write_run
from tests.inference.light.networks import LABELS, assert_same_labels, build_networks

TEXTS = [
    "rovers meet oslo",
    "oslo",
    "again again again oslo meet rovers again",
    "",
    " \t\u3000",
    "zanzibar",
    "the &lt;b&gt; #39;s \udcff \0 <pad> <unk>",
    "rovers " * 80,
]


def strip_numbers(prediction: Prediction) -> list[object]:
    """Return all of a prediction but its floating-point numbers."""
    tokens = None
    if prediction.attention is not None:
        tokens = [token for token, _ in prediction.attention]
    return [
        prediction.text,
        list(prediction.probs),
        prediction.min_confidence,
        prediction.num_tokens,
        prediction.num_unknown,
        prediction.num_cut,
        tokens,
        prediction.attention_spans,
    ]


def assert_same(found: list[Prediction], expected: list[Prediction]) -> None:
    for light, full in zip(found, expected, strict=True):
        assert strip_numbers(light) == strip_numbers(full)
        assert light.probs == pytest.approx(full.probs, abs=1e-6)
        if full.attention is not None and light.attention is not None:
            weights = [weight for _, weight in full.attention]
            assert [weight for _, weight in light.attention] == pytest.approx(
                weights, abs=1e-6
            )


def test_the_predictions_are_those_of_torch() -> None:
    networks = build_networks()
    expected = networks.predictor().predict(TEXTS)
    assert len({prediction.label for prediction in expected}) > 1
    assert_same(networks.light().predict(TEXTS), expected)


def test_several_labels_are_those_of_torch() -> None:
    networks = build_networks(task="several_labels", temperature=1.7)
    expected = networks.predictor().predict(TEXTS)
    assert len({len(prediction.labels) for prediction in expected}) > 1
    assert_same_labels(networks.light().predict(TEXTS), expected)


def test_one_threshold_replaces_those_of_all_labels() -> None:
    classifier = build_networks(task="several_labels").numpy
    (all_labels,) = LightPredictor(classifier, threshold=0.0).predict("oslo")
    assert set(all_labels.labels) == set(LABELS)
    assert LightPredictor(classifier, threshold=1.0).predict("oslo")[0].labels == []


def test_texts_below_a_confidence_are_those_of_torch() -> None:
    networks = build_networks(task="several_labels")
    expected = networks.predictor().predict(TEXTS)
    confidences = sorted(prediction.confidence for prediction in expected)
    middle = (confidences[len(TEXTS) // 2 - 1] + confidences[len(TEXTS) // 2]) / 2
    found = LightPredictor(networks.numpy, min_confidence=middle).predict(TEXTS)
    assert [prediction.is_rejected for prediction in found] == [
        prediction.confidence < middle or prediction.has_no_known_word
        for prediction in expected
    ]
    assert len({prediction.is_rejected for prediction in found}) == 2


def test_a_threshold_is_for_several_labels_a_text() -> None:
    with pytest.raises(ConfigError, match="has one label a text: use min_confidence"):
        LightPredictor(build_networks().numpy, threshold=0.5)


def test_the_attention_of_each_token_and_its_place_are_those_of_torch() -> None:
    networks = build_networks(pooling=["attention"])
    expected = networks.predictor(attention=True).predict(TEXTS)
    assert expected[0].attention is not None
    assert_same(networks.light(attention=True).predict(TEXTS), expected)


def test_attention_that_is_not_requested_is_not_returned() -> None:
    (prediction,) = build_networks(pooling=["attention"]).light().predict("oslo")
    assert prediction.attention is None
    assert prediction.attention_spans is None


@pytest.mark.parametrize("settings", [{}, {"cell": "none", "pooling": ["attention"]}])
def test_attention_of_a_model_without_it_is_an_error(
    settings: dict[str, Any],
) -> None:
    with pytest.raises(ConfigError, match="the model has no attention weights"):
        build_networks(**settings).light(attention=True)


def test_a_stream_predicts_all_texts_in_their_order(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("rnncls.inference.windows.PIECES_A_WINDOW", 1)
    monkeypatch.setattr("rnncls.text.tokenizer.TEXTS_A_PIECE", 3)
    assert TEXTS_A_PIECE > 3
    light = build_networks().light()
    windows = list(light.stream([TEXTS[:1], TEXTS[1:]]))
    assert [len(window) for window in windows] == [3, 3, 2]
    found = [prediction for window in windows for prediction in window]
    assert_same(found, light.predict(TEXTS))


def test_no_texts_get_no_predictions() -> None:
    light = build_networks().light()
    assert light.predict([]) == []
    assert list(light.stream([])) == []
    assert list(light.stream([[]])) == []


def test_an_item_that_is_no_text_is_an_error() -> None:
    with pytest.raises(TypeError, match=r"texts\[1\]: expected a string, found 3"):
        build_networks().light().predict(["oslo", 3])  # type: ignore[list-item]


def test_eight_threads_get_exactly_what_one_gets() -> None:
    light = build_networks().light()
    expected = light.predict(TEXTS)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: light.predict(TEXTS), range(40)))
    assert all(predictions == expected for predictions in found)


def test_a_text_is_predicted_without_importing_torch(tmp_path: Path) -> None:
    write_run(tmp_path, labels=LABELS, words=["oslo", "rovers"])
    program = (
        "import sys; from pathlib import Path\n"
        "from rnncls.runs.portable import load_portable\n"
        "from rnncls.inference.light.predictor import LightPredictor\n"
        "print(LightPredictor(load_portable(Path(sys.argv[1]))).predict('oslo'))\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", program, str(tmp_path)], check=True)
