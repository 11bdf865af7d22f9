"""The metadata of an ONNX file: all that a port needs to read texts as the run does.

The keys, whose values are texts:

- `format`: the version of this list: 1, or 2 for a file with several labels a text,
  which earlier versions of rnncls do not know; `producer`: the version of rnncls.
- `labels`: a JSON list, in the order of the outputs.
- `task`: `one_label` or `several_labels`; `thresholds` if it has several: a JSON list,
  from which probability on a text has a label. A file without `task` has one label.
- `energy_rule`: a JSON list of two numbers, only if the run can tell which texts fit a
  label. Those do whose log-sum-exp of the logits, minus the second number times the
  share of unknown tokens, is at least the first, and that have a known word.
- `words`: the vocabulary, a word a line; the number of the line, from 0, is the id.
- `tokenizer`: JSON, see `rnncls.text.tokenizer_steps`; `merges` if it has subwords.
- `text`, `model`, `data`: JSON, sections of the config; of `data` the columns only.
- `temperature`, `embedding`, `is_single`: JSON, how the graph was made.
- `test_vectors`: a JSON list of `text`, `token_ids`, `label`, `probs`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from pydantic import ValidationError

from rnncls import RunError, __version__
from rnncls.config.sections import DataSection, TextSection
from rnncls.inference.export.quantization import EmbeddingType
from rnncls.nn.scope import ScopeRule
from rnncls.runs.portable import PortableClassifier
from rnncls.runs.thresholds import (
    SCOPE_RULE,
    check_scope_rule,
    check_thresholds,
)
from rnncls.text.vocab import Vocab

FORMAT, SEVERAL_LABELS_FORMAT = "1", "2"
_COLUMN_KEYS = {"name", "text", "label", "delimiter", "columns"}


class ReferenceText(NamedTuple):
    """A text and what the model makes of it.

    Attributes:
        text: The text.
        token_ids: Its token ids.
        label: The most probable label.
        probs: The probability of each label.
    """

    text: str
    token_ids: list[int]
    label: str
    probs: list[float]


@dataclass(frozen=True)
class OnnxMetadata:
    """The parsed metadata.

    Attributes:
        text: How a text becomes tokens.
        data: Where the texts of a file are found.
        vocab: The words.
        label_names: The classes, in the order of the outputs.
        thresholds: From which probability on a text has a label, for each label; None:
            a text has one label.
        embedding: The type of the word vectors in the file.
        test_vectors: Texts and what the model makes of them.
        scope_rule: By which a text fits one of the labels, or none (see
            `rnncls.nn.scope`); None: the file cannot tell.
    """

    text: TextSection
    data: DataSection
    vocab: Vocab
    label_names: list[str]
    thresholds: list[float] | None
    embedding: str
    test_vectors: list[ReferenceText]
    scope_rule: ScopeRule | None = None


def describe_classifier(
    classifier: PortableClassifier, *, embedding: EmbeddingType, is_single: bool
) -> dict[str, str]:
    """Return the metadata without the test vectors."""
    vocab = classifier.vocab
    columns = classifier.data.model_dump(include=_COLUMN_KEYS)
    entries = {
        "format": FORMAT,
        "producer": f"rnncls {__version__}",
        "labels": _dump(classifier.label_names),
        "task": classifier.model.task,
        "words": "\n".join(vocab.words),
        "tokenizer": _dump(describe_text(classifier.text, vocab)),
        "text": _dump(classifier.text.model_dump()),
        "model": _dump(classifier.model.model_dump()),
        "data": _dump(columns),
        "temperature": _dump(classifier.temperature),
        "embedding": embedding,
        "is_single": _dump(is_single),
    }
    if classifier.thresholds is not None:
        entries["format"] = SEVERAL_LABELS_FORMAT
        entries["thresholds"] = _dump(classifier.thresholds)
    if classifier.scope_rule is not None:
        entries[SCOPE_RULE] = _dump(classifier.scope_rule)
    return entries


def describe_text(section: TextSection, vocab: Vocab) -> dict[str, Any]:
    """Return how a text becomes tokens, with the merges of subwords."""
    from rnncls.text.subwords import SubwordVocab
    from rnncls.text.tokenizer_steps import describe_tokenizer

    tokenizer = describe_tokenizer(section)
    if isinstance(vocab, SubwordVocab):
        tokenizer["merges"] = [f"{left} {right}" for left, right in vocab.merges]
    return tokenizer


def describe_vectors(vectors: Sequence[ReferenceText]) -> str:
    """Return test vectors as JSON."""
    return _dump([vector._asdict() for vector in vectors])


def parse_metadata(path: Path, entries: Mapping[str, str]) -> OnnxMetadata:
    """Parse and check the metadata of a file.

    Raises:
        RunError: An entry is missing or damaged, or from a newer version.
    """
    if "format" not in entries:
        raise RunError(f"{path}: not written by rnncls export: it has no metadata")
    if entries["format"] not in {FORMAT, SEVERAL_LABELS_FORMAT}:
        raise RunError(
            f"{path}: written in format {entries['format']}, this version of rnncls"
            f" reads {FORMAT} and {SEVERAL_LABELS_FORMAT}"
        )
    try:
        return _parse_entries(path, entries)
    except (ValueError, TypeError, KeyError, ValidationError) as error:
        raise RunError(f"{path}: damaged metadata: {error}") from error


def _parse_entries(path: Path, entries: Mapping[str, str]) -> OnnxMetadata:
    text = TextSection.model_validate(json.loads(entries["text"]))
    columns = json.loads(entries["data"])
    # A data section names files: the only one that is known here is this one.
    train = None if columns["name"] else str(path)
    data = DataSection.model_validate({**columns, "train": train})
    words = entries["words"].split("\n")
    vectors = json.loads(entries["test_vectors"])
    label_names = _parse_labels(entries["labels"])
    return OnnxMetadata(
        text,
        data,
        _build_vocab(words, text, json.loads(entries["tokenizer"])),
        label_names,
        _parse_thresholds(path, entries, len(label_names)),
        entries["embedding"],
        [ReferenceText(**vector) for vector in vectors],
        _parse_scope_rule(path, entries),
    )


def _build_vocab(
    words: Sequence[str], section: TextSection, tokenizer: Mapping[str, Any]
) -> Vocab:
    if section.tokenizer != "subwords":
        return Vocab(words)
    # Imported here: the other tokenizers do not need the package `regex`.
    from rnncls.text.subwords import SubwordVocab

    merges = []
    for merge in tokenizer["merges"]:
        left, right = merge.split(" ")
        merges.append((left, right))
    return SubwordVocab(words, merges, section.max_tokens)


def _parse_labels(text: str) -> list[str]:
    labels = json.loads(text)
    if not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError("labels: expected a list of class names")
    return list(labels)


def _parse_thresholds(
    path: Path, entries: Mapping[str, str], num_labels: int
) -> list[float] | None:
    """Return the threshold of each label; None if a text has one label."""
    if entries.get("task", "one_label") == "one_label":
        return None
    thresholds = np.array(json.loads(entries["thresholds"]), np.float64)
    return check_thresholds(thresholds, num_labels, path)


def _parse_scope_rule(path: Path, entries: Mapping[str, str]) -> ScopeRule | None:
    """Return by which rule a text fits a label; None if the file has none."""
    if SCOPE_RULE not in entries:
        return None
    rule = np.array(json.loads(entries[SCOPE_RULE]), np.float64)
    return check_scope_rule(rule, path)


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
