"""Files, folders and trainers that tests of several rooms need."""

import json
import random
from pathlib import Path

import torch

from rnncls.config.loading import parse_config
from rnncls.config.sections import Config
from rnncls.config.yaml_format import dump_config
from rnncls.data.loading import load_training_data
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.folder import MODEL
from rnncls.runs.run import create_run
from rnncls.runs.weights import save_model
from rnncls.text.vocab import Vocab
from rnncls.training.classification import build_fresh_trainer
from rnncls.training.resume import ResumeOptions, restore_trainer
from rnncls.training.run import train
from rnncls.training.saved_state import load_saved_state, save_state
from rnncls.training.trainer import Trainer

RESUME = ResumeOptions(resume=True)
RESUME_WITH_CHANGES = ResumeOptions(resume=True, may_change=True)


def write_ag_news(root: Path, num_rows: int = 120) -> None:
    """Write small training and test files in the form of AG News."""
    generator = random.Random(0)
    folder = root / "ag_news"
    folder.mkdir(parents=True)
    for split in ("train", "test"):
        lines = []
        for row in range(num_rows):
            words = " ".join(
                generator.choices(
                    ["oil", "game", "war", "chip", "talks", "win"], k=4 + row % 9
                )
            )
            lines.append(f'"{row % 4 + 1}","{words} {row % 4}","{words} says #39;so."')
        (folder / f"{split}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def write_run(
    path: Path, *, labels: list[str], words: list[str], hidden_size: int = 4
) -> TextClassifier:
    """Write a run folder with new weights and return its model."""
    text = (
        "data: {train: none.csv}\nmodel: {embedding_dim: 3, hidden_size:"
        f" {hidden_size}}}"
    )
    config, vocab = parse_config(text, "test.yaml"), Vocab(["<pad>", "<unk>", *words])
    model = TextClassifier(config.model, len(vocab), len(labels))
    create_run(path, dump_config(config), vocab, labels)
    save_model(path, model)
    return model


def build_trainer(config: Config) -> Trainer[TextClassifier]:
    """Return a trainer on the CPU before its first step."""
    data = load_training_data(config.data_settings)
    device, vectors = torch.device("cpu"), config.text.vectors
    return build_fresh_trainer(
        config.model, config.train, vectors, config.seed, device, data
    )


def check_exact_resume(config: Config, path: Path) -> None:
    """Check that a training that stops after step 7 ends with the same weights.

    Args:
        config: Of more than 7 steps.
        path: The run folder to write.
    """
    complete, stopped = build_trainer(config), build_trainer(config)
    for _ in complete.steps():
        pass
    data = stopped.data
    create_run(path, dump_config(config), data.vocab, data.label_names)
    for _ in stopped.steps():
        if stopped.step == 7:
            break
    save_state(stopped, path)
    resumed = build_trainer(config)
    restore_trainer(resumed, path, load_saved_state(path, MODEL), may_change=False)
    for _ in resumed.steps():
        pass
    expected = complete.eval_model.state_dict()
    for name, tensor in resumed.eval_model.state_dict().items():
        assert torch.equal(tensor, expected[name])


LABEL_WORDS = {"joy": "happy", "anger": "angry", "fear": "afraid"}
"""The word that says that a text has a label."""


def train_label_sets(folder: Path, *overrides: str) -> Path:
    """Train a run on texts whose words say which of three labels they have."""
    lines = []
    for number in range(320):
        names = [name for bit, name in enumerate(LABEL_WORDS) if number >> bit & 1]
        words = " ".join(LABEL_WORDS[name] for name in names)
        text = f"the day {number % 7} was {words} indeed"
        lines.append(json.dumps({"text": text, "labels": names}))
    (folder / "data.jsonl").write_text("\n".join(lines))
    config = parse_config(
        f"data: {{train: {folder / 'data.jsonl'}, text: [text], label: [labels],"
        " test_fraction: 0.1, split: rows}\n"
        "text: {min_freq: 1}\n"
        "model: {task: several_labels, embedding_dim: 8, hidden_size: 8}\n"
        "train: {max_epochs: 8, lr: 0.02, batch_size: 16, monitor: micro_f1}",
        "labels.yaml",
        list(overrides),
    )
    train(config, folder / "run", becomes_latest=False)
    return folder / "run"
