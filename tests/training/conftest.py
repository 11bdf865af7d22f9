"""A trainer of the toy file, and a run folder with its state."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from rnncls.config.sections import Config
from rnncls.config.yaml_format import dump_config
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.folder import RunFolder
from rnncls.runs.metric_rows import append_row
from rnncls.runs.run import create_run
from rnncls.runs.weights import save_model
from rnncls.training.saved_state import save_state
from rnncls.training.trainer import Trainer
from tests import builders

BuildTrainer = Callable[[], Trainer[TextClassifier]]


@pytest.fixture
def config(make_config: Callable[..., Config]) -> Config:
    """Two epochs of ten steps."""
    return make_config("train.max_epochs=2")


@pytest.fixture
def build_trainer(config: Config) -> BuildTrainer:
    """Return a function that returns a trainer before its first step."""

    return partial(builders.build_trainer, config)


@pytest.fixture
def trainer(config: Config, build_trainer: BuildTrainer) -> Trainer[TextClassifier]:
    """A trainer in its second epoch, after 13 steps; the folder `run` has its state."""
    path = Path("run")
    trainer = build_trainer()
    create_run(path, dump_config(config), trainer.data.vocab, trainer.data.label_names)
    for step in trainer.steps():
        if step.validation is not None:
            append_row(RunFolder(path).metrics, step.validation)
            save_model(path, trainer.model)
        if trainer.step == 13:
            break
    save_state(trainer, path)
    return trainer
