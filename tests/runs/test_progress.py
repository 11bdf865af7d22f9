"""The progress bar."""

import io
import logging
import re
import sys
from typing import Any

import pytest
import torch

from rnncls.runs.progress import TrainingBar

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
    """Replace stderr by a terminal, which shows the bar at once."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    return stream


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
    expected = (
        "epoch 2/3  train loss 0.5124 accuracy 81.23%"
        "  valid loss 0.6124 accuracy 74.56%  "
    )
    assert caplog.messages == [expected + end]


def test_the_line_shows_the_score_that_picks_the_best_epoch(
    caplog: pytest.LogCaptureFixture,
) -> None:
    row = {**VALIDATION, "is_best": True, "valid_macro_f1": 0.7011}
    with (
        caplog.at_level(logging.INFO, "rnncls"),
        TrainingBar(100, 3, monitor="macro_f1") as bar,
    ):
        bar.show_row(row)
    assert "valid loss 0.6124 accuracy 74.56% macro-F1 70.11%  " in caplog.messages[0]


def test_the_bar_shows_the_last_score_the_speed_and_the_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = open_terminal(monkeypatch)
    with TrainingBar(1000, 2, tokens_per_text=40.0) as bar:
        bar.bar.mininterval = 0.0
        bar.update(1, 1000, torch.tensor(0.5))
        bar.show_row(VALIDATION)
        bar.refreshed_at = 0.0
        bar.update(2, 1000, torch.tensor(0.4))
    last = terminal.getvalue().split("\r")[-3]
    assert re.search(
        r"epoch 2/2: 100%\|.*\| 00:\d\d left, loss 0\.400, valid accuracy 74\.6%, "
        r"[\d.]+[kMG]? tokens/s",
        last,
    ), last
