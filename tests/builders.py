"""Files and folders that tests of several rooms need."""

import json
import random
from pathlib import Path

from rnncls.config.loading import parse_config
from rnncls.config.yaml_format import dump_config
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.run import create_run
from rnncls.runs.weights import save_model
from rnncls.text.vocab import Vocab
from rnncls.training.resume import ResumeOptions
from rnncls.training.run import train

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
