"""The priors of the n-gram part: wide for n-grams that tell classes apart."""

import math

import pytest
import torch

from rnncls.training.ngram_priors import compute_log_odds_ratios, compute_prior_scales
from rnncls.training.sparse_matrix import SparseMatrix, build_sparse


def sparse(dense: torch.Tensor) -> SparseMatrix:
    rows, columns = dense.nonzero(as_tuple=True)
    return build_sparse(rows, columns, dense[rows, columns], *dense.shape)


def test_log_odds_ratios_are_smoothed_frequencies_of_the_classes() -> None:
    counts = torch.tensor([[8.0, 0.0, 8.0], [4.0, 4.0, 8.0]])
    ratios = compute_log_odds_ratios(counts, torch.tensor([12.0, 12.0, 24.0]))
    # 8.3 occurrences against 0.3, and 4.3 against 4.3.
    expected = math.log(8.3 / 0.3)
    assert ratios[0].tolist() == pytest.approx([expected, -expected], rel=1e-5)
    assert ratios[1].tolist() == pytest.approx([0, 0], abs=1e-6)


def test_an_ngram_as_frequent_as_its_class_says_nothing() -> None:
    counts = torch.tensor([[3.0, 1.0, 0.0, 4.0]])
    ratios = compute_log_odds_ratios(counts, torch.tensor([299.0, 99.0, 0.0, 398.0]))
    assert ratios[0, :2].abs().max() < 0.02
    assert ratios.isfinite().all()


def test_frequent_ngrams_of_one_class_have_the_widest_prior() -> None:
    texts = torch.tensor(
        [
            [1.0, 0.0, 0.5, 0.0],
            [1.0, 0.0, 0.5, 0.0],
            [0.0, 1.0, 0.5, 0.0],
            [0.0, 0.0, 0.5, 0.7],
        ]
    )
    targets = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    scales = compute_prior_scales(sparse(texts), sparse(torch.eye(4)), targets)
    assert scales.shape == (4, 2)
    twice, once, everywhere, _ = scales[:, 0].tolist()
    assert twice > once > everywhere
    occurrences = torch.tensor([2.0, 1.0, 4.0, 1.0])
    mean_square = (occurrences @ scales.square()).mean() / occurrences.sum()
    assert mean_square.item() == pytest.approx(1, rel=1e-5)


def test_parameters_that_ngrams_share_have_the_counts_of_all_of_them() -> None:
    texts = torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    targets = torch.eye(2)
    # The third parameter belongs to both n-grams, so it tells nothing.
    expand = torch.tensor([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    scales = compute_prior_scales(sparse(texts), sparse(expand), targets)
    assert scales[2].tolist() == pytest.approx([0, 0], abs=1e-3)
    assert scales[0].tolist() == pytest.approx(scales[1].tolist(), rel=1e-5)


def test_texts_of_which_no_ngram_tells_the_class_have_equal_priors() -> None:
    texts = torch.ones(2, 1)
    scales = compute_prior_scales(sparse(texts), sparse(torch.ones(1, 1)), torch.eye(2))
    assert torch.equal(scales, torch.ones(1, 2))


def test_labels_of_the_same_text_have_ratios_of_their_own() -> None:
    texts = torch.eye(3)
    labels = torch.tensor([[1.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    scales = compute_prior_scales(sparse(texts), sparse(torch.eye(3)), labels)
    counts = torch.cat([labels, torch.ones(3, 1)], dim=1)
    ratios = compute_log_odds_ratios(counts, torch.tensor([2.0, 1.0, 3.0]))
    assert torch.allclose(scales.square(), ratios.abs() / ratios.abs().mean())
