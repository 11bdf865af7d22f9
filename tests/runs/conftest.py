"""Run folders with new weights."""

from pathlib import Path

import pytest
import torch

from rnncls.nn.classifier import TextClassifier
from tests.builders import write_run

WORDS = [
    "oslo",
    "Zürich",
    "\U0001f468\u200d",
    *(f"word{number}" for number in range(10)),
]


@pytest.fixture
def model(tmp_path: Path) -> TextClassifier:
    """The model of the run folder `run`."""
    torch.manual_seed(0)
    return write_run(tmp_path / "run", labels=["sport", "welt: 世界"], words=WORDS)


@pytest.fixture
def run(tmp_path: Path, model: TextClassifier) -> Path:  # noqa: ARG001 - it writes the folder
    """A run folder."""
    return tmp_path / "run"


@pytest.fixture
def other_run(tmp_path: Path) -> Path:
    """A run folder of which every file differs."""
    torch.manual_seed(1)
    write_run(
        tmp_path / "other",
        labels=["sport", "world"],
        words=["a", "b", "c"],
        hidden_size=5,
    )
    return tmp_path / "other"
