"""Sets of labels: every form of file gives the same matrix."""

import csv
import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from rnncls import DataError
from rnncls.config.sections import DataSection, TextSection
from rnncls.data.cache import load_cached
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
