"""Train, evaluate, explain and ship recurrent text classifiers from a YAML file.

For Python programs: `load`, `train`, `evaluate` and `export` here, and `TextClassifier`
for scikit-learn in `rnncls.sklearn`. The guide is docs/guides/python.md. For engines:
`rnncls.ray`, `rnncls.spark` and `rnncls.mlflow`; the guide is docs/guides/engines.md.

The exceptions, each with the exit code of the command line:

RnnclsError
├── DivergedError       1   a loss is not finite
├── ProcessLostError    1   one of several processes was lost
├── ConfigError         2   the command line, an argument or the config is wrong
├── DataError           3   a data file is missing or malformed
├── RunError            4   a run folder is missing, unfinished or damaged
├── DeviceError         5   the requested device is unavailable
└── Interrupted       130   stopped by the user; all work is saved
"""

# Nothing is imported here: to import `rnncls` costs no time, and what a function needs
# is imported when it is called.
TYPE_CHECKING = False
if TYPE_CHECKING:
    import os
    from collections.abc import Mapping, Sequence
    from typing import Any, Literal

    from rnncls.inference.export.from_python import Exported
    from rnncls.inference.loaded_classifier import LoadedClassifier
    from rnncls.training.from_python import TrainedRun

    AnyPath = str | os.PathLike[str]

__version__ = "0.1.0"

# The users' names `rnncls.ray`, `rnncls.spark` and `rnncls.mlflow` are files of this
# folder, so that only the rooms of the package are beside this file.
__path__.append(f"{__path__[0]}/inference/engines")


class RnnclsError(Exception):
    """An error that the user can fix. Its message says what is wrong and where.

    Attributes:
        exit_code: Exit code of the command line when this error ends it.
        suggestions: Arguments that would help and their values, such as
            `{"device": "cpu"}`; the value of a switch is "". The command line adds
            those that the command has to the message, as options.
    """

    exit_code = 1

    def __init__(
        self, message: str = "", suggestions: "Mapping[str, str] | None" = None
    ) -> None:
        """Store the message and the suggestions."""
        super().__init__(message)
        self.suggestions = dict(suggestions or {})


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
    run: "AnyPath | None" = None,
    *,
    device: str | None = None,
    min_confidence: float = 0.0,
    threshold: float | None = None,
) -> "LoadedClassifier":
    """Load a trained run, or an .onnx file of `rnncls export`, as a classifier.

    `classifier("a text")` returns a prediction, `classifier(["a", "b"])` a list of
    them, and `classifier.predict(["a", "b"])` an array of labels.

    Args:
        run: The run folder, the result of `train`, or an .onnx file; None: the newest
            finished run.
        device: auto, cpu, cuda, cuda:N or mps; None: that of the run's config, or
            another if this machine lacks it.
        min_confidence: Below this probability, from 0 to 1, a prediction has no answer;
            for several labels a text, below this probability that all of them are
            right.
        threshold: For a run with several labels a text: the probability from which on a
            text has a label; None: that of each label in the run.

    Raises:
        RunError: The path is not that of a run or of an .onnx file (pages and exported
            folders cannot be loaded), or a file is damaged.
        DeviceError: This machine lacks the requested device.
        ConfigError: ONNX Runtime, which an .onnx file needs, is not installed; or an
            argument has a wrong value, or does not fit the number of labels of a text.
    """
    from rnncls.inference.loaded_classifier import load_classifier

    return load_classifier(
        run, device=device, min_confidence=min_confidence, threshold=threshold
    )


def train(  # noqa: PLR0913 - all but the first two are named
    config: "AnyPath | Mapping[str, Any]",
    overrides: "Mapping[str, Any] | None" = None,
    *,
    out: "AnyPath | None" = None,
    resume: bool = False,
    use_cache: bool = True,
    from_run: "AnyPath | None" = None,
    replay: float | None = None,
) -> "TrainedRun":
    """Train a classifier, as `rnncls train` does.

    The caller's torch settings are kept: the random generators and the number of
    threads. Messages go to the logger `rnncls`.

    Args:
        config: A YAML file, or a mapping of sections with their keys, such as
            `{"data": {"train": "reviews.csv"}}`. Paths are relative to the current
            folder.
        overrides: Other values for some keys, such as `{"train.lr": 0.002}`.
        out: The run folder, which must not exist unless `resume` is set; None: a new
            one in `runs/`.
        resume: Whether to continue the run in `out`, or without `out` the newest
            unfinished run of this config.
        use_cache: Whether to read and write the cache of tokenised files.
        from_run: A finished run to continue in a new run: its words, classes and
            weights are kept, and new words and classes are added.
        replay: With `from_run`: the share of its training rows to train on again, from
            0 to 1; None: that of the config.

    Returns:
        The run: its folder (`path`), its validation scores (`scores`) and its
        `summary`. `load`, `evaluate` and `export` accept it as their `run`.

    Raises:
        ConfigError: A key or value is wrong, or the folder already exists.
        DataError: A data file is wrong.
        RunError: The run cannot be resumed, or its folder cannot be written to.
        DeviceError: This machine lacks the requested device.
        Interrupted: The user pressed Ctrl-C; the run is saved and can be resumed.
    """
    from rnncls.training.from_python import train_from_python

    return train_from_python(
        config,
        overrides,
        out,
        resume=resume,
        use_cache=use_cache,
        from_run=from_run,
        replay=replay,
    )


def evaluate(  # noqa: PLR0913 - all but the first are named
    run: "AnyPath | None" = None,
    *,
    split: "Literal['train', 'valid', 'test'] | None" = None,
    data: "AnyPath | None" = None,
    text: "str | Sequence[str] | None" = None,
    label: str | None = None,
    unknown_labels: "Literal['error', 'skip', 'wrong']" = "error",
    outside: "AnyPath | None" = None,
    device: str | None = None,
) -> "dict[str, Any]":
    """Evaluate a run on labelled texts, as `rnncls eval` does; write no file.

    Args:
        run: The run folder or the result of `train`; None: the newest finished run.
        split: The split of the run's own data; None: test, unless `data` is given.
        data: A labelled file to use instead, with the same columns as the run's data.
        text: The column of the text in `data`, or a list of columns; None: those that
            the run was trained on.
        label: The column of the label in `data`; None: that of the run.
        unknown_labels: What to do with rows whose label is not a class of the run:
            raise an error, skip them, or count them as wrong.
        outside: A file of texts that belong to none of the classes, with the same
            columns of text: the result then has `outside`, how well the run tells them
            from the labelled texts.
        device: The device; None: that of the run's config, or another if this machine
            lacks it.

    Returns:
        The keys of `rnncls eval --json`: `accuracy`, `accuracy_interval`, `macro_f1`,
        `per_class` and so on; for several labels a text `micro_f1`, `macro_f1`,
        `per_label` and so on.

    Raises:
        RunError: The folder is not a run, or one of its files is damaged.
        DataError: The data is missing or wrong.
        ConfigError: An argument has a wrong value.
        DeviceError: This machine lacks the requested device.
    """
    from rnncls.evaluation.from_python import evaluate_from_python

    return evaluate_from_python(
        run,
        split=split,
        data=data,
        text=text,
        label=label,
        unknown_labels=unknown_labels,
        outside=outside,
        device=device,
    )


def export(
    run: "AnyPath | None",
    output: "AnyPath",
    *,
    embedding: "Literal['float32', 'float16', 'int8'] | None" = None,
    single: bool = False,
    max_size_mb: float | None = None,
    examples: "Sequence[str]" = (),
) -> "Exported":
    """Write a run as an ONNX file, a folder or a page, as `rnncls export` does.

    Args:
        run: The run folder or the result of `train`; None: the newest finished run.
        output: What to write, by its ending: an ONNX file (.onnx), a page for a browser
            (.html), or without an ending a folder that classifies texts on its own. An
            existing file, and a folder of an earlier export, are replaced.
        embedding: The type in which the word vectors are stored; None: int8 for a page,
            else float32.
        single: For ONNX: whether the model reads one text at a time, for runtimes that
            know no lengths.
        max_size_mb: For a page: its largest size in megabytes; the rarest words are
            left out.
        examples: For a page: texts that it offers.

    Returns:
        The file (`path`; for a folder, the `model.onnx` in it), its `size` in bytes,
        and how far it agrees with the run: the `comparison` of an ONNX model, the
        `changes` of a page.

    Raises:
        ConfigError: The output has another ending, an argument has a wrong value, this
            kind of file lacks an option or a setting of the run, or a package is
            missing.
        RunError: The run is damaged, the folder to write has other files, or the file
            cannot be written.
    """
    from rnncls.inference.export.from_python import export_from_python

    return export_from_python(
        run,
        output,
        embedding,
        single=single,
        max_size_mb=max_size_mb,
        examples=examples,
    )
