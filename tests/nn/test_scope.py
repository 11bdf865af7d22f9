"""The score that says how well a text fits the classes."""

import numpy as np
import pytest

from rnncls.nn.scope import ScopeRule, compute_energies, find_fitting

LOG_2 = 0.6931471805599453


def test_the_energy_is_the_log_of_the_summed_exponentials() -> None:
    logits = np.array([[0.0, 0.0], [3.0, 3.0], [-1e4, 5.0]], np.float32)
    energies = compute_energies(logits)
    assert energies.dtype == np.float64
    assert energies.tolist() == pytest.approx([LOG_2, 3 + LOG_2, 5.0])


def test_large_logits_do_not_overflow() -> None:
    logits = np.array([[3e4, 1e4], [-3e4, -1e4]], np.float32)
    assert compute_energies(logits).tolist() == [3e4, -1e4]


LOW = -1e4


def test_unknown_tokens_lower_the_score() -> None:
    logits = np.array([[2.0, LOW], [1.0, LOW], [2.0, LOW], [2.5, LOW]], np.float32)
    counts = np.array([[4, 0, 0], [4, 0, 0], [4, 1, 9], [4, 1, 0]])
    rule = ScopeRule(threshold=2.0, unknown_weight=2.0)
    is_fitting = find_fitting(logits, counts, rule, reads_unknown=False)
    assert is_fitting.tolist() == [True, False, False, True]


@pytest.mark.parametrize(
    ("reads_unknown", "expected"),
    [(False, [True, False, False]), (True, [True, True, False])],
)
def test_a_text_without_a_word_that_is_read_does_not_fit(
    expected: list[bool], *, reads_unknown: bool
) -> None:
    logits = np.zeros((3, 2), np.float32)
    counts = np.array([[4, 3, 0], [2, 2, 5], [0, 0, 0]])  # the last one is empty
    rule = ScopeRule(threshold=-9.0, unknown_weight=1.0)
    is_fitting = find_fitting(logits, counts, rule, reads_unknown=reads_unknown)
    assert is_fitting.tolist() == expected
