"""From a data section to encoded, labelled splits and the vocabulary: all that a run
reads
from its data files.

Shapes: N texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError, DataError
from rnncls.config.sections import Config
from rnncls.data.cache import load_cached
from rnncls.data.datasets import (
    LabelledTexts,
    Split,
    checksum,
    find_test_file,
    load_unlabelled,
    locate,
    split_rows,
    split_test_rows,
)
from rnncls.machine.files import sha256_of
from rnncls.text.batching import EncodedTexts, encode_texts
from rnncls.text.tokenizer import TokenizedTexts, join_texts
from rnncls.text.vocab import Vocab, build_vocab


@dataclass(frozen=True)
class EncodedSplit:
    """N encoded texts, their labels and where they come from.

    Attributes:
        texts: N of them.
        labels: [N] int64, numbers into the run's label names.
        rows: [N] int64, the numbers of their rows in the file, from 0; unlabelled files
            go on counting.
    """

    texts: EncodedTexts
    labels: npt.NDArray[np.int64]
    rows: npt.NDArray[np.int64]

    def select(self, rows: npt.NDArray[np.int64]) -> "EncodedSplit":
        """Return the texts with these numbers, in this order, and their labels."""
        return EncodedSplit(self.texts.select(rows), self.labels[rows], self.rows[rows])


@dataclass(frozen=True)
class TrainingData:
    """What a run learns from.

    Attributes:
        vocab: The words of the training rows, or of a pretrained model, or of all that
            a language model learns from.
        label_names: The classes, in the order of the logits.
        train: The training rows.
        valid: The validation rows.
        fingerprint: The files by split with their checksums and row counts, the split,
            and what came of them.
        targets: [N, C] float32, how probable each class of each training row is; None:
            its label is certain.
    """

    vocab: Vocab
    label_names: list[str]
    train: EncodedSplit
    valid: EncodedSplit
    fingerprint: dict[str, Any]
    targets: npt.NDArray[np.float32] | None = None


class Sources(NamedTuple):
    """The tokenised files that a run learns from, and which of their rows train and
    validate; they may be one file.
    """

    train: LabelledTexts
    train_rows: npt.NDArray[np.int64]
    valid: LabelledTexts
    valid_rows: npt.NDArray[np.int64]

    @property
    def own_rows(self) -> npt.NDArray[np.int64]:
        """The rows of the training file that train or validate, in its order: none of
        those kept for testing.
        """
        return (
            self.train_rows
            if self.valid is not self.train
            else np.union1d(self.train_rows, self.valid_rows)
        )


def load_training_data(
    config: Config, vocab: Vocab | None = None, *, use_cache: bool = True
) -> TrainingData:
    """Read, split, tokenise and encode all that a run learns from; the test file stays
    closed.

    Args:
        config: All settings.
        vocab: The words of a pretrained model; None: those of the training rows.
        use_cache: Keep and take tokenised files (see rnncls.data.cache).

    Raises:
        DataError: A file or one of its rows is wrong, or there is only one class.
    """
    return encode_training_data(
        config, load_sources(config, use_cache=use_cache), vocab
    )


def encode_training_data(
    config: Config, sources: Sources, vocab: Vocab | None = None
) -> TrainingData:
    """Return what a run learns from, out of files that have been read already.

    Args:
        config: All settings.
        sources: The files, tokenised as the config says.
        vocab: The words of a pretrained model; None: those of the training rows.

    Raises:
        DataError: There is only one class, or a validation row has a label that no
            training row has.
    """
    source, train_rows, valid_source, valid_rows = sources
    if len(source.label_names) < 2:
        raise DataError(
            f"{source.path}: all {len(source.labels):,} rows have the label"
            f" '{source.label_names[0]}': a classifier needs two classes or more: is"
            " data.label the right column?"
        )
    vocab = vocab or collect_vocab(config, source.texts, train_rows)
    train = encode_rows(source, train_rows, vocab, source.label_names)
    valid = encode_rows(valid_source, valid_rows, vocab, source.label_names)
    fingerprint = _fingerprint(
        config, {"train": source, "valid": valid_source}, train, valid, vocab
    )
    return TrainingData(vocab, source.label_names, train, valid, fingerprint)


def load_language_data(
    config: Config, vocab: Vocab | None = None, *, use_cache: bool = True
) -> TrainingData:
    """Read what a language model learns from: the training rows without their labels,
    and
    all unlabelled files.

    The validation rows are those of `load_training_data`. A label is -1 in the training
    split.

    Args:
        config: All settings.
        vocab: The words of the model, if it has some already; None: those of the texts.
        use_cache: Keep and take tokenised files (see rnncls.data.cache).

    Raises:
        DataError: A file or one of its rows is wrong.
        ConfigError: An unlabelled file is one of the labelled ones: it would bring
            their validation or test rows.
    """
    source, train_rows, valid_source, valid_rows = load_sources(
        config, use_cache=use_cache
    )
    paths = [Path(name) for name in config.data.unlabelled]
    more = [load_unlabelled(path, config.data, config.text) for path in paths]
    test_file = find_test_file(config.data)
    for path in paths:
        is_test = test_file is not None and path.resolve() == test_file.resolve()
        if is_test or checksum(path, "sha256") in {source.sha256, valid_source.sha256}:
            raise ConfigError(
                f"data.unlabelled: {path} is the training, validation or test file:"
                " leave it out"
            )
    texts = join_texts([source.texts, *more])
    rows = np.concatenate(
        [train_rows, np.arange(len(source.labels), len(texts.lengths))]
    )
    vocab = vocab or collect_vocab(config, texts, rows)
    train = EncodedSplit(
        encode_texts(texts, vocab).select(rows), np.full(len(rows), -1), rows
    )
    valid = encode_rows(valid_source, valid_rows, vocab, valid_source.label_names)
    unlabelled = {
        f"unlabelled:{path}": {
            "path": str(path),
            "sha256": checksum(path, "sha256"),
            "num_rows": len(each.lengths),
        }
        for path, each in zip(paths, more, strict=True)
    }
    fingerprint = _fingerprint(
        config, {"train": source, "valid": valid_source}, train, valid, vocab
    )
    fingerprint["files"] |= unlabelled
    return TrainingData(vocab, source.label_names, train, valid, fingerprint)


def load_split(
    config: Config,
    split: Split,
    vocab: Vocab,
    label_names: Sequence[str],
    path: Path | None = None,
    *,
    use_cache: bool = True,
) -> tuple[EncodedSplit, dict[str, Any]]:
    """Return one split, or the rows of the file at `path`, encoded for a trained run,
    and
    where it came from.

    Raises:
        DataError: The file or one of its rows is wrong, or has a label that training
            did not see.
    """
    if path is not None:
        source = load_cached(path, config, use_cache=use_cache)
        rows = np.arange(len(source.labels))
    elif split == "test":
        source, rows = load_test_source(config, use_cache=use_cache)
    else:
        train_source, train_rows, valid_source, valid_rows = load_sources(
            config, use_cache=use_cache
        )
        source, rows = (
            (train_source, train_rows)
            if split == "train"
            else (valid_source, valid_rows)
        )
    origin = describe_file(source) | {
        "split": None if path else split,
        "num_rows": len(rows),
    }
    return encode_rows(source, rows, vocab, label_names), origin


def describe_file(source: LabelledTexts) -> dict[str, Any]:
    """Return what tells a data file from another."""
    return {
        "path": str(source.path),
        "sha256": source.sha256,
        "num_rows": len(source.labels),
    }


def _fingerprint(
    config: Config,
    sources: dict[str, LabelledTexts],
    train: EncodedSplit,
    valid: EncodedSplit,
    vocab: Vocab,
) -> dict[str, Any]:
    split: dict[
        str, Any
    ] = {}  # what is drawn, and which rows that gave: it depends on the labels too
    if sources["valid"] is sources["train"]:
        split = {
            "seed": split_seed(config),
            "valid_fraction": config.data.valid_fraction,
        }
        split["valid_rows_sha256"] = sha256_of(valid.rows.tobytes())
        del sources["valid"]
    if config.data.test_fraction is not None:
        _, test_rows = split_test_rows(
            sources["train"].labels, config.data.test_fraction
        )
        split["test_fraction"] = config.data.test_fraction
        split["test_rows_sha256"] = sha256_of(test_rows.tobytes())
    return {
        "files": {split: describe_file(source) for split, source in sources.items()},
        "split": split,
        "num_train_rows": len(train.labels),
        "num_valid_rows": len(valid.labels),
        "num_train_tokens": int(train.texts.lengths.sum()),
        "vocab_size": len(vocab),
        "vocab_sha256": sha256_of(
            "\n".join(vocab.words).encode("utf-8", "surrogatepass")
        ),
    }


def split_seed(config: Config) -> int:
    """Return what draws the split."""
    return config.seed if config.data.split_seed is None else config.data.split_seed


def collect_vocab(
    config: Config, texts: TokenizedTexts, rows: npt.NDArray[np.int64]
) -> Vocab:
    """Return the words of some rows that the config wants."""
    counts = texts.counts(rows)
    return build_vocab(
        texts.words,
        counts,
        min_freq=config.text.min_freq,
        max_vocab=config.text.max_vocab,
    )


def load_sources(config: Config, *, use_cache: bool = True) -> Sources:
    """Read and split the training and the validation rows; never a test row.

    Raises:
        DataError: A file or one of its rows is wrong.
    """
    source = load_cached(locate(config.data, "train"), config, use_cache=use_cache)
    rows, _ = split_test_rows(source.labels, config.data.test_fraction)
    if config.data.valid is None:
        train, valid = split_rows(
            source.labels[rows], config.data.valid_fraction, split_seed(config)
        )
        return Sources(source, rows[train], source, rows[valid])
    valid_source = load_cached(
        locate(config.data, "valid"), config, use_cache=use_cache
    )
    return Sources(source, rows, valid_source, np.arange(len(valid_source.labels)))


def load_test_source(
    config: Config, *, use_cache: bool
) -> tuple[LabelledTexts, npt.NDArray[np.int64]]:
    """Return the source and the row numbers of the test texts: a file, or the part kept
    of the training file.
    """
    fraction = config.data.test_fraction
    source = load_cached(
        locate(config.data, "test" if fraction is None else "train"),
        config,
        use_cache=use_cache,
    )
    if fraction is None:
        return source, np.arange(len(source.labels))
    return source, split_test_rows(source.labels, fraction)[1]


def encode_rows(
    source: LabelledTexts,
    rows: npt.NDArray[np.int64],
    vocab: Vocab,
    label_names: Sequence[str],
) -> EncodedSplit:
    """Return some rows of a file with the token ids and the label numbers of a run."""
    return EncodedSplit(
        encode_texts(source.texts, vocab).select(rows),
        source.labels_as(label_names)[rows],
        rows,
    )
