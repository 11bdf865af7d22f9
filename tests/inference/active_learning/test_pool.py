"""A pool has each text once, without those that are labelled."""

import pytest

from rnncls.inference.active_learning import pool as pool_module
from rnncls.inference.active_learning.pool import Pool, PoolRow, PoolText


def read(pool: Pool) -> list[PoolText]:
    return [text for block in pool.read_blocks() for text in block]


def test_labelled_texts_copies_and_empty_texts_are_left_out() -> None:
    texts = ["new", "Known  text", " ", "NEW", "other", "<b>other</b>"]
    pool = Pool([PoolRow(text, []) for text in texts], ["known text"])
    assert read(pool) == [PoolText(1, "new", []), PoolText(5, "other", [])]
    counts = pool.counts
    assert (counts.num_rows, counts.num_labelled) == (6, 1)
    assert (counts.num_copies, counts.num_empty) == (2, 1)
    assert counts.num_unlabelled == 2


def test_rows_with_a_label_and_their_copies_are_left_out() -> None:
    rows = [PoolRow("a", [], is_labelled=True), PoolRow("A", []), PoolRow("b", [])]
    pool = Pool(rows, [])
    assert read(pool) == [PoolText(3, "b", [])]
    assert pool.counts.num_labelled == 2


def test_kept_values_stay_beside_their_texts() -> None:
    rows = [PoolRow("a", ["1"]), PoolRow("a", ["2"]), PoolRow("b", ["3"])]
    assert read(Pool(rows, [])) == [PoolText(1, "a", ["1"]), PoolText(3, "b", ["3"])]


def test_blocks_have_the_same_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool_module, "TEXTS_IN_BLOCK", 2)
    pool = Pool([PoolRow(text, []) for text in "abcacde"], [])
    sizes = [len(block) for block in pool.read_blocks()]
    assert sizes == [2, 2, 1]
