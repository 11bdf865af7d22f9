"""The time of a prediction for one text, as a program that waits for it sees it."""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import cycle, islice

from rnncls.cli.reporting.benchmark.timing import seconds

NUM_WARM_UP, NUM_TIMED = 30, 500


@dataclass(frozen=True)
class Latency:
    """The time from a text to its prediction, in milliseconds.

    Attributes:
        latency_ms: The median.
        latency_p99_ms: The 99th percentile.
    """

    latency_ms: float
    latency_p99_ms: float


def measure_latency(predict: Callable[[str], object], texts: Sequence[str]) -> Latency:
    """Time the prediction of one text after another, after a warm-up.

    Args:
        predict: Predicts one text.
        texts: The texts; they are used in turn.
    """
    warm_up, timed = choose_texts(texts)
    for text in warm_up:
        predict(text)
    return summarize_latency([_time(predict, text) for text in timed])


def choose_texts(texts: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return the texts of the warm-up and those that are timed: all texts in turn."""
    warm_up = islice(cycle(texts), NUM_WARM_UP)
    timed = islice(cycle(texts), NUM_TIMED)
    return list(warm_up), list(timed)


def summarize_latency(durations_s: Sequence[float]) -> Latency:
    """Return the median and the 99th percentile of durations in seconds."""
    percentiles = statistics.quantiles(durations_s, n=100, method="inclusive")
    median = statistics.median(durations_s)
    return Latency(1000 * median, 1000 * percentiles[-1])


def _time(predict: Callable[[str], object], text: str) -> float:
    return seconds(lambda: predict(text))
