"""`rnncls benchmark train`: the speed of training, and what saving and words cost."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rnncls.config.sections import Config, ModelSection
from rnncls.config.yaml_format import dump_config
from rnncls.data.loading import TrainingData, load_training_data
from rnncls.machine.memory import tune_malloc
from rnncls.machine.seeds import seed_everything
from rnncls.reporting.benchmark.saving import measure_saving
from rnncls.reporting.benchmark.timing import describe_machine
from rnncls.reporting.benchmark.training_step import (
    compare_training,
    compare_vocabularies,
)
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.initialization import build_model

_TEXTBOOK = Path(__file__).parents[3] / "scripts" / "textbook_loop.py"
"""Only a checkout has it, not an installed package."""


def benchmark_training(config: Config) -> dict[str, Any]:
    """Return the speed of training, and the cost of saving and of more words."""
    seed_everything(config.seed)
    tune_malloc()
    data = load_training_data(config.data_settings)
    model = build_model(config.model, config.text.vectors, data)
    trainer = build_classifier_trainer(config.train, model, data, config.seed)
    result = asdict(compare_training(trainer, config.model))
    result |= asdict(
        measure_saving(
            trainer,
            dump_config(config),
            config.train.save_every,
            result["tokens_per_s"],
        )
    )
    ratio, lowest, highest = compare_vocabularies(
        config.model, config.train, config.seed, data
    )
    result |= {"vocab_ratio": ratio, "vocab_ratio_spread": (lowest, highest)}
    if _TEXTBOOK.exists() and config.data.name is not None:
        textbook_speed = _time_textbook_loop(data, config.model)
        result["textbook_samples_per_s"] = textbook_speed
        result["textbook_ratio"] = result["samples_per_s"] / textbook_speed
    return describe_machine() | result


def _time_textbook_loop(data: TrainingData, section: ModelSection) -> float:
    """Return the speed of the usual training loop of textbooks, in texts per second."""
    train_file = data.fingerprint["files"]["train"]["path"]
    command = [sys.executable, str(_TEXTBOOK), train_file]
    command += ["--embedding-dim", str(section.embedding_dim)]
    command += ["--hidden-size", str(section.hidden_size)]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    speed: float = json.loads(process.stdout)["samples_per_s"]
    return speed
