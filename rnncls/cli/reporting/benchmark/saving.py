"""The cost of saving a run during training."""

import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path

from rnncls.cli.reporting.benchmark.timing import seconds
from rnncls.cli.reporting.benchmark.training_step import (
    endless_plan,
    next_batches,
    train_on,
)
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.folder import RunFolder
from rnncls.runs.run import create_run
from rnncls.runs.weights import save_model
from rnncls.training.recording import SaveClock
from rnncls.training.saved_state import save_state
from rnncls.training.trainer import Trainer

NUM_SAVES = 7


@dataclass(frozen=True)
class Saving:
    """The cost of saving a run.

    Attributes:
        save_s: Median seconds to write everything that an exact resume needs, verified
            and on the disk.
        save_best_s: Median seconds to write the weights of a new best epoch.
        save_mib: Size of what an exact resume needs, in MiB.
        save_share: Share of an epoch's time that is spent on saving: at its end, its
            weights as the best so far, and every `train.save_every` minutes.
    """

    save_s: float
    save_best_s: float
    save_mib: float
    save_share: float


def measure_saving(
    trainer: Trainer[TextClassifier],
    config_text: str,
    save_every: float,
    tokens_per_s: float,
) -> Saving:
    """Save a run between training steps, on the disk of the current folder.

    Args:
        trainer: The trainer whose state and weights are saved.
        config_text: The config as YAML.
        save_every: Minutes, as in `train.save_every`.
        tokens_per_s: The speed of the training without saving.
    """
    with tempfile.TemporaryDirectory(prefix=".rnncls-benchmark-", dir=".") as folder:
        path = Path(folder)
        create_run(path, config_text, trainer.data.vocab, trainer.label_names)
        save_s, save_best_s = _time_saves(trainer, path)
        num_bytes = RunFolder(path).state.stat().st_size
    num_tokens = int(trainer.data.train.texts.lengths.sum())
    train_s = num_tokens / tokens_per_s
    spacing_s = SaveClock.spacing(save_every, save_s)
    num_saves = 1 + int(train_s / spacing_s)
    saving_s = num_saves * save_s + save_best_s  # each epoch may be the best so far
    return Saving(
        save_s=save_s,
        save_best_s=save_best_s,
        save_mib=num_bytes / (1 << 20),
        save_share=saving_s / (train_s + saving_s),
    )


def _time_saves(trainer: Trainer[TextClassifier], path: Path) -> tuple[float, float]:
    """Return the median seconds to save the state, and to save the weights."""
    plan = endless_plan(trainer.data.train.texts, trainer.options.batch_size)
    trainer.num_validations = 0  # no metrics rows belong to this state
    RunFolder(path).state.parent.mkdir(exist_ok=True)
    state_s, model_s = [], []
    for _ in range(NUM_SAVES):
        train_on(trainer, next_batches(plan))
        state_s.append(seconds(lambda: save_state(trainer, path)))
        model_s.append(seconds(lambda: save_model(path, trainer.eval_model)))
    return statistics.median(state_s), statistics.median(model_s)
