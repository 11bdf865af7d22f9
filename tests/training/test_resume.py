"""What a resume compares; tests/integration/test_resume.py resumes real runs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from rnncls import ConfigError, RunError
from rnncls.config.sections import Config
from rnncls.machine.files import write_json
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.folder import MODEL, RunFolder
from rnncls.runs.metric_rows import append_row, read_rows
from rnncls.runs.weights import save_model, save_temperature
from rnncls.training.resume import (
    FREE_KEYS,
    Difference,
    Snapshot,
    check_compatible,
    check_config,
    find_differences,
    flatten,
    restore_trainer,
)
from rnncls.training.saved_state import load_saved_state, save_state
from rnncls.training.trainer import Trainer
from tests.training.conftest import BuildTrainer

SAVED: dict[str, Any] = {
    "config": {"train.lr": 0.1, "model.cell": "gru"},
    "fingerprint": {"files.train.sha256": "ab", "num_rows": 9},
    "precision": "torch.float32",
    "words": ["<pad>", "<unk>", "a"],
    "label_names": ["no", "yes"],
}
CHANGES: dict[str, tuple[str, Any, str]] = {
    "config": ("config", {"model.cell": "gru", "train.lr": 0.2}, "train.lr"),
    "fingerprint": ("data", {"num_rows": 8}, "files.train.sha256, num_rows"),
    "precision": (
        "precision",
        "torch.bfloat16",
        "it was trained in torch.float32, but this machine uses torch.bfloat16",
    ),
    "words": ("words", ["<pad>", "<unk>", "b"], "vocab.txt has other words"),
    "label_names": (
        "classes",
        ["yes", "no"],
        "has the classes ['no', 'yes'], the data has ['yes', 'no']",
    ),
}
PATH = Path("runs/one")


def test_equal_snapshots_do_not_differ() -> None:
    assert find_differences(Snapshot(**SAVED), Snapshot(**SAVED)) == []


@pytest.mark.parametrize("attribute", CHANGES)
def test_each_difference_is_found_and_described(attribute: str) -> None:
    part, value, text = CHANGES[attribute]
    present = Snapshot(**{**SAVED, attribute: value})
    (difference,) = find_differences(Snapshot(**SAVED), present)
    assert difference.part == part
    assert text in difference.text


def test_all_differences_are_found_in_order() -> None:
    present = {name: value for name, (_, value, _) in CHANGES.items()}
    differences = find_differences(Snapshot(**SAVED), Snapshot(**present))
    parts = [difference.part for difference in differences]
    assert parts == ["config", "data", "precision", "words", "classes"]


@pytest.mark.parametrize("attribute", [name for name in CHANGES if name != "config"])
def test_a_value_that_one_side_lacks_is_not_compared(attribute: str) -> None:
    partial = Snapshot(**{**SAVED, attribute: None})
    assert find_differences(partial, Snapshot(**SAVED)) == []
    assert find_differences(Snapshot(**SAVED), partial) == []


@pytest.mark.parametrize(
    ("saved", "present", "differing"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, "b (None in the run, 2 now)"),
        ({"a": 1, "b": 2}, {"a": 1}, "b (2 in the run, None now)"),
        (
            {"a": 1, "b": 2},
            {"b": 3, "a": 2},
            "b (2 in the run, 3 now), a (1 in the run, 2 now)",
        ),
    ],
)
def test_differing_config_keys_are_named_in_the_order_of_the_present_config(
    saved: dict[str, Any], present: dict[str, Any], differing: str
) -> None:
    (difference,) = find_differences(Snapshot(saved), Snapshot(present))
    assert difference.text == f"the config differs in {differing}"


def test_differing_data_is_named_in_alphabetical_order() -> None:
    saved, present = Snapshot({}, {"b": 1, "a": 2}), Snapshot({}, {"b": 2, "a": 1})
    (difference,) = find_differences(saved, present)
    assert difference.text == "the data differs in a, b"


@pytest.mark.parametrize(
    "key",
    [
        *("train.max_epochs", "pretrain.max_epochs", "train.patience"),
        *("train.save_every", "train.tensorboard", "train.calibrate"),
    ],
)
def test_what_does_not_change_the_training_may_differ(key: str) -> None:
    assert key in FREE_KEYS
    assert find_differences(Snapshot({key: 1}), Snapshot({key: 2})) == []


CONFIG = Difference("config", "the config differs in train.lr")
WORDS = Difference("words", "other words")


@pytest.mark.parametrize("may_change", [False, True])
def test_a_run_without_differences_is_compatible(*, may_change: bool) -> None:
    check_compatible(PATH, [], may_change=may_change)


@pytest.mark.parametrize("part", ["config", "data", "precision"])
def test_with_changes_accepts_another_config_data_and_precision(part: Any) -> None:
    difference = Difference(part, "it differs")
    check_compatible(PATH, [difference], may_change=True)
    error = ConfigError if part == "config" else RunError
    message = (
        "^runs/one: cannot resume exactly: it differs; the command line can resume"
        " anyway$"
    )
    with pytest.raises(error, match=message) as caught:
        check_compatible(PATH, [difference], may_change=False)
    assert caught.value.suggestions == {"with_changes": ""}


@pytest.mark.parametrize("may_change", [False, True])
@pytest.mark.parametrize("part", ["words", "classes"])
def test_with_changes_does_not_accept_other_words_or_classes(
    part: Any, *, may_change: bool
) -> None:
    difference = Difference(part, "it differs")
    message = "^runs/one: cannot resume exactly: it differs$"
    with pytest.raises(RunError, match=message) as caught:
        check_compatible(PATH, [difference], may_change=may_change)
    assert caught.value.suggestions == {}


def test_an_error_names_only_what_with_changes_does_not_accept() -> None:
    with pytest.raises(ConfigError, match=r"train\.lr; other words; the command") as e:
        check_compatible(PATH, [CONFIG, WORDS], may_change=False)
    assert e.value.suggestions == {"with_changes": ""}
    with pytest.raises(RunError, match=r"exactly: other words$"):
        check_compatible(PATH, [CONFIG, WORDS], may_change=True)


def test_nested_values_are_named_by_their_path() -> None:
    nested = {"seed": 1, "train": {"lr": 0.1, "deep": {"x": [1, 2]}}, "empty": {}}
    expected = {"seed": 1, "train.lr": 0.1, "train.deep.x": [1, 2]}
    assert flatten(nested) == expected


@pytest.mark.usefixtures("trainer")
def test_the_config_of_the_run_is_compared_with_the_present_one(config: Config) -> None:
    settings = config.model_dump()
    check_config(settings, Path("run"), may_change=False)
    settings["train"]["max_epochs"] = 99
    check_config(settings, Path("run"), may_change=False)
    settings["train"]["lr"] = 0.5
    check_config(settings, Path("run"), may_change=True)
    message = r"^run: cannot resume exactly: the config differs in train\.lr \(.*; the "
    with pytest.raises(ConfigError, match=message):
        check_config(settings, Path("run"), may_change=False)


# Restoring a trainer

RUN = Path("run")
FOLDER = RunFolder(RUN)
Restore = Callable[..., tuple[Trainer[TextClassifier], bool]]


@pytest.fixture
def restore(build_trainer: BuildTrainer) -> Restore:
    """Return a function that restores a new trainer from the folder `run`."""

    def restore(
        change: Callable[[], object] = lambda: None, *, may_change: bool = False
    ) -> tuple[Trainer[TextClassifier], bool]:
        """Make a change after the state was loaded, and restore a trainer from it."""
        trainer, saved = build_trainer(), load_saved_state(RUN, MODEL)
        change()
        return trainer, restore_trainer(trainer, RUN, saved, may_change=may_change)

    return restore


def change_state(**changes: Any) -> None:
    """Change values in the metadata of the state."""
    tensors, metadata = load_tensors(FOLDER.state)
    save_tensors(FOLDER.state, tensors, {**metadata, **changes})


def change_place(**changes: Any) -> None:
    """Change plain values of the trainer's state."""
    _, metadata = load_tensors(FOLDER.state)
    change_state(place={**metadata["place"], **changes})


def test_a_restored_trainer_continues_to_the_bit(
    trainer: Trainer[TextClassifier],
    restore: Restore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level("INFO"):
        restored, data_differs = restore()
    assert not data_differs
    assert "starts again" not in caplog.text
    assert restored.step == 13
    for each in (trainer, restored):
        list(each.steps())
    torch.testing.assert_close(
        restored.state_dict()[0], trainer.state_dict()[0], rtol=0.0, atol=0.0
    )


@pytest.mark.usefixtures("trainer")
def test_rows_that_were_written_after_the_state_are_deleted(restore: Restore) -> None:
    append_row(FOLDER.metrics, {"epoch": 2})
    restore()
    assert [row["epoch"] for row in read_rows(FOLDER.metrics)] == [1]


@pytest.mark.usefixtures("trainer")
def test_other_rows_than_those_of_the_state_are_refused(restore: Restore) -> None:
    FOLDER.metrics.write_text('{"epoch": 7}\n', encoding="utf-8")
    with pytest.raises(RunError, match="do not match their checksum"):
        restore()


@pytest.mark.usefixtures("trainer")
def test_with_other_data_the_epoch_starts_again(
    restore: Restore, caplog: pytest.LogCaptureFixture
) -> None:
    _, metadata = load_tensors(FOLDER.state)
    change_state(fingerprint={**metadata["fingerprint"], "vocab_sha256": "other"})
    with pytest.raises(RunError, match="the data differs in vocab_sha256; the "):
        restore()
    with caplog.at_level("INFO"):
        restored, data_differs = restore(may_change=True)
    assert data_differs
    assert restored.step == 10
    assert "epoch 2 starts again" in caplog.text


@pytest.mark.usefixtures("trainer")
def test_with_other_batches_the_epoch_starts_again(restore: Restore) -> None:
    change_state(steps_per_epoch=9)
    restored, data_differs = restore()
    assert not data_differs
    assert restored.step == 10


def test_no_epoch_of_a_finished_run_starts_again(
    trainer: Trainer[TextClassifier],
    restore: Restore,
    caplog: pytest.LogCaptureFixture,
) -> None:
    for step in trainer.steps():
        if step.validation is not None:
            append_row(FOLDER.metrics, step.validation)
    save_state(trainer, RUN)
    change_state(steps_per_epoch=9)
    with caplog.at_level("INFO"):
        restored, _ = restore()
    assert restored.is_finished
    assert "starts again" not in caplog.text


@pytest.mark.usefixtures("trainer")
def test_a_run_in_float32_continues_in_float32_where_auto_is_another(
    restore: Restore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "rnncls.training.classification.resolve_precision", lambda *_: torch.bfloat16
    )
    restored, _ = restore()
    assert restored.task.dtype is torch.float32
    changed, _ = restore(may_change=True)
    assert changed.task.dtype is torch.bfloat16


@pytest.mark.usefixtures("trainer")
def test_another_precision_is_found(restore: Restore) -> None:
    change_state(precision="torch.bfloat16")
    with pytest.raises(RunError, match=r"trained in torch\.bfloat16, but this machine"):
        restore()
    restored, data_differs = restore(may_change=True)
    assert not data_differs
    assert restored.step == 13


@pytest.mark.usefixtures("trainer")
def test_other_words_are_found(restore: Restore) -> None:
    text = FOLDER.vocab.read_text(encoding="utf-8")
    with pytest.raises(RunError, match=r"vocab\.txt has other words"):
        restore(lambda: FOLDER.vocab.write_text(f"{text}new\n", encoding="utf-8"))


@pytest.mark.usefixtures("trainer")
def test_other_classes_are_found(restore: Restore) -> None:
    with pytest.raises(RunError, match=r"labels\.json has the classes .*'new'"):
        restore(lambda: write_json(FOLDER.labels, {"labels": ["sport", "new"]}))


@pytest.mark.usefixtures("trainer")
def test_the_best_weights_must_be_there(restore: Restore) -> None:
    FOLDER.model.unlink()
    with pytest.raises(RunError, match=r"model\.safetensors: missing"):
        restore()


def test_the_best_weights_must_have_the_shapes_of_the_model(
    trainer: Trainer[TextClassifier], restore: Restore
) -> None:
    save_model(RUN, trainer.model.linear)
    message = r"model\.safetensors: damaged, or not the weights of this run"
    with pytest.raises(RunError, match=message):
        restore()


@pytest.mark.usefixtures("trainer")
def test_the_best_weights_may_have_a_temperature(restore: Restore) -> None:
    save_temperature(RUN, 2.5)
    assert restore()[0].step == 13


@pytest.mark.usefixtures("trainer")
def test_without_a_best_epoch_no_weights_are_needed(restore: Restore) -> None:
    FOLDER.model.unlink()
    change_place(best_epoch=0)
    assert restore()[0].step == 13


@pytest.mark.usefixtures("trainer")
def test_an_error_in_the_tensors_names_the_file_of_the_state(restore: Restore) -> None:
    tensors, metadata = load_tensors(FOLDER.state)
    del tensors["epoch_loss"]
    save_tensors(FOLDER.state, tensors, metadata)
    with pytest.raises(RunError, match=r"^run.last.state\.safetensors: "):
        restore()


@pytest.mark.usefixtures("trainer")
def test_a_damaged_temperature_of_the_best_weights_names_their_file(
    restore: Restore,
) -> None:
    save_temperature(RUN, 0.0)
    with pytest.raises(RunError, match=r"run.model\.safetensors: damaged: the temper"):
        restore()
