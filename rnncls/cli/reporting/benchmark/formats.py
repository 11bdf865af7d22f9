"""`rnncls benchmark formats`: a run in torch, in NumPy, and as each exported file.

All of them classify the same labelled texts, on the CPU.

Shapes: N texts, C classes.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
import torch
from rich.table import Table

from rnncls import ConfigError
from rnncls.cli.reporting.benchmark.latency import (
    Latency,
    measure_latency,
    summarize_latency,
)
from rnncls.cli.reporting.benchmark.page_speed import (
    measure_durations,
    write_page_command,
)
from rnncls.cli.reporting.benchmark.prediction import spread_evenly
from rnncls.cli.reporting.benchmark.startup import PREDICT_IN_TORCH
from rnncls.cli.reporting.benchmark.timing import describe_machine, seconds
from rnncls.cli.reporting.tables import plain_table
from rnncls.data.splits import Split
from rnncls.evaluation.label_bootstrap import compute_f1
from rnncls.evaluation.metrics import wilson_interval
from rnncls.evaluation.run_evaluation import evaluate_run, read_texts
from rnncls.inference.export.onnx_export import export_onnx
from rnncls.inference.export.page.mixed_rows import choose_format
from rnncls.inference.export.page.page_export import export_page
from rnncls.inference.export.page.weights import round_weights
from rnncls.inference.export.quantization import EmbeddingType
from rnncls.inference.export.script_source import build_script
from rnncls.inference.light.predictor import LightPredictor
from rnncls.inference.onnx_predictor import load_onnx_predictor
from rnncls.inference.prediction import Prediction
from rnncls.inference.predictor import Predictor
from rnncls.machine.files import write_atomic
from rnncls.runs.classifier import build_classifier
from rnncls.runs.folder import MODEL
from rnncls.runs.manifest import COMPANIONS, OPTIONAL
from rnncls.runs.portable import PortableClassifier, load_portable

NUM_STARTS, NUM_PASSES = 5, 3
_TEXT = "Wall St. rallies as oil falls"

Predict = Callable[[list[str]], list[Prediction]]
TimeTexts = Callable[[list[str]], list[float]]
Decisions = npt.NDArray[np.bool_]
"""[N, C], which labels each text has: one, or several."""


class Format(NamedTuple):
    """A form in which a run can be used.

    Attributes:
        name: The name.
        size: Its bytes on the disk.
        predict: Predicts texts.
        command: Predicts one text in a process of its own; None: that needs Node.js,
            which is not installed.
        time_texts: Returns the seconds of each text, if another program predicts them;
            None: `predict` is timed.
    """

    name: str
    size: int
    predict: Predict
    command: Sequence[str] | None
    time_texts: TimeTexts | None = None


@dataclass(frozen=True)
class FormatFigures:
    """What was measured of a format.

    Attributes:
        format: The name.
        size_bytes: Its bytes on the disk.
        cold_start_s: Median seconds of a process that predicts one text.
        latency_ms: Median milliseconds from a text to its prediction.
        latency_p99_ms: The 99th percentile.
        texts_per_s: Texts a second if all are given at once.
        accuracy: The share of right labels; for several labels a text, of the texts
            whose labels are all right.
        accuracy_interval: Its 95% interval.
        num_changed: The texts with another label than in torch, or another set of
            labels.
        micro_f1: F1 of all decisions; None: a text has one label.
        macro_f1: Mean F1 of the labels; None: a text has one label.
    """

    format: str
    size_bytes: int
    cold_start_s: float | None
    latency_ms: float | None
    latency_p99_ms: float | None
    texts_per_s: float | None
    accuracy: float
    accuracy_interval: tuple[float, float]
    num_changed: int
    micro_f1: float | None = None
    macro_f1: float | None = None


def benchmark_formats(
    run_path: Path,
    *,
    split: Split = "test",
    data: Path | None = None,
    max_texts: int | None = None,
) -> dict[str, Any]:
    """Measure a run in all formats.

    Args:
        run_path: The run folder.
        split: Which labelled rows of the run's data to classify.
        data: A labelled file to classify instead.
        max_texts: Classify that many rows, the first ones; None: all.

    Returns:
        The machine, the number of texts, and the figures of each of the `formats`.

    Raises:
        RnnclsError: The run or the data is wrong, a package is missing, or the run has
            a setting that a format lacks.
    """
    texts, labels = _read_labelled_texts(run_path, split, data, max_texts)
    classifier = load_portable(run_path)
    figures: list[FormatFigures] = []
    with tempfile.TemporaryDirectory() as folder:
        expected: Decisions | None = None
        for format_ in _iter_formats(run_path, classifier, Path(folder)):
            predicted = _decide(format_, texts, classifier.label_names)
            expected = predicted if expected is None else expected
            is_changed = (predicted != expected).any(axis=1)  # [N]
            accuracy = _score(format_, labels, predicted, int(is_changed.sum()))
            if classifier.has_several_labels:
                accuracy = _add_f1(accuracy, labels, predicted)
            figures.append(_add_times(accuracy, format_, texts))
    machine = describe_machine(torch.device("cpu"))
    rows = [asdict(row) for row in figures]
    return machine | {"num_texts": len(texts), "formats": rows}


def _read_labelled_texts(
    run_path: Path, split: Split, data: Path | None, max_texts: int | None
) -> tuple[list[str], Decisions]:
    """Return texts [N] and their labels [N, C]."""
    evaluation = evaluate_run(run_path, split=split, data=data, device="cpu")
    classifier = evaluation.run.classifier
    num_rows = len(evaluation.split.labels)
    rows = np.arange(min(num_rows, max_texts or num_rows))
    if not len(rows):
        raise ConfigError(f"{evaluation.origin['path']}: expected a row, found none")
    labels = evaluation.split.labels[rows]  # [N], or [N, C]
    if not classifier.has_several_labels:
        class_ids = np.arange(len(classifier.label_names))
        labels = labels[:, None] == class_ids  # [N, C]
    return read_texts(evaluation, rows), labels


def _iter_formats(
    run_path: Path, classifier: PortableClassifier, folder: Path
) -> Iterator[Format]:
    """Yield torch, NumPy, the ONNX files and the page; write the files to a folder."""
    arguments = ["predict", _TEXT, "--run", str(run_path), "--device", "cpu"]
    names = [MODEL, *COMPANIONS[MODEL], *OPTIONAL]
    files = [run_path / name for name in names if (run_path / name).exists()]
    size = sum(file.stat().st_size for file in files)
    full = Predictor(build_classifier(classifier), torch.device("cpu"))
    command = [sys.executable, "-c", PREDICT_IN_TORCH, *arguments]
    yield Format("torch", size, full.predict, command)
    light = LightPredictor(classifier)
    command = [sys.executable, "-m", "rnncls", *arguments]
    yield Format("numpy", size, light.predict, command)
    for embedding in get_args(EmbeddingType):
        yield _write_onnx(classifier, folder / f"{embedding}.onnx", embedding)
    yield _write_page(run_path, classifier, folder)


def _write_onnx(
    classifier: PortableClassifier, path: Path, embedding: EmbeddingType
) -> Format:
    """Write an ONNX file. Its process is the `predict.py` of an exported folder."""
    export_onnx(classifier, path, embedding=embedding)
    script = path.with_name("predict.py")
    write_atomic(script, build_script())
    command = [sys.executable, str(script), "--model", str(path), _TEXT]
    predictor = load_onnx_predictor(path)
    return Format(f"onnx {embedding}", path.stat().st_size, predictor.predict, command)


def _write_page(run_path: Path, classifier: PortableClassifier, folder: Path) -> Format:
    """Write the page. NumPy predicts with its weights, and Node.js is timed."""
    page = export_page(run_path, folder / "page.html")
    vectors = choose_format("int8", len(classifier.vocab))
    rounded = LightPredictor(round_weights(classifier, vectors))
    command = write_page_command(page.path, folder)
    if command is None:
        return Format("page int8", page.size, rounded.predict, None)
    start = [*command, _TEXT]
    time_texts = partial(measure_durations, command)
    return Format("page int8", page.size, rounded.predict, start, time_texts)


def _decide(format_: Format, texts: list[str], label_names: Sequence[str]) -> Decisions:
    """Return the labels that a format predicts. [N, C]."""
    columns = {name: index for index, name in enumerate(label_names)}
    decisions = np.zeros((len(texts), len(columns)), np.bool_)
    for row, prediction in enumerate(format_.predict(texts)):
        for label in prediction.labels:
            decisions[row, columns[label]] = True
    return decisions


def _score(
    format_: Format, labels: Decisions, predicted: Decisions, num_changed: int
) -> FormatFigures:
    """Return the figures of a format without its times."""
    is_correct = (predicted == labels).all(axis=1)  # [N]
    num_correct = int(is_correct.sum())
    return FormatFigures(
        format=format_.name,
        size_bytes=format_.size,
        cold_start_s=None,
        latency_ms=None,
        latency_p99_ms=None,
        texts_per_s=None,
        accuracy=num_correct / len(labels),
        accuracy_interval=wilson_interval(num_correct, len(labels)),
        num_changed=num_changed,
    )


def _add_f1(
    figures: FormatFigures, labels: Decisions, predicted: Decisions
) -> FormatFigures:
    micro_f1, macro_f1 = compute_f1(labels, predicted)
    return replace(figures, micro_f1=micro_f1, macro_f1=macro_f1)


def _add_times(
    figures: FormatFigures, format_: Format, texts: list[str]
) -> FormatFigures:
    """Measure a format, unless its program is not installed."""
    if format_.command is None:
        return figures
    latency, texts_per_s = _measure_speed(format_, texts)
    return replace(
        figures,
        cold_start_s=_time_start(format_.command),
        latency_ms=latency.latency_ms,
        latency_p99_ms=latency.latency_p99_ms,
        texts_per_s=texts_per_s,
    )


def _measure_speed(format_: Format, texts: list[str]) -> tuple[Latency, float]:
    """Return the time of a text, and the texts a second if all are given at once."""
    if format_.time_texts is not None:  # one text after another is all it can do
        durations = format_.time_texts(spread_evenly(texts))
        return summarize_latency(durations), len(durations) / sum(durations)
    latency = _measure_latency(format_.predict, texts)
    passes = [seconds(lambda: format_.predict(texts)) for _ in range(NUM_PASSES)]
    return latency, len(texts) / statistics.median(passes)


def _measure_latency(predict: Predict, texts: list[str]) -> Latency:
    return measure_latency(lambda text: predict([text]), spread_evenly(texts))


def _time_start(command: Sequence[str]) -> float:
    """Return the median seconds of a process, after one start that is not counted."""
    durations = [
        seconds(lambda: subprocess.run(command, capture_output=True, check=True))
        for _ in range(NUM_STARTS + 1)
    ]
    return statistics.median(durations[1:])


def tabulate_formats(result: Mapping[str, Any]) -> Table:
    """Return the figures of `benchmark_formats` as a table."""
    header = [
        "format",
        "MB",
        "cold start s",
        "ms a text",
        "99%",
        "texts/s",
        "accuracy",
        "95% interval",
        "labels changed",
    ]
    formats = result["formats"]
    rows = [_list_cells(figures) for figures in formats]
    if formats[0]["micro_f1"] is not None:
        header += ["micro-F1", "macro-F1"]
        for row, figures in zip(rows, formats, strict=True):
            row += [f"{figures['micro_f1']:.2%}", f"{figures['macro_f1']:.2%}"]
    title = f"{result['num_texts']:,} texts, on the CPU"
    return plain_table(title, header, rows)


def _list_cells(figures: Mapping[str, Any]) -> list[str]:
    low, high = figures["accuracy_interval"]
    return [
        figures["format"],
        f"{figures['size_bytes'] / 1e6:.2f}",
        _format_figure(figures["cold_start_s"], ".2f"),
        _format_figure(figures["latency_ms"], ".2f"),
        _format_figure(figures["latency_p99_ms"], ".2f"),
        _format_figure(figures["texts_per_s"], ",.0f"),
        f"{figures['accuracy']:.2%}",
        f"{low:.2%} to {high:.2%}",
        f"{figures['num_changed']:,}",
    ]


def _format_figure(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
