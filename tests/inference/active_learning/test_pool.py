"""A pool has each text once, without those that are labelled."""

from pathlib import Path

from rnncls.config.sections import DataSection
from rnncls.inference.active_learning.pool import (
    PoolText,
    build_pool,
    iter_labelled_texts,
)


def test_labelled_texts_copies_and_empty_texts_are_left_out() -> None:
    chunks: list[tuple[list[str], list[list[str]]]] = [
        (["new", "Known  text", " "], []),
        (["NEW", "other", "<b>other</b>"], []),
    ]
    pool = build_pool(chunks, ["known text"])
    assert pool.items == [PoolText(1, "new", []), PoolText(5, "other", [])]
    assert (pool.num_rows, pool.num_labelled) == (6, 1)
    assert (pool.num_copies, pool.num_empty) == (2, 1)


def test_kept_values_stay_beside_their_texts() -> None:
    pool = build_pool([(["a", "a", "b"], [["1"], ["2"], ["3"]])], [])
    assert pool.items == [PoolText(1, "a", ["1"]), PoolText(3, "b", ["3"])]


def test_labelled_texts_are_those_of_all_files(tmp_path: Path) -> None:
    for name in ("train", "valid", "test", "more"):
        (tmp_path / f"{name}.csv").write_text(f"label,text\na,{name}\n")
    section = DataSection(
        train=str(tmp_path / "train.csv"),
        valid=str(tmp_path / "valid.csv"),
        test=str(tmp_path / "test.csv"),
        text=["text"],
    )
    further = [tmp_path / "more.csv"]
    found = list(iter_labelled_texts(section, further))
    assert found == ["train", "valid", "test", "more"]
