"""The model card of a run: README.md.

It begins with metadata in YAML, which Hugging Face shows beside an uploaded run folder:
https://huggingface.co/docs/hub/model-cards
"""

import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from rnncls.config.sections import ModelSection

_SPLIT_NAMES = {"train", "valid", "validation", "dev"}
_LICENSE_NOTE = "# license: add the licence of the model, which rnncls does not know\n"
_TEMPLATE = """---
{metadata}{license_note}---

# {name}

A text classifier made by rnncls {version}: {parts}.

{kind}: {classes}.

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

Use it for texts like those above. {answer}
"""
_ONE_LABEL = """Every text gets one of the classes, even if it
belongs to none of them."""
_FITS = """
Then `fits` is often false: a text fits if its score is at least {threshold:.3f},
which about 5% of the validation rows do not reach. `rnncls eval --outside FILE`
measures it on texts of no class."""
_SEVERAL_LABELS = """A text gets every label that reaches its
threshold, perhaps none."""


def model_card(model: ModelSection, summary: Mapping[str, Any], path: Path) -> str:
    """Return what the model is, what it was trained on and how good it is, in Markdown.

    Args:
        model: The network.
        summary: The summary of the run.
        path: The run folder.
    """
    data = summary["data"]
    several = model.has_several_labels
    metadata = build_metadata(model, summary, _escape(path.name))
    text = _TEMPLATE.format(
        metadata=yaml.safe_dump(metadata, allow_unicode=True, sort_keys=False),
        license_note=_LICENSE_NOTE,
        name=path.name,
        version=summary["versions"]["rnncls"],
        parts=_describe_parts(model, summary),
        kind="Labels, of which a text may have several" if several else "Classes",
        classes=", ".join(summary["label_names"]),
        answer=_SEVERAL_LABELS if several else _describe_one_label(summary),
        files=_list_files(data["files"]),
        num_train_rows=data["num_train_rows"],
        num_valid_rows=data["num_valid_rows"],
        scores=_describe_scores(summary),
        calibration=_describe_calibration(model, summary),
        path=shlex.quote(str(path)),
    )
    return _escape(text)


def build_metadata(
    model: ModelSection, summary: Mapping[str, Any], name: str
) -> dict[str, Any]:
    """Return the metadata of the card, as Hugging Face defines it.

    It has no `license`: only the owner of the run knows it.

    Args:
        model: The network.
        summary: The summary of the run.
        name: The name of the model.
    """
    task = {"type": "text-classification", "name": "Text classification"}
    result = {
        "task": task,
        "dataset": _describe_dataset(summary["data"]["files"]),
        "metrics": _list_metrics(summary["valid"]),
    }
    tags = ["rnncls", "recurrent-neural-network", model.cell.replace("_", "-")]
    if not model.has_network:
        tags = ["rnncls", "bag-of-ngrams"]
    elif model.cell == "none":
        tags = ["rnncls", "bag-of-words"]
    return {
        "library_name": "rnncls",
        "pipeline_tag": task["type"],
        "tags": tags,
        "model-index": [{"name": name, "results": [result]}],
    }


def _describe_dataset(files: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Name the data after the file with the validation rows."""
    file = files.get("valid", files["train"])
    path = Path(file["path"])
    name, identifier = path.name, path.stem
    if identifier in _SPLIT_NAMES and path.parent.name:
        name, identifier = f"{path.parent.name}/{name}", path.parent.name
    return {
        "name": _escape(name),
        "type": _escape(identifier),
        "split": "validation",
    }


def _list_metrics(scores: Mapping[str, Any]) -> list[dict[str, Any]]:
    low, high = scores["accuracy_interval"]
    name = "Accuracy" if "micro_f1" not in scores else "Accuracy of the label sets"
    accuracy = {
        "type": "accuracy",
        "value": round(scores["accuracy"], 4),
        "name": f"{name} (95% interval {low:.2%} to {high:.2%})",
    }
    f1_scores = []
    for average in ("micro", "macro"):
        score = scores.get(f"{average}_f1")
        if score is not None:
            f1_scores.append(_describe_f1(average, score))
    return [accuracy, *f1_scores]


def _describe_f1(average: str, score: float) -> dict[str, Any]:
    return {
        "type": "f1",
        "value": round(score, 4),
        "name": f"{average.capitalize()}-F1",
        "args": {"average": average},
    }


def _escape(text: str) -> str:
    """Replace what UTF-8 lacks: the name of a file may hold bytes that are no text."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _describe_parts(model: ModelSection, summary: Mapping[str, Any]) -> str:
    """Return what is computed: by a network, by n-grams, or by both."""
    parts = []
    if _is_network_used(model, summary):
        num_parameters = f"{summary['num_parameters']:,} parameters"
        parts.append(f"{_describe_network(model)},\n{num_parameters}")
    ngrams = summary.get("ngrams")
    if ngrams:
        num_ngrams, max_size = ngrams["num_ngrams"], ngrams["max_size"]
        size = f"{num_ngrams:,} n-grams of up to {max_size} tokens"
        parts.append(f"a linear model of {size}")
    return ";\n".join(parts)


def _is_network_used(model: ModelSection, summary: Mapping[str, Any]) -> bool:
    """Return whether the classifier uses the logits of its network.

    Earlier versions used every network that there was.
    """
    ngrams = summary.get("ngrams") or {}
    return bool(ngrams.get("is_network_used", model.has_network))


def _describe_network(model: ModelSection) -> str:
    directions = "two directions" if model.bidirectional else "one direction"
    layers = (
        f"hidden size {model.hidden_size}, {model.num_layers} layer(s), {directions}"
    )
    if model.tokens_per_step > 1:
        layers += f", {model.tokens_per_step} tokens per step"
    if model.cell == "none":
        layers = "no recurrent layer"
    return f"cell `{model.cell}`,\nembedding {model.embedding_dim}, {layers}"


def _list_files(files: Mapping[str, Mapping[str, Any]]) -> str:
    lines = []
    for name, file in files.items():
        split = "earlier run" if name.startswith("earlier:") else name
        lines.append(f"- {split}: `{file['path']}`, {file['num_rows']:,} rows")
    return "\n".join(lines)


def _describe_scores(summary: Mapping[str, Any]) -> str:
    valid = summary["valid"]
    low, high = valid["accuracy_interval"]
    epoch = f"epoch {summary['best_epoch']} of {summary['num_epochs']}"
    share = f"{valid['accuracy']:.2%}\n(95% interval {low:.2%} to {high:.2%})"
    accuracy = f"accuracy {share}"
    if "micro_f1" in valid:
        accuracy = f"micro-F1 {valid['micro_f1']:.2%}, all labels right {share}"
    macro_f1, loss = f"macro-F1 {valid['macro_f1']:.2%}", f"loss {valid['loss']:.4f}"
    when = "after" if summary.get("ngrams") else "before"
    return f"Validation, {epoch}: {accuracy}, {macro_f1}, {loss} {when}"


def _describe_one_label(summary: Mapping[str, Any]) -> str:
    """Return what the run says of a text that belongs to none of its classes."""
    rule = summary.get("scope_rule")
    if rule is None:
        return _ONE_LABEL
    return _ONE_LABEL + _FITS.format(threshold=rule["threshold"])


def _describe_calibration(model: ModelSection, summary: Mapping[str, Any]) -> str:
    """Return by which numbers the logits are divided or multiplied, if by any."""
    temperature, ngrams = summary["temperature"], summary.get("ngrams") or {}
    scale = ngrams.get("scale", 1.0)
    if not _is_network_used(model, summary) and scale != 1:
        return (
            f"To calibrate the probabilities, the n-grams' logits are multiplied by"
            f" {scale:.3f}, the number that gives the lowest loss on the validation"
            " rows."
        )
    if temperature == 1:
        return "Probabilities are not calibrated."
    if not ngrams:
        return (
            f"To calibrate the probabilities, the logits are divided by"
            f" {temperature:.3f}, the number that gives the lowest loss on the"
            " validation rows."
        )
    return (
        "To calibrate the probabilities, the network's logits are divided by"
        f" {temperature:.3f} and the n-grams' logits multiplied by {scale:.3f}, the"
        " numbers that give the lowest loss on the validation rows. The sum of both"
        " gives the probabilities."
    )
