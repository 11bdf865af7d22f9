"""The model card of the page: what the classifier is, and how good it is."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rnncls import __version__
from rnncls.config.sections import ModelSection
from rnncls.inference.export.page.template import Fact
from rnncls.machine.files import read_json
from rnncls.runs.folder import RunFolder
from rnncls.runs.portable import PortableClassifier

_MAX_NAMED = 30


def describe_run(path: Path, classifier: PortableClassifier) -> list[Fact]:
    """Return the facts about a run.

    Raises:
        RunError: A file of the run is damaged.
    """
    folder = RunFolder(path)
    kind = "Labels" if classifier.has_several_labels else "Classes"
    scores = "F1" if classifier.has_several_labels else "Accuracy"
    facts = [
        (kind, _name_classes(classifier.label_names)),
        *_describe_parts(classifier),
        ("Vocabulary", f"{len(classifier.vocab):,} {_name_words(classifier)}"),
    ]
    if folder.summary.exists():
        facts += _describe_training(read_json(folder.summary), scores)
    file = folder.evaluation("test")
    evaluation = read_json(file) if file.exists() else {}
    if evaluation:
        facts.append((f"{scores} on test texts", _describe_scores(evaluation)))
    if classifier.scope_rule is not None:
        facts.append(("Fits none of the classes", _describe_fits(evaluation)))
    facts.append(("Calibration", _describe_calibration(classifier)))
    if classifier.thresholds is not None:
        facts.append(("Thresholds", _describe_thresholds(classifier.thresholds)))
    facts.append(("Made by", f"rnncls {__version__}"))
    return facts


def _name_classes(label_names: list[str]) -> str:
    names = ", ".join(label_names[:_MAX_NAMED])
    num_more = len(label_names) - _MAX_NAMED
    more = f" and {num_more} more" if num_more > 0 else ""
    return f"{len(label_names)}: {names}{more}"


def _describe_parts(classifier: PortableClassifier) -> Iterator[Fact]:
    """Yield what is computed: by a network, by n-grams, or by both."""
    table = classifier.ngrams
    is_network_used = table is None or not table.is_alone
    if is_network_used:
        yield "Network", _describe_network(classifier.model)
        yield "Parameters", f"{_count_parameters(classifier):,}"
    if table is not None:
        size = f"{len(table.keys):,} n-grams of up to {table.max_size} tokens"
        model = f"a linear model of {size}"
        added = ", added to the logits of the network" if is_network_used else ""
        yield "N-grams", model + added


def _describe_network(model: ModelSection) -> str:
    if model.cell == "none":
        return (
            f"bag of words: the mean of word vectors of {model.embedding_dim} numbers"
        )
    directions = "both directions" if model.bidirectional else "one direction"
    layers = f"{model.num_layers} layer{'s' if model.num_layers > 1 else ''}"
    if model.tokens_per_step > 1:
        layers += f", {model.tokens_per_step} tokens per step"
    return (
        f"{model.cell}, {layers}, {directions}, hidden size {model.hidden_size}, word"
        f" vectors of {model.embedding_dim} numbers, pooling {', '.join(model.pooling)}"
    )


def _count_parameters(classifier: PortableClassifier) -> int:
    return sum(values.size for values in classifier.weights.values())


def _name_words(classifier: PortableClassifier) -> str:
    names = {"subwords": "subwords", "characters": "characters"}
    return names.get(classifier.text.tokenizer, "words")


def _describe_training(summary: Mapping[str, Any], name: str) -> Iterator[Fact]:
    """Yield what the run was trained on, and its scores, which have a name."""
    data = summary["data"]
    names = sorted({Path(file["path"]).name for file in data["files"].values()})
    yield "Trained on", f"{data['num_train_rows']:,} texts of {', '.join(names)}"
    scores = _describe_scores(summary["valid"])
    rows = f"{data['num_valid_rows']:,} texts, which selected the epoch"
    yield f"{name} on validation texts", f"{scores}; {rows}"


def _describe_scores(scores: Mapping[str, Any]) -> str:
    if "micro_f1" in scores:
        return f"micro-F1 {scores['micro_f1']:.2%}, macro-F1 {scores['macro_f1']:.2%}"
    low, high = scores["accuracy_interval"]
    interval = f"95% interval {low:.2%} to {high:.2%}"
    return f"{scores['accuracy']:.2%} ({interval}), macro-F1 {scores['macro_f1']:.2%}"


def _describe_fits(evaluation: Mapping[str, Any]) -> str:
    """Return which texts fit none of the classes, and how many of the test texts.

    Args:
        evaluation: The result of `rnncls eval` on the test rows; empty: there is none.
    """
    facts = ["a text that is less like the classes than 95% of the validation texts"]
    fits = evaluation.get("fits")
    if fits:
        facts.append(f"{1 - fits['kept']:.2%} of the test texts")
    outside = evaluation.get("outside")
    if outside and outside["stored"]:
        name = Path(outside["path"]).name
        recall = outside["stored"]["recall"]
        facts.append(f"{recall:.2%} of the texts of no class in {name}")
        facts.append(f"AUROC {outside['auroc']:.4f}")
    return "; ".join(facts)


def _describe_thresholds(thresholds: list[float]) -> str:
    """Return from which probabilities on a text has a label."""
    low, high = min(thresholds), max(thresholds)
    return f"a text has a label from a probability of {low:.0%} to {high:.0%} on"


def _describe_calibration(classifier: PortableClassifier) -> str:
    """Return by what the logits are divided or multiplied."""
    table, temperature = classifier.ngrams, classifier.temperature
    factors = []
    if temperature != 1:
        owner = "" if table is None else " of the network"
        factors.append(f"the logits{owner} are divided by {temperature:.3f}")
    if table is not None and table.scale != 1:
        factors.append(f"the logits of the n-grams are multiplied by {table.scale:.3f}")
    if not factors:
        return "the probabilities are not calibrated"
    return f"{', '.join(factors)}, fitted on validation texts"
