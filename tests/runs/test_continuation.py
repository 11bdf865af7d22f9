"""`from.json`: which run a run continues, and which rows it uses."""

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from rnncls import RunError
from rnncls.config.data_section import DataSection
from rnncls.data.file_rows import Continuation, FileRows
from rnncls.machine.files import write_json
from rnncls.runs.continuation import (
    load_chosen_rows,
    load_continuation,
    save_continuation,
)
from rnncls.runs.folder import RunFolder

SECTION = DataSection(train="new.csv", text=["text"], test_fraction=0.2)


def make_continuation(*files: FileRows) -> Continuation:
    scores = {"accuracy": 0.5, "macro_f1": 0.25}
    return Continuation("a", "ab" * 32, 9, ["x", "y"], 0.5, list(files), [], scores)


def make_rows(num_rows: int, valid: list[int], test: list[int]) -> FileRows:
    valid_rows = np.array(valid, dtype=np.int64)
    test_rows = np.array(test, dtype=np.int64)
    sha256 = "cd" * 32
    return FileRows("new.csv", sha256, num_rows, SECTION, valid_rows, test_rows)


def test_a_run_of_its_own_draws_its_rows() -> None:
    assert load_continuation(Path()) is None
    assert load_chosen_rows(Path()) == {}


def test_the_rows_of_the_splits_are_those_of_its_files() -> None:
    save_continuation(Path(), make_continuation(make_rows(6, [1, 5], [0])))
    rows = {"train": [2, 3, 4], "valid": [1, 5], "test": [0]}
    assert load_chosen_rows(Path()) == rows


def test_a_validation_file_has_rows_of_its_own() -> None:
    own = make_rows(3, [1], []), make_rows(4, [0, 2], [])
    save_continuation(Path(), make_continuation(*own))
    rows = {"train": [0, 2], "valid": [0, 2], "test": []}
    assert load_chosen_rows(Path()) == rows


def test_without_test_fraction_no_row_is_for_testing() -> None:
    section = SECTION.replace(test_fraction=None)
    rows = dataclasses.replace(make_rows(6, [1, 5], [0]), section=section)
    save_continuation(Path(), make_continuation(rows))
    assert load_chosen_rows(Path()) == {"train": [2, 3, 4], "valid": [1, 5]}


def test_another_document_is_refused() -> None:
    write_json(RunFolder(Path()).continuation, {"run": "a"})
    with pytest.raises(RunError, match=r"from\.json: damaged: not the rows of a run$"):
        load_continuation(Path())
