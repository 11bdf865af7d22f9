"""Train, evaluate, explain and ship recurrent text classifiers from a YAML file.

The exceptions, each with the exit code of the command line:

RnnclsError
├── DivergedError   1   a loss is not finite
├── ProcessLostError 1   one of several processes was lost
├── ConfigError   2   the command line or the config is wrong
├── DataError     3   a data file is missing or malformed
├── RunError      4   a run folder is missing, unfinished or damaged
├── DeviceError   5   the requested device is unavailable
└── Interrupted 130   stopped by the user; all work is saved
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rnncls.inference.predictor import Predictor

__version__ = "0.1.0"


class RnnclsError(Exception):
    """An error that the user can fix. Its message says what is wrong and where.

    Attributes:
        exit_code: Exit code of the command line when this error ends it.
    """

    exit_code = 1


class ConfigError(RnnclsError):
    """The command line or the config is wrong. One line of the message per error."""

    exit_code = 2


class DataError(RnnclsError):
    """A data file is missing or malformed. The message names the file and the row."""

    exit_code = 3


class RunError(RnnclsError):
    """A run folder or one of its files is missing, unfinished or damaged."""

    exit_code = 4


class DeviceError(RnnclsError):
    """The requested device is unavailable on this machine."""

    exit_code = 5


class DivergedError(RnnclsError):
    """Training diverged: a loss is not finite."""


class ProcessLostError(RnnclsError):
    """Another process of the same run exited or cannot be reached."""


class Interrupted(RnnclsError):  # noqa: N818 - the user asked for it
    """The user stopped the program. All work so far is saved."""

    exit_code = 130


def load(
    run: str | Path | None = None,
    *,
    device: str | None = None,
    min_confidence: float = 0.0,
) -> "Predictor":
    """Load a trained run; its `predict(texts)` returns one prediction per text.

    Args:
        run: The run folder; None: the newest finished run.
        device: auto, cpu, cuda, cuda:N or mps; None: that of the run's config, or
            another if this machine lacks it.
        min_confidence: Below this probability a prediction has no answer.

    Raises:
        RunError: The folder is not a run, or one of its files is damaged.
        DeviceError: This machine lacks the requested device.
    """
    from rnncls.inference.predictor import load_predictor  # imports torch

    return load_predictor(run, device=device, min_confidence=min_confidence)
