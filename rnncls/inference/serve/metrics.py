"""What Prometheus collects: requests, latency, and what the texts are like.

With the environment variable PROMETHEUS_MULTIPROC_DIR, several processes share their
numbers through files in that folder.
"""

import os
from collections.abc import Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from rnncls.inference.prediction import Prediction

MULTIPROCESS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)
_PROBS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
_collect_all: Any = MultiProcessCollector
"""Adds the numbers of all processes to a registry; it has no types."""


class Metrics:
    """The numbers of a server."""

    def __init__(self) -> None:
        """Start at zero."""
        registry = self._registry = CollectorRegistry()
        self._requests = Counter(
            "rnncls_requests",
            "Requests by route and status.",
            ["route", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "rnncls_request_seconds",
            "Seconds from the first byte of a request to its answer.",
            ["route"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._texts = Counter(
            "rnncls_texts", "Texts that were classified.", registry=registry
        )
        self._tokens = Counter(
            "rnncls_tokens", "Tokens that were read.", registry=registry
        )
        self._unknown_tokens = Counter(
            "rnncls_unknown_tokens",
            "Tokens that the vocabulary lacks; divided by rnncls_tokens their share.",
            registry=registry,
        )
        self._cut_tokens = Counter(
            "rnncls_cut_tokens", "Tokens beyond text.max_tokens.", registry=registry
        )
        self._labels = Counter(
            "rnncls_labels", "Predicted labels.", ["label"], registry=registry
        )
        self._confidence = Histogram(
            "rnncls_confidence",
            "The probability of the most probable label.",
            buckets=_PROBS,
            registry=registry,
        )

    def count_request(self, route: str, status: int, elapsed_s: float) -> None:
        """Count a request that has been answered."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(elapsed_s)

    def count_predictions(self, predictions: Sequence[Prediction]) -> None:
        """Count the texts and tokens of predictions, and what they say."""
        num_tokens = num_unknown = num_cut = 0
        for prediction in predictions:
            num_tokens += prediction.num_tokens or 0
            num_unknown += prediction.num_unknown or 0
            num_cut += prediction.num_cut or 0
            for label in prediction.labels:
                self._labels.labels(label).inc()
            self._confidence.observe(prediction.prob)
        self._texts.inc(len(predictions))
        self._tokens.inc(num_tokens)
        self._unknown_tokens.inc(num_unknown)
        self._cut_tokens.inc(num_cut)

    def write(self) -> bytes:
        """Return all numbers in the text format of Prometheus."""
        if MULTIPROCESS_FOLDER not in os.environ:
            return generate_latest(self._registry)
        registry = CollectorRegistry()
        _collect_all(registry)
        return generate_latest(registry)
