"""`rnncls benchmark predict`: the speed of prediction, compared with the bare cell."""

import itertools
from collections import deque
from dataclasses import asdict
from typing import Any

import numpy as np

from rnncls.config.sections import Config
from rnncls.data.datasets import columns_of, locate
from rnncls.data.loading import load_training_data
from rnncls.data.readers import read_rows
from rnncls.evaluation.evaluator import BATCH_SIZE
from rnncls.inference.predictor import Predictor
from rnncls.machine.device import resolve_device
from rnncls.machine.memory import tune_malloc
from rnncls.machine.seeds import seed_everything
from rnncls.reporting.benchmark.bare_cell import BareCell
from rnncls.reporting.benchmark.speed_ratio import (
    Rows,
    SpeedRatio,
    batch_shapes,
    compare_pairs,
)
from rnncls.reporting.benchmark.timing import describe_machine, seconds
from rnncls.runs.classifier import Classifier
from rnncls.text.batching import EncodedTexts, encode_texts, plan_in_order_of_length
from rnncls.text.tokenizer import join_texts, tokenize_stream
from rnncls.training.initialization import build_model

TEXTS_PER_PAIR, NUM_PAIRS = 32_768, 5


def benchmark_prediction(config: Config) -> dict[str, Any]:
    """Return the speed of prediction, measured with untrained weights."""
    seed_everything(config.seed)
    tune_malloc()
    data = load_training_data(config)
    model = build_model(config, data)
    classifier = Classifier(config.text, data.vocab, data.label_names, model)
    predictor = Predictor(classifier, resolve_device("cpu"))
    rows = read_rows(locate(config.data, "train"), columns_of(config.data))
    texts = [text for chunk in rows for text in chunk.texts]
    stream = tokenize_stream([texts], config.text)
    encoded = encode_texts(join_texts(part for _, part in stream), data.vocab)
    return describe_machine() | asdict(compare_prediction(predictor, texts, encoded))


def compare_prediction(
    predictor: Predictor, texts: list[str], encoded: EncodedTexts
) -> SpeedRatio:
    """Compare prediction, with the tokenising, with the bare cell on equal shapes.

    Args:
        predictor: The predictor.
        texts: The texts.
        encoded: The same texts, encoded.
    """
    bare = BareCell(predictor.model.section)

    def run_pair(batches: list[Rows]) -> tuple[float, float]:
        rows = np.sort(np.concatenate(batches))
        window = [texts[row] for row in rows]
        program_s = seconds(lambda: deque(predictor.stream([window]), maxlen=0))
        inputs = bare.inputs(batch_shapes(encoded, batches))
        return program_s, seconds(lambda: bare.infer(inputs))

    last_start = max(len(texts) - TEXTS_PER_PAIR, 1)
    starts = itertools.cycle(range(0, last_start, TEXTS_PER_PAIR))
    pairs = [
        _batches_from(encoded, start) for start in itertools.islice(starts, NUM_PAIRS)
    ]
    return compare_pairs(run_pair, pairs, encoded)


def _batches_from(encoded: EncodedTexts, start: int) -> list[Rows]:
    """Return the batches of the texts of a pair, in the order of their lengths."""
    rows = np.arange(len(encoded))[start : start + TEXTS_PER_PAIR]
    plan = plan_in_order_of_length(encoded.lengths[rows], BATCH_SIZE)
    return [rows[order] for order in plan]
