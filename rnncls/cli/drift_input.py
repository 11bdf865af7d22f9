"""The rows that `rnncls drift` compares: texts, and labels where the file has them."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rnncls import ConfigError
from rnncls.cli.outputs import is_special
from rnncls.cli.predict_input import read_input
from rnncls.cli.text_arguments import STDIN
from rnncls.cli.text_columns import can_read, find_text_columns
from rnncls.config.sections import DataSection
from rnncls.data.datasets import find_label_names
from rnncls.data.label_names import normalize_label
from rnncls.data.label_sets import UNKNOWN, split_labels
from rnncls.data.readers import read_rows
from rnncls.data.rows import Columns, quote_names
from rnncls.evaluation.drift_sample import LabelledRow, LabelSet


def read_labelled_rows(
    source: str,
    section: DataSection,
    text: Sequence[str],
    label: str | None,
    form: str | None,
) -> Iterator[LabelledRow]:
    """Yield the texts of a file or a stream, with their labels if there are any.

    A stream has labels only if `label` names their column.

    Args:
        source: The file, or `-` for stdin.
        section: The data section of the run's config.
        text: The columns of the text; empty: those of the run.
        label: The column of the label; None: that of the run, if the file has it.
        form: The format of a stream (see `read_input`).

    Raises:
        ConfigError: `label` names the column of the text, or the run has a column for
            each label.
        DataError: The input cannot be read, lacks a column, or a row is wrong.
    """
    _check_label(section, text, label)
    is_stream = source == STDIN or form is not None or is_special(Path(source))
    if is_stream:
        rows = _read_stream(source, section, text, label, form)
    else:
        rows = _read_file(Path(source), section, text, label)
    classes = find_label_names(section)
    for value, field in rows:
        yield LabelledRow(value, _parse_labels(field, section, classes))


_FieldRows = Iterator[tuple[str, str | None]]
"""The text of each row and the field of its label; None: it has no such field."""


def _check_label(section: DataSection, text: Sequence[str], label: str | None) -> None:
    if label is None:
        return
    if len(section.label_columns) > 1:
        raise ConfigError(
            "--label: the run has a column for each label: rename those of the file"
        )
    if label in (text or section.text):
        raise ConfigError("--text and --label must name different columns, each once")


def _read_stream(
    source: str,
    section: DataSection,
    text: Sequence[str],
    label: str | None,
    form: str | None,
) -> _FieldRows:
    columns = _find_columns(section, text)
    kept = [] if label is None else [label]
    for rows in read_input(source, columns, form, kept):
        for index, value in enumerate(rows.texts):
            yield value, rows.kept[index][0] if kept else None


def _read_file(
    path: Path, section: DataSection, text: Sequence[str], label: str | None
) -> _FieldRows:
    columns = _choose_columns(path, section, text, label)
    for rows in read_rows(path, columns):
        fields = [values[0] for values in rows.kept] or rows.labels
        for index, value in enumerate(rows.texts):
            yield value, fields[index] if fields else None


def _choose_columns(
    path: Path, section: DataSection, text: Sequence[str], label: str | None
) -> Columns:
    """Return the columns to read from a file, with that of the label if it has one."""
    text_only = _find_columns(section, text)
    names = section.label_columns if label is None else (label,)
    with_label = replace(
        text_only,
        label=names if section.has_several_labels else names[0],
        allows_unlabelled=True,
    )
    if label is not None:
        return with_label
    # A kept column does not change how the file is read, but only tables have one.
    kept_label = replace(text_only, kept=names)
    choices = [with_label] if section.has_several_labels else [kept_label, with_label]
    for columns in choices:
        if can_read(path, columns):
            return columns
    return text_only


def _find_columns(section: DataSection, text: Sequence[str]) -> Columns:
    hint = (
        f"the run was trained on {quote_names(section.text)}: name columns of the file"
        " with --text and --label"
    )
    return replace(find_text_columns(section, text), hint=hint)


def _parse_labels(
    field: str | None, section: DataSection, classes: dict[str, str]
) -> LabelSet:
    """Return the labels of a row.

    Args:
        field: The field of the label.
        section: The data section of the run's config.
        classes: The names of classes that are numbers in the file.
    """
    if field is None or field.startswith(UNKNOWN):
        return None
    if section.has_several_labels:
        return tuple(split_labels(field, section.label_separator))
    name = normalize_label(field)
    return (classes.get(name, name),) if name else None
