"""Speed of the training step: compared with the bare cell, and by vocabulary size."""

import itertools
import statistics
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from rnncls.cli.reporting.benchmark.bare_cell import BareCell
from rnncls.cli.reporting.benchmark.speed_ratio import (
    Rows,
    SpeedRatio,
    batch_shapes,
    compare_pairs,
)
from rnncls.cli.reporting.benchmark.timing import seconds
from rnncls.config.sections import ModelSection, TrainSection
from rnncls.data.loading import TrainingData
from rnncls.nn.classifier import TextClassifier
from rnncls.text.batch_plans import plan_epoch
from rnncls.text.batching import assemble
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.vocab import Vocab
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.loss import count_passes
from rnncls.training.trainer import Trainer

NUM_PAIRS = 15
STEPS_PER_PAIR = 10
VOCAB_SIZE, VOCAB_FACTOR = 40_000, 10
"""Size of the smaller vocabulary, and how many times larger the other one is."""


def compare_training(
    trainer: Trainer[TextClassifier], model: ModelSection, train: TrainSection
) -> SpeedRatio:
    """Compare training steps, with the batching, with the bare cell on equal shapes.

    A loss of several passes, as in adversarial training, is compared with as many
    passes of the bare cell.
    """
    texts, bare = trainer.data.train.texts, BareCell(model, trainer.device)
    num_passes = count_passes(train)
    plan = endless_plan(texts, trainer.options.batch_size)

    def run_pair(batches: list[Rows]) -> tuple[float, float]:
        program_s = seconds(lambda: train_on(trainer, batches))
        inputs = bare.inputs(batch_shapes(texts, batches))
        return program_s, seconds(lambda: bare.train(inputs * num_passes))

    pairs = [next_batches(plan) for _ in range(NUM_PAIRS)]
    return compare_pairs(run_pair, pairs, texts)


def compare_vocabularies(
    model: ModelSection,
    train: TrainSection,
    seed: int,
    data: TrainingData,
    device: torch.device,
) -> tuple[float, float, float]:
    """Compare training steps with a large vocabulary with those with a small one.

    The texts are the same. Their words are scattered at random over the rows of the
    embeddings.

    Returns:
        The median, lowest and highest ratio of the seconds.
    """
    small_size = max(VOCAB_SIZE, len(data.vocab))
    small = scattered_trainer(model, train, seed, data, small_size, device)
    large = scattered_trainer(
        model, train, seed, data, VOCAB_FACTOR * small_size, device
    )
    plan = endless_plan(data.train.texts, train.batch_size)
    pairs = [next_batches(plan) for _ in range(NUM_PAIRS)]
    for batches in pairs:  # warm-up
        _time_ratio(large, small, batches)
    ratios = [_time_ratio(large, small, batches) for batches in pairs]
    return statistics.median(ratios), min(ratios), max(ratios)


def _time_ratio(
    trainer: Trainer[TextClassifier],
    baseline: Trainer[TextClassifier],
    batches: list[Rows],
) -> float:
    """Return the time of a trainer for these batches divided by the baseline's."""
    baseline_s = seconds(lambda: train_on(baseline, batches))
    return seconds(lambda: train_on(trainer, batches)) / baseline_s


def train_on(trainer: Trainer[TextClassifier], batches: list[Rows]) -> None:
    """Train a step on each batch of the training rows."""
    texts = trainer.data.train.texts
    for rows in batches:
        trainer.train_step(assemble(texts, rows))


def endless_plan(texts: EncodedTexts, batch_size: int) -> Iterator[Rows]:
    """Yield the batches of one epoch after another."""
    for epoch in itertools.count():
        yield from plan_epoch(texts.lengths, batch_size, seed=0, epoch=epoch)


def next_batches(plan: Iterator[Rows]) -> list[Rows]:
    """Return the batches of the next pair."""
    return list(itertools.islice(plan, STEPS_PER_PAIR))


def scattered_trainer(
    section: ModelSection,
    train: TrainSection,
    seed: int,
    data: TrainingData,
    vocab_size: int,
    device: torch.device,
) -> Trainer[TextClassifier]:
    """Return a trainer with a vocabulary of this size, whose words are scattered."""
    generator = np.random.default_rng(0)
    special_ids = np.arange(2, dtype=np.int32)  # <pad> and <unk>
    other_ids = np.arange(2, vocab_size, dtype=np.int32)
    new_ids = np.concatenate([special_ids, generator.permutation(other_ids)])
    old_texts = data.train.texts.close()
    texts = replace(old_texts, token_ids=new_ids[old_texts.token_ids])
    scattered_data = replace(
        data,
        vocab=Vocab(data.vocab.words),  # without n-grams
        train=replace(data.train, texts=texts),
    )
    model = TextClassifier(section, vocab_size, len(data.label_names))
    return build_classifier_trainer(train, model.to(device), scattered_data, seed)
