"""Sets of labels: every form of file gives the same matrix."""

import csv
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from rnncls import DataError
from rnncls.config.sections import DataSection, TextSection
from rnncls.data import init_config
from rnncls.data.cache import load_cached
from rnncls.data.conversion import ConversionOptions
from rnncls.data.datasets import load_labelled
from rnncls.data.init_config import draft_config
from rnncls.data.label_sets import to_label_matrix

ROWS = [
    ("good film", ["joy", "love"]),
    ("bad film", ["anger"]),
    ("a film", []),
    ("sad film", ["anger", "joy"]),
]
NAMES = ["anger", "joy", "love"]
MATRIX = [[0, 1, 1], [1, 0, 0], [0, 0, 0], [1, 1, 0]]


def _write_csv(path: Path, header: list[str], rows: list[list[str]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(header)
        writer.writerows(rows)


def _write_json_lines(path: Path) -> dict[str, object]:
    lines = [json.dumps({"text": text, "labels": labels}) for text, labels in ROWS]
    path.write_text("\n".join(lines))
    return {"label": ["labels"]}


def _write_parquet(path: Path) -> dict[str, object]:
    rows = [{"text": text, "labels": labels} for text, labels in ROWS]
    pa_parquet.write_table(pa.Table.from_pylist(rows), path)
    return {"label": ["labels"]}


def _write_separated(path: Path) -> dict[str, object]:
    rows = [[text, "; ".join(labels)] for text, labels in ROWS]
    _write_csv(path, ["text", "labels"], rows)
    return {"label": "labels", "label_separator": ";"}


def _write_flags(path: Path) -> dict[str, object]:
    rows = [[text, *(str(int(n in labels)) for n in NAMES)] for text, labels in ROWS]
    _write_csv(path, ["text", *NAMES], rows)
    return {"label": NAMES}


def _write_fasttext(path: Path) -> dict[str, object]:
    lines = [
        "".join(f"__label__{label} " for label in labels) + text
        for text, labels in ROWS
    ]
    path.write_text("\n".join(lines))
    return {"label": ["labels"]}


FORMS = {
    "a.jsonl": _write_json_lines,
    "a.parquet": _write_parquet,
    "a.csv": _write_separated,
    "flags.csv": _write_flags,
    "a.txt": _write_fasttext,
}


@pytest.mark.parametrize("name", FORMS)
def test_each_form_gives_the_same_matrix(tmp_path: Path, name: str) -> None:
    keys = FORMS[name](tmp_path / name)
    section = DataSection.model_validate(
        {"train": str(tmp_path / name), "text": ["text"], **keys}
    )
    loaded = load_labelled(tmp_path / name, section, TextSection())
    assert loaded.label_names == NAMES
    assert loaded.labels.dtype == np.bool_
    assert loaded.labels.astype(int).tolist() == MATRIX


def test_the_cache_returns_the_same_matrix(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    _write_json_lines(path)
    section = DataSection(train=str(path), text=["text"], label=["labels"])
    for _ in range(2):
        loaded = load_cached(path, section, TextSection(), use_cache=True)
        assert loaded.labels.astype(int).tolist() == MATRIX


def test_a_value_that_is_neither_1_nor_0_is_named(tmp_path: Path) -> None:
    _write_csv(
        tmp_path / "a.csv", ["text", "x", "y"], [["t", "1", "0"], ["t", "2", ""]]
    )
    section = DataSection(train="a.csv", text=["text"], label=["x", "y"])
    with pytest.raises(DataError, match=r"row 2: 'x': expected 1 or 0.* found '2'"):
        load_labelled(tmp_path / "a.csv", section, TextSection())


def _draft_values(path: Path, values: list[str]) -> tuple[str, str | None]:
    rows = [[f"some text number {n}", value] for n, value in enumerate(values)]
    _write_csv(path, ["text", "category"], rows)
    config = draft_config(str(path), path.with_suffix(".yaml")).config
    return config.model.task, config.data.label_separator


def test_init_recognises_labels_that_recur_in_combinations(tmp_path: Path) -> None:
    values = ["a|b", "a|c", "b|c", "a", "b", "c"] * 10
    assert _draft_values(tmp_path / "a.csv", values) == ("several_labels", "|")


@pytest.mark.parametrize(
    "values",
    [
        ["food, drink", "arts, culture", "sport", "home, garden"],
        ["USA, NY", "USA, LA", "USA, TX", "UK"],
        ["read|write", "sport", "music"],
    ],
)
def test_init_keeps_classes_whose_names_contain_a_separator(
    tmp_path: Path, values: list[str]
) -> None:
    assert _draft_values(tmp_path / "a.csv", values * 12) == ("one_label", None)


def test_init_converts_fasttext_lines_with_several_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    lines = ["__label__a __label__b one text", "__label__a two texts", "no label"]
    path.write_text("\n".join(["__label__b first", *(lines * 20)]))
    draft = draft_config(str(path), tmp_path / "a.yaml")
    assert draft.config.model.task == "several_labels"
    assert draft.stats.num_without_labels == 20
    assert draft.stats.classes == {"a": 40, "b": 21}


def test_single_labels_and_sets_become_the_same_matrix() -> None:
    matrix = to_label_matrix(np.array([1, 0, 1]), 3)
    expected = [[False, True, False], [True, False, False], [False, True, False]]
    assert matrix.tolist() == expected
    assert to_label_matrix(matrix, 3) is matrix


# Columns of 1 and 0


def _write_flag_rows(path: Path, header: list[str], cells: dict[int, str]) -> None:
    """Write 40 rows with three columns of 1 and 0; `cells` changes the second."""
    rows = []
    for number in range(40):
        flags = [str(int(number % divisor == 0)) for divisor in (2, 3, 5)]
        flags[1] = cells.get(number + 1, flags[1])
        rows.append([f"some text number {number}", *flags])
    _write_csv(path, ["text", *header], rows)


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ({5: ""}, "found a blank: a blank is unknown: .* without this row$"),
        ({5: " ", 9: "", 30: ""}, r"found a blank; 3 rows have blanks \(5, 9, 30\): "),
        (
            dict.fromkeys(range(5, 41), ""),
            r"found a blank; 36 rows have blanks \(5, 6, 7, 8, 9, …\)",
        ),
    ],
)
def test_a_blank_is_refused_by_init_and_by_training(
    tmp_path: Path, cells: dict[int, str], found: str
) -> None:
    path = tmp_path / "a.csv"
    _write_flag_rows(path, NAMES, cells)
    expected = rf"a\.csv: row 5: 'joy': expected 1 or 0, {found}"
    with pytest.raises(DataError, match=expected):
        draft_config(str(path), tmp_path / "a.yaml")
    section = DataSection(train="a.csv", text=["text"], label=NAMES)
    for use_cache in (False, True):
        with pytest.raises(DataError, match=expected):
            load_cached(path, section, TextSection(), use_cache=use_cache)


def test_rows_with_a_blank_can_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    _write_flag_rows(path, NAMES, {5: "", 8: ""})
    options = ConversionOptions(skip_unlabelled=True)
    draft = draft_config(str(path), tmp_path / "a.yaml", options=options)
    assert draft.stats.num_rows == 38
    assert any("2 rows (5, 8): a blank instead of 1 or 0" in n for n in draft.notes)


def test_empty_rows_at_the_end_are_ignored(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "a.csv"
    _write_flag_rows(path, NAMES, {})
    path.write_text(path.read_text() + ",,,\n,,,\n")
    section = DataSection(train="a.csv", text=["text"], label=NAMES)
    with caplog.at_level("INFO", logger="rnncls"):
        loaded = load_labelled(path, section, TextSection())
    assert len(loaded.labels) == 40
    assert "rows 41 to 42, at the end, are empty: ignored" in caplog.text


@pytest.mark.parametrize(
    ("yes", "no"), [("True", "false"), ("1.0", "0.0"), (" 1", "0 ")]
)
def test_other_forms_of_1_and_0_are_read(tmp_path: Path, yes: str, no: str) -> None:
    rows = [
        [f"text number {n}", yes if n % 2 else no, yes if n % 3 else no]
        for n in range(12)
    ]
    _write_csv(tmp_path / "a.csv", ["text", "b", "c"], rows)
    draft = draft_config(str(tmp_path / "a.csv"), tmp_path / "a.yaml")
    assert draft.config.data.label == ["b", "c"]
    assert draft.stats.classes == {"c": 8, "b": 6}


def test_a_rare_label_that_the_sample_lacks_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(init_config, "_RECORDS_SAMPLED", 10)
    rows = [
        [f"text {n}", str(n % 2), str(n % 3 % 2), str(int(n == 90)), "0"]
        for n in range(100)
    ]
    _write_csv(tmp_path / "a.csv", ["text", "b", "c", "rare", "never"], rows)
    draft = draft_config(str(tmp_path / "a.csv"), tmp_path / "a.yaml")
    assert draft.config.data.label == ["b", "c", "rare"]
    assert "not used as labels, as they have only 0: 'never'" in draft.notes


def test_a_column_with_another_value_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    _write_flag_rows(path, NAMES, {5: "2"})
    draft = draft_config(str(path), tmp_path / "a.yaml")
    assert draft.config.data.label == ["anger", "love"]
    assert any(note.endswith("than 1 and 0: 'joy': '2'") for note in draft.notes)


def test_one_column_with_blanks_beside_one_without_is_no_label(tmp_path: Path) -> None:
    rows = [
        [f"some text {n}", str(n % 2), "" if n % 5 else str(n % 3 % 2)]
        for n in range(60)
    ]
    _write_csv(tmp_path / "a.csv", ["text", "spam", "answered"], rows)
    draft = draft_config(str(tmp_path / "a.csv"), tmp_path / "a.yaml")
    assert draft.config.data.label == "spam"


def test_names_of_columns_are_normalised_as_labels(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    _write_flag_rows(path, [" joy", "an\nger", "love\t"], {})
    draft = draft_config(str(path), tmp_path / "a.yaml")
    assert draft.config.data.label == [" joy", "an\nger", "love\t"]
    section = draft.config.data
    loaded = load_labelled(path, section, TextSection())
    assert loaded.label_names == ["an\nger", "joy", "love"]
    assert loaded.labels.sum(axis=0).tolist() == [14, 20, 8]
    assert "labels: ' joy', 'an\\nger', 'love\\t'" in draft.notes[0]


@pytest.mark.parametrize("second", ["joy ", "joy\t", "\njoy"])
def test_columns_of_the_same_label_are_refused(tmp_path: Path, second: str) -> None:
    path = tmp_path / "a.csv"
    _write_flag_rows(path, ["joy", second, "love"], {})
    expected = f"columns 'joy' and {second!r} of data.label are the same label"
    with pytest.raises(DataError, match=re.escape(expected)):
        draft_config(str(path), tmp_path / "a.yaml")
    section = DataSection(train="a.csv", text=["text"], label=["joy", second, "love"])
    with pytest.raises(DataError, match=re.escape(expected)):
        load_labelled(path, section, TextSection())
