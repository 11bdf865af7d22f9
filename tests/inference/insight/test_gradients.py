"""The gradient through time, against products of Jacobians by hand and torch's own
modules from each state on."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rnncls import ConfigError
from rnncls.cli.reporting.insight_plots import plot_gradients
from rnncls.config.sections import ModelSection
from rnncls.data.loading import EncodedSplit
from rnncls.inference.insight.gradients import (
    GradientCurve,
    Measured,
    choose_rows,
    measure_gradient,
    measure_network,
    state_gradients,
)
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.encoder import CELLS, Encoder
from rnncls.text.batching import Batch, assemble
from rnncls.text.encoded_texts import EncodedTexts

TEXTS = [[2, 3, 4, 5, 2], [4, 2], [5, 5, 3], [3]]
LABELS = torch.tensor([0, 2, 1, 1])


def build(cell: str, **keys: object) -> TextClassifier:
    """Return a small network in float64 whose word vectors are not small."""
    torch.manual_seed(0)
    section = ModelSection.model_validate(
        {
            "cell": cell,
            "embedding_dim": 3,
            "hidden_size": 4,
            "bidirectional": False,
            "pooling": ["last"],
            **keys,
        }
    )
    model = TextClassifier(section, 6, 3).double().eval()
    with torch.no_grad():
        model.embedding.weight *= 10
    return model


def encode(texts: list[list[int]]) -> EncodedTexts:
    lengths = np.array([len(text) for text in texts])
    return EncodedTexts(
        np.concatenate(texts).astype(np.int32), lengths, np.cumsum(lengths) - lengths
    )


def batch_of(texts: list[list[int]]) -> Batch:
    return assemble(encode(texts), np.arange(len(texts)))


def test_an_rnns_gradient_is_the_product_of_its_jacobians() -> None:
    model = build("rnn")
    assert isinstance(model.encoder, Encoder)
    w, u, b, d = (
        weight.detach().numpy() for weight in model.encoder.rnn.all_weights[0]
    )
    h, states = np.zeros(4), []
    for word in TEXTS[0]:
        h = np.tanh(w @ model.embedding.weight.detach().numpy()[word] + b + u @ h + d)
        states.append(h)
    linear = model.linear.weight.detach().numpy()
    logits = linear @ h + model.linear.bias.detach().numpy()
    probs = np.exp(logits) / np.exp(logits).sum()
    gradient = linear.T @ (probs - np.eye(3)[0])
    expected = [np.linalg.norm(gradient)]
    for later in states[:0:-1]:
        gradient = u.T @ np.diag(1 - later**2) @ gradient
        expected.append(np.linalg.norm(gradient))
    (found,) = state_gradients(model, batch_of(TEXTS[:1]), LABELS[:1])
    assert found[:, 0].tolist() == pytest.approx(expected[::-1], rel=1e-12)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_it_is_the_gradient_of_what_torchs_module_makes_of_the_rest_of_the_text(
    cell: str,
) -> None:
    model = build(cell, num_layers=2)
    assert isinstance(model.encoder, Encoder)
    rnn = model.encoder.rnn
    below, top = (CELLS[cell](size, 4).double() for size in (3, 4))
    for module, layer in ((below, 0), (top, 1)):
        names = ("weight_ih_l", "weight_hh_l", "bias_ih_l", "bias_hh_l")
        module.load_state_dict(
            {f"{name}0": getattr(rnn, f"{name}{layer}") for name in names}
        )
    inputs = below(model.embedding(torch.tensor(TEXTS[0]))[:, None])[0]  # [T, 1, H]
    expected = []
    for end in range(1, len(inputs) + 1):
        state = top(inputs[:end])[1]
        leaves = [
            part.detach().requires_grad_()
            for part in (state if cell == "lstm" else (state,))
        ]
        last = leaves[0]
        if end < len(inputs):
            last = top(inputs[end:], tuple(leaves) if cell == "lstm" else leaves[0])[0][
                -1:
            ]
        loss = F.cross_entropy(model.linear(last[0]), LABELS[:1])
        gradients = torch.autograd.grad(
            loss, leaves, allow_unused=True, materialize_grads=True
        )
        expected.append(
            torch.cat([gradient.flatten() for gradient in gradients]).norm().item()
        )
    (found,) = state_gradients(model, batch_of(TEXTS[:1]), LABELS[:1])
    assert found[:, 0].tolist() == pytest.approx(expected, rel=1e-12)


def test_for_several_labels_it_is_the_gradient_of_their_binary_losses() -> None:
    model = build("rnn", task="several_labels")
    labels = torch.tensor([[True, False, True]])
    assert isinstance(model.encoder, Encoder)
    inputs = model.embedding(torch.tensor(TEXTS[0]))[:, None]
    state = model.encoder.rnn(inputs)[0][-1]  # [1, H]
    errors = model.linear(state).sigmoid() - labels.double()  # [1, C]
    expected = (errors @ model.linear.weight).norm().item()
    (found,) = state_gradients(model, batch_of(TEXTS[:1]), labels)
    assert found[-1, 0].item() == pytest.approx(expected, rel=1e-12)


def test_the_backward_direction_is_a_forward_one_over_the_text_reversed() -> None:
    both, one = build("gru", bidirectional=True), build("gru")
    assert isinstance(both.encoder, Encoder)
    assert isinstance(one.encoder, Encoder)
    with torch.no_grad():
        both.linear.weight[:, :4] = 0  # the loss sees the backward state alone
        one.linear.weight.copy_(both.linear.weight[:, 4:])
        one.linear.bias.copy_(both.linear.bias)
        one.embedding.weight.copy_(both.embedding.weight)
        for own, other in zip(
            one.encoder.rnn.all_weights[0], both.encoder.rnn.all_weights[1], strict=True
        ):
            own.copy_(other)
    forward, backward = state_gradients(both, batch_of(TEXTS), LABELS)
    (expected,) = state_gradients(one, batch_of([text[::-1] for text in TEXTS]), LABELS)
    assert not forward.any()
    torch.testing.assert_close(backward, expected, rtol=1e-12, atol=0)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_each_token_has_the_gradient_of_the_step_that_reads_it(
    *, bidirectional: bool
) -> None:
    keys = {"pooling": ["last", "max"], "bidirectional": bidirectional}
    model, plain = build("lstm", tokens_per_step=2, **keys), build("lstm", **keys)
    for place, text in enumerate(TEXTS):
        labels = LABELS[place : place + 1]
        found = state_gradients(model, batch_of(TEXTS), LABELS)
        sums = [
            plain.embedding.weight.detach()[text[start : start + 2]].sum(dim=0)
            for start in range(0, len(text), 2)
        ]
        with torch.no_grad():
            plain.embedding.weight[: len(sums)] = torch.stack(sums)
        steps = state_gradients(plain, batch_of([[*range(len(sums))]]), labels)
        plain.load_state_dict(model.state_dict())
        by_step = [step[:, 0].tolist() for step in steps]
        forward = [by_step[0][token // 2] for token in range(len(text))]
        assert found[0][: len(text), place].tolist() == pytest.approx(forward)
        assert not found[0][len(text) :, place].any()
        if bidirectional:
            # In its reading order, from the last token to the first.
            last_step = len(sums) - 1
            tokens = range(len(text))[::-1]
            backward = [by_step[1][last_step - token // 2] for token in tokens]
            assert found[1][: len(text), place].tolist() == pytest.approx(backward)


def test_neighbours_and_padding_change_nothing() -> None:
    model = build("lstm", pooling=["last", "max", "mean"], bidirectional=True)
    together = state_gradients(model, batch_of(TEXTS), LABELS)
    for place, text in enumerate(TEXTS):
        alone = state_gradients(model, batch_of([text]), LABELS[place : place + 1])
        for many, one in zip(together, alone, strict=True):
            torch.testing.assert_close(
                many[: len(text), place], one[:, 0], rtol=1e-10, atol=1e-14
            )
            assert not many[len(text) :, place].any()


def test_another_pooling_reads_each_state_itself() -> None:
    model = build("rnn", pooling=["mean"])
    (found,) = state_gradients(model, batch_of(TEXTS[:1]), LABELS[:1])
    logits = model(torch.tensor([TEXTS[0]]), torch.tensor([5]), is_ragged=False)[0]
    direct = model.linear.weight.t() @ (logits.softmax(0) - torch.eye(3)[0]) / 5
    assert found[-1, 0].item() == pytest.approx(direct.norm().item(), rel=1e-12)


def test_a_curve_has_the_means_and_medians_of_the_texts_that_reach_so_far() -> None:
    model = build("rnn")
    labels = LABELS.numpy()
    (curve,) = measure_gradient(
        model,
        EncodedSplit(
            encode(TEXTS[:3]).select(np.array([2, 0, 1])),
            labels[[2, 0, 1]],
            np.arange(3),
        ),
    )
    (norms,) = state_gradients(model, batch_of(TEXTS[:3]), LABELS[:3])
    own = [
        norms[: len(text), place].numpy()[::-1] for place, text in enumerate(TEXTS[:3])
    ]
    assert curve.direction == "forward"
    assert curve.num_texts[:2] == [3, 3]
    assert curve.norms == pytest.approx(
        [np.mean([each[d] for each in own]) for d in (0, 1)], rel=1e-12
    )
    assert curve.shares == pytest.approx(
        [1.0, np.median([each[1] / each[0] for each in own])], rel=1e-12
    )


@pytest.mark.parametrize(
    ("shares", "memory", "shown"),
    [([1, 0.5, 0.009, 0.02, 0.001], 2, "2"), ([1, 0.5, 0.01], None, "> 2")],
)
def test_the_memory_is_the_first_distance_below_a_hundredth(
    shares: list[float], memory: int | None, shown: str
) -> None:
    curve = GradientCurve("forward", shares, shares, [1] * len(shares))
    assert curve.memory == memory
    assert Measured("a", "first", "rnn", ("last",), curve).memory_shown == shown


def test_small_recurrent_weights_forget_and_orthogonal_ones_do_not() -> None:
    text, label = [[2, 3, 4, 5] * 10], np.array([1])
    model = build("rnn")
    assert isinstance(model.encoder, Encoder)
    with torch.no_grad():
        model.embedding.weight *= 0.001
    (kept,) = measure_gradient(
        model, EncodedSplit(encode(text), label, np.arange(len(label)))
    )
    with torch.no_grad():
        model.encoder.recurrent_weights()[0].mul_(0.5)
    (lost,) = measure_gradient(
        model, EncodedSplit(encode(text), label, np.arange(len(label)))
    )
    assert kept.memory is None
    assert lost.memory == math.ceil(math.log(0.01) / math.log(0.5))
    assert lost.shares[3] == pytest.approx(1 / 8, rel=1e-3)


@pytest.mark.parametrize("cell", ["none", "grid_lstm"])
def test_a_network_without_one_state_is_refused(cell: str) -> None:
    with pytest.raises(
        ConfigError, match=f"model.cell: {cell} has no hidden state with"
    ):
        measure_gradient(
            build(cell),
            EncodedSplit(encode(TEXTS), LABELS.numpy(), np.arange(len(TEXTS))),
        )


def test_no_gradient_is_left_in_the_model() -> None:
    model = build("lstm")
    measure_gradient(
        model, EncodedSplit(encode(TEXTS), LABELS.numpy(), np.arange(len(TEXTS)))
    )
    assert all(parameter.grad is None for parameter in model.parameters())


def test_rows_are_drawn_by_the_seed_and_keep_their_labels() -> None:
    split = EncodedSplit(encode(TEXTS), np.arange(4), np.arange(4))
    drawn = choose_rows(split, 3, seed=1)
    assert [len(TEXTS[label]) for label in drawn.labels] == drawn.texts.lengths.tolist()
    assert choose_rows(split, 3, seed=1).labels.tolist() == drawn.labels.tolist()
    assert choose_rows(split, 4, seed=1) is split


def test_the_picture_has_a_line_a_curve_and_one_for_the_floor() -> None:
    split = EncodedSplit(encode(TEXTS), LABELS.numpy(), np.arange(len(TEXTS)))
    measured = [
        each
        for weights in ("first", "trained")
        for each in measure_network(
            "a", weights, build("gru", bidirectional=True), split
        )
    ]
    axes = plot_gradients(measured).axes[0]
    assert [line.get_linestyle() for line in axes.lines] == ["--", "--", "-", "-", ":"]
    legend = axes.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()][:2] == [
        "a, untrained weights",
        "a, backward, untrained weights",
    ]
