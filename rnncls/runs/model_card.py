"""The model card of a run: README.md."""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnncls.config.sections import ModelSection

_TEMPLATE = """# {name}

A text classifier made by rnncls {version}: {network},
{num_parameters:,} parameters.

Classes: {classes}.

## Data

{files}

Trained on {num_train_rows:,} rows; {num_valid_rows:,} validation rows selected the
best epoch.

## Scores

{scores}
calibration. These rows selected the epoch, so the scores are optimistic.
`rnncls eval` scores the test rows.

{calibration}

## Use

    rnncls predict "a text" --run {path}

Use it for texts like those above. Every text gets one of the classes, even if it
belongs to none of them.
"""


def model_card(model: ModelSection, summary: Mapping[str, Any], path: Path) -> str:
    """Return what the model is, what it was trained on and how good it is, in Markdown.

    Args:
        model: The network.
        summary: The summary of the run.
        path: The run folder.
    """
    data = summary["data"]
    text = _TEMPLATE.format(
        name=path.name,
        version=summary["versions"]["rnncls"],
        network=_describe_network(model),
        num_parameters=summary["num_parameters"],
        classes=", ".join(summary["label_names"]),
        files=_list_files(data["files"]),
        num_train_rows=data["num_train_rows"],
        num_valid_rows=data["num_valid_rows"],
        scores=_describe_scores(summary),
        calibration=_describe_calibration(summary["temperature"]),
        path=shlex.quote(str(path)),
    )
    # A folder's name may hold bytes that are not UTF-8.
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _describe_network(model: ModelSection) -> str:
    directions = "two directions" if model.bidirectional else "one direction"
    layers = (
        f"hidden size {model.hidden_size}, {model.num_layers} layer(s), {directions}"
    )
    if model.cell == "none":
        layers = "no recurrent layer"
    return f"cell `{model.cell}`,\nembedding {model.embedding_dim}, {layers}"


def _list_files(files: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for split, file in files.items():
        lines.append(f"- {split}: `{file['path']}`, {file['num_rows']:,} rows")
    return "\n".join(lines)


def _describe_scores(summary: Mapping[str, Any]) -> str:
    valid = summary["valid"]
    low, high = valid["accuracy_interval"]
    epoch = f"epoch {summary['best_epoch']} of {summary['num_epochs']}"
    accuracy = (
        f"accuracy {valid['accuracy']:.2%}\n(95% interval {low:.2%} to {high:.2%})"
    )
    macro_f1, loss = f"macro-F1 {valid['macro_f1']:.2%}", f"loss {valid['loss']:.4f}"
    return f"Validation, {epoch}: {accuracy}, {macro_f1}, {loss} nats before"


def _describe_calibration(temperature: float) -> str:
    if temperature == 1:
        return "Probabilities are not calibrated."
    return (
        f"Probabilities are of the logits divided by {temperature:.3f}, which fits the"
        " labels of these rows best."
    )
