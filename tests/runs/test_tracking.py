"""Metric rows on disk, and what the bar shows where."""

import errno
import hashlib
import io
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn

import pytest
import torch

from rnncls import ConfigError, RunError
from rnncls.runs.metric_rows import append_row, checksum_of_rows, keep_rows, read_rows
from rnncls.runs.progress import TrainingBar
from rnncls.runs.tensorboard import event_log

ROWS: list[dict[str, Any]] = [
    {"epoch": 1, "valid_loss": 0.1 + 0.2},
    {"epoch": 2, "valid_loss": 1e-300},
    {"epoch": 3, "is_best": True},
]
VALIDATION: dict[str, Any] = {
    "epoch": 2,
    "train_loss": 0.51239,
    "train_accuracy": 0.8123,
    "valid_loss": 0.61239,
    "valid_accuracy": 0.7456,
    "tokens_per_s": 1234567,
    "is_best": True,
}


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def open_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Put a terminal in the place of stderr: in a test's body, for pytest sets stderr
    anew after the fixtures."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A file of three rows."""
    path = tmp_path / "metrics.jsonl"
    for row in ROWS:
        append_row(path, row)
    return path


def refuse(_: object) -> NoReturn:
    raise OSError(errno.ENOSPC, "No space left on device")


def test_rows_are_read_as_they_were_written_to_the_last_bit(path: Path) -> None:
    assert read_rows(path) == ROWS


def test_a_row_is_one_line(path: Path) -> None:
    assert path.read_text(encoding="utf-8").count("\n") == 3


def test_a_row_that_cannot_be_written_names_the_file(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(
        RunError, match=r"metrics\.jsonl: cannot be written: No space left on device"
    ):
        append_row(path, ROWS[0])


@pytest.mark.parametrize("num_rows", [0, 1, 2, 3])
def test_the_first_rows_are_kept_byte_for_byte(path: Path, num_rows: int) -> None:
    before = path.read_bytes().splitlines(keepends=True)
    keep_rows(path, num_rows, hashlib.sha256(b"".join(before[:num_rows])).hexdigest())
    assert path.read_bytes() == b"".join(before[:num_rows])


@pytest.mark.parametrize("torn", [b'{"epoch": 4, "val', b"\xff\x00\xfe"])
def test_a_row_torn_by_a_crash_is_dropped(path: Path, torn: bytes) -> None:
    sha256 = checksum_of_rows(path, 3)
    path.write_bytes(path.read_bytes() + torn)
    keep_rows(path, 3, sha256)
    assert read_rows(path) == ROWS


def test_a_run_without_rows_needs_no_file(tmp_path: Path) -> None:
    keep_rows(
        tmp_path / "metrics.jsonl", 0, checksum_of_rows(tmp_path / "metrics.jsonl", 0)
    )
    assert list(tmp_path.iterdir()) == []


def test_too_few_rows_are_damage(path: Path) -> None:
    with pytest.raises(
        RunError, match=r"metrics\.jsonl: damaged: expected 4 rows, found 3"
    ):
        keep_rows(path, 4, checksum_of_rows(path, 4))


def test_rows_that_are_not_those_of_the_saved_state_are_damage(path: Path) -> None:
    sha256 = checksum_of_rows(path, 2)
    path.write_bytes(path.read_bytes().replace(b'"epoch": 2', b'"epoch": 7'))
    with pytest.raises(
        RunError,
        match=r"metrics\.jsonl: damaged: the first 2 rows do not match their checksum",
    ):
        keep_rows(path, 2, sha256)
    assert len(path.read_bytes().splitlines()) == 3


def test_rows_that_cannot_be_cut_are_named(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="Is a directory"):
        keep_rows(tmp_path, 1, "")


def test_reading_a_missing_file_names_it(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"metrics\.jsonl: No such file"):
        read_rows(tmp_path / "metrics.jsonl")


@pytest.mark.parametrize("damage", [b'{"epoch": 4', b"\xff\xfe\n"])
def test_a_damaged_row_is_named_by_its_file(path: Path, damage: bytes) -> None:
    path.write_bytes(path.read_bytes() + damage)
    with pytest.raises(RunError, match=r"metrics\.jsonl: damaged: a row is not JSON"):
        read_rows(path)


def test_no_bar_is_drawn_where_stderr_is_no_terminal(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with TrainingBar(100, 2) as bar:
        bar.update(1, 100, torch.tensor(0.5))
    assert capsys.readouterr() == ("", "")


def test_without_a_bar_the_device_is_never_asked_for_the_loss() -> None:
    on_no_device = torch.empty((), device="meta")  # asking it for its value is an error
    with TrainingBar(100, 2) as bar:
        bar.update(1, 100, on_no_device)


def test_the_bar_shows_the_epoch_and_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = open_terminal(monkeypatch)
    with TrainingBar(100, 2) as bar:
        bar.bar.mininterval = 0.0
        bar.update(1, 60, torch.tensor(0.4567))
    assert "epoch 1/2:  30%" in terminal.getvalue()
    assert "loss 0.457" in terminal.getvalue()


def test_the_loss_is_not_asked_for_at_every_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = open_terminal(monkeypatch)
    with TrainingBar(100, 2) as bar:
        bar.bar.mininterval = 0.0
        bar.update(1, 1, torch.tensor(0.25))
        bar.update(1, 1, torch.empty((), device="meta"))
    assert "loss 0.250" in terminal.getvalue()


def test_a_resumed_bar_starts_where_the_run_stopped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = open_terminal(monkeypatch)
    with TrainingBar(100, 2) as bar:
        bar.resume_at(150)
        bar.bar.mininterval = 0.0
        bar.update(2, 10, torch.tensor(0.5))
    assert "epoch 2/2:  80%" in terminal.getvalue()


@pytest.mark.parametrize(
    ("is_best", "end"),
    [(True, "1,234,567 tokens/s  best"), (False, "1,234,567 tokens/s")],
)
def test_a_validation_is_one_line_with_its_figures(
    is_best: bool,
    end: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, "rnncls"), TrainingBar(100, 3) as bar:
        bar.show_row({**VALIDATION, "is_best": is_best})
    expected = "epoch 2/3  train 0.5124, 81.23%  valid 0.6124, 74.56%  "
    assert caplog.messages == [expected + end]


def test_the_bar_shows_the_last_score_the_speed_and_the_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = open_terminal(monkeypatch)
    with TrainingBar(1000, 2, tokens_per_text=40.0) as bar:
        bar.bar.mininterval = 0.0
        bar.update(1, 1000, torch.tensor(0.5))
        bar.show_row(VALIDATION)
        bar.looked_at = 0.0
        bar.update(2, 1000, torch.tensor(0.4))
    last = terminal.getvalue().split("\r")[-3]
    assert re.search(
        r"epoch 2/2: 100%\|.*\| 00:\d\d left, loss 0\.400, valid 74\.6%, [\d.]+[kMG]?"
        r" tokens/s",
        last,
    ), last


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
