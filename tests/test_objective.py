"""What a step minimises: each part by hand, and blind to padding and to how the texts are shared out."""

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from rnncls.config import TrainSection
from rnncls.model import TextClassifier
from rnncls.objective import Draws, Judge, divergence, find_losses, scale_to
from rnncls.recurrent import Dropout
from tests.test_model import build, pad, texts

LABELS = torch.tensor([0, 1, 2, 0, 1])
OPTIONS = [{"adversarial": 0.5}, {"virtual_adversarial": 0.5}, {"r_drop": 2.0}]
ALL = {"adversarial": 0.5, "virtual_adversarial": 0.5, "r_drop": 2.0}


def section(**values: float) -> TrainSection:
    return TrainSection.model_validate({"label_smoothing": 0.0} | values)


def judge_of(model: TextClassifier, rows: slice = slice(None), longest: int | None = None) -> tuple[Judge, torch.Size]:
    token_ids, lengths, is_ragged = pad(texts()[rows], longest)
    judge = partial(model, token_ids, lengths, is_ragged=is_ragged)
    return judge, torch.Size((*token_ids.t().shape, 6))


def draws_for(model: TextClassifier, wanted: TrainSection, longest: int | None = None) -> Draws:
    """Return draws for the five texts, alike for each of their words however wide the batch is."""
    token_ids, lengths, _ = pad(texts(), longest)
    generator = torch.Generator().manual_seed(3)
    dropout, again = (model.draw_dropout(len(lengths), generator) for _ in range(2))
    inside = torch.arange(token_ids.shape[1])[:, None] < lengths
    noise = torch.randn(12, 5, 6, generator=generator).double()[: token_ids.shape[1]]
    probe = noise * inside[..., None] if wanted.virtual_adversarial else None
    return Draws(dropout, again if wanted.r_drop else None, probe)


def network(**other: Any) -> TextClassifier:
    return build("lstm", bidirectional=True, num_layers=2, pooling=["last", "max", "mean"], **other)


def losses_of(
    model: TextClassifier, wanted: TrainSection, rows: slice = slice(None), longest: int | None = None
) -> torch.Tensor:
    judge, inputs = judge_of(model, rows, longest)
    return find_losses(wanted, judge, LABELS[rows], draws_for(model, wanted, longest).of(rows), inputs)[0]


def test_alone_it_is_the_cross_entropy() -> None:
    model, wanted = network(dropout=0.5), section(label_smoothing=0.2)
    judge, inputs = judge_of(model)
    draws = draws_for(model, wanted)
    losses, logits = find_losses(wanted, judge, LABELS, draws, inputs)
    torch.testing.assert_close(logits, judge(dropout=draws.dropout))
    torch.testing.assert_close(losses, F.cross_entropy(logits, LABELS, label_smoothing=0.2, reduction="sum"))


def test_the_adversarial_change_is_along_the_gradient_of_each_text() -> None:
    model, wanted = network(), section(adversarial=0.5)
    expected = torch.zeros(()).double()
    for row, text in enumerate(texts()):
        vectors = model.embedding(text).detach()[:, None].requires_grad_()
        shift = torch.zeros_like(vectors)
        judge = partial(model, torch.arange(len(text))[None], torch.tensor([len(text)]), is_ragged=False)
        plain = F.cross_entropy(judge(table=vectors[:, 0]), LABELS[row, None])
        (gradient,) = torch.autograd.grad(plain, vectors)
        shift = 0.5 * gradient / torch.linalg.vector_norm(gradient)
        hurt = F.cross_entropy(judge(table=vectors[:, 0], shift=shift), LABELS[row, None])
        assert hurt > plain
        expected = expected + plain + hurt
    torch.testing.assert_close(losses_of(model, wanted), expected)


def test_the_adversarial_change_is_no_way_for_a_gradient() -> None:
    model, wanted = network(), section(adversarial=0.5)
    judge, inputs = judge_of(model)
    draws = draws_for(model, wanted)
    shifts = []

    def spy(*, dropout: Dropout, shift: torch.Tensor | None = None) -> torch.Tensor:
        shifts.append(shift)
        return judge(dropout=dropout, shift=shift)

    losses, _ = find_losses(wanted, spy, LABELS, draws, inputs)
    assert shifts[1] is not None
    assert not shifts[1].requires_grad
    found = torch.autograd.grad(losses, list(model.parameters()))
    both = torch.cat([judge(dropout=draws.dropout), judge(dropout=draws.dropout, shift=shifts[1])])
    expected = torch.autograd.grad(F.cross_entropy(both, LABELS.repeat(2), reduction="sum"), list(model.parameters()))
    torch.testing.assert_close(found, expected)


def test_the_virtual_change_moves_the_prediction_more_than_chance_does() -> None:
    model, wanted = network(), section(virtual_adversarial=0.5)
    judge, inputs = judge_of(model)
    draws = draws_for(model, wanted)
    losses, logits = find_losses(wanted, judge, LABELS, draws, inputs)
    moved = losses - F.cross_entropy(logits, LABELS, reduction="sum")
    assert draws.probe is not None
    at_random = divergence(logits, judge(dropout=draws.dropout, shift=scale_to(draws.probe, 0.5)))
    assert moved > 1.5 * at_random > 0


def test_r_drop_is_both_cross_entropies_and_both_divergences() -> None:
    model, wanted = network(dropout=0.5), section(r_drop=2.0)
    judge, inputs = judge_of(model)
    draws = draws_for(model, wanted)
    assert draws.again is not None
    first, second = judge(dropout=draws.dropout), judge(dropout=draws.again)
    p, q = first.softmax(dim=1), second.softmax(dim=1)
    apart = (p * (p / q).log() + q * (q / p).log()).sum()
    expected = sum(F.cross_entropy(each, LABELS, reduction="sum") for each in (first, second)) + apart
    torch.testing.assert_close(find_losses(wanted, judge, LABELS, draws, inputs)[0], expected)


@pytest.mark.parametrize("options", OPTIONS)
def test_each_option_changes_the_gradient(options: dict[str, float]) -> None:
    model = network(dropout=0.5)
    plain, other = (
        torch.autograd.grad(losses_of(model, wanted), list(model.parameters()))
        for wanted in (section(), section(**options))
    )
    assert all(not torch.allclose(a, b) for a, b in zip(plain, other, strict=True))


@pytest.mark.parametrize("options", [*OPTIONS, ALL])
def test_padding_and_sharing_out_do_not_change_the_losses(options: dict[str, float]) -> None:
    model, wanted = network(dropout=0.5, input_dropout=0.3), section(**options)
    whole = losses_of(model, wanted)
    torch.testing.assert_close(losses_of(model, wanted, longest=12), whole)
    parts = losses_of(model, wanted, slice(0, 2)) + losses_of(model, wanted, slice(2, 5))
    torch.testing.assert_close(parts, whole)


def test_soft_targets_are_learnt_too() -> None:
    model, wanted = network(), section(adversarial=0.5)
    judge, inputs = judge_of(model)
    hard, soft = (
        find_losses(wanted, judge, targets, draws_for(model, wanted), inputs)[0]
        for targets in (LABELS, F.one_hot(LABELS, 3).double())
    )
    torch.testing.assert_close(hard, soft)


def test_a_change_has_the_length_asked_for_and_zero_stays_zero() -> None:
    change = torch.randn(4, 3, 2)
    change[:, 1] = 0
    scaled = scale_to(change, 0.7)
    torch.testing.assert_close(scaled.transpose(0, 1).flatten(1).norm(dim=1), torch.tensor([0.7, 0.0, 0.7]))
    torch.testing.assert_close(F.cosine_similarity(scaled[:, 0].flatten(), change[:, 0].flatten(), dim=0).item(), 1.0)
