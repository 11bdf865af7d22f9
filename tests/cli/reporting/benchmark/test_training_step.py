"""The step is compared on equal shapes, and larger vocabularies hold the same texts."""

from collections.abc import Callable

import pytest
import torch

from rnncls.cli.reporting.benchmark import training_step
from rnncls.cli.reporting.benchmark.bare_cell import BareCell
from rnncls.cli.reporting.benchmark.training_step import (
    compare_training,
    compare_vocabularies,
    scattered_trainer,
)
from rnncls.config.sections import Config
from rnncls.data.loading import load_training_data
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.initialization import build_model

CPU = torch.device("cpu")
MakeConfig = Callable[..., Config]


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_step, "NUM_PAIRS", 3)
    monkeypatch.setattr(training_step, "STEPS_PER_PAIR", 2)


@pytest.mark.parametrize(
    ("overrides", "num_passes"),
    [
        ([], 1),
        (["train.adversarial=1.0"], 2),
        (["train.virtual_adversarial=1.0", "train.r_drop=1.0"], 4),
    ],
)
def test_training_is_compared_with_as_many_passes_of_the_bare_cell(
    make_config: MakeConfig,
    monkeypatch: pytest.MonkeyPatch,
    overrides: list[str],
    num_passes: int,
) -> None:
    num_batches = []
    train_bare = BareCell.train

    def count_batches(cell: BareCell, inputs: list[torch.Tensor]) -> None:
        num_batches.append(len(inputs))
        train_bare(cell, inputs)

    monkeypatch.setattr(BareCell, "train", count_batches)
    config = make_config(*overrides)
    data = load_training_data(config.data_settings)
    trainer = build_classifier_trainer(
        config.train,
        build_model(config.model, config.text.vectors, data),
        data,
        config.seed,
    )
    result = compare_training(trainer, config.model, config.train)
    assert num_batches == [2 * num_passes] * 6
    assert trainer.step == 12  # three pairs of two steps, and as many to warm up
    assert result.ratio_spread[0] <= result.ratio <= result.ratio_spread[1]
    assert result.tokens_per_s > result.samples_per_s > 0
    assert 0 <= result.padding_share < 0.5


def test_more_words_are_the_same_texts_in_more_rows(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(training_step, "VOCAB_SIZE", 50)
    config = make_config()
    data = load_training_data(config.data_settings)
    ratio, lowest, highest = compare_vocabularies(
        config.model, config.train, config.seed, data, CPU
    )
    assert 0 < lowest <= ratio <= highest
    many = scattered_trainer(config.model, config.train, config.seed, data, 500, CPU)
    before, after = data.train.texts.token_ids, many.data.train.texts.token_ids
    assert len(set(after)) == len(set(before))
    assert max(after) > max(before)
    assert list(after == 1) == list(before == 1)  # <unk> is still <unk>
