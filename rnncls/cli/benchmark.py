"""`rnncls benchmark`: how fast this machine trains, predicts and starts, beside the
bare work.
"""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from rnncls.cli.options import ConfigOption, JsonOption, SetOption
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.config.sections import Config

app = typer.Typer(
    help="Measure the speed of training, prediction and start-up.", no_args_is_help=True
)
TEXTBOOK = Path(__file__).parents[2] / "scripts" / "textbook_loop.py"


@app.command("train")
def train_command(
    config: ConfigOption, set_: SetOption = None, json_: JsonOption = False
) -> None:
    """Alternate full training steps with the bare cell's forward and backward; time the
    textbook's loop too.
    """
    from rnncls.config.loading import load_config

    _show(benchmark_training(load_config(config, set_ or [])), json_=json_)


@app.command("predict")
def predict_command(
    config: ConfigOption, set_: SetOption = None, json_: JsonOption = False
) -> None:
    """Alternate whole predictions with the bare cell's forward pass."""
    from rnncls.config.loading import load_config

    _show(benchmark_prediction(load_config(config, set_ or [])), json_=json_)


@app.command("startup")
def startup_command(
    config: ConfigOption, set_: SetOption = None, json_: JsonOption = False
) -> None:
    """Alternate short commands, each a whole process, with the bare import that they
    stand on.
    """
    from rnncls.config.loading import load_config

    _show(benchmark_startup(config, load_config(config, set_ or [])), json_=json_)


def benchmark_training(config: "Config") -> dict[str, Any]:
    """Return the speed beside the bare cell, over ten times the words and beside the
    textbooks' loop; saving's cost.
    """
    with fast_imports():
        from rnncls.data.loading import load_training_data
        from rnncls.machine.memory import tune_malloc
        from rnncls.machine.seeds import seed_everything
        from rnncls.reporting.benchmark import (
            compare_training,
            compare_vocabularies,
            measure_saving,
        )
        from rnncls.training.classification import build_classifier_trainer
        from rnncls.training.initialization import build_model

    seed_everything(config.seed)
    tune_malloc()
    data = load_training_data(config)
    trainer = build_classifier_trainer(
        config.train, build_model(config, data), data, config.seed
    )
    result = asdict(compare_training(trainer, config.model))
    result |= asdict(measure_saving(trainer, config, result["tokens_per_s"]))
    ratio, lowest, highest = compare_vocabularies(config, data)
    result |= {"vocab_ratio": ratio, "vocab_ratio_spread": (lowest, highest)}
    path = Path(data.fingerprint["files"]["train"]["path"])
    if TEXTBOOK.exists() and config.data.name is not None:
        sizes = [
            "--embedding-dim",
            str(config.model.embedding_dim),
            "--hidden-size",
            str(config.model.hidden_size),
        ]
        command = [sys.executable, str(TEXTBOOK), str(path), *sizes]
        textbook = json.loads(
            subprocess.run(command, capture_output=True, text=True, check=True).stdout
        )
        result["textbook_samples_per_s"] = textbook["samples_per_s"]
        result["textbook_ratio"] = result["samples_per_s"] / textbook["samples_per_s"]
    return _machine() | result


def benchmark_prediction(config: "Config") -> dict[str, Any]:
    """Return the speed of prediction beside the bare forward pass; the weights are
    fresh, which costs the same.
    """
    with fast_imports():
        from rnncls.data.datasets import columns_of, locate
        from rnncls.data.loading import load_training_data
        from rnncls.data.readers import read_rows
        from rnncls.inference.predictor import Predictor
        from rnncls.machine.device import resolve_device
        from rnncls.machine.memory import tune_malloc
        from rnncls.machine.seeds import seed_everything
        from rnncls.reporting.benchmark import compare_prediction
        from rnncls.runs.classifier import Classifier
        from rnncls.text.batching import encode_texts
        from rnncls.text.tokenizer import join_texts, tokenize_stream
        from rnncls.training.initialization import build_model

    seed_everything(config.seed)
    tune_malloc()
    data = load_training_data(config)
    model = build_model(config, data)
    predictor = Predictor(
        Classifier(config.text, data.vocab, data.label_names, model),
        resolve_device("cpu"),
    )
    rows = read_rows(locate(config.data, "train"), columns_of(config.data))
    texts = [text for chunk in rows for text in chunk.texts]
    encoded = encode_texts(
        join_texts(part for _, part in tokenize_stream([texts], config.text)),
        data.vocab,
    )
    return _machine() | asdict(compare_prediction(predictor, texts, encoded))


def benchmark_startup(path: Path, config: "Config") -> dict[str, Any]:
    """Return the seconds of short commands as whole processes, and their ratios to the
    bare imports.
    """
    import tempfile

    from rnncls.data.loading import load_training_data
    from rnncls.reporting.benchmark import compare_commands, startup_commands
    from rnncls.runs.run import create_run
    from rnncls.runs.weights import save_model
    from rnncls.training.initialization import build_model

    data = load_training_data(config)
    with tempfile.TemporaryDirectory() as folder:
        create_run(Path(folder), config, data.vocab, data.label_names)
        save_model(Path(folder), build_model(config, data))
        measured: dict[str, float] = {}
        for name, command, bare in startup_commands(path, Path(folder)):
            seconds, bare_s, ratio = compare_commands(command, bare)
            measured |= {
                f"{name}_s": seconds,
                f"{name}_bare_s": bare_s,
                f"{name}_ratio": ratio,
            }
    return _machine() | measured


def _machine() -> dict[str, Any]:
    """Return what a figure of speed depends on."""
    import platform
    from importlib.metadata import version

    import torch

    from rnncls.machine.threads import start_workers

    return {
        "machine": platform.processor() or platform.machine(),
        "num_threads": start_workers(torch.device("cpu")).num_threads,
        "python": platform.python_version(),
        "torch": version("torch"),
    }


def _show(result: dict[str, Any], *, json_: bool) -> None:
    if json_:
        typer.echo(json.dumps(result))
        return
    for key, value in result.items():
        shown = f"{value:,.3f}" if isinstance(value, float) else value
        typer.echo(f"{key:<24}{shown}")
