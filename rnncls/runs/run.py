"""A run: a classifier, its config and its folder."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from rnncls import RunError
from rnncls.config.loading import parse_config
from rnncls.config.sections import Config, DataSettings, ModelSection
from rnncls.data.file_rows import Continuation
from rnncls.machine.files import sha256_of, write_atomic, write_json
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.nn.classifier import TextClassifier, least_weights
from rnncls.nn.ngrams import NgramClassifier
from rnncls.runs.classifier import Classifier
from rnncls.runs.companions import load_labels, load_vocab
from rnncls.runs.continuation import load_chosen_rows, save_continuation
from rnncls.runs.folder import CONFIG, MODEL, TOKENIZER, RunFolder
from rnncls.runs.manifest import Manifest
from rnncls.runs.ngram_arrays import take_ngrams
from rnncls.runs.weights import (
    load_verified,
    load_weights,
    pop_ngrams,
    pop_scope_rule,
    pop_temperature,
    pop_thresholds,
)
from rnncls.text.ngram_table import NgramTable
from rnncls.text.tokenizer_json import dump_tokenizer
from rnncls.text.vocab import Vocab


@dataclass(frozen=True)
class Run:
    """A loaded run.

    Attributes:
        path: The run folder.
        config: All settings.
        classifier: What reads texts.
    """

    path: Path
    config: Config
    classifier: Classifier

    @property
    def data_settings(self) -> DataSettings:
        """The settings that its rows and their tokens depend on.

        Raises:
            RunError: The list of its rows is damaged, if it has one.
        """
        chosen_rows = load_chosen_rows(self.path)
        return replace(self.config.data_settings, chosen_rows=chosen_rows)


def create_run(
    path: Path,
    config_text: str,
    vocab: Vocab,
    label_names: list[str] | None,
    continuation: Continuation | None = None,
) -> None:
    """Create a run folder with the files that do not change during training.

    Args:
        path: The folder.
        config_text: The config as YAML, with a value for every key.
        vocab: The words.
        label_names: The classes; None for a language model.
        continuation: Which run it continues; None: none.

    Raises:
        ConfigError: The path is that of the link to the newest run.
        RunError: The folder cannot be created or written to.
    """
    folder = RunFolder(path)
    folder.create()
    write_atomic(folder.config, config_text.encode())
    write_atomic(folder.vocab, _join_lines(vocab.trained_words))
    if vocab.num_vector_words:
        write_atomic(folder.vector_words, _join_lines(vocab.vector_words))
    write_atomic(folder.tokenizer, _describe_tokenizer(folder, config_text, vocab))
    if label_names is not None:
        write_json(folder.labels, {"labels": label_names})
    if continuation is not None:
        save_continuation(path, continuation)


def _join_lines(words: Sequence[str]) -> bytes:
    """Return words as a file with one word a line."""
    return "".join(f"{word}\n" for word in words).encode()


def _describe_tokenizer(folder: RunFolder, config_text: str, vocab: Vocab) -> bytes:
    """Return the content of `tokenizer.json`, for Hugging Face tokenizers."""
    section = parse_config(config_text, str(folder.config)).text
    return dump_tokenizer(section, vocab).encode()


def change_config(path: Path, config_text: str, weights: str) -> None:
    """Replace the config of a run.

    The weights and the state accept both configs first: a crash at any point leaves a
    run that can be loaded.

    Args:
        path: The run folder.
        config_text: The new config as YAML, with a value for every key.
        weights: The name of the file with its best weights, if it exists.

    Raises:
        RunError: A file is missing or damaged, or cannot be written.
    """
    folder = RunFolder(path)
    content = config_text.encode()
    tokenizer = _describe_tokenizer(folder, config_text, load_vocab(path))
    for file in (path / weights, folder.state):
        if file.exists():
            tensors, metadata = load_tensors(file)
            manifest = Manifest.from_metadata(metadata)
            both = manifest.also(CONFIG, sha256_of(content))
            both = both.also(TOKENIZER, sha256_of(tokenizer))
            save_tensors(file, tensors, {**metadata, "files": both.to_metadata()})
    write_atomic(folder.config, content)
    write_atomic(folder.tokenizer, tokenizer)


def load_run(path: Path) -> Run:
    """Load and verify a run; the model is on the CPU, in evaluation mode, calibrated.

    Raises:
        RunError: A file is missing, damaged, or from another run or a newer version.
    """
    run, ngrams = _load_parts(path)
    run.classifier.model.temperature = run.classifier.temperature
    if ngrams is not None:
        run.classifier.model.ngrams = NgramClassifier(
            ngrams, run.classifier.vocab.num_rows
        )
    return run


def load_uncalibrated(path: Path) -> Run:
    """Load and verify the network of a run, without temperature and n-gram part.

    Raises:
        RunError: A file is missing, damaged, or from another run or a newer version.
    """
    run, _ = _load_parts(path)
    return run


def _load_parts(path: Path) -> tuple[Run, NgramTable | None]:
    """Load and verify the network of a run, and its n-gram part."""
    tensors, config, vocab = load_verified(path, MODEL)
    label_names = load_labels(path)
    temperature = pop_temperature(tensors, path)
    source = RunFolder(path).model
    thresholds = None
    if config.model.has_several_labels:
        thresholds = pop_thresholds(tensors, len(label_names), path)
    scope_rule = pop_scope_rule(tensors, path)
    ngrams = take_ngrams(pop_ngrams(tensors), len(label_names), source)
    num_rows, num_classes = vocab.num_rows, len(label_names)
    _check_size(tensors, config.model, num_rows, num_classes, source)
    model = TextClassifier(config.model, num_rows, num_classes)
    load_weights(model, tensors, source)
    classifier = Classifier(
        config.text,
        vocab,
        label_names,
        model.eval(),
        temperature,
        thresholds,
        scope_rule,
    )
    return Run(path, config, classifier), ngrams


def _check_size(
    tensors: dict[str, torch.Tensor],
    section: ModelSection,
    vocab_size: int,
    num_classes: int,
    source: Path,
) -> None:
    """Reject the section of a larger network before memory is allocated for it."""
    expected = least_weights(section, vocab_size, num_classes)
    num_weights = sum(tensor.numel() for tensor in tensors.values())
    if num_weights < expected:
        raise RunError(
            f"{source}: the weights do not fit the config: expected at least"
            f" {expected:,} weights, found {num_weights:,}"
        )
