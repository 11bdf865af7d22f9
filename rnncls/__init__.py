"""Train, evaluate, explain and ship recurrent text classifiers from a YAML file.

The exceptions, each with the exit code that the command line ends with:

RnnclsError
├── DivergedError   1   a loss is no finite number any more
├── ProcessLostError 1   one of several processes has gone
├── ConfigError   2   the command line or the config is wrong
├── DataError     3   a data file is missing or wrong
├── RunError      4   a run folder is missing, unfinished or damaged
├── DeviceError   5   the device asked for is not there
└── Interrupted 130   stopped by the user, with everything saved
"""

__version__ = "0.1.0"


class RnnclsError(Exception):
    """An error that the user can mend: its text says what, where, and what to do.

    Attributes:
        exit_code: What the program leaves with when this error ends it.
    """

    exit_code = 1


class ConfigError(RnnclsError):
    """The command line or the config is wrong; one line of text for each mistake."""

    exit_code = 2


class DataError(RnnclsError):
    """A data file is missing or wrong; names the file, the row, what was found and what
    was expected.
    """

    exit_code = 3


class RunError(RnnclsError):
    """A run folder or one of its files is missing, unfinished or damaged."""

    exit_code = 4


class DeviceError(RnnclsError):
    """The device asked for is not on this machine."""

    exit_code = 5


class DivergedError(RnnclsError):
    """Training has left the numbers: a loss is not finite."""


class ProcessLostError(RnnclsError):
    """Another process, which worked on the same run, has gone or cannot be reached."""


class Interrupted(RnnclsError):  # noqa: N818 - what the user wanted is no error
    """The user stopped the program; what was done so far is saved."""

    exit_code = 130
