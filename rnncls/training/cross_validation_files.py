"""The files of a cross-validation: scores, predictions and the config."""

import csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls.machine.files import write_atomic, write_json
from rnncls.training.cross_validation import CrossValidation, Fold

CONFIG, SCORES, PREDICTIONS = "config.yaml", "crossval.json", "predictions.csv"


def save_cross_validation(
    validation: CrossValidation, config_text: str, path: Path
) -> dict[str, Any]:
    """Write the config, the scores and the predictions into a folder.

    Args:
        validation: The result.
        config_text: The config as YAML.
        path: The folder.

    Returns:
        The scores, as a JSON object.

    Raises:
        RunError: A file cannot be written.
    """
    scores = scores_json(validation)
    predictions = predictions_csv(validation)
    path.mkdir(parents=True, exist_ok=True)
    write_atomic(path / CONFIG, config_text.encode())
    write_atomic(path / PREDICTIONS, predictions.encode("utf-8", "backslashreplace"))
    write_json(path / SCORES, scores)
    return scores


def scores_json(validation: CrossValidation) -> dict[str, Any]:
    """Return the scores of all rows and of each fold as a JSON object."""
    spread = {
        name: {"mean": mean, "sd": std}
        for name, (mean, std) in validation.mean_and_std().items()
    }
    return {
        **_scores(validation),
        "spread": spread,
        "folds": [_fold_json(fold) for fold in validation.folds],
        "data": validation.source,
    }


def _scores(validation: CrossValidation) -> dict[str, Any]:
    if validation.has_several_labels:
        return validation.label_scores().to_dict()
    return validation.scores().to_dict()


def _fold_json(fold: Fold) -> dict[str, Any]:
    return {
        **fold.scores,
        "num_rows": len(fold.rows),
        "best_epoch": fold.best_epoch,
        "train_s": fold.train_s,
    }


def predictions_csv(validation: CrossValidation) -> str:
    """Return a CSV line for each row: number from 1, fold, labels and probabilities."""
    prob_columns = [f"prob {name}" for name in validation.label_names]
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["row", "fold", "label", "predicted", *prob_columns])
    writer.writerows(_prediction_rows(validation))
    return stream.getvalue()


def _name_labels(
    validation: CrossValidation, probs: npt.NDArray[np.float64]
) -> tuple[list[str], list[str]]:
    """Return the true and the predicted label of each row; several are joined by `|`.

    Args:
        validation: The result.
        probs: [N, C].
    """
    names = validation.label_names
    if not validation.has_several_labels:
        labels = [names[label] for label in validation.labels]
        return labels, [names[label] for label in probs.argmax(axis=1)]
    predicted = probs >= validation.thresholds()  # [N, C]
    return join_names(validation.labels, names), join_names(predicted, names)


def join_names(is_chosen: npt.NDArray[np.bool_], names: Sequence[str]) -> list[str]:
    """Return the names of the labels of each row. [N, C] -> N texts."""
    rows = [np.flatnonzero(row).tolist() for row in is_chosen]
    return ["|".join(names[index] for index in row) for row in rows]


def _prediction_rows(validation: CrossValidation) -> Iterator[list[object]]:
    probs = validation.probs()  # [N, C]
    labels, predictions = _name_labels(validation, probs)
    fold_numbers = np.empty(len(validation.rows), dtype=np.int64)  # [N]
    for fold in validation.folds:
        fold_numbers[np.searchsorted(validation.rows, fold.rows)] = fold.number
    for index, row in enumerate(validation.rows):
        label, predicted = labels[index], predictions[index]
        texts = [f"{prob:.6f}" for prob in probs[index]]
        yield [row + 1, fold_numbers[index], label, predicted, *texts]
