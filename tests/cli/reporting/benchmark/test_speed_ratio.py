"""Speeds are medians over the pairs, in tokens without padding."""

import numpy as np
import pytest

from rnncls.cli.reporting.benchmark.speed_ratio import Rows, batch_shapes, compare_pairs
from rnncls.text.encoded_texts import EncodedTexts

LENGTHS = np.array([1, 3, 2, 2])
TEXTS = EncodedTexts(np.zeros(8, np.int32), LENGTHS, np.array([0, 1, 4, 6]))
BATCHES = [np.array([0, 1]), np.array([2, 3])]


def test_figures_are_medians_of_the_pairs_after_a_warm_up() -> None:
    durations = iter([(9.0, 9.0)] * 3 + [(1.0, 2.0), (2.0, 2.0), (4.0, 2.0)])

    def run_pair(batches: list[Rows]) -> tuple[float, float]:
        assert batches is BATCHES
        return next(durations)

    speed = compare_pairs(run_pair, [BATCHES] * 3, TEXTS)
    assert speed.tokens_per_s == 8 / 2
    assert speed.samples_per_s == 4 / 2
    assert speed.bare_tokens_per_s == 8 / 2
    assert speed.ratio == 1
    assert speed.ratio_spread == (0.5, 2)
    assert speed.padding_share == pytest.approx(1 - 8 / 10)


def test_each_pair_is_timed_in_each_round_and_warmed_up_once() -> None:
    durations = iter([(9.0, 9.0), (1.0, 2.0), (2.0, 2.0), (4.0, 2.0)])
    speed = compare_pairs(lambda _: next(durations), [BATCHES], TEXTS, num_rounds=3)
    assert speed.ratio == 1
    assert speed.ratio_spread == (0.5, 2)
    assert next(durations, None) is None


def test_the_bare_cell_gets_the_mean_length_of_each_batch() -> None:
    assert batch_shapes(TEXTS, BATCHES) == [(2, 2), (2, 2)]
    assert batch_shapes(TEXTS, [np.array([1, 2, 3])]) == [(3, 2)]


def test_of_repeats_the_fastest_of_each_counts() -> None:
    durations = iter([(9.0, 9.0), (3.0, 2.0), (1.0, 5.0), (4.0, 4.0)])
    speed = compare_pairs(lambda _: next(durations), [BATCHES], TEXTS, num_repeats=3)
    assert speed.ratio == 2
    assert next(durations, None) is None
