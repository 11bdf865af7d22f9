"""Cache of tokenised data files.

The name of an entry is a checksum of all that it depends on: the contents of the file,
how it is read and how it is tokenised. Entries are written atomically and verified when
they are read; a damaged entry is replaced. When the cache is full, the entries that
were used least recently are deleted.
"""

import contextlib
import hashlib
import json
import logging
import os
import time
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import rnncls
from rnncls import DataError, RunError
from rnncls.config.sections import DataSection, TextSection
from rnncls.data.builtin import note_if_not_canonical
from rnncls.data.checksums import checksum
from rnncls.data.datasets import LabelledTexts, columns_of, load_labelled
from rnncls.data.detected import PARQUET_ENDING, note_detected_formats
from rnncls.data.encodings import find_certain_encoding, is_utf8
from rnncls.data.file_sets import data_ending, list_files
from rnncls.data.formats import EXCEL_ENDINGS
from rnncls.data.label_names import normalize_label
from rnncls.machine.arrays import load_arrays, save_arrays
from rnncls.machine.files import TEMPORARY
from rnncls.text.cleaning import clean_text
from rnncls.text.markup import remove_markup
from rnncls.text.tokenizer import Settings, TokenizedTexts

logger = logging.getLogger(__name__)

MAX_BYTES = 2 << 30
"""The largest size of all entries together."""
READING_VERSION = [
    "ef0170b6543b05150a04cd255ba7834d0e12da48bc642c71444a7100f04a628c",
    "c0a6530c24dc44f23b3a08edc32e54dfb368bfe14ee72675879fac61c15c9222",
    "4acfe4cf7e5094d95c8f7bbc37a73ef257b3cabb3a55b6616288d736c5723dee",
]
"""The version of reading and tokenising: any change of it makes all entries useless.

Change it whenever a file gives other tokens or labels than before
(`tests/data/test_cache.py` notices that). The first entries were named by the checksums
of three source files; those values keep the entries usable.
"""
_BINARY_ENDINGS = {PARQUET_ENDING, *EXCEL_ENDINGS}
_PLAIN_ENDINGS = {".csv", ".tsv", ".jsonl"}
_ABANDONED_S = 3600.0
"""The age from which an unfinished entry counts as left by a killed process."""


def cache_dir() -> Path:
    """Return the folder of the cache: $RNNCLS_CACHE, or rnncls in the user's cache."""
    if folder := os.environ.get("RNNCLS_CACHE"):
        return Path(folder)
    if folder := os.environ.get("XDG_CACHE_HOME"):
        return Path(folder) / "rnncls"
    return Path.home() / ".cache" / "rnncls"


def load_cached(
    path: Path, data: DataSection, text: TextSection, *, use_cache: bool
) -> LabelledTexts:
    """Return a labelled file, tokenised, from the cache if possible.

    Raises:
        DataError: The file or one of its rows is wrong.
    """
    if use_cache:
        labelled = _load_through_cache(path, data, text)
    else:
        labelled = load_labelled(path, data, text)
    if data.name:
        note_if_not_canonical(path, len(labelled.labels), data.name)
    return labelled


def _load_through_cache(
    path: Path, data: DataSection, text: TextSection
) -> LabelledTexts:
    try:
        sha256 = checksum(path, "sha256")
        entry = _find_entry(path, sha256, data, text)
    except (OSError, DataError):
        return load_labelled(path, data, text)  # which raises a clear error
    labelled = _try_to_read(entry, path, sha256, are_sets=data.has_several_labels)
    if labelled is not None and data.split == "rows":
        labelled = replace(labelled, text_ids=None)
    has_copies = labelled is not None and labelled.text_ids is not None
    if labelled is not None and (has_copies or data.split == "rows"):
        note_detected_formats(path, columns_of(data))
        return labelled
    labelled = load_labelled(path, data, text)
    if labelled.sha256 != sha256:
        # The file was changed while it was read: the key does not fit these rows.
        return labelled
    try:
        _write(entry, labelled)
    except (RunError, OSError) as error:
        logger.info("cache: not saved: %s", error)
    return labelled


def _find_entry(path: Path, sha256: str, data: DataSection, text: TextSection) -> Path:
    """Return the path of the entry of a file, which may not exist.

    Earlier versions cleaned all texts as AG News needs it. Their entry serves where
    that makes no difference.
    """
    folder = cache_dir()
    entry = folder / f"{compute_key(path, sha256, data, text)}.safetensors"
    if text.clean != "html" or entry.exists():
        return entry
    earlier_key = compute_key(path, sha256, data, text.replace(clean=True))
    earlier = folder / f"{earlier_key}.safetensors"
    return earlier if earlier.exists() and _is_cleaned_alike(path) else entry


def _is_cleaned_alike(path: Path) -> bool:
    """Return whether `text.clean: true` surely leaves of a file what `html` leaves."""
    if path.suffix.lower() not in _PLAIN_ENDINGS or not path.is_file():
        return False
    try:
        with path.open(encoding="utf-8") as stream:
            return all(
                "<" not in line and clean_text(line) == remove_markup(line)
                for line in stream
            )
    except UnicodeDecodeError:
        return False


def compute_key(path: Path, sha256: str, data: DataSection, text: TextSection) -> str:
    """Return the name of the entry of a file with this checksum."""
    columns = [data.name, data.text, data.label, data.delimiter, data.columns]
    if data.label_separator is not None:
        columns.append(data.label_separator)
    if data.has_several_labels:
        columns.append("blanks")  # an earlier version read a blank as 0
    depends_on = {
        "sha256": sha256,
        "form": path.suffix.lower(),
        "columns": columns,
        "text": Settings.of(text),
        "versions": [rnncls.__version__, version("torchtext"), version("pyarrow")],
        "code": READING_VERSION,
    }
    if encodings := _find_encodings(path):
        depends_on["encodings"] = encodings
    return hashlib.sha256(json.dumps(depends_on).encode()).hexdigest()[:32]


def _find_encodings(path: Path) -> list[str]:
    """Return the encodings of the text files that are not valid UTF-8."""
    return [
        find_certain_encoding(file)
        for file in list_files(path)
        if file.is_file()
        and data_ending(file) not in _BINARY_ENDINGS
        and not is_utf8(file)
    ]


def _try_to_read(
    entry: Path, path: Path, sha256: str, *, are_sets: bool
) -> LabelledTexts | None:
    """Return the contents of an entry; None if it does not exist or is damaged."""
    if not entry.exists():
        return None
    try:
        labelled = _read(entry, path, sha256, are_sets=are_sets)
        os.utime(entry)  # marks it as just used
    except (RunError, OSError, LookupError, TypeError, ValueError) as error:
        logger.info("cache: replaced: %s", error)
        return None
    return labelled


def _read(entry: Path, path: Path, sha256: str, *, are_sets: bool) -> LabelledTexts:
    """Return the contents of an entry.

    Args:
        entry: The entry.
        path: The file whose texts it has.
        sha256: The checksum of that file.
        are_sets: Whether each text has a set of labels instead of one.

    Raises:
        RunError: The entry is damaged, or has another name than its key.
        LookupError, TypeError, ValueError: The entry is intact but not of this format.
    """
    arrays, metadata = load_arrays(entry)
    if metadata["key"] != entry.stem:
        raise RunError(f"{entry}: damaged: the entry of another file")
    words = arrays["types"].tobytes().decode("utf-8", "surrogatepass")
    texts = TokenizedTexts(arrays["type_ids"], arrays["lengths"], words.split("\n"))
    label_names = [str(name) for name in metadata["label_names"]]
    if label_names != [normalize_label(name) for name in label_names]:
        raise RunError(f"{entry}: from a version that did not normalise labels")
    labelled = LabelledTexts(
        path, sha256, texts, arrays["labels"], label_names, arrays.get("text_ids")
    )
    if not _is_consistent(labelled, are_sets=are_sets):
        raise RunError(f"{entry}: damaged: its parts do not fit together")
    return labelled


def _is_consistent(labelled: LabelledTexts, *, are_sets: bool) -> bool:
    """Return whether all arrays have the right type, length and range."""
    word_ids, lengths = labelled.texts.word_ids, labelled.texts.lengths
    labels = labelled.labels
    is_right = _are_label_sets if are_sets else _are_labels
    dtypes = [array.dtype.name for array in (word_ids, lengths)]
    if dtypes != ["int32", "int64"] or not is_right(labels, labelled.label_names):
        return False
    if len(lengths) != len(labels) or lengths.sum() != len(word_ids):
        return False
    text_ids = labelled.text_ids
    if text_ids is not None and not _are_text_ids(text_ids, len(labels)):
        return False
    return bool(lengths.min() >= 1 and _is_index(word_ids, labelled.texts.words))


def _are_labels(labels: npt.NDArray[Any], label_names: list[str]) -> bool:
    """Return whether an array has a label for each row."""
    is_flat = labels.ndim == 1 and labels.dtype.name == "int64"
    return is_flat and _is_index(labels, label_names)


def _are_label_sets(labels: npt.NDArray[Any], label_names: list[str]) -> bool:
    """Return whether an array has a set of labels for each row."""
    is_matrix = labels.ndim == 2 and labels.dtype == np.bool_
    return is_matrix and labels.shape[1] == len(label_names)


def _are_text_ids(text_ids: npt.NDArray[Any], num_rows: int) -> bool:
    """Return whether each row has the number of an earlier row, or its own."""
    if text_ids.dtype.name != "int64" or len(text_ids) != num_rows:
        return False
    return bool(text_ids.min() >= 0 and (text_ids <= np.arange(num_rows)).all())


def _is_index(
    values: np.ndarray[tuple[int, ...], np.dtype[np.integer]], items: list[str]
) -> bool:
    """Return whether all values are indices into a list."""
    return bool(values.min() >= 0 and values.max() < len(items))


def _write(entry: Path, labelled: LabelledTexts) -> None:
    texts = labelled.texts
    words = "\n".join(texts.words).encode("utf-8", "surrogatepass")
    arrays: dict[str, npt.NDArray[Any]] = {
        "type_ids": texts.word_ids,
        "lengths": texts.lengths,
        "labels": labelled.labels,
        "types": np.frombuffer(words, dtype=np.uint8),
    }
    if labelled.text_ids is not None:
        arrays["text_ids"] = labelled.text_ids
    size = sum(array.nbytes for array in arrays.values())
    if size > MAX_BYTES // 4:
        return  # it would displace all others, and the copy would double the memory
    entry.parent.mkdir(parents=True, exist_ok=True)
    _make_room(entry.parent, size)
    metadata = {"key": entry.stem, "label_names": labelled.label_names}
    save_arrays(entry, arrays, metadata)


def _make_room(folder: Path, size: int) -> None:
    """Delete unfinished entries of killed processes, and old entries until `size` fits.

    Args:
        folder: The folder of the cache.
        size: In bytes.
    """
    for unfinished in folder.glob(TEMPORARY):
        with contextlib.suppress(FileNotFoundError):
            if unfinished.stat().st_mtime < time.time() - _ABANDONED_S:
                unfinished.unlink()
    entries = [(file.stat(), file) for file in folder.glob("*.safetensors")]
    entries.sort(key=lambda entry: entry[0].st_mtime)
    total = sum(stat.st_size for stat, _ in entries)
    for stat, file in entries:
        if total + size <= MAX_BYTES:
            return
        with contextlib.suppress(FileNotFoundError):  # another process deleted it
            file.unlink()
        total -= stat.st_size
