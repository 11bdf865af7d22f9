"""`rnncls benchmark predict`: the speed of prediction, compared with the bare cell."""

import math
from collections import deque
from dataclasses import asdict
from typing import Any

import numpy as np
import torch

from rnncls.cli.reporting.benchmark.bare_cell import BareCell
from rnncls.cli.reporting.benchmark.latency import NUM_TIMED, measure_latency
from rnncls.cli.reporting.benchmark.speed_ratio import (
    Rows,
    SpeedRatio,
    batch_shapes,
    compare_pairs,
)
from rnncls.cli.reporting.benchmark.timing import describe_machine, seconds
from rnncls.config.sections import DataSection, DataSettings, ModelSection
from rnncls.data.datasets import columns_of, locate
from rnncls.data.loading import load_training_data
from rnncls.data.readers import read_rows
from rnncls.evaluation.evaluator import BATCH_SIZE
from rnncls.inference.predictor import Predictor
from rnncls.machine.memory import tune_malloc
from rnncls.machine.seeds import seed_everything
from rnncls.runs.classifier import Classifier
from rnncls.text.batch_plans import plan_in_order_of_length
from rnncls.text.encoded_texts import EncodedTexts, encode_texts
from rnncls.text.tokenizer import join_texts, tokenize_stream
from rnncls.training.initialization import build_model

TEXTS_PER_PAIR, NUM_PAIRS = 32_768, 5
MIN_TOKENS, NUM_SHORT_PAIRS, NUM_REPEATS = 1 << 18, 7, 5
"""A small data set is repeated until it has `TEXTS_PER_PAIR` texts or `MIN_TOKENS`
tokens, and timed more often: the shorter a pair is, the more its duration varies. Each
of the `NUM_SHORT_PAIRS` pairs is the fastest of `NUM_REPEATS`."""
_THRESHOLD = 0.5


def benchmark_prediction(
    settings: DataSettings, section: ModelSection, device: torch.device
) -> dict[str, Any]:
    """Return the speed of prediction, measured with untrained weights.

    Args:
        settings: The texts, and how they are tokenised.
        section: The shape of the network.
        device: Where to predict.
    """
    seed_everything(settings.seed)
    tune_malloc()
    data = load_training_data(settings)
    model = build_model(section, settings.text.vectors, data)
    thresholds = None
    if section.has_several_labels:
        thresholds = [_THRESHOLD] * len(data.label_names)
    classifier = Classifier(
        settings.text, data.vocab, data.label_names, model, thresholds=thresholds
    )
    predictor = Predictor(classifier, device)
    texts = _read_training_texts(settings.data)
    latency = measure_latency(predictor.predict, spread_evenly(texts))
    encoded = _encode(texts, classifier)
    num_repeats = count_repeats(encoded)
    texts = texts * num_repeats
    encoded = _encode(texts, classifier)
    if num_repeats == 1:
        speed = compare_prediction(predictor, texts, encoded)
    else:
        speed = compare_prediction(
            predictor, texts, encoded, NUM_SHORT_PAIRS, NUM_REPEATS
        )
    return describe_machine(device) | asdict(speed) | asdict(latency)


def spread_evenly(texts: list[str]) -> list[str]:
    """Return at most `NUM_TIMED` texts, evenly spaced."""
    return texts[:: max(len(texts) // NUM_TIMED, 1)][:NUM_TIMED]


def count_repeats(texts: EncodedTexts) -> int:
    """Return how often texts are repeated, so that a pair has enough of them."""
    num_tokens = max(int(texts.lengths.sum()), 1)
    by_texts = math.ceil(TEXTS_PER_PAIR / len(texts))
    by_tokens = math.ceil(MIN_TOKENS / num_tokens)
    return min(by_texts, by_tokens)


def _read_training_texts(section: DataSection) -> list[str]:
    chunks = read_rows(locate(section, "train"), columns_of(section))
    return [text for chunk in chunks for text in chunk.texts]


def _encode(texts: list[str], classifier: Classifier) -> EncodedTexts:
    stream = tokenize_stream([texts], classifier.text)
    tokens = join_texts(part for _, part in stream)
    return encode_texts(tokens, classifier.vocab)


def compare_prediction(
    predictor: Predictor,
    texts: list[str],
    encoded: EncodedTexts,
    num_pairs: int = NUM_PAIRS,
    num_repeats: int = 1,
) -> SpeedRatio:
    """Compare prediction, with the tokenising, with the bare cell on equal shapes.

    Args:
        predictor: The predictor.
        texts: The texts.
        encoded: The same texts, encoded.
        num_pairs: The number of timed pairs; with few texts, the same ones are timed
            again.
        num_repeats: How often a pair is repeated; the fastest time counts.
    """
    bare = BareCell(predictor.model.section, predictor.device)

    def run_pair(batches: list[Rows]) -> tuple[float, float]:
        rows = np.sort(np.concatenate(batches))
        window = [texts[row] for row in rows]
        program_s = seconds(lambda: deque(predictor.stream([window]), maxlen=0))
        inputs = bare.inputs(batch_shapes(encoded, batches))
        return program_s, seconds(lambda: bare.infer(inputs))

    last_start = max(len(texts) - TEXTS_PER_PAIR, 1)
    starts = range(0, last_start, TEXTS_PER_PAIR)[:num_pairs]
    pairs = [_batches_from(encoded, start) for start in starts]
    num_rounds = math.ceil(num_pairs / len(pairs))
    return compare_pairs(run_pair, pairs, encoded, num_rounds, num_repeats)


def _batches_from(encoded: EncodedTexts, start: int) -> list[Rows]:
    """Return the batches of the texts of a pair, in the order of their lengths."""
    rows = np.arange(len(encoded))[start : start + TEXTS_PER_PAIR]
    plan = plan_in_order_of_length(encoded.lengths[rows], BATCH_SIZE)
    return [rows[order] for order in plan]
