"""The files that belong to the weights of a run: config, words, labels. No torch."""

from pathlib import Path

from rnncls import ConfigError, RunError
from rnncls.config.loading import load_config
from rnncls.config.sections import Config, TextSection
from rnncls.machine.files import read_bytes, read_json
from rnncls.runs.folder import RunFolder
from rnncls.text.char_ngrams import choose_char_ngrams
from rnncls.text.vocab import Vocab


def load_run_config(path: Path) -> Config:
    """Load the config of a run folder.

    Raises:
        RunError: The file is missing, or this version of rnncls rejects it.
    """
    try:
        return load_config(RunFolder(path).config)
    except ConfigError as error:
        raise RunError(
            f"{path}: cannot be used with this version of rnncls: {error}"
        ) from error


def load_vocab(path: Path) -> Vocab:
    """Load the words of a run folder.

    Raises:
        RunError: The file is missing or damaged.
    """
    return read_vocab(path, load_run_config(path).text)


def read_vocab(path: Path, section: TextSection) -> Vocab:
    """Return the words of a run folder, or the pieces of `text.tokenizer: subwords`.

    Raises:
        RunError: A file is missing or damaged.
    """
    folder = RunFolder(path)
    data = read_bytes(folder.vocab)
    try:
        words = data.decode().removesuffix("\n").split("\n")
        if section.tokenizer == "subwords":
            # Imported here: the lesson's tokenizers do not need the package `regex`.
            from rnncls.text.tokenizer_json import parse_subwords

            return parse_subwords(read_bytes(folder.tokenizer).decode(), words)
        vector_words: list[str] = []
        if folder.vector_words.is_file():
            content = read_bytes(folder.vector_words).decode()
            vector_words = content.removesuffix("\n").split("\n")
        char_ngrams = choose_char_ngrams(section)
        return Vocab([*words, *vector_words], char_ngrams, len(vector_words))
    except ValueError as error:
        raise RunError(
            f"{path}: cannot be used with this version of rnncls: {error}"
        ) from error


def load_labels(path: Path) -> list[str]:
    """Load the classes of a run folder, in the order of the logits.

    Raises:
        RunError: The file is missing or damaged.
    """
    file = RunFolder(path).labels
    labels = read_json(file).get("labels")
    if (
        not isinstance(labels, list)
        or not labels
        or not all(isinstance(label, str) for label in labels)
    ):
        raise RunError(f"{file}: damaged: expected a list of class names")
    if len(set(labels)) < len(labels):
        raise RunError(f"{file}: damaged: a class appears twice")
    return labels
