"""Explanations: against a fine sum by a plain loop, against words replaced by hand, and
in closed form."""

import itertools
import math
from dataclasses import replace

import pytest
import torch

from rnncls import ConfigError
from rnncls.config.loading import parse_config
from rnncls.inference.insight.explanation import (
    Explanation,
    TokenOpinion,
    explain,
    explain_labels,
)
from rnncls.inference.insight.gates import encoder_of
from rnncls.inference.insight.integrated_gradients import (
    MAX_POINTS,
    integrate_gradients,
)
from rnncls.inference.predictor import Predictor
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.classifier import Classifier
from rnncls.text.vocab import UNK_ID, Vocab
from tests.inference.light.networks import build_networks

WORDS = ["<pad>", "<unk>", "oslo", "rovers", "meet", "again"]
LABELS = ["sport", "world", "weather"]
TEXT = "rovers meet oslo again"
GRID = [
    *itertools.product(["rnn", "lstm", "gru", "grid_lstm"], [False, True]),
    ("none", True),
]


def build(
    cell: str = "lstm",
    *,
    bidirectional: bool = True,
    pooling: str = "[last, max, mean]",
) -> Classifier:
    """Return a run with fresh weights, larger than usual, so that the path from the
    baseline is no straight line."""
    config = parse_config(
        f"data: {{train: none.csv}}\nmodel: {{cell: {cell}, bidirectional:"
        f" {bidirectional}, pooling: {pooling}, embedding_dim: 6, hidden_size: 5}}",
        "test.yaml",
    )
    torch.manual_seed(0)
    model = TextClassifier(config.model, len(WORDS), len(LABELS))
    with torch.no_grad():
        model.embedding.weight.mul_(15)
        model.linear.weight.mul_(5)
    return Classifier(config.text, Vocab(WORDS), LABELS, model)


def opinion(token: str, contribution: float) -> TokenOpinion:
    return TokenOpinion(
        token,
        0,
        1,
        is_known=True,
        contribution=contribution,
        occlusion=0.0,
        attention=None,
    )


def sum_gradients(
    run: Classifier, ids: list[int], target: int, num_points: int = 200
) -> torch.Tensor:
    """Return Integrated Gradients [T] by one forward and backward pass a point, in
    float64."""
    model = TextClassifier(run.model.section, len(WORDS), len(LABELS)).double()
    model.load_state_dict(run.model.state_dict())
    vectors = model.embedding.weight.detach()
    start, end = vectors[[UNK_ID] * len(ids)], vectors[ids]
    total = torch.zeros_like(start)
    for point in range(num_points):
        table = (start + (point + 0.5) / num_points * (end - start)).requires_grad_()
        order = torch.arange(len(ids))[None]
        model(order, torch.tensor([len(ids)]), is_ragged=False, word_vectors=table)[
            0, target
        ].backward()
        assert table.grad is not None
        total += table.grad
    return ((end - start) * total / num_points).sum(dim=1)


@pytest.mark.parametrize(("cell", "bidirectional"), [("lstm", True), ("gru", False)])
def test_contributions_equal_a_fine_sum_over_the_path(
    cell: str, bidirectional: bool
) -> None:
    run = build(cell, bidirectional=bidirectional)
    expected = sum_gradients(run, [3, 4, 2, 5], target=1)
    found = torch.tensor(
        [each.contribution for each in explain(run, TEXT, "world").tokens]
    ).double()
    torch.testing.assert_close(
        found, expected, rtol=0.01, atol=0.01 * float(expected.abs().max())
    )


def test_contributions_of_a_bag_of_words_are_its_weights() -> None:
    run = build("none")
    vectors, weights = (
        run.model.embedding.weight.detach(),
        run.model.linear.weight.detach(),
    )
    expected = (vectors[[3, 4, 2, 5]] - vectors[UNK_ID]) @ weights[2] / 4
    found = [each.contribution for each in explain(run, TEXT, "weather").tokens]
    assert found == pytest.approx(expected.tolist(), rel=1e-4)


@pytest.mark.parametrize("pooling", ["[last]", "[last, max, mean, attention]"])
@pytest.mark.parametrize(("cell", "bidirectional"), GRID)
def test_contributions_add_up_to_the_difference_of_the_logits(
    cell: str, bidirectional: bool, pooling: str
) -> None:
    found = explain(build(cell, bidirectional=bidirectional, pooling=pooling), TEXT)
    total = sum(each.contribution for each in found.tokens)
    assert found.is_complete
    assert total == pytest.approx(found.logit - found.baseline_logit, rel=0.0101)
    assert found.residual == pytest.approx(total - found.difference, abs=1e-9)


def test_pieces_are_halved_where_the_logit_jumps() -> None:
    run = build("rnn", pooling="[last]")
    with torch.no_grad():
        for weights in encoder_of(run.model).rnn.all_weights:
            # A state that flips at once: equal segments would need many more points.
            weights[1].mul_(2)
    found = explain(run, "rovers meet oslo again " * 6)
    assert found.is_complete
    assert 129 < found.num_points < MAX_POINTS


def test_no_more_points_are_evaluated_than_allowed() -> None:
    found = integrate_gradients(
        build().model,
        torch.tensor([3, 4, 5, 2]),
        0,
        max_residual=0.0,
        max_points=300,
    )
    assert 300 <= found.num_points <= 364
    assert found.residual != 0.0


def test_a_text_of_unknown_words_needs_no_point_of_the_path() -> None:
    found = explain(build(), "zzz yyy zzz")
    assert [each.contribution for each in found.tokens] == [0.0, 0.0, 0.0]
    assert (found.num_points, found.residual) == (0, 0.0)
    assert found.is_complete
    assert found.logit == pytest.approx(found.baseline_logit, abs=1e-6)


def test_a_sum_that_misses_the_difference_is_said_to() -> None:
    opinions = [opinion("a", 1.5), opinion("b", -0.25)]
    found = Explanation(
        "a b",
        {"x": 0.9, "y": 0.1},
        "x",
        1.0,
        0.0,
        0.5,
        opinions,
        MAX_POINTS,
        residual=0.25,
    )
    assert not found.is_complete
    warning = "Do not trust the contributions of the words: they should add up to +1.00"
    assert f"{warning}, but add up to +1.25." in found.meaning()
    exact = replace(found, residual=0.01)
    assert exact.is_complete
    assert "trust" not in exact.meaning()


def test_the_baseline_is_a_text_of_unknown_words() -> None:
    run = build()
    found = explain(run, TEXT)
    unknown = Predictor(run, torch.device("cpu")).predict("zzz " * len(found.tokens))
    prob = unknown[0].probs[found.label]
    assert found.baseline_prob == pytest.approx(prob, abs=1e-6)
    # A colleague reads the summary: it is about the words, not about this figure.
    assert "knew none" not in found.meaning()
    assert found.to_dict()["baseline_prob"] == found.baseline_prob


@pytest.mark.parametrize(("cell", "bidirectional"), GRID)
def test_occlusion_is_what_the_logit_loses_without_the_word(
    cell: str, bidirectional: bool
) -> None:
    run = build(cell, bidirectional=bidirectional)
    predictor = Predictor(run, torch.device("cpu"))
    words = TEXT.split()
    texts = [
        TEXT,
        *(
            " ".join([*words[:place], "zzz", *words[place + 1 :]])
            for place in range(len(words))
        ),
    ]
    # Probabilities tell how far apart two logits are, not where they lie.
    first, second = (explain(run, TEXT, label) for label in ("sport", "world"))
    odds = [
        torch.tensor([each.probs["sport"], each.probs["world"]]).log()
        for each in predictor.predict(texts)
    ]
    ratios = [float(each[0] - each[1]) for each in odds]
    found = [
        a.occlusion - b.occlusion
        for a, b in zip(first.tokens, second.tokens, strict=True)
    ]
    assert found == pytest.approx([ratios[0] - ratio for ratio in ratios[1:]], abs=1e-4)


def test_the_predicted_label_is_explained_unless_another_is_chosen() -> None:
    run = build()
    prediction = Predictor(run, torch.device("cpu")).predict([TEXT])[0]
    found = explain(run, TEXT)
    assert (found.label, found.prediction) == (prediction.label, prediction.label)
    assert found.probs == pytest.approx(prediction.probs, abs=1e-6)
    assert explain(run, TEXT, "weather").label == "weather"


def test_a_label_that_is_not_there_is_an_error_that_names_the_nearest() -> None:
    with pytest.raises(
        ConfigError,
        match=(
            r"no label 'wether', only sport, world, weather; did you mean 'weather'\?"
        ),
    ):
        explain(build(), TEXT, "wether")


def test_a_word_outside_the_vocabulary_adds_nothing() -> None:
    found = explain(build(), "rovers zzz oslo").tokens[1]
    assert (found.token, found.is_known, found.contribution) == ("zzz", False, 0.0)
    assert found.occlusion == pytest.approx(0.0, abs=1e-5)


def test_each_token_has_its_place_in_the_text() -> None:
    text = "  Rovers (Oslo)"
    found = [
        (each.token, text[each.start : each.end])
        for each in explain(build(), text).tokens
    ]
    expected = [("rovers", "Rovers"), ("(", "("), ("oslo", "Oslo"), (")", ")")]
    assert found == expected


def test_attention_is_what_the_model_takes_in() -> None:
    run = build(pooling="[attention]")
    predicted = (
        Predictor(run, torch.device("cpu"), attention=True).predict([TEXT])[0].attention
    )
    found = [(each.token, each.attention) for each in explain(run, TEXT).tokens]
    assert predicted is not None
    assert [token for token, _ in found] == [token for token, _ in predicted]
    assert [weight for _, weight in found] == pytest.approx(
        [weight for _, weight in predicted]
    )
    assert all(each.attention is None for each in explain(build(), TEXT).tokens)


def test_an_explanation_is_the_same_each_time() -> None:
    assert explain(build(), TEXT) == explain(build(), TEXT)


@pytest.mark.parametrize(
    "text", ["", "again " * 300, "zzz"], ids=["empty", "long", "unknown"]
)
def test_an_odd_text_is_explained(text: str) -> None:
    found = explain(build(), text)
    assert len(found.tokens) == max(1, min(len(text.split()), 256))
    assert found.is_complete


def make_several(thresholds: list[float]) -> Classifier:
    """Return a network with several labels a text, and the probabilities of `TEXT`."""
    networks = build_networks(task="several_labels")
    return replace(networks.torch, thresholds=thresholds)


def test_each_label_that_reaches_its_threshold_is_explained() -> None:
    text = "rovers meet oslo"
    predictor = Predictor(make_several([0.0] * 3), torch.device("cpu"))
    (all_labels,) = predictor.predict(text)
    ranked = all_labels.top(3)
    expected = [name for name, _ in ranked[1:]]
    # The most probable label is below its threshold, the others reach theirs.
    classifier = make_several(
        [1.0 if name == ranked[0][0] else 0.0 for name in all_labels.probs]
    )
    explanations = explain_labels(classifier, text)
    assert [explanation.label for explanation in explanations] == expected
    for explanation in explanations:
        assert explanation.labels == expected
        assert explanation.prediction == ranked[0][0]
        assert explanation.probs == pytest.approx(all_labels.probs, abs=1e-6)
        assert explanation.is_complete
        assert "which reaches its threshold of 0.0%." in explanation.meaning()
        assert explanation.to_dict()["labels"] == expected
        assert explanation.baseline_prob == pytest.approx(
            1 / (1 + math.exp(-explanation.baseline_logit)), abs=1e-6
        )


def test_without_a_label_the_most_probable_one_is_explained() -> None:
    (explanation,) = explain_labels(make_several([1.0] * 3), "rovers meet oslo")
    assert explanation.label == explanation.prediction
    assert explanation.labels == []
    assert "which is below its threshold of 100.0%." in explanation.meaning()


def test_one_label_has_neither_thresholds_nor_a_set() -> None:
    (explanation,) = explain_labels(build("lstm"), TEXT)
    values = explanation.to_dict()
    assert not {"thresholds", "labels"} & values.keys()
    assert explanation.labels == [explanation.label]
