"""The state file of a run: what is in it, and which files are refused."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch

from rnncls import DivergedError, RunError
from rnncls.machine.files import write_json
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.folder import LANGUAGE_MODEL, MODEL, RunFolder
from rnncls.runs.metric_rows import append_row, checksum_of_rows
from rnncls.training.saved_state import load_saved_state, save_state, without_paths
from rnncls.training.trainer import Trainer

PATH = Path("run")
FOLDER = RunFolder(PATH)


def change_metadata(changes: dict[str, Any]) -> None:
    """Change values in the metadata of the state, with a new checksum."""
    tensors, metadata = load_tensors(FOLDER.state)
    save_tensors(FOLDER.state, tensors, {**metadata, **changes})


def test_a_loaded_state_is_that_of_the_trainer(
    trainer: Trainer[TextClassifier],
) -> None:
    saved = load_saved_state(PATH, MODEL)
    tensors, values = trainer.state_dict()
    assert tensors
    torch.testing.assert_close(saved.tensors, dict(tensors), rtol=0.0, atol=0.0)
    assert saved.metadata.place.model_dump() == values
    assert saved.metadata.place.step == 13
    assert saved.metadata.steps_per_epoch == 10
    assert saved.metadata.precision == "torch.float32"


def test_the_checksum_is_of_the_rows_of_complete_epochs(
    trainer: Trainer[TextClassifier],
) -> None:
    expected = checksum_of_rows(FOLDER.metrics, 1)
    append_row(FOLDER.metrics, {"epoch": 2})
    save_state(trainer, PATH)
    assert load_saved_state(PATH, MODEL).metadata.metrics_sha256 == expected


@pytest.mark.usefixtures("trainer")
def test_the_fingerprint_does_not_depend_on_the_folder_of_the_files(
    toy_csv: Path,
) -> None:
    fingerprint = load_saved_state(PATH, MODEL).metadata.fingerprint
    assert fingerprint["files"]["train"]["path"] is None
    assert str(toy_csv) not in json.dumps(fingerprint)


def test_a_fingerprint_without_paths_keeps_all_else() -> None:
    fingerprint = {
        "files": {"train": {"path": "a.csv", "rows": 3}, "test": {"path": "b.csv"}},
        "vocab_size": 5,
    }
    before = json.dumps(fingerprint)
    assert without_paths(fingerprint) == {
        "files": {"train": {"path": None, "rows": 3}, "test": {"path": None}},
        "vocab_size": 5,
    }
    assert json.dumps(fingerprint) == before


def test_weights_that_are_not_finite_leave_the_state_as_it_was(
    trainer: Trainer[TextClassifier],
) -> None:
    before = FOLDER.state.read_bytes()
    with torch.no_grad():
        trainer.model.linear.bias.fill_(torch.nan)
    with pytest.raises(DivergedError):
        save_state(trainer, PATH)
    assert FOLDER.state.read_bytes() == before


@pytest.mark.usefixtures("trainer")
@pytest.mark.parametrize("name", ["config.yaml", "vocab.txt", "labels.json"])
def test_a_file_of_another_run_is_refused(name: str) -> None:
    (PATH / name).write_text("other", encoding="utf-8")
    message = (
        rf"{name}: damaged, or not from the run that wrote last.state\.safetensors"
    )
    with pytest.raises(RunError, match=message):
        load_saved_state(PATH, MODEL)


def test_a_state_cannot_be_saved_without_the_files_that_belong_to_it(
    trainer: Trainer[TextClassifier],
) -> None:
    FOLDER.labels.unlink()
    with pytest.raises(RunError, match=r"labels\.json: missing"):
        save_state(trainer, PATH)


@pytest.mark.usefixtures("trainer")
@pytest.mark.parametrize(
    "changes",
    [
        *({"place": None}, {"place": {"step": -1}}, {"precision": 3}),
        *({"steps_per_epoch": 0}, {"steps_per_epoch": "10"}),
        *({"fingerprint": []}, {"metrics_sha256": None}),
    ],
)
def test_metadata_of_another_form_is_refused(changes: dict[str, Any]) -> None:
    change_metadata(changes)
    message = r"state\.safetensors: damaged: not the state of a training: "
    with pytest.raises(RunError, match=message):
        load_saved_state(PATH, MODEL)


@pytest.mark.usefixtures("trainer")
def test_the_labels_do_not_belong_to_a_language_model() -> None:
    write_json(FOLDER.labels, {"labels": ["other", "names"]})
    state = load_saved_state(PATH, LANGUAGE_MODEL)
    assert state.metadata.place.num_validations == 1
