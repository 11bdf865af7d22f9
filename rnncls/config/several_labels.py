"""Several labels a text: which keys of a config need it or do not support it."""

from collections.abc import Mapping
from typing import Any

TASK = "several_labels"
"""The value of `model.task`."""


def read_label_as_lists(values: Any) -> Any:
    """Take one column of several labels without a separator as a column of lists.

    Args:
        values: The values of a config before they are validated.
    """
    if not isinstance(values, dict):
        return values
    data, model = values.get("data"), values.get("model")
    if not isinstance(data, dict) or not isinstance(model, dict):
        return values
    label = data.get("label", "label")
    has_separator = data.get("label_separator") is not None
    if model.get("task") != TASK or has_separator or not isinstance(label, str):
        return values
    return {**values, "data": {**data, "label": [label]}}


def check_task(values: Mapping[str, Mapping[str, Any]]) -> None:
    """Check that the keys of a config fit the number of labels of a text.

    Args:
        values: The values of a config, by section and key.

    Raises:
        ValueError: They do not; the message begins with the key to change.
    """
    data, model = values["data"], values["model"]
    if model["task"] == TASK:
        _check_supported(values)
        return
    key = "label_separator" if data["label_separator"] is not None else "label"
    if not isinstance(data[key], str | None) or key == "label_separator":
        raise ValueError(
            f"data.{key}: gives each text several labels, but model.task is one_label:"
            " set model.task to several_labels"
        )
    if values["train"]["monitor"] == "micro_f1":
        raise ValueError(
            "train.monitor: micro_f1 is for model.task: several_labels; for one label a"
            " text it equals the accuracy: set it to accuracy"
        )


def _check_supported(values: Mapping[str, Mapping[str, Any]]) -> None:
    if values["data"]["name"] is not None:
        raise ValueError(
            f"data.name: {values['data']['name']} has one label a text: set model.task"
            " to one_label"
        )
    if values["train"]["sampling"] != "uniform":
        raise ValueError(
            f"train.sampling: balanced is only for one label a text; for {TASK} it"
            " repeats frequent labels together with rare ones, and lowers F1: set it to"
            " uniform, as the threshold of each label fits its frequency"
        )
