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
