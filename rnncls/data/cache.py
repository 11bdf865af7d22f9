"""Tokenised data files, kept from one run to the next.

An entry is named by a checksum of all that it depends on: the file's contents, how it
is read and how it is tokenised. It is written whole or not at all and verified when it
is read; a damaged one is made anew. The entries used longest ago make room for new
ones.
"""

import contextlib
import hashlib
import json
import logging
import os
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

import rnncls
from rnncls import RunError
from rnncls.config.sections import Config
from rnncls.data import datasets as dataset
from rnncls.data import readers
from rnncls.data.datasets import (
    LabelledTexts,
    checksum,
    load_labelled,
    note_if_not_canonical,
)
from rnncls.machine.files import TEMPORARY, load_tensors, save_tensors
from rnncls.text import tokenizer
from rnncls.text.tokenizer import Settings, TokenizedTexts

logger = logging.getLogger(__name__)

MAX_BYTES = 2 << 30
"""What all entries together may take up on the disk."""
_ABANDONED_S = 3600.0
"""How long nobody has written to a half-written entry whose writer is gone."""


def cache_dir() -> Path:
    """Return the folder of the entries: $RNNCLS_CACHE, or rnncls in the user's folder
    for caches.
    """
    if own := os.environ.get("RNNCLS_CACHE"):
        return Path(own)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "rnncls"


def load_cached(path: Path, config: Config, *, use_cache: bool) -> LabelledTexts:
    """Return a labelled file, tokenised, from the cache where that has it.

    Raises:
        DataError: The file or one of its rows is wrong.
    """
    labelled = (
        _load(path, config)
        if use_cache
        else load_labelled(path, config.data, config.text)
    )
    if config.data.name:
        note_if_not_canonical(labelled, config.data.name)
    return labelled


def _load(path: Path, config: Config) -> LabelledTexts:
    try:
        sha256 = checksum(path, "sha256")
    except OSError:
        return load_labelled(path, config.data, config.text)  # which says what is wrong
    entry = cache_dir() / f"{_key(path, sha256, config)}.safetensors"
    if entry.exists():
        try:
            labelled = _read(entry, path, sha256)
            os.utime(entry)  # used just now
        except (RunError, OSError, LookupError, TypeError, ValueError) as error:
            logger.info("cache: made anew: %s", error)
        else:
            return labelled
    labelled = load_labelled(path, config.data, config.text)
    if labelled.sha256 != sha256:
        # the file has changed in between: these are not the rows that the entry's name
        # stands for
        return labelled
    try:
        _write(entry, labelled)
    except (RunError, OSError) as error:
        logger.info("cache: not kept: %s", error)
    return labelled


def _key(path: Path, sha256: str, config: Config) -> str:
    text, data = config.text, config.data
    depends_on = {
        "sha256": sha256,
        "form": path.suffix.lower(),
        "columns": [data.name, data.text, data.label, data.delimiter, data.columns],
        "text": Settings.of(text),
        "versions": [rnncls.__version__, version("torchtext"), version("pyarrow")],
        "code": [
            checksum(Path(str(module.__file__)), "sha256")
            for module in (dataset, readers, tokenizer)
        ],
    }
    return hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:32]


def _read(entry: Path, path: Path, sha256: str) -> LabelledTexts:
    """Return what an entry holds.

    Raises:
        RunError: It is damaged, or not the entry of that name.
        LookupError, TypeError, ValueError: It is sealed, but of another form.
    """
    tensors, meta = load_tensors(entry)
    if meta["key"] != entry.stem:
        raise RunError(f"{entry}: damaged: the entry of another file")
    # A token holds no line end: no tokenizer leaves white space in one.
    types = (
        tensors["types"].numpy().tobytes().decode("utf-8", "surrogatepass").split("\n")
    )
    texts = TokenizedTexts(
        tensors["type_ids"].numpy(), tensors["lengths"].numpy(), types
    )
    labelled = LabelledTexts(
        path,
        sha256,
        texts,
        tensors["labels"].numpy(),
        list(map(str, meta["label_names"])),
    )
    if not _fits_together(labelled):
        raise RunError(f"{entry}: damaged: its parts do not fit together")
    return labelled


def _fits_together(labelled: LabelledTexts) -> bool:
    """Return whether each number in an entry is of its type and stands for something."""
    texts, labels = labelled.texts, labelled.labels
    return (
        [array.dtype.name for array in (texts.word_ids, texts.lengths, labels)]
        == ["int32", "int64", "int64"]
        and len(texts.lengths) == len(labels)
        and texts.lengths.min() >= 1
        and texts.lengths.sum() == len(texts.word_ids)
        and 0 <= texts.word_ids.min() <= texts.word_ids.max() < len(texts.words)
        and 0 <= labels.min() <= labels.max() < len(labelled.label_names)
    )


def _write(entry: Path, labelled: LabelledTexts) -> None:
    types = "\n".join(labelled.texts.words).encode("utf-8", "surrogatepass")
    tensors = {
        "type_ids": torch.from_numpy(labelled.texts.word_ids),
        "lengths": torch.from_numpy(labelled.texts.lengths),
        "labels": torch.from_numpy(labelled.labels),
        "types": torch.from_numpy(np.frombuffer(types, dtype=np.uint8).copy()),
    }
    size = sum(tensor.nbytes for tensor in tensors.values())
    if size > MAX_BYTES // 4:
        return  # it would drive all others out, and its copy would double the memory
    entry.parent.mkdir(parents=True, exist_ok=True)
    _make_room(entry.parent, size)
    save_tensors(
        entry, tensors, {"key": entry.stem, "label_names": labelled.label_names}
    )


def _make_room(folder: Path, size: int) -> None:
    """Delete the entries used longest ago, until one of `size` bytes fits, and what
    killed processes left.
    """
    for half in folder.glob(TEMPORARY):
        with contextlib.suppress(FileNotFoundError):
            if half.stat().st_mtime < time.time() - _ABANDONED_S:
                half.unlink()
    entries = sorted(
        ((file.stat(), file) for file in folder.glob("*.safetensors")),
        key=lambda item: item[0].st_mtime,
    )
    total = sum(stat.st_size for stat, _ in entries)
    for stat, file in entries:
        if total + size <= MAX_BYTES:
            return
        with contextlib.suppress(FileNotFoundError):  # another process was here too
            file.unlink()
        total -= stat.st_size
