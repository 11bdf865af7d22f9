"""A step of several tokens is one of a plain network that reads their sum."""

import itertools

import pytest
import torch

from rnncls.nn.classifier import TextClassifier
from rnncls.nn.token_steps import count_steps, share_weights, sum_tokens
from tests.nn.builders import LENGTHS, build, logits_of, pad, texts

ALL = ["last", "max", "mean", "attention"]
CELLS = ["rnn", "lstm", "gru", "grid_lstm"]
GRID = list(itertools.product(CELLS, [False, True], [2, 3, 10]))
"""Cell, bidirectional, tokens per step; the longest text has seven tokens."""


def build_pair(
    cell: str, tokens_per_step: int, *, bidirectional: bool = True
) -> tuple[TextClassifier, TextClassifier]:
    """Return a network with such steps, and the same one with a token a step."""
    found = [
        build(
            cell,
            bidirectional=bidirectional,
            num_layers=2,
            pooling=ALL,
            tokens_per_step=size,
        )
        for size in (tokens_per_step, 1)
    ]
    return found[0], found[1]


def sum_by_hand(vectors: torch.Tensor, tokens_per_step: int) -> torch.Tensor:
    """Return the sums of each so many rows. [T, E] -> [K, E]."""
    starts = range(0, len(vectors), tokens_per_step)
    parts = [vectors[start : start + tokens_per_step] for start in starts]
    return torch.stack([part.sum(dim=0) for part in parts])


@pytest.mark.parametrize(("cell", "bidirectional", "size"), GRID)
def test_a_step_reads_the_sum_of_the_vectors_of_its_tokens(
    cell: str, *, bidirectional: bool, size: int
) -> None:
    model, plain = build_pair(cell, size, bidirectional=bidirectional)
    expected = []
    for text in texts():
        sums = sum_by_hand(plain.embedding.weight.detach()[text], size)  # [K, E]
        steps = torch.arange(len(sums))
        logits = plain(
            steps[None], torch.tensor([len(sums)]), is_ragged=False, word_vectors=sums
        )
        expected.append(logits)
    # The texts are padded with <pad>, and with a word: padding is not part of a step.
    token_ids, lengths, is_ragged = pad(texts(), longest=12)
    with_words = token_ids.masked_fill(token_ids == 0, 7)
    for ids in (token_ids, with_words):
        logits = model(ids, lengths, is_ragged=is_ragged)
        torch.testing.assert_close(logits, torch.cat(expected))


def test_there_is_a_step_for_what_is_left_at_the_end() -> None:
    inputs = torch.arange(1.0, 6.0)[:, None, None].expand(5, 2, 1)  # [T, B, E]
    lengths = torch.tensor([5, 2])
    sums, steps = sum_tokens(inputs, lengths, 2, is_ragged=True)
    assert sums[..., 0].t().tolist() == [[3, 7, 5], [3, 0, 0]]
    assert steps.tolist() == [3, 1]
    assert count_steps(torch.tensor([1, 2, 3, 4, 5]), 3).tolist() == [1, 1, 1, 2, 2]


@pytest.mark.parametrize("size", [2, 3, 10])
@pytest.mark.parametrize("is_ragged", [True, False])
def test_the_gradient_of_the_sums_is_exact(size: int, *, is_ragged: bool) -> None:
    inputs = torch.randn(7, 3, 2, dtype=torch.double, requires_grad=True)
    lengths = torch.tensor([7, 4, 1] if is_ragged else [7, 7, 7])
    assert torch.autograd.gradcheck(
        lambda values: sum_tokens(values, lengths, size, is_ragged=is_ragged)[0],
        inputs,
    )


def test_with_one_token_a_step_nothing_is_copied() -> None:
    inputs, lengths = torch.randn(3, 2, 4), torch.tensor([3, 1])
    same, steps = sum_tokens(inputs, lengths, 1, is_ragged=True)
    assert same is inputs
    assert steps is lengths
    weights = torch.rand(3, 2)
    assert share_weights(weights, lengths, 1, 3) is weights


def test_cell_none_has_no_steps() -> None:
    many, one = build_pair("none", 3)
    torch.testing.assert_close(logits_of(many, texts()), logits_of(one, texts()))


@pytest.mark.parametrize("size", [2, 3, 10])
def test_the_tokens_of_a_step_share_its_attention(size: int) -> None:
    model, _ = build_pair("gru", size)
    token_ids, lengths, is_ragged = pad(texts())
    weights = model.attend(token_ids, lengths, is_ragged=is_ragged)  # [B, T]
    torch.testing.assert_close(weights.sum(dim=1), torch.ones(5, dtype=torch.double))
    for row, length in zip(weights, LENGTHS, strict=True):
        assert row[length:].abs().sum() == 0
        for start in range(0, length, size):
            step = row[start : min(start + size, length)]
            torch.testing.assert_close(step, step[:1].expand_as(step))
    assert len(set(weights[0, : LENGTHS[0]].tolist())) == -(-LENGTHS[0] // size)


def test_the_gradient_reaches_each_token() -> None:
    model, _ = build_pair("lstm", 2)
    token_ids, lengths, is_ragged = pad(texts())
    vectors = model.embedding(token_ids).detach().requires_grad_()  # [B, T, E]
    logits = model(
        torch.arange(token_ids.numel()).view_as(token_ids),
        lengths,
        is_ragged=is_ragged,
        word_vectors=vectors.flatten(0, 1),
    )
    (gradient,) = torch.autograd.grad(logits.square().sum(), vectors)  # [B, T, E]
    sizes = gradient.norm(dim=2)  # [B, T]
    is_token = torch.arange(sizes.shape[1]) < lengths[:, None]
    assert sizes[is_token].min() > 0
    assert sizes[~is_token].abs().sum() == 0
