"""The cost of saving is measured on disk and given as a share of an epoch."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rnncls.cli.reporting.benchmark import training_step
from rnncls.cli.reporting.benchmark.saving import measure_saving
from rnncls.config.sections import Config
from rnncls.config.yaml_format import dump_config
from rnncls.data.loading import load_training_data
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.initialization import build_model

MakeConfig = Callable[..., Config]


@pytest.fixture(autouse=True)
def _few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_step, "STEPS_PER_PAIR", 2)


@pytest.mark.parametrize(("tokens_per_s", "num_saves"), [(1e6, 1), (0.1, 4)])
def test_the_cost_of_saving_is_its_share_of_an_epoch(
    make_config: MakeConfig, tokens_per_s: float, num_saves: int
) -> None:
    config = make_config("train.save_every=100.0")
    data = load_training_data(config.data_settings)
    trainer = build_classifier_trainer(
        config.train,
        build_model(config.model, config.text.vectors, data),
        data,
        config.seed,
    )
    # The speed at which the data's tokens take as long as 2,000 at `tokens_per_s`: at
    # 0.1 tokens per second 20,000 s, which is 3 times 100 minutes.
    num_tokens = int(data.train.texts.lengths.sum())
    saving = measure_saving(
        trainer,
        dump_config(config),
        config.train.save_every,
        tokens_per_s * num_tokens / 2000,
    )
    spent_s = num_saves * saving.save_s + saving.save_best_s
    assert saving.save_share == pytest.approx(spent_s / (2000 / tokens_per_s + spent_s))
    assert saving.save_mib > 0
    assert not list(Path().glob(".rnncls-benchmark*"))
