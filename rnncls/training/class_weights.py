"""The weight of each class and of each text in the loss.

Shapes: N training texts, C classes.
"""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

import numpy as np
import numpy.typing as npt
import torch

from rnncls import ConfigError
from rnncls.config.sections import TrainSection
from rnncls.data.label_sets import count_labels
from rnncls.data.splits import Labels
from rnncls.text.display import list_names


def _weights_by_name(
    weights: Mapping[str, float], label_names: Sequence[str]
) -> npt.NDArray[np.float64]:
    """Return the weight of each class: 1 if it is not named. [C].

    Raises:
        ConfigError: A name is not that of a class.
    """
    for name in weights:
        if name not in label_names:
            similar = get_close_matches(name, label_names, n=1)
            hint = f": did you mean '{similar[0]}'?" if similar else ""
            raise ConfigError(
                f"train.class_weights: no class is named '{name}', the classes are"
                f" {list_names(label_names, 20)}{hint}"
            )
    return np.array([weights.get(name, 1.0) for name in label_names])


def compute_class_weights(
    section: TrainSection, labels: Labels, label_names: Sequence[str]
) -> torch.Tensor | None:
    """Return the weight of each class, or None if all weights are 1.

    `balanced` is N / (C * count), as in scikit-learn's `compute_class_weight`. Weights
    given in the config are scaled to a mean of 1 over the texts of an epoch: they
    change the balance of the classes, not the size of the step.

    Args:
        section: `class_weights` and `sampling`.
        labels: [N] the labels of the training rows; or [N, C] bool, their label sets.
        label_names: The C classes.

    Returns:
        [C] float32.

    Raises:
        ConfigError: The number of weights is not that of the classes, or a name is not
            that of a class.
    """
    class_weights = section.class_weights
    if class_weights is None:
        return None
    num_classes = len(label_names)
    counts = count_labels(labels, num_classes).astype(np.float64)  # [C]
    if class_weights == "balanced":
        weights = 1 / np.maximum(counts, 1)
    elif isinstance(class_weights, dict):
        weights = _weights_by_name(class_weights, label_names)
    elif len(class_weights) == num_classes:
        weights = np.array(class_weights)
    else:
        names = ", ".join(label_names)
        raise ConfigError(
            f"train.class_weights: found {len(class_weights)} for {num_classes}"
            f" classes: expected one for each of {names}, in this order"
        )
    if section.sampling == "balanced":
        occurs = counts > 0
        shares = occurs / occurs.sum()
    else:
        shares = counts / counts.sum()
    return torch.from_numpy(weights / (weights @ shares)).float()


def compute_text_weights(
    section: TrainSection, labels: npt.NDArray[np.int64], label_names: Sequence[str]
) -> npt.NDArray[np.float32]:
    """Return how much each training text counts in an epoch, 1 on average. [N].

    Args:
        section: `class_weights` and `sampling`.
        labels: [N] the labels of the training rows.
        label_names: The C classes.

    Raises:
        ConfigError: The class weights do not fit the classes.
    """
    weights = np.ones(len(labels), np.float32)  # [N]
    class_weights = compute_class_weights(section, labels, label_names)
    if class_weights is not None:
        weights *= class_weights.numpy()[labels]
    if section.sampling == "balanced":
        weights /= np.bincount(labels)[labels]
    weights /= weights.mean()
    return weights
