"""Trajectories: each prediction is the one that `predict` gives of the text so far."""

import itertools

import numpy as np
import pytest
import torch

from rnncls import ConfigError
from rnncls.config.loading import parse_config
from rnncls.inference.insight.trajectory import (
    PrefixPrediction,
    Stream,
    Trajectory,
    trace_predictions,
)
from rnncls.inference.predictor import Predictor
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.classifier import Classifier
from rnncls.text.traced_text import Span
from rnncls.text.vocab import Vocab
from tests.inference.light.networks import build_networks
from tests.inference.test_predictor import ODD_TEXTS

WORDS = ["<pad>", "<unk>", "oslo", "rovers", "meet", "again"]
LABELS = ["sport", "world", "weather"]
TEXT = "rovers meet oslo again zzz rovers"
POOLINGS = ["[last]", "[max]", "[mean]", "[attention]", "[attention, mean, max, last]"]
ONE_WAY = [
    *itertools.product(["rnn", "lstm", "gru", "grid_lstm"], [1, 2], POOLINGS),
    ("none", 1, "[last]"),
]


def build(
    cell: str = "lstm",
    num_layers: int = 1,
    pooling: str = "[last, max]",
    *,
    bidirectional: bool = False,
    tokens_per_step: int = 1,
) -> Classifier:
    config = parse_config(
        f"data: {{train: none.csv}}\ntext: {{max_tokens: 64}}\nmodel: {{cell: {cell},"
        f" tokens_per_step: {tokens_per_step}, pooling: {pooling},"
        f" num_layers: {num_layers}, bidirectional:"
        f" {bidirectional}, embedding_dim: 6, hidden_size: 5}}",
        "test.yaml",
    )
    torch.manual_seed(0)
    model = TextClassifier(config.model, len(WORDS), len(LABELS))
    with torch.no_grad():
        model.embedding.weight.mul_(15)
        model.linear.weight.mul_(5)
    return Classifier(config.text, Vocab(WORDS), LABELS, model)


def predict(run: Classifier, texts: list[str]) -> list[list[float]]:
    return [
        list(each.probs.values())
        for each in Predictor(run, torch.device("cpu")).predict(texts)
    ]


def beginnings(text: str) -> list[str]:
    words = text.split()
    return [" ".join(words[: count + 1]) for count in range(len(words))]


def stream(
    run: Classifier, text: str, size: int, min_confidence: float | None = None
) -> list[PrefixPrediction]:
    """Return all that is said of a text that arrives in pieces of that size."""
    reader = Stream(run, min_confidence)
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    return [prediction for piece in pieces for prediction in reader.feed(piece)] + list(
        reader.finish()
    )


@pytest.mark.parametrize(("cell", "num_layers", "pooling"), ONE_WAY)
def test_each_prediction_of_one_pass_is_that_for_the_prefix(
    cell: str, num_layers: int, pooling: str
) -> None:
    run = build(cell, num_layers, pooling)
    found = trace_predictions(run, TEXT)
    assert not found.is_reread
    np.testing.assert_allclose(found.probs, predict(run, beginnings(TEXT)), atol=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm", "none"])
@pytest.mark.parametrize("size", [2, 4, 10])
def test_a_step_that_lacks_tokens_is_read_again_with_the_next_one(
    cell: str, size: int
) -> None:
    run = build(cell, 2, "[attention, mean, max, last]", tokens_per_step=size)
    expected = predict(run, beginnings(TEXT))
    np.testing.assert_allclose(trace_predictions(run, TEXT).probs, expected, atol=1e-5)
    found = [list(each.probs.values()) for each in stream(run, TEXT, 3)]
    # The last prediction is said again when the text ends.
    np.testing.assert_allclose(found, [*expected, expected[-1]], atol=1e-5)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm"])
def test_a_model_that_reads_from_both_ends_reads_each_beginning_anew(cell: str) -> None:
    run = build(cell, bidirectional=True)
    found = trace_predictions(run, TEXT)
    assert found.is_reread
    assert "each prefix was classified separately" in found.meaning()
    np.testing.assert_allclose(found.probs, predict(run, beginnings(TEXT)), atol=1e-5)


@pytest.mark.parametrize(
    ("predictions", "decided_at"),
    [("a", 0), ("aaaa", 0), ("abab", 3), ("abbb", 1), ("baab", 3), ("bbaa", 2)],
)
def test_the_token_that_decides_is_the_last_that_changes_the_label(
    predictions: str, decided_at: int
) -> None:
    probs = [
        [0.9, 0.1] if prediction == "a" else [0.1, 0.9] for prediction in predictions
    ]
    found = trajectory_of(predictions, probs)
    assert ("".join(found.predictions), found.decided_at) == (predictions, decided_at)


@pytest.mark.parametrize(
    ("predictions", "meaning"),
    [
        (
            "abb",
            "From token 2 of 3, 'b', on, the label is b: the token after it does not"
            " change it.",
        ),
        (
            "abbb",
            "From token 2 of 4, 'b', on, the label is b: the 2 tokens after it do not"
            " change it.",
        ),
        ("ab", "The label is final only at the last token, 'b': b."),
        ("a", "From token 1 of 1, 'a', on, the label is a: it is the only token."),
    ],
)
def test_what_it_means_is_a_sentence(predictions: str, meaning: str) -> None:
    probs = [
        [0.9, 0.1] if prediction == "a" else [0.1, 0.9] for prediction in predictions
    ]
    assert trajectory_of(predictions, probs).meaning() == meaning


def trajectory_of(predictions: str, probs: list[list[float]]) -> Trajectory:
    """Return a trajectory whose tokens are the letters of a text."""
    spans = [Span(index, index + 1) for index in range(len(predictions))]
    labels = ["a", "b"]
    return Trajectory(
        predictions, labels, list(predictions), spans, probs, is_reread=False
    )


def test_each_token_has_its_place_in_the_text() -> None:
    text = "Oslo,  ROVERS"
    found = trace_predictions(build(), text)
    assert [text[start:end] for start, end in found.spans] == ["Oslo", ",", "ROVERS"]
    assert found.to_dict()["spans"] == [(0, 4), (4, 5), (7, 13)]


# Streams


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm", "none"])
def test_a_stream_ends_with_the_prediction_for_the_whole_text(
    cell: str, size: int
) -> None:
    run = build(cell, pooling="[attention, mean, max, last]")
    *_, last = stream(run, TEXT, size)
    assert (last.is_final, last.is_early, last.num_tokens) == (True, False, 6)
    np.testing.assert_allclose(
        list(last.probs.values()), predict(run, [TEXT])[0], atol=1e-5
    )


@pytest.mark.parametrize("size", [1, 7, 200_000])
@pytest.mark.parametrize(
    "text", [text[:2000] for text in ODD_TEXTS.values()], ids=ODD_TEXTS
)
def test_a_stream_of_an_odd_text_ends_with_its_prediction(text: str, size: int) -> None:
    run = build()
    *_, last = stream(run, text + "\n", size)
    np.testing.assert_allclose(
        list(last.probs.values()), predict(run, [text])[0], atol=1e-5
    )


def test_there_is_a_prediction_after_each_token() -> None:
    run = build()
    found = stream(run, TEXT, 1)
    assert [(each.token, each.num_tokens, each.is_final) for each in found[:-1]] == [
        (word, place, False) for place, word in enumerate(TEXT.split(), start=1)
    ]
    np.testing.assert_allclose(
        [list(v.probs.values()) for v in found[:-1]],
        predict(run, beginnings(TEXT)),
        atol=1e-5,
    )


def test_the_end_of_a_tag_takes_back_what_was_read_of_it() -> None:
    found = stream(build(), "oslo <b hidden >rovers\n", 1)
    assert [each.token for each in found] == [
        "oslo",
        "<b",
        "hidden",
        "oslo",
        "rovers",
        "rovers",
    ]
    assert [each.num_tokens for each in found] == [1, 2, 3, 1, 2, 2]


@pytest.mark.parametrize("size", [1, 4, 1000])
def test_each_prediction_has_the_place_of_its_token_in_its_line(size: int) -> None:
    found = stream(build(), "Oslo, \u201cmeet\nRovers", size)
    places = {
        (each.row, each.token, each.written, each.start, each.end) for each in found
    }
    assert places == {
        (1, "oslo", "Oslo", 0, 4),
        (1, ",", ",", 4, 5),
        (1, "\u201cmeet", "\u201cmeet", 6, 11),
        (2, "rovers", "Rovers", 0, 6),
    }


def test_each_line_is_a_text_of_its_own() -> None:
    run = build()
    finals = [each for each in stream(run, "rovers meet\r\n\noslo", 2) if each.is_final]
    expected = predict(run, ["rovers meet", "", "oslo"])
    np.testing.assert_allclose(
        [list(each.probs.values()) for each in finals], expected, atol=1e-5
    )


def test_nothing_is_said_of_nothing() -> None:
    assert stream(build(), "", 1) == []


def test_a_text_is_left_once_a_label_is_probable_enough() -> None:
    run = build()
    probs = [max(row) for row in predict(run, beginnings(TEXT))]
    enough = sorted(probs)[-2] - 1e-4
    expected = next(
        place for place, prob in enumerate(probs, start=1) if prob >= enough
    )
    found = stream(run, f"{TEXT}\noslo\n", 3, enough)
    early = found[expected]
    assert (early.num_tokens, early.is_final, early.is_early) == (expected, True, True)
    assert found[expected + 1].token == "oslo"


def test_a_stream_refuses_a_model_that_reads_from_both_ends_by_name() -> None:
    with pytest.raises(
        ConfigError, match=r"model\.bidirectional: .* is bidirectional, so it cannot"
    ):
        Stream(build(bidirectional=True))


# Accuracy against tokens read


SEVERAL = build_networks(task="several_labels", bidirectional=False)


def test_the_label_sets_are_those_of_each_prefix() -> None:
    found = trace_predictions(SEVERAL.torch, TEXT)
    predictor = SEVERAL.predictor()
    expected = predictor.predict(beginnings(TEXT))
    np.testing.assert_allclose(
        found.probs, [list(each.probs.values()) for each in expected], atol=1e-5
    )
    assert found.label_sets == [prediction.labels for prediction in expected]
    assert found.predictions[0] == ", ".join(expected[0].labels) or "none"
    assert found.to_dict()["verdicts"] == found.label_sets
    assert "thresholds" not in trace_predictions(build(), TEXT).to_dict()


def test_the_order_of_the_labels_decides_nothing() -> None:
    probs = [[0.9, 0.1], [0.8, 0.9], [0.9, 0.8]]
    trajectory = Trajectory(
        "a b c",
        ["x", "y"],
        ["a", "b", "c"],
        [Span(0, 1), Span(2, 3), Span(4, 5)],
        probs,
        is_reread=False,
        thresholds=[0.5, 0.5],
    )
    assert trajectory.label_sets == [["x"], ["y", "x"], ["x", "y"]]
    assert trajectory.decided_at == 1
    assert "on, the labels are x, y: the token after it does not change them" in (
        trajectory.meaning()
    )


def test_a_stream_has_the_labels_so_far() -> None:
    predictions = stream(SEVERAL.torch, TEXT, size=3)
    (expected,) = SEVERAL.predictor().predict(TEXT)
    assert predictions[-1].is_final
    assert predictions[-1].labels == expected.labels
    with pytest.raises(ConfigError, match="the run has several labels"):
        Stream(SEVERAL.torch, min_confidence=0.9)
