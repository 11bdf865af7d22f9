"""Tests of `rnncls.evaluation.joining`."""

import pytest
import torch

from rnncls.evaluation.calibration import fit_class_biases, fit_scales
from rnncls.evaluation.joining import compute_loss, cross_fit, fit_join


def random_parts(num_texts: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the logits of a network and of n-grams, [2, N, 3], and labels, [N].

    Both know the label, and each has a noise of its own.
    """
    generator = torch.Generator().manual_seed(0)
    labels = torch.arange(num_texts) % 3
    noise = torch.randn(2, num_texts, 3, generator=generator)
    return torch.nn.functional.one_hot(labels, 3) + noise, labels


@pytest.mark.parametrize("has_biases", [False, True])
def test_cross_fitted_rows_do_not_depend_on_their_own_label(
    *, has_biases: bool
) -> None:
    parts, labels = random_parts(20)
    before = cross_fit(parts, labels, may_add_biases=True)[has_biases]
    changed = labels.clone()
    changed[0] = (labels[0] + 1) % 3
    after = cross_fit(parts, changed, may_add_biases=True)[has_biases]
    assert before is not None
    assert after is not None
    assert torch.equal(before[0], after[0])
    assert not torch.equal(before[1], after[1])


@pytest.mark.parametrize("num_texts", [1, 20])
def test_cross_fitted_rows_are_joined_by_the_numbers_of_other_rows(
    num_texts: int,
) -> None:
    parts, labels = random_parts(num_texts)
    plain, biased = cross_fit(parts, labels, may_add_biases=True)
    assert biased is not None
    for row in range(num_texts):
        others = torch.arange(num_texts) % 5 != row % 5
        network, ngrams = fit_scales(parts[:, others], labels[others])
        joined = network * parts[0] + ngrams * parts[1]
        biases = fit_class_biases(joined[others], labels[others])
        assert torch.equal(plain[row], joined[row])
        assert torch.equal(biased[row], joined[row] + biases)


def test_biases_do_not_change_the_logits_without_them() -> None:
    parts, labels = random_parts(20)
    plain, _ = cross_fit(parts, labels, may_add_biases=True)
    alone, biased = cross_fit(parts, labels, may_add_biases=False)
    assert biased is None
    assert torch.equal(plain, alone)


def test_a_network_that_knows_more_is_used() -> None:
    parts, labels = random_parts(300)
    join = fit_join(parts[0], parts[1], labels, may_add_biases=False)
    assert join.network_factor is not None
    assert join.network_factor == pytest.approx(join.ngram_factor, rel=0.5)
    plain, _ = cross_fit(parts, labels, may_add_biases=False)
    assert torch.equal(join.valid_logits, plain)


@pytest.mark.parametrize("size", [0.01, 1.0, 100.0])
def test_a_network_that_knows_nothing_is_left_out(size: float) -> None:
    parts, labels = random_parts(300)
    noise = torch.randn(300, 3, generator=torch.Generator().manual_seed(1))
    join = fit_join(size * noise, parts[1], labels, may_add_biases=False)
    assert join.network_factor is None
    alone, _ = cross_fit(parts[1:], labels, may_add_biases=False)
    assert torch.equal(join.valid_logits, alone)


def test_a_network_for_label_sets_is_left_out_if_it_knows_nothing() -> None:
    generator = torch.Generator().manual_seed(0)
    labels = torch.rand(300, 4, generator=generator) < 0.3
    noise = torch.randn(2, 300, 4, generator=generator)
    ngrams = labels + noise[0] - 0.5
    knowing = labels + noise[1] - 0.5
    join = fit_join(knowing, ngrams, labels, may_add_biases=False)
    assert join.network_factor is not None
    join = fit_join(noise[1], ngrams, labels, may_add_biases=False)
    assert join.network_factor is None


def test_classes_get_biases_if_they_are_more_frequent_than_the_parts_expect() -> None:
    parts, labels = random_parts(300)
    assert fit_join(None, parts[1], labels, may_add_biases=True).biases is None
    shifted = parts[1] + torch.tensor([3.0, 0.0, 0.0])
    join = fit_join(None, shifted, labels, may_add_biases=True)
    assert join.biases is not None
    assert join.biases.argmin() == 0
    assert fit_join(None, shifted, labels, may_add_biases=False).biases is None


@pytest.mark.parametrize("num_texts", [1, 2, 4])
def test_few_validation_rows_are_enough(num_texts: int) -> None:
    parts, labels = random_parts(num_texts)
    join = fit_join(parts[0], parts[1], labels, may_add_biases=True)
    assert 1e-3 <= join.ngram_factor <= 10
    assert join.valid_logits.shape == (num_texts, 3)


def test_the_chosen_join_has_the_lowest_cross_fitted_loss() -> None:
    parts, labels = random_parts(40)
    join = fit_join(parts[0], parts[1], labels, may_add_biases=True)
    losses = [
        compute_loss(logits, labels)
        for choice in (parts, parts[1:])
        for logits in cross_fit(choice, labels, may_add_biases=True)
        if logits is not None
    ]
    assert compute_loss(join.valid_logits, labels) == min(losses)
