"""The network: its maths against torch's own packed sequences, and its blindness to
padding, order and batch size."""

import itertools
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from rnncls.config.sections import ModelSection
from rnncls.nn.classifier import (
    Attention,
    Pooling,
    TextClassifier,
    least_weights,
    pool,
    start_from_vectors,
)
from rnncls.nn.recurrent import CELLS as KINDS
from rnncls.nn.recurrent import Dropout, Encoder, GridLstm, States, reversal, run_kernel
from rnncls.text.batching import Batch, number_words
from rnncls.text.vocab import PAD_ID, UNK_ID

CELLS = ["rnn", "lstm", "gru", "grid_lstm", "none"]
POOLINGS = [
    ["last"],
    ["max"],
    ["mean"],
    ["attention"],
    ["last", "max", "mean", "attention"],
]
LENGTHS = [7, 1, 4, 7, 2]
GRID = list(itertools.product(CELLS, [False, True], [1, 2], POOLINGS))


def build(
    cell: str, *, bidirectional: bool, num_layers: int, pooling: list[str], **other: Any
) -> TextClassifier:
    torch.manual_seed(0)
    values = {
        "embedding_dim": 6,
        "hidden_size": 5,
        "dropout": 0.0,
        "word_dropout": 0.0,
    } | other
    section = ModelSection.model_validate(
        {
            "cell": cell,
            "bidirectional": bidirectional,
            "num_layers": num_layers,
            "pooling": pooling,
        }
        | values
    )
    return TextClassifier(section, vocab_size=30, num_classes=3).double()


def pad(
    texts: list[torch.Tensor], longest: int | None = None
) -> tuple[torch.Tensor, torch.Tensor, bool]:
    """Return token ids [B, T], lengths [B] and whether they are ragged."""
    lengths = torch.tensor([len(text) for text in texts])
    width = longest or int(lengths.max())
    token_ids = torch.full((len(texts), width), PAD_ID)
    for row, text in enumerate(texts):
        token_ids[row, : len(text)] = text
    return token_ids, lengths, bool((lengths < width).any())


def texts() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(2, 30, (length,), generator=generator) for length in LENGTHS]


def logits_of(
    model: TextClassifier, batch: list[torch.Tensor], longest: int | None = None
) -> torch.Tensor:
    token_ids, lengths, is_ragged = pad(batch, longest)
    result: torch.Tensor = model(token_ids, lengths, is_ragged=is_ragged)
    return result


def alone(model: TextClassifier) -> torch.Tensor:
    """Return the logits of each text in a batch of its own."""
    return torch.cat([logits_of(model, [text]) for text in texts()])


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_padding_and_batch_size_do_not_change_logits(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=num_layers, pooling=pooling
    )
    torch.testing.assert_close(logits_of(model, texts()), alone(model))
    torch.testing.assert_close(logits_of(model, texts(), longest=12), alone(model))


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_a_network_has_at_least_so_many_weights(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    model = build(
        cell,
        bidirectional=bidirectional,
        num_layers=num_layers,
        pooling=pooling,
        hidden_size=40,
    )
    found = sum(weight.numel() for weight in model.parameters())
    assert (
        found / 40 < least_weights(model.section, vocab_size=30, num_classes=3) < found
    )


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_order_in_the_batch_does_not_change_logits(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=num_layers, pooling=pooling
    )
    order = [3, 0, 4, 2, 1]
    torch.testing.assert_close(
        logits_of(model, [texts()[row] for row in order]), alone(model)[order]
    )


@pytest.mark.parametrize("filler", [UNK_ID, 7])
@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_what_stands_after_the_end_of_a_text_does_not_change_logits(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str], filler: int
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=num_layers, pooling=pooling
    )
    token_ids, lengths, is_ragged = pad(texts())
    filled = token_ids.masked_fill(token_ids == PAD_ID, filler)
    torch.testing.assert_close(
        model(filled, lengths, is_ragged=is_ragged), alone(model)
    )


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_states_equal_those_of_a_packed_sequence(
    cell: str, bidirectional: bool, num_layers: int
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=num_layers, pooling=["last"]
    )
    assert isinstance(model.encoder, Encoder)
    token_ids, lengths, _ = pad(texts())
    embedded = model.embedding(token_ids.t())
    packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths, enforce_sorted=False)
    expected, _ = nn.utils.rnn.pad_packed_sequence(model.encoder.rnn(packed)[0])
    states = model.encoder(embedded, lengths).joined()
    inside = token_ids.t() != PAD_ID
    torch.testing.assert_close(states[inside], expected[inside])


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_cell_in_bfloat16_has_its_own_type_around_it(cell: str) -> None:
    model = build(
        cell, bidirectional=True, num_layers=2, pooling=["last", "max", "mean"]
    )
    token_ids, lengths, is_ragged = pad(texts())
    logits = model(token_ids, lengths, is_ragged=is_ragged)
    coarse = model(token_ids, lengths, is_ragged=is_ragged, dtype=torch.bfloat16)
    assert coarse.dtype is logits.dtype
    assert not torch.equal(coarse, logits)
    torch.testing.assert_close(coarse, logits, rtol=0.02, atol=0.02)
    weights = list(model.parameters())
    exact, rough = (
        torch.autograd.grad(each.logsumexp(dim=1).sum(), weights)
        for each in (logits, coarse)
    )
    for expected, found in zip(exact, rough, strict=True):
        torch.testing.assert_close(found, expected, rtol=0.05, atol=0.01)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_gradients_equal_those_of_a_packed_sequence(cell: str) -> None:
    model = build(cell, bidirectional=True, num_layers=2, pooling=["last"])
    assert isinstance(model.encoder, Encoder)
    token_ids, lengths, is_ragged = pad(texts())
    embedded = model.embedding(token_ids.t()).detach()
    parameters = list(model.encoder.parameters())
    packed = nn.utils.rnn.pack_padded_sequence(embedded, lengths, enforce_sorted=False)
    final = model.encoder.rnn(packed)[1]
    final = final[0] if cell == "lstm" else final
    expected = torch.autograd.grad(
        final[-2:].square().sum(), parameters
    )  # of the last layer's two directions
    states = model.encoder(embedded, lengths)
    pooled = model.pooling(states, lengths, is_ragged=is_ragged)
    torch.testing.assert_close(
        torch.autograd.grad(pooled.square().sum(), parameters), expected
    )


@pytest.mark.parametrize("num_steps", [1, 2, 9])
def test_the_gradient_of_a_plain_rnn_is_torchs_own(num_steps: int) -> None:
    torch.manual_seed(0)
    cell = nn.RNN(4, 3).double()
    inputs = torch.randn(num_steps, 5, 4, dtype=torch.float64, requires_grad=True)
    wanted = [inputs, *cell.all_weights[0]]
    states, expected = (
        run_kernel("RNN_TANH", inputs, [*cell.all_weights[0]], None),
        cell(inputs)[0],
    )  # [T, B, H]
    torch.testing.assert_close(states, expected)
    outer = torch.randn_like(states)
    found = torch.autograd.grad(states, wanted, outer)
    for own, theirs in zip(
        found, torch.autograd.grad(expected, wanted, outer), strict=True
    ):
        torch.testing.assert_close(own, theirs)
    # A step adds up gradients and clips them in place.
    assert len({own.data_ptr() for own in found}) == len(found)


@pytest.mark.parametrize("bidirectional", [False, True])
def test_last_pooling_is_the_final_state_of_each_direction(bidirectional: bool) -> None:
    model = build("gru", bidirectional=bidirectional, num_layers=1, pooling=["last"])
    assert isinstance(model.encoder, Encoder)
    embedded = model.embedding(texts()[0][:, None])
    _, final = model.encoder.rnn(embedded)
    expected = torch.cat(list(final), dim=-1)
    lengths = torch.tensor([LENGTHS[0]])
    states = model.encoder(embedded, lengths)
    torch.testing.assert_close(
        model.pooling(states, lengths, is_ragged=False), expected
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("last", [[30.0, 3.0], [10.0, 9.0]]),
        ("max", [[30.0, 3.0], [10.0, 9.0]]),
        ("mean", [[20.0, 2.0], [10.0, 9.0]]),
    ],
)
def test_pooling_by_hand(name: str, expected: list[list[float]]) -> None:
    states = torch.tensor(
        [[[10.0, 1], [20, 2], [30, 3]], [[10, 9], [99, 99], [99, 99]]]
    ).transpose(0, 1)
    pooled = Pooling([name], 2)(States(states), torch.tensor([3, 1]), is_ragged=True)
    torch.testing.assert_close(pooled, torch.tensor(expected))


def draw_states(lengths: torch.Tensor, *, bidirectional: bool) -> States:
    """Return random states of width 2 a direction that want a gradient."""
    generator = torch.Generator().manual_seed(0)
    shape = (int(lengths.max()), len(lengths), 2)
    ahead, back = (
        torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        for _ in range(2)
    )
    return (
        States(ahead, back, reversal(lengths, shape[0]))
        if bidirectional
        else States(ahead)
    )


def naive_join(states: States, lengths: torch.Tensor) -> list[torch.Tensor]:
    """Return the states of each text at its own tokens, both directions side by side."""
    rows = []
    for text, length in enumerate(lengths.tolist()):
        ahead = states.ahead[:length, text]
        rows.append(
            ahead
            if states.back is None
            else torch.cat([ahead, states.back[:length, text].flip(0)], dim=1)
        )
    return rows


def naive_pool(name: str, states: States, lengths: torch.Tensor) -> torch.Tensor:
    rows = naive_join(states, lengths)
    last = [torch.cat([row[-1, :2], row[0, 2:]]) for row in rows]
    return torch.stack(
        {
            "last": last,
            "max": [r.amax(0) for r in rows],
            "mean": [r.mean(0) for r in rows],
        }[name]
    )


@pytest.mark.parametrize("bidirectional", [False, True])
def test_joined_states_stand_at_their_tokens(bidirectional: bool) -> None:
    lengths = torch.tensor([5, 1, 3])
    states = draw_states(lengths, bidirectional=bidirectional)
    joined = states.joined()
    for text, expected in enumerate(naive_join(states, lengths)):
        torch.testing.assert_close(
            joined[: len(expected), text], expected, rtol=0, atol=0
        )


@pytest.mark.parametrize(
    "names", [["last"], ["max"], ["mean"], ["mean", "max"], ["last", "max", "mean"]]
)
@pytest.mark.parametrize("lengths", [[5, 5, 5], [5, 1, 3]])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_gradient_of_the_pooling_is_autograds(
    names: list[str], lengths: list[int], bidirectional: bool
) -> None:
    sizes = torch.tensor(lengths)
    states = draw_states(sizes, bidirectional=bidirectional)
    leaves = [states.ahead] if states.back is None else [states.ahead, states.back]
    found = Pooling(names, 2 * len(leaves))(states, sizes, is_ragged=min(lengths) < 5)
    expected = torch.cat([naive_pool(name, states, sizes) for name in names], dim=1)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(
        found.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    torch.testing.assert_close(
        torch.autograd.grad((found * weights).sum(), leaves),
        torch.autograd.grad((expected * weights).sum(), leaves),
    )


def test_equal_tops_share_the_gradient_alike() -> None:
    states = torch.tensor([[[2.0]], [[1.0]], [[2.0]]], requires_grad=True)
    (top,) = pool(states, torch.tensor([3]), None, ["max"])
    top.sum().backward()  # type: ignore[no-untyped-call]
    assert states.grad is not None
    assert states.grad.flatten().tolist() == [0.5, 0.0, 0.5]


def test_attention_weights_sum_to_one_and_leave_padding_out() -> None:
    torch.manual_seed(0)
    inside = torch.tensor([[True, True], [True, True], [False, True]])
    weights = Attention(4)(torch.randn(3, 2, 4), inside)
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(2))
    assert weights[2, 0] == 0
    assert (weights[inside] > 0).all()


def test_attention_pooling_is_the_softmax_of_the_scores_by_hand() -> None:
    torch.manual_seed(0)
    attention = Attention(2)
    states = torch.randn(3, 1, 2)
    scores = [
        attention.query.weight[0] @ torch.tanh(attention.projection(state))
        for state in states[:, 0]
    ]
    torch.testing.assert_close(
        attention(states, None)[:, 0], torch.stack(scores).softmax(dim=0)
    )


def test_reversal_turns_each_text_round_and_keeps_padding() -> None:
    order = reversal(torch.tensor([3, 1, 4]), 4)
    steps = torch.tensor([[10, 20, 30], [11, 0, 31], [12, 0, 32], [0, 0, 33]])
    assert steps.flatten()[order].view(4, 3).tolist() == [
        [12, 20, 33],
        [11, 0, 32],
        [10, 0, 31],
        [0, 0, 30],
    ]


def test_cell_none_does_not_see_order() -> None:
    model = build("none", bidirectional=True, num_layers=1, pooling=["last"])
    text = texts()[0]
    torch.testing.assert_close(
        logits_of(model, [text]), logits_of(model, [text.flip(0)])
    )


def test_cell_none_is_a_linear_map_of_the_mean_embedding() -> None:
    model = build("none", bidirectional=False, num_layers=1, pooling=["mean"])
    text = texts()[0]
    expected = model.linear(model.embedding.weight[text].mean(dim=0))
    torch.testing.assert_close(logits_of(model, [text])[0], expected)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_recurrent_cell_sees_order(cell: str) -> None:
    model = build(cell, bidirectional=True, num_layers=1, pooling=["last"])
    text = texts()[0]
    assert (
        logits_of(model, [text]) - logits_of(model, [text.flip(0)])
    ).abs().max() > 1e-3


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_pad_has_a_zero_vector_that_gets_no_gradient(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=num_layers, pooling=pooling
    )
    logits_of(model, texts()).square().sum().backward()  # type: ignore[no-untyped-call]
    gradient = model.embedding.weight.grad
    assert gradient is not None
    assert gradient[PAD_ID].abs().sum() == 0
    assert gradient[texts()[0]].abs().sum(dim=1).min() > 0
    assert model.embedding.weight[PAD_ID].abs().sum() == 0


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_the_gradient_of_a_table_is_that_of_all_words_at_its_rows(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=num_layers, pooling=pooling
    )
    token_ids, lengths, is_ragged = pad(texts())
    expected_logits = model(token_ids, lengths, is_ragged=is_ragged)
    (expected,) = torch.autograd.grad(
        expected_logits.square().sum(), [model.embedding.weight]
    )
    words, batch = number_words(
        Batch(
            token_ids,
            lengths,
            is_ragged,
            np.arange(len(lengths)),
            torch.arange(len(lengths)),
        ),
        30,
    )
    table = model.embedding.weight.detach()[words].requires_grad_()
    logits = model(batch.token_ids, lengths, is_ragged=is_ragged, table=table)
    torch.testing.assert_close(logits, expected_logits)
    (found,) = torch.autograd.grad(logits.square().sum(), [table])
    torch.testing.assert_close(found, expected[words])
    assert found[words == PAD_ID].abs().sum() == 0
    moved = expected.abs().sum(dim=1).nonzero().squeeze(1).tolist()
    assert set(moved) <= set(words.tolist())
    if pooling != ["max"]:  # a word whose states are nowhere the highest has none
        assert moved == words[words != PAD_ID].tolist()


@pytest.mark.parametrize(("cell", "num_gates"), [("rnn", 1), ("lstm", 4), ("gru", 3)])
def test_recurrent_weights_start_orthogonal_gate_by_gate(
    cell: str, num_gates: int
) -> None:
    model = build(cell, bidirectional=True, num_layers=2, pooling=["last"])
    assert isinstance(model.encoder, Encoder)
    for weights in model.encoder.rnn.all_weights:
        gates = weights[1].view(num_gates, 5, 5)
        torch.testing.assert_close(
            gates @ gates.transpose(1, 2),
            torch.eye(5).double().expand_as(gates),
            atol=1e-6,
            rtol=0,
        )


def test_only_the_forget_gates_start_with_a_bias() -> None:
    model = build("lstm", bidirectional=False, num_layers=1, pooling=["last"])
    assert isinstance(model.encoder, Encoder)
    _, _, bias_ih, bias_hh = model.encoder.rnn.all_weights[0]
    assert (bias_ih + bias_hh).tolist() == [0.0] * 5 + [1.0] * 5 + [0.0] * 10


def draw(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_dropout_between_layers_is_one_mask_a_text_for_all_its_steps(
    cell: str, bidirectional: bool
) -> None:
    model = build(
        cell, bidirectional=bidirectional, num_layers=2, pooling=["last"], dropout=0.5
    )
    assert isinstance(model.encoder, Encoder)
    token_ids, lengths, _ = pad(texts())
    (mask,) = model.draw_dropout(len(lengths), draw(0)).between
    states = embedded = model.embedding(token_ids.t())
    own = dict(model.encoder.rnn.named_parameters())
    for layer, factor in enumerate([mask, torch.ones(())]):
        cell_alone = KINDS[cell](
            states.shape[-1], 5, bidirectional=bidirectional
        ).double()
        weights = {
            name: own[name.replace("_l0", f"_l{layer}")]
            for name in cell_alone.state_dict()
        }
        cell_alone.load_state_dict(weights)
        packed = nn.utils.rnn.pack_padded_sequence(
            states, lengths, enforce_sorted=False
        )
        states = nn.utils.rnn.pad_packed_sequence(cell_alone(packed)[0])[0] * factor
    found = model.encoder(embedded, lengths, Dropout([mask], mask)).joined()
    inside = token_ids.t() != PAD_ID
    torch.testing.assert_close(found[inside], states[inside])


def test_dropout_before_the_linear_layer_multiplies_the_pooled_states() -> None:
    model = build(
        "none", bidirectional=False, num_layers=1, pooling=["mean"], dropout=0.5
    )
    text = texts()[0]
    dropout = model.draw_dropout(1, draw(0))
    found = model(
        text[None], torch.tensor([len(text)]), is_ragged=False, dropout=dropout
    )
    expected = model.linear(model.embedding.weight[text].mean(dim=0) * dropout.last[0])
    torch.testing.assert_close(found[0], expected)
    assert not torch.allclose(found, logits_of(model, [text]))


def test_dropout_is_zero_or_what_makes_up_for_it() -> None:
    model = build(
        "gru", bidirectional=True, num_layers=3, pooling=["last", "max"], dropout=0.2
    )
    dropout = model.draw_dropout(500, draw(0))
    assert [tuple(mask.shape) for mask in [*dropout.between, dropout.last]] == [
        (500, 10),
        (500, 10),
        (500, 20),
    ]
    for mask in [*dropout.between, dropout.last]:
        assert sorted(set(mask.flatten().tolist())) == pytest.approx([0.0, 1.25])
        assert (mask == 0).double().mean().item() == pytest.approx(0.2, abs=0.03)


def test_no_layer_and_no_text_has_the_dropout_of_another() -> None:
    model = build(
        "gru", bidirectional=True, num_layers=3, pooling=["last"], dropout=0.5
    )
    dropout = model.draw_dropout(20, draw(0))
    drawn = torch.cat([*dropout.between, dropout.last])  # [3 * 20, 10]
    assert len(set(map(tuple, drawn.tolist()))) > 50


def test_a_share_of_zero_drops_nothing() -> None:
    model = build(
        "gru", bidirectional=True, num_layers=2, pooling=["last"], dropout=0.0
    )
    dropout = model.draw_dropout(20, draw(0))
    assert all((mask == 1).all() for mask in [*dropout.between, dropout.last])


def test_dropout_is_a_function_of_its_generator() -> None:
    model = build(
        "gru", bidirectional=True, num_layers=2, pooling=["last"], dropout=0.5
    )
    first, again, other = (model.draw_dropout(4, draw(seed)) for seed in (0, 0, 1))
    assert torch.equal(first.last, again.last)
    assert torch.equal(first.between[0], again.between[0])
    assert not torch.equal(first.last, other.last)
    assert not torch.equal(first.between[0], other.between[0])


@pytest.mark.parametrize(("cell", "bidirectional", "num_layers", "pooling"), GRID)
def test_a_part_of_a_batch_is_dropped_from_as_within_the_whole(
    cell: str, bidirectional: bool, num_layers: int, pooling: list[str]
) -> None:
    shares = {"dropout": 0.5, "input_dropout": 0.5, "recurrent_dropout": 0.5}
    model = build(
        cell,
        bidirectional=bidirectional,
        num_layers=num_layers,
        pooling=pooling,
        **shares,
    )
    token_ids, lengths, is_ragged = pad(texts())
    dropout, part = model.draw_dropout(len(lengths), draw(0)), slice(1, 4)
    whole = model(token_ids, lengths, is_ragged=is_ragged, dropout=dropout)
    found = model(
        token_ids[part], lengths[part], is_ragged=is_ragged, dropout=dropout.of(part)
    )
    torch.testing.assert_close(found, whole[part])
    assert not torch.allclose(whole, logits_of(model, texts()))


def test_input_dropout_multiplies_the_word_vectors_alike_at_all_steps() -> None:
    model = build(
        "lstm",
        bidirectional=True,
        num_layers=1,
        pooling=["last", "max"],
        input_dropout=0.5,
    )
    token_ids, lengths, is_ragged = pad(texts())
    dropout = model.draw_dropout(len(lengths), draw(0))
    assert dropout.inputs is not None
    assert sorted(set(dropout.inputs.flatten().tolist())) == [0.0, 2.0]
    found = model(token_ids, lengths, is_ragged=is_ragged, dropout=dropout)
    for row, text in enumerate(texts()):
        vectors = model.embedding(text) * dropout.inputs[row]
        shift = (vectors - model.embedding(text))[:, None]
        expected = model(text[None], lengths[row, None], is_ragged=False, shift=shift)
        torch.testing.assert_close(found[row, None], expected)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm"])
def test_recurrent_dropout_multiplies_the_weights_from_state_to_state(
    cell: str,
) -> None:
    model = build(
        cell, bidirectional=True, num_layers=2, pooling=["last"], recurrent_dropout=0.5
    )
    assert model.encoder is not None
    token_ids, lengths, is_ragged = pad(texts())
    dropout = model.draw_dropout(len(lengths), draw(0))
    weights = model.encoder.recurrent_weights()
    assert len(dropout.recurrent) == len(weights) == 4
    found = model(token_ids, lengths, is_ragged=is_ragged, dropout=dropout)
    assert not torch.allclose(found, logits_of(model, texts()))
    with torch.no_grad():
        for weight, mask in zip(weights, dropout.recurrent, strict=True):
            assert sorted(set(mask.flatten().tolist())) == [0.0, 2.0]
            weight.mul_(mask)
    torch.testing.assert_close(found, logits_of(model, texts()))


@pytest.mark.parametrize("cell", CELLS)
def test_the_layers_hold_every_weight_but_the_embedding_once(cell: str) -> None:
    model = build(cell, bidirectional=True, num_layers=3, pooling=["last", "attention"])
    layers = model.layers()
    assert len(layers) == (1 if cell == "none" else 4)
    found = sorted(id(weight) for layer in layers for weight in layer)
    assert found == sorted(
        id(weight)
        for weight in model.parameters()
        if weight is not model.embedding.weight
    )
    names = {id(weight): name for name, weight in model.named_parameters()}
    assert names[id(layers[0][0])].startswith("linear.")
    if cell == "lstm":
        assert all("_l0" in names[id(weight)] for weight in layers[3])


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_a_grid_lstm_equals_its_blocks_word_by_word(
    bidirectional: bool, num_layers: int
) -> None:
    model = build(
        "grid_lstm",
        bidirectional=bidirectional,
        num_layers=num_layers,
        pooling=["last"],
    )
    grid = model.encoder
    assert isinstance(grid, GridLstm)
    token_ids, lengths, _ = pad(texts())
    found = grid(model.embedding(token_ids.t()), lengths).joined()  # [T, B, S]
    num_directions = 2 if bidirectional else 1
    for row, text in enumerate(texts()):
        for direction in range(num_directions):
            words = text.flip(0) if direction else text
            along_time = [
                (torch.zeros(1, 5).double(), torch.zeros(1, 5).double())
            ] * num_layers
            tops = []
            for word in words:
                up = grid.project(model.embedding.weight[word])[None].chunk(2, dim=1)
                for layer in range(num_layers):
                    number = layer * num_directions + direction
                    cell = nn.LSTMCell(5, 5).double()
                    own = grid.time[number].state_dict().items()
                    cell.load_state_dict(
                        {name.removesuffix("_l0"): value for name, value in own}
                    )
                    along_time[layer] = cell(up[0], along_time[layer])
                    up = grid.depth[number](along_time[layer][0], up)
                tops.append(up[0][0])
            expected = torch.stack(tops[::-1] if direction else tops)
            torch.testing.assert_close(
                found[: len(text), row, 5 * direction : 5 * direction + 5], expected
            )


def test_a_shift_is_added_to_the_word_vectors() -> None:
    model = build("gru", bidirectional=False, num_layers=1, pooling=["mean"])
    text = texts()[0]
    shift = torch.zeros(len(text), 1, 6).double()
    shift[:, 0] = model.embedding.weight[9] - model.embedding(text)
    found = model(text[None], torch.tensor([len(text)]), is_ragged=False, shift=shift)
    torch.testing.assert_close(found, logits_of(model, [torch.full_like(text, 9)]))


def test_attention_weights_are_those_that_the_pooling_takes() -> None:
    model = build("lstm", bidirectional=True, num_layers=1, pooling=["attention"])
    assert isinstance(model.encoder, Encoder)
    token_ids, lengths, is_ragged = pad(texts())
    assert model.has_attention
    weights = model.attend(token_ids, lengths, is_ragged=is_ragged)  # [B, T]
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(len(lengths)).double())
    assert not weights[token_ids == PAD_ID].any()
    states = model.encoder(
        model.embedding(token_ids.t()), lengths
    ).joined()  # [T, B, S]
    pooled = torch.einsum("bt,tbs->bs", weights, states)
    torch.testing.assert_close(model.linear(pooled), logits_of(model, texts()))


@pytest.mark.parametrize(
    ("cell", "pooling"), [("lstm", ["last", "max"]), ("none", ["attention"])]
)
def test_without_attention_pooling_there_is_no_attention(
    cell: str, pooling: list[str]
) -> None:
    assert not build(
        cell, bidirectional=True, num_layers=1, pooling=pooling
    ).has_attention


def test_without_dropout_to_apply_neither_mode_drops_anything() -> None:
    section = ModelSection(embedding_dim=6, hidden_size=5, num_layers=2, dropout=0.5)
    torch.manual_seed(0)
    encoder = Encoder(section)
    inputs, lengths = torch.randn(4, 2, 6), torch.tensor([4, 2])
    encoder.train()
    first, second = (encoder(inputs, lengths).joined() for _ in range(2))
    encoder.eval()
    torch.testing.assert_close(first, second, rtol=0, atol=0)
    torch.testing.assert_close(encoder(inputs, lengths).joined(), first, rtol=0, atol=0)


def test_pretrained_vectors_fill_the_first_columns_of_the_words_that_have_one() -> None:
    model = build("none", bidirectional=False, num_layers=1, pooling=["mean"])
    before = model.embedding.weight.detach().clone()
    found = torch.zeros(30, dtype=torch.bool)
    found[[3, 5]] = True
    start_from_vectors(
        model.embedding, torch.full((30, 4), 7.0, dtype=torch.float64), found
    )
    assert (model.embedding.weight[found, :4] == 7).all()
    torch.testing.assert_close(model.embedding.weight[found, 4:], before[found, 4:])
    torch.testing.assert_close(model.embedding.weight[~found], before[~found])


def test_padding_that_equals_the_top_takes_no_share_of_its_gradient() -> None:
    states = torch.tensor(
        [[[2.0]], [[1.0]], [[2.0]]], requires_grad=True
    )  # the last one is padding
    inside = torch.tensor([[True], [True], [False]])
    (top,) = pool(states, torch.tensor([2]), inside, ["max"])
    assert torch.autograd.grad(top.sum(), states)[0].flatten().tolist() == [
        1.0,
        0.0,
        0.0,
    ]
