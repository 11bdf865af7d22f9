"""`rnncls benchmark train`: the speed of training, and what saving and words cost."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from rnncls.cli.reporting.benchmark.saving import measure_saving
from rnncls.cli.reporting.benchmark.timing import describe_machine
from rnncls.cli.reporting.benchmark.training_step import (
    compare_training,
    compare_vocabularies,
)
from rnncls.config.sections import DataSettings, ModelSection, TrainSection
from rnncls.data.loading import TrainingData, load_training_data
from rnncls.machine.memory import tune_malloc
from rnncls.training.classification import build_fresh_trainer

_TEXTBOOK = Path(__file__).parents[4] / "scripts" / "textbook_loop.py"
"""Only a checkout has it, not an installed package."""


def benchmark_training(
    settings: DataSettings,
    model: ModelSection,
    train: TrainSection,
    config_text: str,
    device: torch.device,
) -> dict[str, Any]:
    """Return the speed of training, and the cost of saving and of more words.

    Args:
        settings: The texts to train on, and the seed.
        model: The shape of the network.
        train: How it is trained.
        config_text: The config as YAML, for the run folder that is saved.
        device: Where to train. On a GPU there is no comparison with the loop of a
            textbook, which runs on a CPU.
    """
    tune_malloc()
    data = load_training_data(settings)
    vectors, seed = settings.text.vectors, settings.seed
    train = train.replace(adversarial_delay=0)  # the steps are those of later epochs
    trainer = build_fresh_trainer(model, train, vectors, seed, device, data)
    result = asdict(compare_training(trainer, model, train))
    saving = measure_saving(
        trainer, config_text, train.save_every, result["tokens_per_s"]
    )
    result |= asdict(saving)
    ratio, lowest, highest = compare_vocabularies(model, train, seed, data, device)
    result |= {"vocab_ratio": ratio, "vocab_ratio_spread": (lowest, highest)}
    has_textbook = _TEXTBOOK.exists() and device.type == "cpu"
    if has_textbook and settings.data.name is not None:
        textbook_speed = _time_textbook_loop(data, model)
        result["textbook_samples_per_s"] = textbook_speed
        result["textbook_ratio"] = result["samples_per_s"] / textbook_speed
    return describe_machine(device) | result


def _time_textbook_loop(data: TrainingData, section: ModelSection) -> float:
    """Return the speed of the usual training loop of textbooks, in texts per second."""
    train_file = data.fingerprint["files"]["train"]["path"]
    command = [sys.executable, str(_TEXTBOOK), train_file]
    command += ["--embedding-dim", str(section.embedding_dim)]
    command += ["--hidden-size", str(section.hidden_size)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    speed: float = json.loads(process.stdout)["samples_per_s"]
    return speed
