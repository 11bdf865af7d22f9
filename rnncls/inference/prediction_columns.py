"""Predictions as columns of a table, for engines that hand over batches of rows.

A column of the input with the name of one of these is renamed, as `rnncls predict
--keep` does: `label` becomes `input_label`. Does not import torch.

Shapes: N texts, C classes.
"""

import os
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from rnncls import DataError
from rnncls.config.arguments import check_path
from rnncls.inference.loaded_classifier import LoadedClassifier, load_classifier

if TYPE_CHECKING:
    from pandas import DataFrame

Array = npt.NDArray[Any]
Model = str | os.PathLike[str] | LoadedClassifier
"""An .onnx file, a run folder, or what `rnncls.load` returned."""
NAMES = ("label", "prob", "probs", "labels", "fits")
"""The columns of predictions; `labels` only if a text may have several, `fits` only if
the model tells whether a text fits one of the classes."""


def load_model(model: Model) -> LoadedClassifier:
    """Return the classifier of a file or folder; a loaded one is returned as it is.

    Raises:
        RunError: The file or folder is missing or damaged.
        ConfigError: ONNX Runtime is not installed, or it is no model.
    """
    if isinstance(model, LoadedClassifier):
        return model
    return load_classifier(check_path("model", model, "an .onnx file or a run folder"))


def classify_arrays(
    classifier: LoadedClassifier, batch: Mapping[str, Array], column: str
) -> dict[str, Array]:
    """Return the columns of a batch, and those of its predictions.

    Args:
        classifier: The classifier.
        batch: The name of each column with its N values.
        column: The column of the texts.

    Raises:
        DataError: The batch has no such column.
        TypeError: A text is not a string.
    """
    _check_column(column, batch)
    names = rename_columns(batch)
    columns = {names[name]: values for name, values in batch.items()}
    return columns | predict_columns(classifier, batch[column])


def classify_table(
    classifier: LoadedClassifier, table: "DataFrame", column: str
) -> "DataFrame":
    """Return a table of pandas with the columns of its predictions.

    Args:
        classifier: The classifier.
        table: N rows.
        column: The column of the texts.

    Raises:
        DataError: The table has no such column.
        TypeError: A text is not a string.
    """
    _check_column(column, table.columns)
    columns: dict[str, Any] = dict(predict_columns(classifier, table[column]))
    columns["probs"] = list(columns["probs"])  # an array in each cell
    names = rename_columns(table.columns)
    return table.rename(columns=names).assign(**columns)


def predict_columns(classifier: LoadedClassifier, texts: Any) -> dict[str, Array]:
    """Return the columns of the predictions for N texts.

    Returns:
        `label`: [N] str, the most probable label, or None if it is less probable than
        the classifier's `min_confidence`; `prob`: [N] float32, its probability;
        `probs`: [N, C] float32, in the order of `classes_`; if a text may have several
        labels `labels`: [N] lists of those that reach their threshold, the most
        probable first; and if the classifier tells it `fits`: [N] bool, whether the
        text fits one of the classes.
    """
    predictions = classifier(texts)
    probs = np.empty((len(predictions), len(classifier.classes_)), np.float32)  # [N, C]
    for row, prediction in zip(probs, predictions, strict=True):
        row[:] = list(prediction.probs.values())
    labels = [prediction.answer for prediction in predictions]
    columns = {"label": _to_array(labels), "prob": probs.max(axis=1), "probs": probs}
    if classifier.has_several_labels:
        columns["labels"] = _to_array([each.labels for each in predictions])
    if classifier.tells_fits:
        columns["fits"] = np.array([each.fits for each in predictions], np.bool_)
    return columns


def rename_columns(names: Iterable[str]) -> dict[str, str]:
    """Return the name of each column of the input beside the predictions.

    Raises:
        DataError: Two columns would have the same name.
    """
    renamed = {name: f"input_{name}" if name in NAMES else name for name in names}
    for name, new_name in renamed.items():
        if name != new_name and new_name in renamed:
            raise DataError(
                f"the input has the columns {name} and {new_name}: rename one of them,"
                f" since {name} becomes {new_name} beside the predicted {name}"
            )
    return renamed


def _check_column(column: str, names: Iterable[str]) -> None:
    """Check that the column of the texts is there."""
    if column not in names:
        found = ", ".join(map(str, names))
        raise DataError(f"expected the column {column!r} of texts, found {found}")


def _to_array(values: list[Any]) -> Array:
    """Return values, such as lists of several lengths, as an [N] array of objects."""
    return np.fromiter(values, np.object_, len(values))
