"""Predict in one process, or in several that share the texts."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rnncls import ConfigError
from rnncls.cli.input_rows import is_live
from rnncls.cli.options import find_run_or_newest
from rnncls.cli.outputs import check_output, check_stdout, find_data, find_files
from rnncls.cli.replaced_files import check_replaces_predictions
from rnncls.cli.text_arguments import STDIN
from rnncls.config.sections import DataSection
from rnncls.inference.prediction import Prediction
from rnncls.inference.runtime import PredictOptions, RunPredictor, load_full
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.inference.onnx_predictor import OnnxPredictor

ONNX = ".onnx"
ReadChunks = Callable[[DataSection], Iterator[list[str]]]
"""Returns the texts, given the data section of the run's config."""


def predict_alone(
    run: Path | None,
    options: PredictOptions,
    source: str | None,
    output: Path | None,
    read_chunks: ReadChunks,
) -> Iterator[list[Prediction]]:
    """Return the predictions of a run in this process, without torch for few texts.

    Args:
        run: The run folder or an ONNX file; None: the newest finished run.
        options: What the user asks of the predictions.
        source: The file that is read, or `-` for stdin; None: neither.
        output: The file to write; None: stdout.
        read_chunks: Returns the texts, given the data section of the run's config.
    """
    predictor = _load_predictor(run, options)
    _check_outputs(output, source, predictor.data)
    chunks = read_chunks(predictor.data)
    if is_live(source):
        return predictor.stream_live(chunks)
    return predictor.stream(chunks)


def predict_together(
    run: Path | None,
    options: PredictOptions,
    source: str | None,
    output: Path | None,
    read_chunks: ReadChunks,
) -> Iterator[list[Prediction]] | None:
    """Share the texts among the processes of torchrun; see `predict_alone`.

    Returns:
        The predictions in the main process. The others return None when the work is
        done.
    """
    with fast_imports():
        from rnncls.machine.processes import init_process_group

    processes = init_process_group()
    with processes.raise_everywhere():
        check_sharing(source, attention=options.attention)
        predictor, section = load_full(find_run_or_newest(run), options)
        _check_outputs(output, source, section)
    chunks = read_chunks(section)
    if processes.is_main:
        return predictor.stream_together(chunks, processes)
    predictor.read_along(chunks, processes)
    return None


def _load_predictor(
    run: Path | None, options: PredictOptions
) -> "RunPredictor | OnnxPredictor":
    """Load a run, or an ONNX file, which computes on the CPU.

    Raises:
        ConfigError: The options need what an ONNX file lacks.
    """
    if run is None or run.suffix.lower() != ONNX or run.is_dir():
        return RunPredictor(find_run_or_newest(run), options)
    if options.device not in {None, "auto", "cpu"}:
        raise ConfigError(
            f"--device: {run} computes on the CPU, found {options.device}: leave out"
            " --device, or give the run folder"
        )
    if options.attention:
        raise ConfigError(
            f"--attention: {run} does not return the weights: give the run folder"
        )
    from rnncls.inference.onnx_predictor import load_onnx_predictor

    return load_onnx_predictor(
        run, min_confidence=options.min_confidence, threshold=options.threshold
    )


def check_sharing(source: str | None, *, attention: bool) -> None:
    """Check that several processes can share the work.

    Raises:
        ConfigError: The input is not a file, which every process can read.
    """
    if source == STDIN or (
        source is not None and Path(source).exists() and not Path(source).is_file()
    ):
        raise ConfigError(
            "--input: several processes cannot share stdin or a pipe: give a file"
        )
    if attention:
        raise ConfigError(
            "--attention: works in one process only: start it without torchrun"
        )


def _check_outputs(
    output: Path | None, source: str | None, section: DataSection
) -> None:
    """Check that the predictions replace only a file of predictions.

    Raises:
        ConfigError: They would replace another one, or a file that is read.
    """
    is_file = source is not None and source != STDIN
    if output is not None:
        file = source if is_file else None
        check_output("--output", output, find_files([file]), find_data(section))
        check_replaces_predictions("--output", output)
    elif is_file:
        check_stdout(Path(str(source)))
