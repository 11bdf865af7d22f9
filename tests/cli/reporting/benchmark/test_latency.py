"""The latency is that of single texts, without the warm-up."""

import numpy as np
import pytest

from rnncls.cli.reporting.benchmark import latency
from rnncls.cli.reporting.benchmark.latency import measure_latency, summarize_latency


def test_latency_is_given_in_milliseconds_as_median_and_99th_percentile() -> None:
    durations = [0.001 * number for number in range(1, 202)]
    summary = summarize_latency(durations)
    assert summary.latency_ms == pytest.approx(101)
    assert summary.latency_p99_ms == pytest.approx(199)
    uneven = [0.5, 0.002, 0.004, 0.001]
    expected = 1000 * np.percentile(uneven, 99)
    assert summarize_latency(uneven).latency_p99_ms == pytest.approx(expected)


def test_the_texts_are_predicted_one_at_a_time_in_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(latency, "NUM_WARM_UP", 3)
    monkeypatch.setattr(latency, "NUM_TIMED", 5)
    predicted: list[str] = []
    measure_latency(predicted.append, ["a", "b"])
    assert predicted == [*"aba", *"ababa"]
