"""Samples of rows with several labels: shares, copies and rare labels."""

import numpy as np
import pytest

from rnncls.data.iterative_stratification import sample_label_sets
from rnncls.data.sampling_units import Bools, Ints, group_units


def test_each_side_of_a_split_has_its_share_of_every_label() -> None:
    generator = np.random.default_rng(1)
    labels = generator.random((2000, 5)) < [0.5, 0.2, 0.1, 0.03, 0.01]  # [N, C]
    sampled = sample_label_sets(labels, 0.2, np.random.default_rng(0))
    again = sample_label_sets(labels, 0.2, np.random.default_rng(0))
    assert sampled.tolist() == again.tolist()
    assert abs(len(sampled) - 400) <= 2
    expected = 0.2 * labels.sum(axis=0)  # [C]
    assert np.abs(labels[sampled].sum(axis=0) - expected).max() <= 1.5


def test_copies_of_a_text_stay_on_one_side() -> None:
    generator = np.random.default_rng(1)
    labels = generator.random((300, 3)) < 0.3  # [N, C]
    text_ids = generator.integers(0, 100, 300)  # [N]
    sampled = sample_label_sets(labels, 0.3, generator, text_ids)
    others = np.setdiff1d(np.arange(300), sampled)
    assert not set(text_ids[sampled]) & set(text_ids[others])


def _draw(labels: Bools, fraction: float, text_ids: Ints | None = None) -> Ints:
    return sample_label_sets(labels, fraction, np.random.default_rng(0), text_ids)


def _build_rare_labels(*, has_further_labels: bool) -> Bools:
    """Return about 2,000 rows with 1,000 labels, most of which 1 to 3 rows have."""
    generator = np.random.default_rng(0)
    row_labels = np.repeat(np.arange(1000), generator.integers(1, 4, 1000))
    labels = np.zeros((len(row_labels), 1000), dtype=np.bool_)  # [N, C]
    labels[np.arange(len(row_labels)), row_labels] = True
    if has_further_labels:
        labels |= generator.random(labels.shape) < 0.0005
    return labels


@pytest.mark.parametrize("has_further_labels", [False, True])
@pytest.mark.parametrize("fraction", [0.05, 0.1, 0.2, 0.34, 0.5])
def test_rare_labels_do_not_change_the_share_of_the_rows(
    fraction: float, *, has_further_labels: bool
) -> None:
    labels = _build_rare_labels(has_further_labels=has_further_labels)
    sampled = _draw(labels, fraction)
    share = len(sampled) / len(labels)
    assert share == pytest.approx(fraction, rel=0.1)
    others = np.delete(labels, sampled, axis=0)
    num_rows = labels.sum(axis=0)  # [C]
    num_others = others.sum(axis=0)  # [C]
    assert num_others[num_rows > 0].min() > 0
    # Nearly each row of the sample brings another label.
    num_sampled_labels = int(labels[sampled].any(axis=0).sum())
    num_possible = min(len(sampled), int((num_rows > 1).sum()))
    assert num_sampled_labels >= 0.9 * num_possible


def test_a_rare_label_among_frequent_ones_is_on_both_sides() -> None:
    labels = np.zeros((1000, 12), dtype=np.bool_)
    labels[:500, 0] = labels[400:, 1] = True
    labels[np.arange(30), 2 + np.arange(30) % 10] = True  # each in 3 rows
    sampled = _draw(labels, 0.1)
    assert labels[sampled].any(axis=0).all()
    assert np.delete(labels, sampled, axis=0).any(axis=0).all()
    assert 100 <= len(sampled) <= 105
    assert abs(int(labels[sampled, 1].sum()) - 60) <= 3


def test_the_only_row_of_a_label_is_not_sampled() -> None:
    labels = np.zeros((100, 3), dtype=np.bool_)
    labels[:, 0] = True
    labels[5, 1] = labels[7, 2] = True
    for fraction in (0.1, 0.5, 0.9):
        assert not {5, 7} & set(_draw(labels, fraction).tolist())


def test_a_sample_too_small_for_a_row_stays_empty() -> None:
    labels = np.eye(3, dtype=np.bool_)[[0, 0, 0, 1, 1, 1, 2, 2]]
    assert not len(_draw(labels, 0.05))


def test_copies_of_rare_labels_are_sampled_together() -> None:
    row_labels = np.repeat(np.arange(100), 4)
    labels = row_labels[:, None] == np.arange(100)
    text_ids = np.arange(400) - np.arange(400) % 2  # each text twice
    sampled = _draw(labels, 0.1, text_ids)
    assert 36 <= len(sampled) <= 44
    assert (sampled.reshape(-1, 2) % 2 == [0, 1]).all()


def test_labels_of_copies_are_counted() -> None:
    labels = np.array([[1, 0], [0, 1], [1, 0], [0, 0]], dtype=np.bool_)
    units = group_units(labels, np.array([7, 3, 7, 5]))
    assert units.of_rows.tolist() == [2, 0, 2, 1]
    assert units.sizes.tolist() == [1, 1, 2]
    found = [tuple(map(np.ndarray.tolist, units.labels_of(unit))) for unit in range(3)]
    assert found == [([1], [1]), ([], []), ([0], [2])]
    by_label = units.list_by_label(np.array([2, 1, 0]))
    assert list(map(np.ndarray.tolist, by_label)) == [[2], [0]]
    assert units.count_by_label(np.array([True, True, False])).tolist() == [0, 1]
