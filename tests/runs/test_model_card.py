"""The model card."""

from pathlib import Path
from typing import Any

import pytest

from rnncls.config.loading import parse_config
from rnncls.runs.model_card import model_card

SUMMARY: dict[str, Any] = {
    "best_epoch": 3,
    "num_epochs": 5,
    "valid": {
        "accuracy": 0.91237,
        "accuracy_interval": (0.905, 0.9193),
        "macro_f1": 0.90128,
        "loss": 0.234567,
    },
    "num_parameters": 1_234_567,
    "label_names": ["sport", "world"],
    "data": {
        "files": {"train": {"path": "toy.csv", "num_rows": 120_000}},
        "num_train_rows": 114_000,
        "num_valid_rows": 6_000,
    },
    "versions": {"rnncls": "9.8.7"},
    "temperature": 0.7284,
}


@pytest.mark.parametrize(
    "fact",
    [
        "# my run\n",
        "rnncls 9.8.7",
        "cell `gru`",
        "embedding 7, hidden size 9, 2 layer(s)",
        "one direction,\n1,234,567 parameters",
        "Classes: sport, world.",
        "- train: `toy.csv`, 120,000 rows",
        "Trained on 114,000 rows; 6,000 validation rows selected the\nbest epoch.",
        (
            "Validation, epoch 3 of 5: accuracy 91.24%\n(95% interval 90.50% to"
            " 91.93%), macro-F1 90.13%, loss 0.2346"
        ),
        "Probabilities are of the logits divided by 0.728, which",
        "rnncls predict \"a text\" --run 'runs/my run'\n",
    ],
)
def test_the_model_card_says(fact: str) -> None:
    text = """
    data: {train: none.csv}
    model:
      {cell: gru, embedding_dim: 7, hidden_size: 9, num_layers: 2, bidirectional: false}
    """
    assert fact in model_card(
        parse_config(text, "test.yaml").model, SUMMARY, Path("runs/my run")
    )


def test_the_model_card_says_where_probabilities_are_not_calibrated() -> None:
    card = model_card(
        parse_config("data: {train: none.csv}", "test.yaml").model,
        {**SUMMARY, "temperature": 1.0},
        Path("run"),
    )
    assert "\nProbabilities are not calibrated.\n" in card


def test_the_model_card_of_a_run_whose_name_is_no_utf8_can_be_written() -> None:
    card = model_card(
        parse_config("data: {train: none.csv}", "test.yaml").model,
        SUMMARY,
        Path("run \udcff"),
    )
    assert card.encode().startswith(b"# run \\udcff\n")
