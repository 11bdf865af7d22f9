"""A model of MLflow: what `mlflow.pyfunc.load_model` loads and serves.

`rnncls.mlflow.save_model` copies this file and `predict.py` of an exported folder into
the folder of the model, so that loading it needs neither rnncls nor torch.
"""

from typing import Any

import pandas as pd

# Relative: in the folder of the model, these two files are a package of another name.
from .predict_script import Classifier, compute_outputs


class Model:
    """A classifier of tables."""

    def __init__(self, classifier: Classifier) -> None:
        """Take the classifier."""
        self.classifier = classifier

    def predict(self, model_input: pd.DataFrame) -> pd.DataFrame:
        """Return a row for each text: `label`, `prob` and `probs`.

        `probs` is in the order of `labels` in the metadata of the model. If a text may
        have several labels, the column `labels` has those that reach their threshold,
        the most probable first. If the model tells it, the column `fits` says whether
        the text fits one of the labels.

        Args:
            model_input: A table with the column `text`.

        Raises:
            TypeError: A text is not a string.
        """
        classifier = self.classifier
        texts = check_texts(model_input["text"])
        encoded = [classifier.encode(text) for text in texts]
        logits, probs = compute_outputs(classifier.session, encoded)  # [N, C], [N, C]
        rows = probs.tolist()
        columns: dict[str, Any] = {
            "label": [classifier.labels[index] for index in probs.argmax(axis=1)],
            "prob": probs.max(axis=1),
            "probs": rows,
        }
        if classifier.thresholds is not None:
            columns["labels"] = [classifier.choose_labels(row) for row in rows]
        fits = classifier.decide_fits(encoded, logits)
        if fits is not None:
            columns["fits"] = fits
        return pd.DataFrame(columns, index=model_input.index)


def check_texts(column: pd.Series) -> list[str]:
    """Return the texts of a column.

    Raises:
        TypeError: One is not a string.
    """
    texts: list[str] = column.tolist()
    for row, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"text[{row}]: expected a string, found {text!r}")
    return texts


def _load_pyfunc(data_path: str) -> Model:
    """Return the model of a file; MLflow calls this function by its name."""
    return Model(Classifier(data_path))
