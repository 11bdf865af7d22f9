"""Each term of the loss by hand, and its independence of padding and of sharding."""

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from rnncls.config.sections import TrainSection
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.dropout import Dropout
from rnncls.nn.encoder import Encoder
from rnncls.training.binary_loss import binary_kl_divergence
from rnncls.training.class_weights import compute_class_weights
from rnncls.training.loss import (
    Forward,
    compute_loss,
    differentiate,
    find_adversarial_change,
    focal_loss,
    kl_divergence,
    scale_to,
)
from rnncls.training.step_data import StepNoise
from tests.nn.builders import build, pad, texts

LABELS = torch.tensor([0, 1, 2, 0, 1])
OPTIONS: list[dict[str, Any]] = [
    {"adversarial": 0.5},
    {"virtual_adversarial": 0.5},
    {"r_drop": 2.0},
    {"class_weights": "balanced"},
    {"class_weights": [1, 2, 9]},
    {"focal_gamma": 0.5},
]
ALL = {
    "adversarial": 0.5,
    "virtual_adversarial": 0.5,
    "r_drop": 2.0,
    "class_weights": [1, 2, 9],
    "focal_gamma": 2.0,
    "label_smoothing": 0.1,
}


def section(**values: Any) -> TrainSection:
    return TrainSection.model_validate({"label_smoothing": 0.0} | values)


def forward_of(
    model: TextClassifier, rows: slice = slice(None), longest: int | None = None
) -> tuple[Forward, torch.Tensor]:
    token_ids, lengths, is_ragged = pad(texts()[rows], longest)
    inputs, num_steps = model.embed_steps(token_ids, lengths, is_ragged=is_ragged)

    def forward(inputs: torch.Tensor, dropout: Dropout) -> torch.Tensor:
        return model.classify_steps(inputs, num_steps, dropout, is_ragged=is_ragged)

    return forward, inputs


def noise_for(
    model: TextClassifier, wanted: TrainSection, longest: int | None = None
) -> StepNoise:
    """Return noise for the five texts, alike for each of their words however wide the
    batch is."""
    token_ids, lengths, _ = pad(texts(), longest)
    generator = torch.Generator().manual_seed(3)
    dropout, second_dropout = (
        model.sample_dropout(len(lengths), generator) for _ in range(2)
    )
    inside = torch.arange(token_ids.shape[1])[:, None] < lengths
    values = torch.randn(12, 5, 6, generator=generator).double()[: token_ids.shape[1]]
    vat_direction = values * inside[..., None] if wanted.virtual_adversarial else None
    return StepNoise(dropout, second_dropout if wanted.r_drop else None, vat_direction)


def network(**other: Any) -> TextClassifier:
    return build(
        "lstm",
        bidirectional=True,
        num_layers=2,
        pooling=["last", "max", "mean"],
        **other,
    )


def find_loss(
    model: TextClassifier, *args: Any, **options: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    weights = [weight for layer in model.layers() for weight in layer]
    return compute_loss(*args, weights=weights, **options)


def losses_of(
    model: TextClassifier,
    wanted: TrainSection,
    rows: slice = slice(None),
    longest: int | None = None,
) -> torch.Tensor:
    forward, inputs = forward_of(model, rows, longest)
    noise = noise_for(model, wanted, longest)[rows]
    return find_loss(
        model, wanted, forward, inputs, LABELS[rows], noise, weights_for(wanted, rows)
    )[0]


def weights_for(wanted: TrainSection, rows: slice) -> torch.Tensor | None:
    found = compute_class_weights(wanted, LABELS.numpy(), ["a", "b", "c"])
    return None if found is None else found.double()[LABELS[rows]]


def test_alone_it_is_the_cross_entropy() -> None:
    model, wanted = network(dropout=0.5), section(label_smoothing=0.2)
    forward, inputs = forward_of(model)
    noise = noise_for(model, wanted)
    losses, logits = find_loss(model, wanted, forward, inputs, LABELS, noise)
    torch.testing.assert_close(logits, forward(inputs, noise.dropout))
    torch.testing.assert_close(
        losses, F.cross_entropy(logits, LABELS, label_smoothing=0.2, reduction="sum")
    )


def test_the_adversarial_change_is_along_the_gradient_of_each_text() -> None:
    model, wanted = network(), section(adversarial=0.5)
    expected = torch.zeros(()).double()
    for row, text in enumerate(texts()):
        vectors = model.embedding(text).detach()[:, None].requires_grad_()
        classify = partial(
            model.classify_steps, num_steps=torch.tensor([len(text)]), is_ragged=False
        )
        plain = F.cross_entropy(classify(vectors), LABELS[row, None])
        (gradient,) = torch.autograd.grad(plain, vectors)
        change = 0.5 * gradient / torch.linalg.vector_norm(gradient)
        hurt = F.cross_entropy(classify(vectors + change), LABELS[row, None])
        assert hurt > plain
        expected = expected + plain + hurt
    torch.testing.assert_close(losses_of(model, wanted), expected)


def test_the_adversarial_change_is_no_way_for_a_gradient() -> None:
    model, wanted = network(), section(adversarial=0.5)
    forward, inputs = forward_of(model)
    noise = noise_for(model, wanted)
    seen = []

    def spy(inputs: torch.Tensor, dropout: Dropout) -> torch.Tensor:
        seen.append(inputs.detach())
        return forward(inputs, dropout)

    losses, _ = find_loss(model, wanted, spy, inputs, LABELS, noise)
    change = seen[1] - seen[0]
    found = torch.autograd.grad(losses, list(model.parameters()), retain_graph=True)
    both = torch.cat([forward(inputs + each, noise.dropout) for each in (0, change)])
    expected = torch.autograd.grad(
        F.cross_entropy(both, LABELS.repeat(2), reduction="sum"),
        list(model.parameters()),
    )
    torch.testing.assert_close(found, expected)


def test_a_differentiated_loss_keeps_its_gradients_without_its_graph() -> None:
    weight, unused = (torch.tensor([3.0, 4.0], requires_grad=True) for _ in range(2))
    vectors = torch.tensor([1.0, 2.0], requires_grad=True)
    inputs = 2 * vectors
    loss = ((weight + inputs) ** 2).sum()
    found, gradient = differentiate(loss, inputs, [weight, unused], retain_graph=False)
    assert (gradient.tolist(), found.item()) == ([10.0, 16.0], 89.0)
    total = found / 2 + unused.sum()
    gradients = torch.autograd.grad(total, [weight, unused, vectors])
    assert [each.tolist() for each in gradients] == [[5.0, 8.0], [1.0, 1.0], [10, 16]]
    with pytest.raises(RuntimeError, match="freed"):
        torch.autograd.grad(loss, weight)


def test_adversarial_training_and_r_drop_add_their_gradients() -> None:
    """R-Drop differentiates the logits that the adversarial change was found with."""
    model = network(dropout=0.5)
    options: list[dict[str, Any]] = [
        {"adversarial": 0.5, "r_drop": 2.0},
        {},
        {"adversarial": 0.5},
        {"r_drop": 2.0},
    ]
    both, plain, adversarial, r_drop = (
        torch.autograd.grad(
            losses_of(model, section(**values)), list(model.parameters())
        )
        for values in options
    )
    for found, *others in zip(both, plain, adversarial, r_drop, strict=True):
        expected = others[1] + others[2] - others[0]
        torch.testing.assert_close(found, expected)


def test_the_virtual_change_moves_the_prediction_more_than_chance_does() -> None:
    model, wanted = network(), section(virtual_adversarial=0.5)
    forward, inputs = forward_of(model)
    noise = noise_for(model, wanted)
    losses, logits = find_loss(model, wanted, forward, inputs, LABELS, noise)
    moved = losses - F.cross_entropy(logits, LABELS, reduction="sum")
    assert noise.vat_direction is not None
    at_random = kl_divergence(
        logits, forward(inputs + scale_to(noise.vat_direction, 0.5), noise.dropout)
    )
    assert moved > 1.5 * at_random > 0


@pytest.mark.parametrize("name", ["adversarial", "virtual_adversarial"])
def test_a_relative_change_does_not_depend_on_the_units_of_the_columns(
    name: str,
) -> None:
    """The columns in other units, with weights to match, are the same network."""
    wanted = section(**{name: 0.5})
    units = torch.tensor([0.1, 10.0, 1.0, 3.0, 0.5, 7.0]).double()  # [E]
    losses = []
    for factors in (torch.ones_like(units), units):
        model = network()
        with torch.no_grad():
            model.embedding.weight *= factors
            assert isinstance(model.encoder, Encoder)
            for direction in range(2):
                model.encoder.weights_of(0, direction).input.div_(factors)
        forward, inputs = forward_of(model)
        noise = noise_for(model, wanted)
        losses.append(
            find_loss(
                model, wanted, forward, inputs, LABELS, noise, column_scales=factors
            )[0]
        )
    torch.testing.assert_close(losses[0], losses[1])


def test_the_size_of_a_relative_change_is_in_units_of_the_columns() -> None:
    scales = torch.tensor([0.0, 2.0, 5.0])
    gradient = torch.randn(4, 2, 3, generator=torch.Generator().manual_seed(0))
    found = find_adversarial_change(gradient, 0.5, scales)
    assert (found[..., 0] == 0).all()
    in_units = found[..., 1:] / scales[1:]
    torch.testing.assert_close(in_units.norm(dim=(0, 2)), torch.full((2,), 0.5))


def test_r_drop_is_both_cross_entropies_and_both_divergences() -> None:
    model, wanted = network(dropout=0.5), section(r_drop=2.0)
    forward, inputs = forward_of(model)
    noise = noise_for(model, wanted)
    assert noise.second_dropout is not None
    first, second = (
        forward(inputs, noise.dropout),
        forward(inputs, noise.second_dropout),
    )
    p, q = first.softmax(dim=1), second.softmax(dim=1)
    apart = (p * (p / q).log() + q * (q / p).log()).sum()
    expected = (
        sum(F.cross_entropy(each, LABELS, reduction="sum") for each in (first, second))
        + apart
    )
    torch.testing.assert_close(
        find_loss(model, wanted, forward, inputs, LABELS, noise)[0], expected
    )


def test_r_drop_of_several_labels_has_the_divergence_of_each_label() -> None:
    model = network(dropout=0.5, task="several_labels")
    wanted = section(r_drop=2.0)
    forward, inputs = forward_of(model)
    noise = noise_for(model, wanted)
    assert noise.second_dropout is not None
    first = forward(inputs, noise.dropout)  # [B, C]
    second = forward(inputs, noise.second_dropout)  # [B, C]
    targets = F.one_hot(LABELS, 3) > 0
    both, target_sets = torch.cat([first, second]), torch.cat([targets, targets])
    cross_entropies = F.binary_cross_entropy_with_logits(
        both, target_sets.double(), reduction="sum"
    )
    # The sum of both divergences of a Bernoulli variable is (p - q)(logit p - logit q).
    differences = first.sigmoid() - second.sigmoid()
    divergences = differences * (first - second)  # [B, C]
    found, _ = find_loss(
        model, wanted, forward, inputs, targets, noise, has_several_labels=True
    )
    torch.testing.assert_close(found, cross_entropies + divergences.sum())


def test_the_virtual_change_moves_sets_of_labels_more_than_chance_does() -> None:
    model = network(task="several_labels")
    wanted = section(virtual_adversarial=0.5)
    forward, inputs = forward_of(model)
    noise = noise_for(model, wanted)
    targets = F.one_hot(LABELS, 3) > 0
    loss, logits = find_loss(
        model, wanted, forward, inputs, targets, noise, has_several_labels=True
    )
    moved = loss - F.binary_cross_entropy_with_logits(
        logits, targets.double(), reduction="sum"
    )
    assert noise.vat_direction is not None
    shift = scale_to(noise.vat_direction, 0.5)
    at_random = binary_kl_divergence(logits, forward(inputs + shift, noise.dropout))
    assert moved > 1.5 * at_random > 0


@pytest.mark.parametrize("options", OPTIONS)
def test_each_option_changes_the_gradient(options: dict[str, Any]) -> None:
    model = network(dropout=0.5)
    plain, other = (
        torch.autograd.grad(losses_of(model, wanted), list(model.parameters()))
        for wanted in (section(), section(**options))
    )
    assert all(not torch.allclose(a, b) for a, b in zip(plain, other, strict=True))


@pytest.mark.parametrize("options", [*OPTIONS, ALL])
def test_padding_and_sharing_out_do_not_change_the_losses(
    options: dict[str, Any],
) -> None:
    model, wanted = network(dropout=0.5, input_dropout=0.3), section(**options)
    whole = losses_of(model, wanted)
    torch.testing.assert_close(losses_of(model, wanted, longest=12), whole)
    parts = losses_of(model, wanted, slice(0, 2)) + losses_of(
        model, wanted, slice(2, 5)
    )
    torch.testing.assert_close(parts, whole)


def test_soft_targets_are_learnt_too() -> None:
    model, wanted = network(), section(adversarial=0.5)
    forward, inputs = forward_of(model)
    hard, soft = (
        find_loss(model, wanted, forward, inputs, targets, noise_for(model, wanted))[0]
        for targets in (LABELS, F.one_hot(LABELS, 3).double())
    )
    torch.testing.assert_close(hard, soft)


def test_a_change_has_the_length_asked_for_and_zero_stays_zero() -> None:
    change = torch.randn(4, 3, 2)
    change[:, 1] = 0
    scaled = scale_to(change, 0.7)
    torch.testing.assert_close(
        scaled.transpose(0, 1).flatten(1).norm(dim=1), torch.tensor([0.7, 0.0, 0.7])
    )
    torch.testing.assert_close(
        F.cosine_similarity(
            scaled[:, 0].flatten(), change[:, 0].flatten(), dim=0
        ).item(),
        1.0,
    )


@pytest.mark.parametrize(("size", "length"), [(1e-20, 0.5), (1e-30, 5.0), (1e30, 5.0)])
def test_a_change_of_any_size_gets_its_length(size: float, length: float) -> None:
    change = torch.randn(4, 3, 2) * size
    change[:, 1] = 0
    norms = scale_to(change, length).transpose(0, 1).flatten(1).norm(dim=1)
    torch.testing.assert_close(norms, torch.tensor([length, 0.0, length]))


# Classes that count more than others


def test_weighted_losses_are_those_of_torch() -> None:
    model, wanted = network(dropout=0.5), section()
    forward, inputs = forward_of(model)
    noise, weights = noise_for(model, wanted), torch.tensor([0.2, 1.0, 3.0]).double()
    losses, logits = find_loss(
        model, wanted, forward, inputs, LABELS, noise, weights[LABELS]
    )
    torch.testing.assert_close(
        losses, F.cross_entropy(logits, LABELS, weights, reduction="sum")
    )


@pytest.mark.parametrize("soft", [False, True])
def test_smoothing_and_soft_targets_leave_a_text_its_weight(soft: bool) -> None:
    model, wanted, weights = (
        network(),
        section(label_smoothing=0.2),
        torch.tensor([0.2, 1.0, 3.0]).double()[LABELS],
    )
    forward, inputs = forward_of(model)
    noise = noise_for(model, wanted)
    targets = torch.rand(5, 3).double().softmax(dim=1) if soft else LABELS
    losses, logits = find_loss(model, wanted, forward, inputs, targets, noise, weights)
    each = F.cross_entropy(logits, targets, label_smoothing=0.2, reduction="none")
    torch.testing.assert_close(losses, (each * weights).sum())


def test_r_drop_weighs_what_it_misses_but_not_how_far_its_readings_are_apart() -> None:
    model, weights = network(dropout=0.5), torch.tensor([0.2, 1.0, 3.0]).double()
    wanted = section(r_drop=2.0)
    forward, inputs = forward_of(model)
    noise = noise_for(model, wanted)
    assert noise.second_dropout is not None
    first, second = (
        forward(inputs, noise.dropout),
        forward(inputs, noise.second_dropout),
    )
    missed = sum(
        F.cross_entropy(each, LABELS, weights, reduction="sum")
        for each in (first, second)
    )
    expected = missed + kl_divergence(first, second) + kl_divergence(second, first)
    torch.testing.assert_close(
        find_loss(model, wanted, forward, inputs, LABELS, noise, weights[LABELS])[0],
        expected,
    )


def test_the_focal_loss_of_a_text_worked_by_hand() -> None:
    # Two classes of probability 0.8 and 0.2: the right one is missed by 0.2, so that
    # with a gamma of 2 its loss of -log 0.8 = 0.2231436 counts 0.04.
    logits = torch.tensor([[0.8, 0.2]]).double().log()
    assert focal_loss(
        logits, torch.tensor([[1.0, 0.0]]).double(), 2.0
    ).item() == pytest.approx(0.04 * 0.2231436)
    # With smoothing by 0.2 the target is 0.9 and 0.1; the wrong class is missed by 0.8,
    # and -log 0.2 = 1.6094379: 0.9 * 0.04 * 0.2231436 + 0.1 * 0.64 * 1.6094379 =
    # 0.1110372.
    found = focal_loss(logits, torch.tensor([[0.9, 0.1]]).double(), 2.0)
    assert found.item() == pytest.approx(0.1110372, abs=1e-7)


def test_the_focal_loss_nears_the_cross_entropy_as_gamma_nears_zero() -> None:
    wanted, focal = (
        section(label_smoothing=0.2),
        section(label_smoothing=0.2, focal_gamma=1e-9),
    )
    model = network(dropout=0.5)
    torch.testing.assert_close(losses_of(model, focal), losses_of(model, wanted))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_a_text_that_is_judged_right_without_doubt_has_a_gradient_of_zero(
    gamma: float,
) -> None:
    logits = torch.tensor([[200.0, 0.0, 0.0]]).requires_grad_()
    loss = focal_loss(logits, torch.tensor([[1.0, 0.0, 0.0]]), gamma).sum()
    torch.testing.assert_close(torch.autograd.grad(loss, logits)[0], torch.zeros(1, 3))
