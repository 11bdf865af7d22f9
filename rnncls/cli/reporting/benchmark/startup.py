"""`rnncls benchmark startup`: short commands, compared with the imports they need.

The prediction of one text is also compared with the same through torch.
"""

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from rnncls.cli.reporting.benchmark.timing import describe_machine, seconds
from rnncls.config.sections import DataSettings, ModelSection
from rnncls.data.loading import load_training_data
from rnncls.runs.run import create_run
from rnncls.runs.weights import save_model
from rnncls.training.initialization import build_model

PREDICT_IN_TORCH = """
from rnncls.machine.imports import fast_imports
with fast_imports():
    from rnncls.cli.main import run
    from rnncls.inference import runtime
runtime.load_light = lambda path, device: None
run()
"""
"""The program `rnncls`, but without its light runtime."""


def benchmark_startup(
    config_file: Path, config_text: str, settings: DataSettings, section: ModelSection
) -> dict[str, Any]:
    """Time short commands in seconds, and compare each with the imports it needs.

    Args:
        config_file: The file that the commands read.
        config_text: The config of the run to predict with, as YAML.
        settings: The data of that run.
        section: The shape of its network.
    """
    result = describe_machine(torch.device("cpu"))
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder)
        data = load_training_data(settings)
        create_run(run, config_text, data.vocab, data.label_names)
        save_model(run, build_model(section, settings.text.vectors, data))
        for name, command, baseline in startup_commands(config_file, run):
            command_s, baseline_s, ratio = compare_commands(command, baseline)
            result[f"{name}_s"] = command_s
            result[f"{name}_bare_s"] = baseline_s
            result[f"{name}_ratio"] = ratio
    return result


def compare_commands(
    command: Sequence[str], baseline: Sequence[str], num_pairs: int = 7
) -> tuple[float, float, float]:
    """Run two commands in turn, each in its own process.

    Returns:
        The median seconds of each, and the median ratio of the first to the second.
    """
    warm_up_and_pairs = [(_run(command), _run(baseline)) for _ in range(num_pairs + 1)]
    pairs = warm_up_and_pairs[1:]
    command_s = statistics.median(first for first, _ in pairs)
    baseline_s = statistics.median(second for _, second in pairs)
    ratio = statistics.median(first / second for first, second in pairs)
    return command_s, baseline_s, ratio


def startup_commands(config: Path, run: Path) -> list[tuple[str, list[str], list[str]]]:
    """Return the commands to time: a name, the command, and what to compare it with.

    That is the import which the command needs; for `predict_light`, which predicts one
    text without torch, the same command through torch.

    Args:
        config: A config file.
        run: A run folder.
    """
    python = sys.executable
    program = [python, "-m", "rnncls"]
    import_libraries = [python, "-c", "import typer, yaml, pydantic"]
    import_torch = [python, "-c", "import torch"]
    validate = ["config", "validate", "--config", str(config)]
    config_error = [*validate, "--set", "train.lrr=1"]
    predict = ["predict", "Wall St. rallies as oil falls", "--run", str(run)]
    predict_on_cpu = [*predict, "--device", "cpu"]
    predict_in_torch = [python, "-c", PREDICT_IN_TORCH, *predict_on_cpu]
    return [
        ("help", [*program, "--help"], import_libraries),
        ("config_error", [*program, *config_error], import_libraries),
        ("predict", [*program, *predict], import_torch),
        ("predict_light", [*program, *predict_on_cpu], predict_in_torch),
    ]


def _run(command: Sequence[str]) -> float:
    return seconds(lambda: subprocess.run(command, capture_output=True, check=False))
