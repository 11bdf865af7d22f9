"""Batches: every text once, next to texts of its length, and exactly what was encoded."""

from itertools import chain

import numpy as np
import pytest
import torch

from rnncls.config.sections import TextSection
from rnncls.text.batching import (
    SMALLEST_PART,
    Batch,
    EncodedTexts,
    ResidentTexts,
    assemble,
    drop_words,
    encode_texts,
    iter_batches,
    number_words,
    plan_epoch,
    plan_in_order_of_length,
    share_out,
)
from rnncls.text.tokenizer import tokenize_texts
from rnncls.text.vocab import PAD, UNK_ID, Vocab

VOCAB = Vocab([PAD, "<unk>", "a", "b", "c"])


def encoded(*texts: str) -> EncodedTexts:
    return encode_texts(
        tokenize_texts(list(texts), TextSection(tokenizer="whitespace", clean=False)),
        VOCAB,
    )


def lengths_of(num_texts: int) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.random.default_rng(0).integers(1, 40, num_texts)


def test_a_batch_holds_the_texts_padded_to_the_longest() -> None:
    batch = assemble(encoded("a b c", "c", "b zzz"), np.array([1, 0, 2]))
    assert batch.token_ids.tolist() == [[4, 0, 0], [2, 3, 4], [3, UNK_ID, 0]]
    assert batch.lengths.tolist() == [1, 3, 2]
    assert batch.is_ragged
    assert batch.rows.tolist() == [1, 0, 2]


def test_a_batch_of_one_length_is_not_ragged_and_has_no_padding() -> None:
    batch = assemble(encoded("a b", "c", "b c"), np.array([2, 0]))
    assert batch.token_ids.tolist() == [[3, 4], [2, 3]]
    assert not batch.is_ragged


def test_a_batch_is_of_int64() -> None:
    batch = assemble(encoded("a"), np.array([0]))
    assert batch.token_ids.dtype == batch.lengths.dtype == torch.int64


def test_selected_texts_share_their_tokens() -> None:
    texts = encoded("a", "b c", "c")
    chosen = texts.select(np.array([2, 1]))
    assert chosen.token_ids is texts.token_ids
    assert assemble(chosen, np.array([0, 1])).token_ids.tolist() == [[4, 0], [3, 4]]


@pytest.mark.parametrize("num_texts", [1, 7, 8, 1000])
def test_an_epoch_has_every_row_once(num_texts: int) -> None:
    plan = plan_epoch(lengths_of(num_texts), 8, seed=0, epoch=0)
    assert sorted(np.concatenate(plan).tolist()) == list(range(num_texts))


def test_all_batches_but_one_are_full() -> None:
    sizes = sorted(
        len(rows) for rows in plan_epoch(lengths_of(1003), 8, seed=0, epoch=0)
    )
    assert sizes == [3] + [8] * 125


def test_padding_stays_under_one_percent_of_the_positions() -> None:
    lengths = lengths_of(20_000)
    plan = plan_epoch(lengths, 128, seed=0, epoch=0)
    positions = sum(len(rows) * int(lengths[rows].max()) for rows in plan)
    assert 1 - lengths.sum() / positions < 0.01


def test_an_epoch_is_planned_the_same_from_the_same_seed() -> None:
    first, second = (plan_epoch(lengths_of(100), 8, seed=3, epoch=2) for _ in range(2))
    assert [rows.tolist() for rows in first] == [rows.tolist() for rows in second]


@pytest.mark.parametrize(("seed", "epoch"), [(1, 0), (0, 1)])
def test_another_seed_or_epoch_is_another_order_and_other_neighbours(
    seed: int, epoch: int
) -> None:
    lengths = lengths_of(1000)
    first = plan_epoch(lengths, 8, seed=0, epoch=0)
    other = plan_epoch(lengths, 8, seed=seed, epoch=epoch)
    assert [rows.tolist() for rows in first] != [rows.tolist() for rows in other]
    assert {frozenset(rows.tolist()) for rows in first}.isdisjoint(
        {frozenset(rows.tolist()) for rows in other}
    )


UNEQUAL = np.repeat([0, 1, 2], [900, 90, 11])  # labels of 1,001 rows


def balanced_epoch(epoch: int = 0) -> list[list[int]]:
    plan = plan_epoch(lengths_of(1001), 16, seed=3, epoch=epoch, balance=UNEQUAL)
    return [rows.tolist() for rows in plan]


def test_a_balanced_epoch_has_as_many_rows_of_each_class() -> None:
    rows = np.concatenate(
        plan_epoch(lengths_of(1001), 16, seed=3, epoch=0, balance=UNEQUAL)
    )
    assert sorted(np.bincount(UNEQUAL[rows])) == [333, 334, 334]


def test_a_balanced_epoch_takes_no_row_again_before_all_others_of_its_class() -> None:
    times = np.bincount(
        np.concatenate(
            plan_epoch(lengths_of(1001), 16, seed=3, epoch=0, balance=UNEQUAL)
        )
    )
    # 333 or 334 of 900 rows; 3 rounds of 90 and some more; 30 rounds of 11 and some
    # more.
    for label, fewest in enumerate([0, 3, 30]):
        assert set(times[label == UNEQUAL]) == {fewest, fewest + 1}


def test_a_balanced_epoch_is_a_function_of_the_seed_and_the_epoch() -> None:
    assert balanced_epoch() == balanced_epoch()
    assert balanced_epoch() != balanced_epoch(epoch=1)


def test_a_balanced_epoch_is_batched_by_length_too() -> None:
    lengths = lengths_of(20_000)
    plan = plan_epoch(
        lengths,
        128,
        seed=0,
        epoch=0,
        balance=(np.arange(20_000) % 50 == 0).astype(np.int64),
    )
    positions = sum(len(rows) * int(lengths[rows].max()) for rows in plan)
    assert 1 - sum(lengths[rows].sum() for rows in plan) / positions < 0.01


def test_batches_come_in_no_order_of_length() -> None:
    lengths = lengths_of(1000)
    longest = [
        int(lengths[rows].max()) for rows in plan_epoch(lengths, 8, seed=0, epoch=0)
    ]
    assert longest != sorted(longest)


def test_an_evaluation_goes_from_short_to_long_and_keeps_ties_in_order() -> None:
    plan = plan_in_order_of_length(np.array([3, 1, 3, 2, 1]), 2)
    assert [rows.tolist() for rows in plan] == [[1, 4], [3, 0], [2]]


def test_a_batch_stays_where_it_is_on_its_own_device() -> None:
    batch = assemble(encoded("a"), np.array([0]))
    assert batch.to(torch.device("cpu")) is batch


def test_a_batch_moves_to_another_device() -> None:
    moved: Batch = assemble(encoded("a"), np.array([0])).to(torch.device("meta"))
    assert {
        each.device.type for each in (moved.token_ids, moved.lengths, moved.numbers)
    } == {"meta"}


def test_a_part_of_a_batch_is_as_wide_as_the_whole() -> None:
    batch = assemble(encoded("a b c", "c", "b zzz", "a"), np.array([1, 0, 2, 3]))
    part = batch.of(slice(2, 4))
    assert part.token_ids.tolist() == [[3, UNK_ID, 0], [2, 0, 0]]
    assert part.lengths.tolist() == [2, 1]
    assert part.rows.tolist() == part.numbers.tolist() == [2, 3]
    assert part.is_ragged
    assert len(part) == 2


@pytest.mark.parametrize("batch_size", [1, 3, 4, 100])
def test_texts_on_a_device_make_the_same_batches(batch_size: int) -> None:
    texts = encoded("a b c", "c", "b zzz", "a a", "c c c", "b b", "a c").select(
        np.array([6, 0, 3, 2, 4])
    )
    plan = plan_epoch(texts.lengths, batch_size, seed=0, epoch=0)
    found = list(ResidentTexts(texts, torch.device("cpu")).iter_batches(plan))
    for batch, expected in zip(found, iter_batches(texts, plan), strict=True):
        assert torch.equal(batch.token_ids, expected.token_ids)
        assert batch.token_ids.dtype == batch.numbers.dtype == torch.int64
        assert torch.equal(batch.lengths, expected.lengths)
        assert batch.is_ragged == expected.is_ragged
        assert (
            batch.rows.tolist() == batch.numbers.tolist() == expected.numbers.tolist()
        )


def test_texts_on_a_device_make_no_batch_of_an_empty_plan() -> None:
    assert list(ResidentTexts(encoded("a"), torch.device("cpu")).iter_batches([])) == []


def big_batch() -> Batch:
    words = np.random.default_rng(0).integers(2, 5, 3000).tolist()
    texts = [
        " ".join(VOCAB.words[word] for word in words[start : start + 30])
        for start in range(0, 3000, 30)
    ]
    return assemble(encoded(*texts), np.arange(100))


def test_dropped_words_become_unk_and_all_others_stay() -> None:
    batch = big_batch()
    dropped = drop_words(batch, 0.3, torch.Generator().manual_seed(0))
    changed = dropped.token_ids != batch.token_ids
    assert (dropped.token_ids[changed] == UNK_ID).all()
    assert changed.double().mean().item() == pytest.approx(0.3, abs=0.03)
    assert dropped.lengths is batch.lengths
    assert dropped.rows is batch.rows


def test_a_share_of_zero_drops_no_words() -> None:
    batch = big_batch()
    assert drop_words(batch, 0.0, torch.Generator()) is batch


def test_dropping_words_leaves_the_batch_as_it_is() -> None:
    batch = big_batch()
    before = batch.token_ids.clone()
    drop_words(batch, 0.9, torch.Generator().manual_seed(0))
    assert torch.equal(batch.token_ids, before)


def test_dropped_words_are_a_function_of_the_generator() -> None:
    first, again, other = (
        drop_words(big_batch(), 0.3, torch.Generator().manual_seed(seed)).token_ids
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_numbered_words_are_the_words_of_before() -> None:
    batch = assemble(encoded("a c", "c", "zzz a"), np.array([0, 1, 2]))
    words, numbered = number_words(batch, len(VOCAB))
    assert words.tolist() == [0, UNK_ID, 2, 4]  # each once, and no b
    assert torch.equal(words[numbered.token_ids], batch.token_ids)
    assert numbered.lengths is batch.lengths
    assert numbered.rows is batch.rows
    assert numbered.is_ragged == batch.is_ragged


@pytest.mark.parametrize(
    ("texts", "expected"),
    [(["a c", "c"], [0, 2, 4, 0]), (["a a", "c c"], [2, 4, 0, 0])],
)
def test_numbered_without_a_wait_words_are_filled_up_with_padding(
    texts: list[str], expected: list[int]
) -> None:
    batch = assemble(encoded(*texts), np.arange(2))
    words, numbered = number_words(batch, len(VOCAB), may_wait=False)
    assert words.tolist() == expected
    assert torch.equal(words[numbered.token_ids], batch.token_ids)


def test_there_are_never_more_numbered_words_than_words() -> None:
    batch = assemble(encoded("a b c a b c a b", "c"), np.arange(2))
    assert len(number_words(batch, len(VOCAB), may_wait=False)[0]) == len(VOCAB)


@pytest.mark.parametrize(
    "num_texts",
    [1, SMALLEST_PART - 1, SMALLEST_PART, 2 * SMALLEST_PART - 1, 32, 33, 100, 257],
)
@pytest.mark.parametrize("num_parts", [1, 2, 3, 16])
def test_texts_are_shared_out_once_in_parts_that_are_equal_and_not_too_small(
    num_texts: int, num_parts: int
) -> None:
    parts = [list(range(num_texts))[part] for part in share_out(num_texts, num_parts)]
    assert list(chain(*parts)) == list(range(num_texts))
    sizes = [len(part) for part in parts]
    assert len(parts) == 1 or min(sizes) >= SMALLEST_PART
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) <= num_parts


@pytest.mark.parametrize("num_texts", [0, 1, 2, 3, 100, 257])
def test_what_several_processes_share_out_is_every_text_once_and_as_long_for_each(
    num_texts: int,
) -> None:
    lengths = np.arange(num_texts) // 4 + 1  # in order, as in a batch
    shares = [
        [
            text
            for part in share_out(num_texts, 2, first=first, every=3)
            for text in range(num_texts)[part]
        ]
        for first in range(3)
    ]
    assert sorted(chain(*shares)) == list(range(num_texts))
    tokens = [int(lengths[share].sum()) for share in shares]
    assert max(tokens) - min(tokens) <= max(lengths, default=0)


def test_as_many_parts_as_asked_for_where_there_are_texts_enough() -> None:
    assert share_out(2 * SMALLEST_PART, 2) == [
        slice(0, SMALLEST_PART, 1),
        slice(SMALLEST_PART, 2 * SMALLEST_PART, 1),
    ]
