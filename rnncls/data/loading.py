"""From a data section to encoded, labelled splits and the vocabulary of a run.

Shapes: N texts.
"""

import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError, DataError
from rnncls.config.sections import DataSection, DataSettings, TextSection
from rnncls.data.cache import load_cached
from rnncls.data.checksums import checksum
from rnncls.data.datasets import (
    LabelledTexts,
    find_test_file,
    load_labelled,
    load_unlabelled,
)
from rnncls.data.file_rows import Continuation
from rnncls.data.fingerprint import compute_fingerprint, describe_file
from rnncls.data.label_names import note_look_alikes
from rnncls.data.label_sets import count_labels
from rnncls.data.missing_labels import UnlabelledRowsError
from rnncls.data.sources import (
    Sources,
    check_has_classes,
    load_chosen_source,
    load_sources,
    load_test_source,
)
from rnncls.data.splits import Ints, Labels, Split
from rnncls.data.tokenizer_check import note_misfit, note_unread_signs
from rnncls.data.unknown_labels import (
    UnknownLabel,
    UnknownLabels,
    describe_unknown_labels,
    find_known_names,
    find_unknown_labels,
)
from rnncls.text.encoded_texts import EncodedTexts, encode_texts
from rnncls.text.tokenizer import join_texts
from rnncls.text.vocab import Vocab
from rnncls.text.vocab_collection import add_vector_words, collect_vocab

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class EncodedSplit:
    """N encoded texts, their labels and where they come from.

    Attributes:
        texts: The N texts.
        labels: [N] int64, indices into the run's label names; for several labels a text
            [N, C] bool, which text has which label.
        rows: [N] int64, the numbers of the rows in the file, from 0; rows of unlabelled
            files continue the numbers of the labelled one.
    """

    texts: EncodedTexts
    labels: Labels
    rows: Ints

    def select(self, rows: Ints) -> "EncodedSplit":
        """Return the texts with these indices, in this order, and their labels."""
        return EncodedSplit(self.texts.select(rows), self.labels[rows], self.rows[rows])


@dataclass(frozen=True)
class TrainingData:
    """The data that a run learns from.

    Attributes:
        vocab: The words of the training rows, of a pretrained model, or of all texts
            that a language model learns from.
        label_names: The classes, in the order of the logits.
        train: The training rows.
        valid: The validation rows.
        fingerprint: The files by split with their checksums and row counts, the split,
            and the size of the result (see `rnncls.data.fingerprint`).
        targets: [N, C] float32, the probability of each class for each training row;
            None: the labels are certain.
        continuation: What the run keeps of the run that it continues; None: it is
            trained from the beginning.
    """

    vocab: Vocab
    label_names: list[str]
    train: EncodedSplit
    valid: EncodedSplit
    fingerprint: dict[str, Any]
    targets: npt.NDArray[np.float32] | None = None
    continuation: Continuation | None = None


def load_training_data(
    settings: DataSettings, vocab: Vocab | None = None, *, use_cache: bool = True
) -> TrainingData:
    """Read, split, tokenise and encode the training and validation rows of a run.

    The test file is not opened.

    Args:
        settings: Which rows are used, and how they are tokenised.
        vocab: The words of a pretrained model; None: those of the training rows.
        use_cache: Whether to use the cache of tokenised files (see rnncls.data.cache).

    Raises:
        DataError: A file or one of its rows is wrong, or there is only one class.
    """
    data, text, seed = settings.data, settings.text, settings.seed
    sources = load_sources(data, text, seed, use_cache=use_cache)
    return build_training_data(sources, settings, vocab)


def build_training_data(
    sources: Sources, settings: DataSettings, vocab: Vocab | None = None
) -> TrainingData:
    """Encode the rows of a run, and log what a user may not expect of them.

    Arguments and errors are those of `encode_training_data`.
    """
    _note_look_alikes(sources.train)
    data, text, seed = settings.data, settings.text, settings.seed
    encoded = encode_training_data(sources, data, text, seed, vocab)
    note_misfit(sources.valid.texts, sources.valid_rows, encoded.vocab, text)
    return encoded


def _note_look_alikes(source: LabelledTexts) -> None:
    counts = count_labels(source.labels, len(source.label_names)).tolist()
    for note in note_look_alikes(dict(zip(source.label_names, counts, strict=True))):
        logger.info("%s: %s", source.path, note)


def encode_training_data(
    sources: Sources,
    data: DataSection,
    text: TextSection,
    seed: int,
    vocab: Vocab | None = None,
) -> TrainingData:
    """Encode tokenised files as the data that a run learns from.

    Args:
        sources: The files, tokenised as `text` says.
        data: Which rows are used.
        text: How texts are tokenised.
        seed: The seed of the run.
        vocab: The words of a pretrained model; None: those of the training rows.

    Raises:
        DataError: There is only one class, or a validation row has a label that no
            training row has.
    """
    source = sources.train
    check_has_classes(source)
    if vocab is None:
        vocab = collect_vocab(source.texts, sources.train_rows, text)
    vocab = add_vector_words(vocab, text).with_max_tokens(text.max_tokens)
    train = encode_rows(source, sources.train_rows, vocab, source.label_names)
    train = leave_out_vector_words(train, vocab)
    valid = encode_rows(sources.valid, sources.valid_rows, vocab, source.label_names)
    fingerprint = compute_fingerprint(sources, data, seed, train.texts, vocab)
    return TrainingData(vocab, source.label_names, train, valid, fingerprint)


def leave_out_vector_words(split: EncodedSplit, vocab: Vocab) -> EncodedSplit:
    """Return training rows with `<unk>` for words that only a file of vectors has."""
    # The network would learn the few that occur by heart, and not what `<unk>` means.
    if not vocab.num_vector_words:
        return split
    return replace(split, texts=split.texts.limit_words(len(vocab.trained_words)))


def load_language_data(
    settings: DataSettings, vocab: Vocab | None = None, *, use_cache: bool = True
) -> TrainingData:
    """Read the data of a language model: the training rows and all unlabelled files.

    The validation rows are those of `load_training_data`. All labels of the training
    split are -1.

    Args:
        settings: Which rows are used, and how they are tokenised.
        vocab: The words of the model, if it has some already; None: those of the texts.
        use_cache: Whether to use the cache of tokenised files (see rnncls.data.cache).

    Raises:
        DataError: A file or one of its rows is wrong.
        ConfigError: An unlabelled file is one of the labelled ones, so that its
            validation or test rows would be trained on.
    """
    data, text, seed = settings.data, settings.text, settings.seed
    sources = load_sources(data, text, seed, use_cache=use_cache)
    source = sources.train
    paths = [Path(name) for name in data.unlabelled]
    unlabelled = [load_unlabelled(path, data, text) for path in paths]
    _refuse_labelled_files(paths, sources, find_test_file(data))
    texts = join_texts([source.texts, *unlabelled])
    unlabelled_rows = np.arange(len(source.labels), len(texts.lengths))
    rows = np.concatenate([sources.train_rows, unlabelled_rows])
    if vocab is None:
        # It would predict each word of a file of vectors, which no text has.
        vocab = collect_vocab(texts, rows, text.replace(vector_words=0))
    vocab = vocab.with_max_tokens(text.max_tokens)
    encoded = encode_texts(texts, vocab).select(rows)
    no_labels = np.full(len(rows), -1)
    train = EncodedSplit(encoded, no_labels, rows)
    valid_source = sources.valid
    valid = encode_rows(
        valid_source, sources.valid_rows, vocab, valid_source.label_names
    )
    fingerprint = compute_fingerprint(sources, data, seed, train.texts, vocab)
    for path, file_texts in zip(paths, unlabelled, strict=True):
        description = _describe_unlabelled(path, num_rows=len(file_texts.lengths))
        fingerprint["files"][f"unlabelled:{path}"] = description
    return TrainingData(vocab, source.label_names, train, valid, fingerprint)


def _describe_unlabelled(path: Path, num_rows: int) -> dict[str, Any]:
    """Return what a fingerprint says of an unlabelled file."""
    sha256 = checksum(path, "sha256")
    return {"path": str(path), "sha256": sha256, "num_rows": num_rows}


def _refuse_labelled_files(
    paths: Sequence[Path], sources: Sources, test_file: Path | None
) -> None:
    """Raise a ConfigError if an unlabelled file is also a labelled one."""
    labelled = {sources.train.sha256, sources.valid.sha256}
    for path in paths:
        is_test = test_file is not None and path.resolve() == test_file.resolve()
        if is_test or checksum(path, "sha256") in labelled:
            raise ConfigError(
                f"data.unlabelled: {path} is the training, validation or test file:"
                " remove it from the list"
            )


def load_split(
    settings: DataSettings,
    split: Split,
    vocab: Vocab,
    label_names: Sequence[str],
    path: Path | None = None,
    *,
    use_cache: bool = True,
) -> tuple[EncodedSplit, dict[str, Any]]:
    """Return a split, or the rows of the file at `path`, encoded for a trained run.

    The second result describes where the rows come from.

    Raises:
        DataError: The file or one of its rows is wrong, or has a label that no training
            row has.
    """
    source, rows = _load_split_source(settings, path or split, use_cache=use_cache)
    origin = describe_file(source)
    origin["split"] = None if path else split
    origin["num_rows"] = len(rows)
    return encode_rows(source, rows, vocab, label_names), origin


def load_labelled_split(
    settings: DataSettings,
    selection: Split | Path,
    vocab: Vocab,
    label_names: Sequence[str],
    unknown_labels: UnknownLabels,
    *,
    use_cache: bool = True,
) -> tuple[EncodedSplit, dict[str, Any]]:
    """Do as `load_split` does, but choose what to do with unknown labels.

    Unknown labels that count as wrong are numbered after the known ones.

    Args:
        settings: The settings of the run's data.
        selection: The split, or a labelled file to read instead.
        vocab: The words of the run.
        label_names: The classes of the run.
        unknown_labels: What to do with rows whose label is not a class of the run.
        use_cache: Whether to use the cache of tokenised files.

    Returns:
        The rows, and where they come from and which labels are unknown.

    Raises:
        DataError: The file or one of its rows is wrong, or has unknown labels and they
            are errors.
    """
    try:
        source, rows = _load_split_source(settings, selection, use_cache=use_cache)
    except UnlabelledRowsError as error:
        if not isinstance(selection, Path):
            raise
        source = _load_with_unlabelled(selection, settings, unknown_labels, error)
        rows = np.arange(len(source.labels))
    rows, unknown = _treat_unknown_labels(source, rows, label_names, unknown_labels)
    origin = describe_file(source)
    origin["split"] = None if isinstance(selection, Path) else selection
    origin["num_rows"] = len(rows)
    if unknown:
        origin["unknown_labels"] = [asdict(each) for each in unknown]
        origin["unknown_labels_are"] = unknown_labels
    note_unread_signs(source.texts, rows, vocab, settings.text)
    names = list(label_names)
    if unknown_labels == "wrong":
        names += [each.label for each in unknown]
    return encode_rows(source, rows, vocab, names), origin


def _load_with_unlabelled(
    path: Path,
    settings: DataSettings,
    unknown_labels: UnknownLabels,
    error: UnlabelledRowsError,
) -> LabelledTexts:
    """Return a file with its rows without a label, if such rows are to be skipped.

    Raises:
        DataError: They are an error.
    """
    if unknown_labels != "skip":
        raise DataError(
            f"{error}; or evaluate without them", {"unknown_labels": "skip"}
        ) from error
    return load_labelled(path, settings.data, settings.text, allows_unlabelled=True)


def _treat_unknown_labels(
    source: LabelledTexts, rows: Ints, known: Sequence[str], treatment: UnknownLabels
) -> tuple[Ints, list[UnknownLabel]]:
    """Return the rows to evaluate, and their unknown labels.

    Raises:
        DataError: There are unknown labels and they are errors, or no label is known.
    """
    unknown = find_unknown_labels(source.labels, source.label_names, known, rows)
    if not unknown:
        return rows, []
    is_known_name = find_known_names(source.label_names, known)  # [C of the file]
    if source.labels.ndim > 1:
        labels = source.labels[rows]  # [N, C of the file]
        is_known = ~labels[:, ~is_known_name].any(axis=1)  # [N]
        has_known = bool(labels[:, is_known_name].any())
    else:
        is_known = is_known_name[source.labels[rows]]  # [N]
        has_known = bool(is_known.any())
    found = f"{source.path}: {describe_unknown_labels(unknown, known)}"
    if treatment == "error":
        raise DataError(
            f"{found}; correct the file, or evaluate with these rows skipped or counted"
            " as wrong",
            {"unknown_labels": "skip or wrong"},
        )
    if not has_known:
        raise DataError(
            f"{found}; no row has a known label: does the file belong to this run?"
        )
    if treatment == "wrong":
        return rows, unknown
    if not is_known.any():
        raise DataError(f"{found}; every row has an unknown label: no row is left")
    return rows[is_known], unknown


def _load_split_source(
    settings: DataSettings, selection: Split | Path, *, use_cache: bool
) -> tuple[LabelledTexts, Ints]:
    data, text = settings.data, settings.text
    if isinstance(selection, Path):
        source = load_cached(selection, data, text, use_cache=use_cache)
        return source, np.arange(len(source.labels))
    if selection in settings.chosen_rows:
        chosen_rows = settings.chosen_rows[selection]
        return load_chosen_source(
            data, text, selection, chosen_rows, use_cache=use_cache
        )
    if selection == "test":
        return load_test_source(data, text, use_cache=use_cache)
    sources = load_sources(data, text, settings.seed, use_cache=use_cache)
    if selection == "train":
        return sources.train, sources.train_rows
    return sources.valid, sources.valid_rows


def encode_rows(
    source: LabelledTexts, rows: Ints, vocab: Vocab, label_names: Sequence[str]
) -> EncodedSplit:
    """Return selected rows of a file with the token ids and labels of a run."""
    texts = encode_texts(source.texts, vocab).select(rows)
    return EncodedSplit(texts, source.labels_as(label_names, rows), rows)
