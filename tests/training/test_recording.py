"""What a training writes as it runs, and when it stops."""

from collections.abc import Callable
from pathlib import Path

import pytest

from rnncls import Interrupted
from rnncls.config.sections import Config
from rnncls.data.loading import load_training_data
from rnncls.machine.processes import ProcessGroup
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.folder import RunFolder
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.initialization import build_model
from rnncls.training.recording import record_training, record_validation
from rnncls.training.trainer import Trainer


class StoppedGroup(ProcessGroup):
    """A process whose user has not asked to stop; that of another one has."""

    def any(self, *, flag: bool) -> bool:
        assert not flag
        return True


def test_a_stop_in_another_process_stops_this_one_after_a_save(
    make_config: Callable[..., Config], toy_run: Path
) -> None:
    config = make_config()
    data = load_training_data(config.data_settings)
    model = build_model(config.model, config.text.vectors, data)
    trainer = build_classifier_trainer(
        config.train, model, data, config.seed, processes=StoppedGroup()
    )
    RunFolder(toy_run).state.unlink()
    with record_training(trainer, toy_run) as record:
        first_step = next(trainer.steps())
        with pytest.raises(Interrupted, match="stopped in epoch 1; everything is"):
            record(first_step)
    assert trainer.step == 1
    assert RunFolder(toy_run).state.exists()


@pytest.mark.parametrize("is_best", [False, True])
def test_results_are_deleted_when_better_weights_replace_theirs(
    trainer: Trainer[TextClassifier], *, is_best: bool
) -> None:
    folder = RunFolder(Path("run"))
    folder.report().write_text("", encoding="utf-8")
    row = {"epoch": 2, "is_best": is_best}
    record_validation(row, trainer, folder.path)
    assert folder.report().exists() == (not is_best)
