"""The form of several labels a text in a file, where a sample of rows does not suffice.

`rnncls.data.label_forms` recognises the form by a sample. A rare label may be in no row
of it.
"""

from collections.abc import Sequence
from pathlib import Path

from rnncls import DataError
from rnncls.data.conversion import Formats
from rnncls.data.formats import FileFormat
from rnncls.data.label_forms import (
    SEPARATORS,
    LabelForm,
    add_rare_flags,
    find_label_form,
)
from rnncls.data.label_sets import split_labels
from rnncls.data.readers import read_records
from rnncls.data.rows import Record
from rnncls.data.source_files import Files
from rnncls.data.text_files import LABEL


def find_file_form(
    path: Path,
    file_format: FileFormat,
    sample: Sequence[Record],
    text: Sequence[str],
    label: str | None,
) -> LabelForm | None:
    """Return the form of several labels a text; None: a text has one label.

    Args:
        path: The training file.
        file_format: Its format.
        sample: Rows of the file, in which lists are written by `join_labels`.
        text: The columns of the text that the user names.
        label: The column of the label that the user names; None: it is guessed.

    Raises:
        DataError: A row is wrong.
    """
    if file_format.kind == "folder":
        return None
    if file_format.kind == "fasttext":
        return _find_fasttext_form(path, file_format)
    form = find_label_form(sample, text, label)
    if form is not None and form.unseen:
        form = add_rare_flags(form, read_records(path, file_format))
    return form


def _find_fasttext_form(path: Path, file_format: FileFormat) -> LabelForm | None:
    """Return that lines have several labels, if one of them does.

    Lines without a label are no reason: one label may be missing.
    """
    records = read_records(path, file_format, with_sets=True)
    num_several = sum(len(split_labels(row[LABEL], None)) > 1 for row in records)
    if not num_several:
        return None
    reason = f"{num_several:,} rows have several labels"
    return LabelForm((LABEL,), None, reason, has_lists=True)


def choose_separator(files: Files, formats: Formats, column: str) -> str:
    """Return a separator that no label of a column of lists has.

    Args:
        files: The file of each split.
        formats: Their formats.
        column: The column.

    Raises:
        DataError: The labels have all separators.
    """
    separators = [*SEPARATORS, "/", "~", "||", " ; "]
    for split, path in files.items():
        for record in read_records(path, formats[split], with_sets=True):
            labels = "\n".join(split_labels(record.get(column, ""), None))
            separators = [each for each in separators if each not in labels]
    if not separators:
        raise DataError(
            f"{files['train']}: '{column}': the labels contain all separators with"
            " which they could be written as CSV: save the file as JSON lines in UTF-8"
        )
    return separators[0]
