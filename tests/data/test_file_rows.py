"""Which rows of a file a run uses: as text, as JSON, and of a file that grew."""

import json
from pathlib import Path

import numpy as np
import pytest

from rnncls.config.data_section import DataSection
from rnncls.config.sections import TextSection
from rnncls.data.checksums import checksum
from rnncls.data.datasets import load_labelled
from rnncls.data.file_rows import (
    Continuation,
    FileRows,
    begins_with,
    format_rows,
    parse_rows,
    take_first_rows,
)

SECTION = DataSection(train="a.csv", text=["text"])
OLD = "text,label\na b,x\nc,z\nd d d,x\n"


def make_rows(**values: list[int]) -> FileRows:
    arrays = {name: np.array(rows, dtype=np.int64) for name, rows in values.items()}
    return FileRows("a.csv", "ab" * 32, 6, SECTION, **arrays)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        ([], ""),
        ([4], "4"),
        ([0, 1, 2], "0-2"),
        ([0, 2, 3, 9], "0 2-3 9"),
    ],
)
def test_row_numbers_are_written_as_ranges(rows: list[int], text: str) -> None:
    assert format_rows(np.array(rows, dtype=np.int64)) == text
    assert parse_rows(text).tolist() == rows


def test_the_other_rows_are_trained_on() -> None:
    rows = make_rows(valid_rows=[1, 4], test_rows=[0])
    assert rows.train_rows.tolist() == [2, 3, 5]


def test_a_continuation_can_be_written_as_json() -> None:
    own = make_rows(valid_rows=[1, 4], test_rows=[0])
    earlier = make_rows(valid_rows=[5], replayed_rows=[0, 2], reused_valid_rows=[5])
    scores = {"accuracy": 0.5, "macro_f1": 0.25}
    continuation = Continuation(
        "runs/a", "cd" * 32, 9, ["x", "y"], 0.5, [own], [earlier], scores
    )
    text = json.dumps(continuation.to_dict())
    assert Continuation.from_dict(json.loads(text)).to_dict() == continuation.to_dict()


def test_the_first_rows_are_those_of_the_file_before_it_grew() -> None:
    Path("a.csv").write_text(OLD)
    Path("b.csv").write_text(f"{OLD}e,y\n")
    before = load_labelled(Path("a.csv"), SECTION, TextSection())
    grown = load_labelled(Path("b.csv"), SECTION, TextSection())
    first = take_first_rows(grown, 3)
    assert first.label_names == before.label_names == ["x", "z"]
    assert first.labels.tolist() == before.labels.tolist()
    assert first.texts.word_ids.tolist() == before.texts.word_ids.tolist()


@pytest.mark.parametrize(
    ("before", "after", "is_prefix"),
    [
        (OLD, f"{OLD}e,y\n", True),
        (OLD.rstrip("\n"), f"{OLD}e,y\n", True),
        (OLD, OLD, True),
        (OLD, f"{OLD.replace('c', 'C')}e,y\n", False),
        (OLD, OLD[:-5], False),
    ],
)
def test_a_file_to_which_rows_were_appended_is_recognised(
    before: str, after: str, *, is_prefix: bool
) -> None:
    Path("before.csv").write_text(before)
    Path("after.csv").write_text(after)
    sha256 = checksum(Path("before.csv"), "sha256")
    assert begins_with(Path("after.csv"), sha256) == is_prefix
