"""The rows of a run that continues another one: each text stays on its side."""

from pathlib import Path

import numpy as np
import pytest

from rnncls import DataError
from rnncls.config.data_section import DataSection
from rnncls.config.sections import TextSection
from rnncls.data.datasets import LabelledTexts, load_labelled
from rnncls.data.file_rows import FileRows, LoadedFile
from rnncls.data.replay import choose_rows, number_texts
from rnncls.data.sources import Sources

SECTION = DataSection(train="new.csv", text=["text"])


def load(name: str, texts: list[str], section: DataSection = SECTION) -> LabelledTexts:
    """Write and load a file of texts whose first letter is the label."""
    lines = [f"{text},{text[0]}" for text in texts]
    Path(name).write_text("\n".join(["text,label", *lines]) + "\n")
    return load_labelled(Path(name), section, TextSection())


def rows_of(source: LabelledTexts, valid: list[int], test: list[int]) -> LoadedFile:
    rows = FileRows(
        str(source.path),
        source.sha256,
        len(source.labels),
        SECTION,
        np.array(valid, dtype=np.int64),
        np.array(test, dtype=np.int64),
    )
    return LoadedFile(rows, source)


def draw(source: LabelledTexts, valid: list[int]) -> Sources:
    valid_rows = np.array(valid, dtype=np.int64)
    train_rows = np.setdiff1d(np.arange(len(source.labels)), valid_rows)
    return Sources(source, train_rows, source, valid_rows)


NONE = np.empty(0, dtype=np.int64)


def test_the_same_tokens_have_the_same_number_in_all_files() -> None:
    first = load("a.csv", ["a b", "b", "A b"]).texts
    second = load("b.csv", ["c", "b", "a b b"]).texts
    numbers = number_texts([first, second])
    assert [ids.tolist() for ids in numbers] == [[0, 1, 0], [2, 1, 3]]


def test_a_text_of_the_earlier_run_stays_on_its_side() -> None:
    earlier = rows_of(load("old.csv", ["a 1", "a 2", "b 1", "b 2"]), [1], [])
    new = load("new.csv", ["a 1", "a 2", "c 1", "c 2", "b 1"])
    own, (old,) = choose_rows(draw(new, [0, 2]), NONE, SECTION, [earlier], 1.0, 0)
    assert own[0].valid_rows.tolist() == [1, 2]  # "a 1" was trained on, "a 2" validated
    assert old.replayed_rows.tolist() == [3]  # the new file has the others
    assert old.reused_valid_rows.tolist() == []


def test_validation_rows_that_the_new_file_lacks_validate_again() -> None:
    earlier = rows_of(load("old.csv", ["a 1", "a 2", "b 1", "b 2"]), [1, 3], [])
    new = load("new.csv", ["c 1", "c 2"])
    own, (old,) = choose_rows(draw(new, [1]), NONE, SECTION, [earlier], 0.0, 0)
    assert own[0].valid_rows.tolist() == [1]
    assert old.reused_valid_rows.tolist() == [1, 3]
    assert old.replayed_rows.tolist() == []


def test_rows_that_two_earlier_files_have_are_used_once() -> None:
    first = rows_of(load("first.csv", ["a 1", "a 2", "b 1", "b 2"]), [1], [])
    second = rows_of(load("second.csv", ["a 1", "a 2", "a 3", "a 4"]), [1, 3], [])
    new = load("new.csv", ["c 1", "c 2"])
    _, rows = choose_rows(draw(new, [1]), NONE, SECTION, [first, second], 1.0, 0)
    assert [file.replayed_rows.tolist() for file in rows] == [[0, 2, 3], [2]]
    assert [file.reused_valid_rows.tolist() for file in rows] == [[1], [3]]


def test_copies_of_a_validation_text_are_never_trained_on() -> None:
    earlier = rows_of(load("old.csv", ["a 1", "a 1", "b 1"]), [1], [])
    new = load("new.csv", ["a 1", "a 1", "c 1"])
    own, (old,) = choose_rows(draw(new, []), NONE, SECTION, [earlier], 1.0, 0)
    assert own[0].train_rows.tolist() == [2]
    assert old.replayed_rows.tolist() == [2]


def test_all_copies_of_a_text_stay_together() -> None:
    section = SECTION.replace(split="texts")
    source = load("new.csv", ["a: 1", "a 1", "c 1"], section)
    assert source.text_ids is not None
    earlier = rows_of(load("old.csv", ["a: 1", "b 1"]), [0], [])
    own, _ = choose_rows(draw(source, [2]), NONE, section, [earlier], 1.0, 0)
    assert own[0].valid_rows.tolist() == [0, 1, 2]


def test_test_rows_of_the_earlier_run_are_test_rows() -> None:
    section = SECTION.replace(test_fraction=0.2)
    earlier = rows_of(load("old.csv", ["a 1", "a 2", "b 1"]), [1], [2])
    new = load("new.csv", ["a 1", "a 2", "b 1", "c 1"])
    drawn = np.array([0])
    own, (old,) = choose_rows(draw(new, [3]), drawn, section, [earlier], 1.0, 0)
    assert own[0].test_rows.tolist() == [2]  # and not "a 1", which was trained on
    assert own[0].valid_rows.tolist() == [1, 3]
    assert old.replayed_rows.tolist() == []


def test_test_rows_of_the_earlier_run_are_never_trained_on() -> None:
    earlier = rows_of(load("old.csv", ["a 1", "a 2", "b 1"]), [1], [2])
    new = load("new.csv", ["b 1", "c 1", "c 2"])
    assert SECTION.test_fraction is None
    own, _ = choose_rows(draw(new, [2]), NONE, SECTION, [earlier], 1.0, 0)
    assert own[0].train_rows.tolist() == [1]
    assert own[0].test_rows.tolist() == [0]


def test_rows_of_a_validation_file_that_were_trained_on_are_left_out() -> None:
    earlier = rows_of(load("old.csv", ["a 1", "a 2"]), [1], [])
    train, valid = load("new.csv", ["c 1"]), load("valid.csv", ["a 1", "a 2", "c 2"])
    sources = Sources(train, np.arange(1), valid, np.arange(3))
    own, _ = choose_rows(sources, NONE, SECTION, [earlier], 1.0, 0)
    assert [rows.valid_rows.tolist() for rows in own] == [[], [1, 2]]


def test_the_replayed_share_has_rows_of_each_class() -> None:
    texts = [f"a {number}" for number in range(20)] + ["b 1", "b 2", "b 3"]
    earlier = rows_of(load("old.csv", texts), [22], [])
    new = load("new.csv", ["c 1", "c 2"])
    _, (old,) = choose_rows(draw(new, [1]), NONE, SECTION, [earlier], 0.25, 0)
    counts = np.bincount(earlier.source.labels[old.replayed_rows])
    assert counts.tolist() == [5, 1]


def test_without_a_training_row_there_is_an_error() -> None:
    earlier = rows_of(load("old.csv", ["a 1", "a 2"]), [0], [])
    new = load("new.csv", ["a 1"])
    with pytest.raises(DataError, match=r"^new\.csv: no training row is left"):
        choose_rows(draw(new, []), NONE, SECTION, [earlier], 0.0, 0)


def test_without_a_validation_row_there_is_an_error() -> None:
    earlier = rows_of(load("old.csv", ["a 1", "a 2"]), [], [])
    new = load("new.csv", ["a 1", "c 1"])
    with pytest.raises(DataError, match=r"^new\.csv: no validation row is left"):
        choose_rows(draw(new, [0]), NONE, SECTION, [earlier], 1.0, 0)
