"""Draft a config for an unknown data set, with a reason for each setting."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from rnncls import ConfigError, DataError
from rnncls.config.loading import build_data_section, parse_config
from rnncls.config.sections import Config
from rnncls.data.choices import choose, find_fraction, render
from rnncls.data.column_guess import describe_guess, guess_columns
from rnncls.data.conversion import (
    ConversionOptions,
    Formats,
    are_readable,
    convert_files,
    describe_reading,
    detect_formats,
    format_keys,
    note_conversion,
)
from rnncls.data.dataset_stats import DatasetStats, measure_dataset, reservoir_sample
from rnncls.data.datasets import columns_of
from rnncls.data.file_label_form import choose_separator, find_file_form
from rnncls.data.file_sets import data_ending
from rnncls.data.formats import FileFormat
from rnncls.data.given_files import (
    GivenFiles,
    add_given_files,
    check_given_columns,
    detect_given_formats,
)
from rnncls.data.hub import HUB, fetch_from_hub
from rnncls.data.json_rows import list_nested_columns
from rnncls.data.label_forms import LabelForm
from rnncls.data.label_names import note_look_alikes, note_merged_labels
from rnncls.data.readers import read_records, read_rows
from rnncls.data.rows import Columns, Record, quote_names
from rnncls.data.small_data import (
    advise_cross_validation,
    describe_missing_rows,
    note_single_rows,
)
from rnncls.data.source_files import Files, find_files
from rnncls.data.text_files import LABEL, TEXT
from rnncls.data.tokenizer_check import describe_draft_misfit
from rnncls.machine.files import write_atomic

_RECORDS_SAMPLED = 4000
_CLASSES_SHOWN = 8
_TEXT_ENDINGS = {".txt", ".text", ""}
_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Draft:
    """A config for a data set.

    Attributes:
        text: The config, as YAML with comments.
        config: The same, validated.
        stats: Statistics of the training file.
        notes: What the user should know: the columns that were chosen, the files that
            were converted, and those that are not used.
        advice: What to do about too few rows.
        can_train: Whether there are enough rows for the splits.
        guess: The other columns that could be the class, if it was guessed.
    """

    text: str
    config: Config
    stats: DatasetStats
    notes: list[str]
    advice: list[str]
    can_train: bool
    guess: str = ""


def draft_config(
    source: str,
    out: Path,
    text: Sequence[str] = (),
    label: str | None = None,
    options: ConversionOptions = ConversionOptions(),  # noqa: B008 - it is frozen
    given: GivenFiles = MappingProxyType({}),
) -> Draft:
    """Return a config for a file, a folder or a `hf:` data set.

    Files that training cannot read are converted: the new files are written beside the
    config, as `NAME-train.csv` and so on.

    Args:
        source: Where the data is.
        out: The path of the config, which is not written here.
        text: The columns of the text; empty: guess them.
        label: The column of the class; None: guess it.
        options: What a conversion may do.
        given: The validation and test files that the user names.

    Raises:
        DataError: The data cannot be read, or is wrong.
        ConfigError: A column that was given does not exist or is given twice, or a
            file that would be written exists.
    """
    names = [*text, label] if label else list(text)
    if len(set(names)) < len(names):
        raise ConfigError("--text and --label must name different columns, each once")
    if source.startswith(HUB):
        files = fetch_from_hub(source, out, overwrite=options.overwrite)
    else:
        files = find_files(Path(source))
    files = add_given_files(files, given)
    formats = detect_formats(files, names)
    formats |= detect_given_formats(files, given, names, formats["train"])
    train, train_format = files["train"], formats["train"]
    if train_format.kind in {"fasttext", "folder"}:  # these name text and class
        text, label = text or [TEXT], label or LABEL
    records = read_records(train, train_format, with_sets=True)
    sample = reservoir_sample(records, _RECORDS_SAMPLED)
    form = find_file_form(train, train_format, sample, text, label)
    if form is not None:
        return _draft_several(
            source, out, files, formats, sample, list(text), form, options
        )
    sample = reservoir_sample(read_records(train, train_format), _RECORDS_SAMPLED)
    texts, chosen = _find_columns(sample, train, text, label)
    columns = Columns(tuple(texts), chosen)
    check_given_columns(files, given, formats, columns)
    draft = _draft(source, out, files, formats, columns, None, options)
    if label is not None:
        return draft
    return replace(draft, guess=describe_guess(sample, texts, chosen))


def _label_keys(labels: list[str], several: LabelForm | None) -> dict[str, Any]:
    """Return the keys of the data section for the columns of the labels."""
    if several is None:
        return {"label": labels[0]}
    if several.separator is None:
        return {"label": labels}
    return {"label": labels[0], "label_separator": several.separator}


def _draft_several(  # noqa: PLR0913 - as `_draft`
    source: str,
    out: Path,
    files: Files,
    formats: Formats,
    sample: Sequence[Record],
    text: list[str],
    form: LabelForm,
    options: ConversionOptions,
) -> Draft:
    """Return a config for data with several labels a text.

    Args:
        source: Where the data is.
        out: The path of the config.
        files: The file of each split.
        formats: Their formats.
        sample: Rows of the training file.
        text: The columns of the text that the user names; empty: guess them.
        form: Where the labels are.
        options: What a conversion may do.
    """
    texts = text
    if not texts:
        # The labels are left out: a column of one label stands for them.
        plain = [
            {
                **{k: v for k, v in row.items() if k not in form.columns},
                form.columns[0]: "",
            }
            for row in sample
        ]
        texts, _ = guess_columns(plain, str(files["train"]), [], form.columns[0])
    columns = Columns(tuple(texts), form.columns)
    needs_conversion = options.skip_unlabelled or not are_readable(files, formats)
    if needs_conversion and form.has_lists:
        separator = choose_separator(files, formats, form.columns[0])
        form = replace(form, separator=separator)
    return _draft(source, out, files, formats, columns, form, options)


def _draft(  # noqa: PLR0913 - what `draft_config` has found
    source: str,
    out: Path,
    files: Files,
    formats: Formats,
    columns: Columns,
    several: LabelForm | None,
    options: ConversionOptions,
) -> Draft:
    """Return a config for files whose columns are known.

    Args:
        source: Where the data is.
        out: The path of the config.
        files: The file of each split.
        formats: Their formats.
        columns: The columns of the text and of the label.
        several: The form of several labels a text; None: a text has one label.
        options: What a conversion may do.
    """
    train, train_format = files["train"], formats["train"]
    is_from_hub = source.startswith(HUB)
    texts, labels = list(columns.text), list(columns.label_columns)
    notes = _note_columns(train, train_format, columns)
    needs_conversion = options.skip_unlabelled or not are_readable(files, formats)
    if needs_conversion:
        separator = several.separator if several and several.has_lists else None
        originals = files
        files, left_out = convert_files(
            originals, formats, out, columns, options, separator
        )
        notes += left_out
        notes += _note_conversion(source, originals, formats, files, options)
    elif is_from_hub and not options.is_temporary:
        written = ", ".join(map(str, files.values()))
        notes.append(f"{written}: written from {source}: the config uses them")
    if needs_conversion:
        train_format = FileFormat("delimited", names=columns.wanted)
    # The ending of the original file decides whether the delimiter is written.
    keys = {"text": texts, **_label_keys(labels, several)}
    keys |= format_keys(train, train_format)
    siblings = _check_siblings(files, keys, notes)
    data = {"train": str(files["train"]), **keys, **siblings}
    stats = measure_dataset(build_data_section(data))
    notes += note_look_alikes(stats.classes)
    notes += note_merged_labels(stats.respelled, stats.classes)
    notes += _note_labels(stats, several)
    fraction = find_fraction(stats.num_rows)
    missing_rows = describe_missing_rows(data, stats, fraction)
    advice = missing_rows or advise_cross_validation(data, stats, fraction, out)
    document = _preamble(source, out, stats, has_test_file="test" in data)
    reason = "" if several is None else several.reason
    document += render(choose(data, stats, reason))
    config = parse_config(document, str(out))
    if stats.tokens is not None:
        misfit = describe_draft_misfit(stats.tokens, config.text)
        notes += [misfit] if misfit else []
    advice_lines = [advice] if advice else []
    can_train = not missing_rows
    return Draft(document, config, stats, notes, advice_lines, can_train=can_train)


def save_draft(draft: Draft, out: Path) -> None:
    """Write the config.

    Raises:
        RunError: It cannot be written.
    """
    write_atomic(out, draft.text.encode("utf-8"))


def _find_columns(
    sample: Sequence[Record], train: Path, text: Sequence[str], label: str | None
) -> tuple[list[str], str]:
    """Return the columns of the text and the class, as `guess_columns` does.

    Raises:
        DataError: A file that may be plain text seems to have no class.
    """
    try:
        return guess_columns(sample, str(train), text, label)
    except DataError as error:
        nested = list_nested_columns(train)
        if nested:
            raise DataError(
                f"{error}; {quote_names(nested)}: lists or objects, which are no class:"
                ' several labels are lists of texts, such as ["joy", "love"]'
            ) from error
        if text or label or data_ending(train) not in _TEXT_ENDINGS:
            raise
        raise DataError(
            f"{train}: looks like plain text without labels: expected a text and a"
            " class in each row; to classify its texts with a trained run, use rnncls"
            f" predict --input {train}"
        ) from error


def _note_columns(train: Path, train_format: FileFormat, columns: Columns) -> list[str]:
    """Return the notes on the columns that were chosen, and on a missing header."""
    kind = "labels" if columns.has_several_labels else "class"
    labels = quote_names(columns.label_columns)
    notes = [
        f"text: {quote_names(columns.text)}; {kind}: {labels}"
        " (to choose others: rnncls init --text, --label)"
    ]
    if train_format.kind == "delimited" and not train_format.has_header:
        names = quote_names(train_format.names)
        notes.insert(0, f"{train}: no header was found: its columns are called {names}")
    return notes


def _note_labels(stats: DatasetStats, several: LabelForm | None) -> list[str]:
    """Return the notes on rare classes, or on several labels a text."""
    if several is None:
        return note_single_rows(stats.classes)
    return [
        f"several labels a text: {several.reason}; {stats.num_without_labels:,} rows"
        " have none",
        *several.notes,
    ]


def _note_conversion(
    source: str,
    originals: Files,
    formats: Formats,
    files: Files,
    options: ConversionOptions,
) -> list[str]:
    """Return the notes on the files that were written. Temporary ones are not named."""
    if not options.is_temporary:
        return note_conversion(source, originals, formats, files)
    unusual = describe_reading(originals["train"], formats["train"])
    return [f"{source}: {', '.join(unusual)}"] if unusual else []


def _check_siblings(
    files: Files, keys: Mapping[str, Any], notes: list[str]
) -> dict[str, str]:
    """Return the validation and test files that can be read like the training file.

    Only the first rows are read. A note on each file is added to `notes`.
    """
    usable: dict[str, str] = {}
    for split, path in files.items():
        if split == "train":
            continue
        columns = columns_of(build_data_section({"train": str(path), **keys}))
        try:
            next(read_rows(path, columns), None)
        except DataError as error:
            notes.append(f"not used: {error}")
        else:
            usable[split] = str(path)
            notes.append(f"{split}: {path}")
    return usable


def _preamble(
    source: str, out: Path, stats: DatasetStats, *, has_test_file: bool
) -> str:
    """Return the comments at the top: what the data is and what to do next."""
    counts = [
        f"{_printable(name)} ({count:,})" for name, count in stats.classes.items()
    ]
    classes = ", ".join(counts[:_CLASSES_SHOWN])
    if len(counts) > _CLASSES_SHOWN:
        classes += f" and {len(counts) - _CLASSES_SHOWN} more"
    test_rows = "the test file" if has_test_file else "the test rows"
    lines = [
        f"# Written by rnncls init {_printable(source)}: {stats.num_rows:,} rows,"
        f" {len(counts)} classes:",
        f"# {classes}.",
        f"#   rnncls inspect {out}          look at the data first",
        f"#   rnncls train --config {out}",
        f"#   rnncls eval                   score {test_rows}; --split valid: the"
        " validation rows",
    ]
    return "\n".join(lines) + "\n"


def _printable(text: str) -> str:
    """Return a text on one line, without characters that break a YAML comment."""
    characters = [
        character if character.isprintable() else "?"
        for character in " ".join(text.split())
    ]
    return "".join(characters)[:_SHOWN_CHARACTERS]
