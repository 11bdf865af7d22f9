"""Logits and scores: no dropout or gradient; each text once, with any threads."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from rnncls.config.sections import Config
from rnncls.data.loading import load_training_data
from rnncls.evaluation.evaluator import compute_logits, evaluate
from rnncls.machine.seeds import seed_everything
from rnncls.machine.threads import Workers
from rnncls.nn.classifier import TextClassifier
from rnncls.text.batching import assemble
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.initialization import build_model
from rnncls.training.trainer import Trainer

MakeConfig = Callable[..., Config]


def start(config: Config, num_threads: int | None = None) -> Trainer[TextClassifier]:
    """Return a new trainer, by default with as many threads as torch has."""
    data = load_training_data(config.data_settings)
    seed_everything(config.seed)
    model = build_model(config.model, config.text.vectors, data)
    workers = None if num_threads is None else Workers(num_threads)
    return build_classifier_trainer(
        config.train, model, data, config.seed, workers=workers
    )


@pytest.mark.parametrize("is_training", [False, True])
def test_evaluation_drops_nothing_and_keeps_no_gradient(
    make_config: MakeConfig, is_training: bool
) -> None:
    trainer = start(
        make_config("model.dropout=0.9", "model.word_dropout=0.9", "model.num_layers=2")
    )
    batch = assemble(trainer.data.train.texts, np.arange(20))
    expected = trainer.model(
        batch.token_ids, batch.lengths, is_ragged=batch.is_ragged
    ).detach()
    stream = torch.get_rng_state()
    trainer.model.train(is_training)
    logits = compute_logits(trainer.model, trainer.data.train.texts)
    torch.testing.assert_close(logits[:20], expected)
    assert not logits.requires_grad
    assert torch.is_grad_enabled()
    assert trainer.model.training == is_training
    assert torch.equal(torch.get_rng_state(), stream)


def test_two_threads_compute_the_logits_of_one_to_the_bit(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnncls.evaluation.evaluator.BATCH_SIZE", 7)
    trainer = start(make_config())
    texts = trainer.data.train.texts
    logits = [
        compute_logits(trainer.model, texts, Workers(num_threads))
        for num_threads in (1, 2)
    ]
    assert torch.equal(logits[0], logits[1])


def test_evaluation_counts_each_text_once(make_config: MakeConfig) -> None:
    trainer = start(make_config())
    confusion, _ = evaluate(trainer.model, trainer.data.train)
    assert (
        confusion.sum(axis=1).tolist()
        == np.bincount(trainer.data.train.labels).tolist()
    )


def test_logits_come_in_the_order_of_the_texts(make_config: MakeConfig) -> None:
    trainer = start(make_config())
    texts = trainer.data.train.texts
    order = np.random.default_rng(0).permutation(len(texts))
    torch.testing.assert_close(
        compute_logits(trainer.model, texts.select(order)),
        compute_logits(trainer.model, texts)[order],
    )
