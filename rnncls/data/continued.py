"""The data of a run that continues another run, encoded.

Shapes: N texts.
"""

import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from rnncls import RunError
from rnncls.config.sections import DataSettings, TextSection
from rnncls.data.cache import load_cached
from rnncls.data.datasets import LabelledTexts
from rnncls.data.file_rows import (
    Continuation,
    FileRows,
    LoadedFile,
    take_first_rows,
)
from rnncls.data.fingerprint import compute_fingerprint, describe_file
from rnncls.data.label_names import normalize_label, note_look_alikes
from rnncls.data.label_sets import count_labels
from rnncls.data.loading import (
    EncodedSplit,
    TrainingData,
    leave_out_vector_words,
)
from rnncls.data.sources import Sources
from rnncls.data.splits import Ints
from rnncls.data.tokenizer_check import note_misfit
from rnncls.machine.files import sha256_of
from rnncls.text.encoded_texts import encode_texts
from rnncls.text.tokenizer import join_texts
from rnncls.text.vocab import Vocab

logger = logging.getLogger(__name__)


class _Part(NamedTuple):
    """Rows of a file, and the number that row 0 of this file has in the run."""

    source: LabelledTexts
    rows: Ints
    first_number: int


def join_label_names(earlier: Sequence[str], names: Sequence[str]) -> list[str]:
    """Return the classes of a run, and after them the new ones of a file."""
    known = {normalize_label(name) for name in earlier} | set(earlier)
    return [*earlier, *(name for name in names if name not in known)]


def load_continued_data(
    continuation: Continuation,
    settings: DataSettings,
    vocab: Vocab,
    *,
    use_cache: bool,
) -> TrainingData:
    """Load the data of a run that has begun to continue another run.

    Args:
        continuation: The rows of the run.
        settings: Its settings.
        vocab: Its words.
        use_cache: Whether to use the cache of tokenised files.

    Raises:
        DataError: A file is missing or wrong.
        RunError: A file has changed.
    """

    def load(files: Sequence[FileRows]) -> list[LoadedFile]:
        return [
            LoadedFile(rows, load_file_rows(rows, settings.text, use_cache=use_cache))
            for rows in files
        ]

    own, earlier = load(continuation.own_files), load(continuation.earlier_files)
    return encode_continued(own, earlier, continuation, settings, vocab)


def load_file_rows(
    rows: FileRows, text: TextSection, *, use_cache: bool
) -> LabelledTexts:
    """Load the rows of a file that a run is trained with.

    Raises:
        DataError: The file is missing, or one of its rows is wrong.
        RunError: The file has changed.
    """
    source = load_cached(Path(rows.path), rows.section, text, use_cache=use_cache)
    if source.sha256 != rows.sha256:
        raise RunError(
            f"{rows.path}: has changed since the run began: restore the file, or start"
            " the run again, in another folder"
        )
    return take_first_rows(source, rows.num_rows)


def encode_continued(
    own: Sequence[LoadedFile],
    earlier: Sequence[LoadedFile],
    continuation: Continuation,
    settings: DataSettings,
    vocab: Vocab,
) -> TrainingData:
    """Encode the rows of a run that continues another run.

    Args:
        own: The training file of the run, and its validation file if it has one.
        earlier: The files of earlier runs.
        continuation: What the run keeps of the earlier run.
        settings: The settings of the run.
        vocab: Its words.

    Raises:
        DataError: A validation row has a label that no training row has.
    """
    source = own[0].source
    label_names = join_label_names(continuation.label_names, source.label_names)
    train_parts, valid_parts = _list_parts(own, earlier)
    train = _encode_parts(train_parts, vocab, label_names)
    train = leave_out_vector_words(train, vocab)
    valid = _encode_parts(valid_parts, vocab, label_names)
    counts = count_labels(train.labels, len(label_names)).tolist()
    for note in note_look_alikes(dict(zip(label_names, counts, strict=True))):
        logger.info("%s: %s", source.path, note)
    note_misfit(source.texts, own[0].rows.train_rows, vocab, settings.text)
    valid_source = own[-1].source
    sources = Sources(
        source, own[0].rows.train_rows, valid_source, own[-1].rows.valid_rows
    )
    fingerprint = compute_fingerprint(
        sources, settings.data, settings.seed, train.texts, vocab
    )
    fingerprint["num_valid_rows"] = len(valid.labels)
    fingerprint |= _describe_continuation(continuation, earlier, fingerprint["files"])
    return TrainingData(
        vocab, label_names, train, valid, fingerprint, continuation=continuation
    )


def _list_parts(
    own: Sequence[LoadedFile], earlier: Sequence[LoadedFile]
) -> tuple[list[_Part], list[_Part]]:
    """Return the training and the validation rows of all files."""
    train, valid = [], []
    first_number = 0
    for index, (rows, source) in enumerate([*own, *earlier]):
        is_own = index < len(own)
        if index == 0:
            train.append(_Part(source, rows.train_rows, first_number))
        elif not is_own:
            train.append(_Part(source, rows.replayed_rows, first_number))
        valid_rows = rows.valid_rows if is_own else rows.reused_valid_rows
        valid.append(_Part(source, valid_rows, first_number))
        first_number += len(source.labels)
    return train, valid


def _encode_parts(
    parts: Sequence[_Part], vocab: Vocab, label_names: Sequence[str]
) -> EncodedSplit:
    """Return the rows of several files as one split, numbered through."""
    used = [part for part in parts if len(part.rows)]
    texts = join_texts(part.source.texts.select(part.rows) for part in used)
    labels = [part.source.labels_as(label_names, part.rows) for part in used]
    numbers = [part.first_number + part.rows for part in used]
    return EncodedSplit(
        encode_texts(texts, vocab), np.concatenate(labels), np.concatenate(numbers)
    )


def _describe_continuation(
    continuation: Continuation, earlier: Sequence[LoadedFile], files: dict[str, Any]
) -> dict[str, Any]:
    """Return the parts of a fingerprint that depend on the earlier run.

    Args:
        continuation: What the run keeps of it.
        earlier: The files of earlier runs.
        files: What the fingerprint says of the files of the run.
    """
    earlier_files = {
        f"earlier:{file.source.path}": describe_file(file.source) for file in earlier
    }
    all_rows = [*continuation.own_files, *continuation.earlier_files]
    rows = [{**each.to_dict(), "path": None} for each in all_rows]
    return {
        "files": {**files, **earlier_files},
        "split": {"rows_sha256": sha256_of(json.dumps(rows).encode())},
        "earlier_weights_sha256": continuation.weights_sha256,
    }
