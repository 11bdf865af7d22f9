"""The rows as TensorBoard events."""

import sys
from pathlib import Path
from typing import Any

import pytest

from rnncls import ConfigError
from rnncls.runs.tensorboard import event_log

VALIDATION: dict[str, Any] = {
    "epoch": 2,
    "train_loss": 0.51239,
    "train_accuracy": 0.8123,
    "valid_loss": 0.61239,
    "valid_accuracy": 0.7456,
    "tokens_per_s": 1234567,
    "is_best": True,
}


def test_tensorboard_reads_the_rows_that_were_logged(tmp_path: Path) -> None:
    accumulator = pytest.importorskip(
        "tensorboard.backend.event_processing.event_accumulator", reason="extra tb"
    )
    row = {**VALIDATION, "step": 7}
    with event_log(tmp_path / "events", 0) as add:
        add(row)
    events = accumulator.EventAccumulator(str(tmp_path / "events")).Reload()
    assert sorted(events.Tags()["scalars"]) == [
        "accuracy/train",
        "accuracy/valid",
        "loss/train",
        "loss/valid",
        "tokens_per_s",
    ]
    for tag, name in {
        "loss/valid": "valid_loss",
        "accuracy/train": "train_accuracy",
    }.items():
        (event,) = events.Scalars(tag)
        assert (event.step, event.value) == (7, pytest.approx(row[name]))


def test_without_tensorboard_the_error_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with (
        pytest.raises(ConfigError, match=r"pip install 'rnncls\[tb\]'"),
        event_log(tmp_path / "events", 0),
    ):
        pass


def test_no_events_are_written_unasked(tmp_path: Path) -> None:
    with event_log(None, 0) as add:
        add({**VALIDATION, "step": 7})
    assert list(tmp_path.iterdir()) == []
