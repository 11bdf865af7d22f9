"""Labelled data files: where they are, how they are read, and their tokenised rows.

Shapes: N rows.
"""

import contextlib
import math
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from rnncls import DataError
from rnncls.config.sections import DataSection, TextSection
from rnncls.data.builtin import BUILT_IN_COLUMNS, BUILT_INS, download_missing
from rnncls.data.checksums import checksum
from rnncls.data.copies import CopyFinder
from rnncls.data.label_names import normalize_label
from rnncls.data.label_sets import LabelMatrix, name_labels, read_labels
from rnncls.data.readers import read_rows
from rnncls.data.rows import Columns, Rows
from rnncls.data.splits import Labels, Split
from rnncls.data.unknown_labels import describe_unknown_labels, find_unknown_labels
from rnncls.text.tokenizer import (
    TokenizedTexts,
    join_texts,
    number_by_appearance,
    tokenize_stream,
)

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
"""The values of `data.delimiter`."""


@dataclass(frozen=True)
class LabelledTexts:
    """The tokenised rows of one file, in the order of the file.

    Attributes:
        path: The file.
        sha256: The file's checksum.
        texts: N tokenised texts.
        labels: [N] int64, indices into `label_names`; for several labels a text [N, C]
            bool, which row has which label.
        label_names: The distinct labels, sorted; numbers by their value, before texts.
        text_ids: [N] int64, for each row the first row with the same text; None if
            `data.split` is `rows`.
    """

    path: Path
    sha256: str
    texts: TokenizedTexts
    labels: Labels
    label_names: list[str]
    text_ids: npt.NDArray[np.int64] | None = None

    def text_ids_of(self, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64] | None:
        """Return the text ids of rows, [n] int64; None if there are none."""
        return None if self.text_ids is None else self.text_ids[rows]

    def labels_as(
        self, label_names: Sequence[str], rows: npt.NDArray[np.int64] | None = None
    ) -> Labels:
        """Return the labels of rows as indices into another list of names.

        [n] int64; for several labels a text as columns for these names, [n, C] bool.

        Args:
            label_names: The names.
            rows: [n] int64, the row numbers from 0; None: all N rows.

        Raises:
            DataError: A row has a label that `label_names` lacks.
        """
        if rows is None:
            rows = np.arange(len(self.labels))
        index_of = {normalize_label(name): i for i, name in enumerate(label_names)}
        # A run of an earlier version keeps its names as they are stored.
        index_of |= {name: index for index, name in enumerate(label_names)}
        indices = [index_of.get(name, -1) for name in self.label_names]
        new_index = np.array(indices, dtype=np.int64)  # [C of this file]
        file_labels = self.labels[rows]  # [n], or [n, C of this file]
        if file_labels.ndim > 1:
            is_unknown = file_labels[:, new_index < 0]  # [n, unknown labels]
            num_labels = len(label_names)
            labels: Labels = _move_columns(file_labels, new_index, num_labels)  # [n, C]
        else:
            labels = new_index[file_labels]  # [n]
            is_unknown = labels < 0  # [n]
        if is_unknown.any():
            unknown = find_unknown_labels(
                self.labels, self.label_names, label_names, rows
            )
            found = describe_unknown_labels(unknown, label_names)
            raise DataError(f"{self.path}: {found}; correct the file")
        return labels


def _move_columns(
    labels: npt.NDArray[np.bool_], new_index: npt.NDArray[np.int64], num_labels: int
) -> npt.NDArray[np.bool_]:
    """Return label sets with their columns in another order.

    Args:
        labels: [n, C] bool.
        new_index: [C] int64, the new column of each label; -1: it is left out.
        num_labels: The number of new columns.

    Returns:
        [n, `num_labels`] bool.
    """
    moved = np.zeros((len(labels), num_labels), dtype=np.bool_)
    for column, index in enumerate(new_index.tolist()):
        if index >= 0:
            # Two labels of the file may be one label of the run.
            moved[:, index] |= labels[:, column]
    return moved


def columns_of(section: DataSection) -> Columns:
    """Return the columns that a data section names."""
    text = tuple(section.text)
    if section.name is None:
        return Columns(
            text,
            _label_of(section),
            tuple(section.columns or ()),
            delimiter=section.delimiter and DELIMITERS[section.delimiter],
        )
    names = BUILT_INS[section.name].labels
    return Columns(
        text, _label_of(section), BUILT_IN_COLUMNS, (*_class_numbers(names), *names)
    )


def _label_of(section: DataSection) -> str | tuple[str, ...]:
    names = section.label_columns
    return names if section.has_several_labels else names[0]


def _class_numbers(names: Sequence[str]) -> dict[str, str]:
    """Return the names of a built-in data set's classes by their numbers, from 1."""
    return {str(number): name for number, name in enumerate(names, start=1)}


def locate(section: DataSection, split: Split) -> Path:
    """Return the file of a split; a built-in data set is downloaded if it is missing.

    Raises:
        DataError: The data section names no such file, or it is missing and cannot be
            downloaded.
    """
    if section.name is None:
        return _own_file(section, split)
    if split == "valid":
        raise DataError(
            f"{section.name} has no validation file: validation rows are taken from"
            " the training rows"
        )
    folder = Path(section.root) / section.name
    path = folder / f"{split}.csv"
    if not path.exists():
        download_missing(section.name, folder)
    return path


def _own_file(section: DataSection, split: Split) -> Path:
    files = {"train": section.train, "valid": section.valid, "test": section.test}
    path = files[split]
    if path is not None:
        return Path(path)
    if split != "test":
        raise DataError(f"data.{split} is not set: name the file in the config")
    raise DataError(
        "data.test is not set, so there are no test rows: for the next training, set"
        " data.test or data.test_fraction; for this run, choose another data file, or"
        " the validation rows",
        {"split": "valid", "data": "FILE"},
    )


def find_test_file(section: DataSection) -> Path | None:
    """Return the path of the test file, whether it exists or not."""
    if section.name is not None:
        return Path(section.root) / section.name / "test.csv"
    return None if section.test is None else Path(section.test)


def read_labelled(
    path: Path, section: DataSection, *, allows_unlabelled: bool = False
) -> Iterator[Rows]:
    """Yield the rows of a labelled file, each with the final name of its label.

    If rows may have no label, it is empty.

    Raises:
        DataError: The file or one of its rows is wrong.
    """
    names = find_label_names(section)
    columns = replace(columns_of(section), allows_unlabelled=allows_unlabelled)
    for rows in read_rows(path, columns):
        labels = [normalize_label(label) for label in rows.labels]
        yield Rows(rows.texts, [names.get(label, label) for label in labels])


def find_label_names(section: DataSection) -> dict[str, str]:
    """Return the final names of labels that are numbers in a built-in data set."""
    if section.name is None:
        return {}
    return _class_numbers(BUILT_INS[section.name].labels)


def load_labelled(
    path: Path,
    section: DataSection,
    text: TextSection,
    *,
    allows_unlabelled: bool = False,
) -> LabelledTexts:
    """Read and tokenise a labelled file, with a progress bar on a terminal.

    Raises:
        DataError: The file or one of its rows is wrong, or it has no rows.
    """
    if section.has_several_labels:
        return _load_label_sets(path, section, text)
    label_numbers = number_by_appearance()
    labels = array("q")
    copies = CopyFinder()

    def iter_texts() -> Iterator[list[str]]:
        labelled_rows = read_labelled(
            path, section, allows_unlabelled=allows_unlabelled
        )
        for rows in labelled_rows:
            if section.split == "texts":
                copies.add(rows.texts)
            labels.extend(label_numbers[label] for label in rows.labels)
            yield rows.texts

    texts = _tokenize_file(path, iter_texts(), text)
    if not labels:
        raise DataError(f"{path}: has no rows: expected one labelled text a row")
    classes = BUILT_INS[section.name].labels if section.name else ()
    label_names = _sort_labels(label_numbers, classes)
    new_index = {label_numbers[name]: index for index, name in enumerate(label_names)}
    sorted_labels = np.array([new_index[label] for label in labels], dtype=np.int64)
    labelled = LabelledTexts(
        path,
        checksum(path, "sha256"),
        texts,
        sorted_labels,
        label_names,
        copies.text_ids() if section.split == "texts" else None,
    )
    if section.name:
        labelled.labels_as(classes)
    return labelled


def _load_label_sets(
    path: Path, section: DataSection, text: TextSection
) -> LabelledTexts:
    """Read and tokenise a file with several labels a text, as `load_labelled` does."""
    columns = section.label_columns
    matrix = LabelMatrix(name_labels(columns, str(path)) if len(columns) > 1 else ())
    copies = CopyFinder()

    def iter_texts() -> Iterator[list[str]]:
        for rows in read_rows(path, columns_of(section)):
            if section.split == "texts":
                copies.add(rows.texts)
            for value in rows.labels:
                row = matrix.num_rows + 1
                matrix.add(read_labels(value, section.label_separator, str(path), row))
            yield rows.texts

    texts = _tokenize_file(path, iter_texts(), text)
    if not matrix.num_rows:
        raise DataError(f"{path}: has no rows: expected a text and its labels a row")
    label_names = sorted(matrix.numbers, key=_label_order)
    return LabelledTexts(
        path,
        checksum(path, "sha256"),
        texts,
        matrix.build(label_names),
        label_names,
        copies.text_ids() if section.split == "texts" else None,
    )


def _sort_labels(labels: Iterable[str], classes: Sequence[str]) -> list[str]:
    """Return labels in the order of known classes, or else numbers before texts."""
    if set(labels) <= set(classes):
        return sorted(labels, key=classes.index)
    return sorted(labels, key=_label_order)


def _label_order(name: str) -> tuple[bool, float, str]:
    with contextlib.suppress(ValueError):
        number = float(name)
        if math.isfinite(number):
            return False, number, name
    return True, 0.0, name


def load_unlabelled(
    path: Path, section: DataSection, text: TextSection, hint: str | None = None
) -> TokenizedTexts:
    """Read and tokenise the texts of a file; its labels, if it has any, are ignored.

    Args:
        path: The file.
        section: The columns of its texts.
        text: How they are tokenised.
        hint: What to do if a column is missing; None: rename it, or the one in the
            config.

    Raises:
        DataError: The file or one of its rows is wrong, or it has no rows.
    """
    columns = replace(columns_of(section), label=None, hint=hint)
    chunks = (rows.texts for rows in read_rows(path, columns))
    texts = _tokenize_file(path, chunks, text)
    if not len(texts.lengths):
        raise DataError(f"{path}: has no rows: expected one text a row")
    return texts


def _tokenize_file(
    path: Path, chunks: Iterable[list[str]], section: TextSection
) -> TokenizedTexts:
    bar = tqdm(
        desc=f"tokenising {path.name}",
        unit=" texts",
        unit_scale=True,
        leave=False,
        disable=None,
    )

    def iter_parts() -> Iterator[TokenizedTexts]:
        for _, part in tokenize_stream(chunks, section):
            bar.update(len(part.lengths))
            yield part

    with bar:
        return join_texts(iter_parts())
