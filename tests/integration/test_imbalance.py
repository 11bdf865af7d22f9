"""One class in 51 rows: what is asked for against imbalance finds the rare class where
plain training never does."""

import random
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score, recall_score

from rnncls.config.loading import parse_config
from rnncls.data.loading import load_training_data
from rnncls.evaluation.evaluator import compute_logits
from rnncls.machine.seeds import seed_everything
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.initialization import build_model

CONFIG = """
device: cpu
data: {train: train.csv, valid: valid.csv, text: [text]}
model: {cell: none, embedding_dim: 8, dropout: 0.0, word_dropout: 0.0}
train: {max_epochs: 30, batch_size: 32, lr: 0.03, monitor: macro_f1, patience: null}
"""


def write_rows(path: Path, seed: int) -> None:
    """Write 1,020 rows, 20 of them rare; "alarm" stands in 9 of 10 rare texts, but in 1
    of 20 common ones too."""
    generator = random.Random(seed)
    lines = ["label,text"]
    for number in range(1020):
        is_rare = number % 51 == 0
        words = [generator.choice("abcdefghij") for _ in range(5)]
        if generator.random() < (0.9 if is_rare else 0.05):
            words.insert(generator.randrange(5), "alarm")
        lines.append(f"{'rare' if is_rare else 'common'},{' '.join(words)}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def judge_rare(*overrides: str) -> tuple[float, float]:
    """Train, and return the recall of the rare class and the macro-F1 of the validation
    rows, by scikit-learn."""
    write_rows(Path("train.csv"), seed=0)
    write_rows(Path("valid.csv"), seed=1)
    config = parse_config(CONFIG, "imbalance.yaml", overrides)
    data = load_training_data(config.data_settings)
    seed_everything(config.seed)
    trainer = build_classifier_trainer(
        config.train,
        build_model(config.model, config.text.vectors, data),
        data,
        config.seed,
    )
    for _ in trainer.steps():
        pass
    predictions = (
        compute_logits(trainer.eval_model, data.valid.texts).argmax(dim=1).numpy()
    )
    rare = data.label_names.index("rare")
    assert np.bincount(data.valid.labels)[rare] == 20
    recall = recall_score(data.valid.labels, predictions, pos_label=rare)
    return float(recall), float(
        f1_score(data.valid.labels, predictions, average="macro")
    )


def test_no_rare_text_is_found_where_all_rows_count_the_same() -> None:
    # Of the texts with "alarm" some 28% are rare: never the likelier class.
    recall, macro_f1 = judge_rare("train.max_epochs=10")
    assert (recall, round(macro_f1, 2)) == (0.0, 0.5)


@pytest.mark.parametrize(
    "overrides",
    [
        ["train.class_weights=balanced"],
        ["train.sampling=balanced", "train.max_epochs=10"],
        ["train.sampling=balanced", "train.max_epochs=10", "train.focal_gamma=2.0"],
    ],
    ids=["weights", "sampling", "sampling and focal"],
)
def test_most_rare_texts_are_found_where_the_classes_count_the_same(
    overrides: list[str],
) -> None:
    recall, macro_f1 = judge_rare(*overrides)
    assert recall >= 0.7
    assert macro_f1 >= 0.65
