"""Batches: every text once, next to texts of its length, and exactly what was encoded."""

import numpy as np
import pytest
import torch

from rnncls.batching import Batch, EncodedTexts, assemble, encode_texts, plan_epoch, plan_in_order_of_length
from rnncls.tokenizer import tokenize_texts
from rnncls.vocab import PAD, UNK_ID, Vocab

VOCAB = Vocab([PAD, "<unk>", "a", "b", "c"])


def encoded(*texts: str) -> EncodedTexts:
    return encode_texts(tokenize_texts([list(texts)], str.split), VOCAB)


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
    sizes = sorted(len(rows) for rows in plan_epoch(lengths_of(1003), 8, seed=0, epoch=0))
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
def test_another_seed_or_epoch_is_another_order_and_other_neighbours(seed: int, epoch: int) -> None:
    lengths = lengths_of(1000)
    first = plan_epoch(lengths, 8, seed=0, epoch=0)
    other = plan_epoch(lengths, 8, seed=seed, epoch=epoch)
    assert [rows.tolist() for rows in first] != [rows.tolist() for rows in other]
    assert {frozenset(rows.tolist()) for rows in first}.isdisjoint({frozenset(rows.tolist()) for rows in other})


def test_batches_come_in_no_order_of_length() -> None:
    lengths = lengths_of(1000)
    longest = [int(lengths[rows].max()) for rows in plan_epoch(lengths, 8, seed=0, epoch=0)]
    assert longest != sorted(longest)


def test_an_evaluation_goes_from_short_to_long_and_keeps_ties_in_order() -> None:
    plan = plan_in_order_of_length(np.array([3, 1, 3, 2, 1]), 2)
    assert [rows.tolist() for rows in plan] == [[1, 4], [3, 0], [2]]


def test_a_batch_stays_where_it_is_on_its_own_device() -> None:
    batch = assemble(encoded("a"), np.array([0]))
    assert batch.to(torch.device("cpu")) is batch


def test_a_batch_moves_to_another_device() -> None:
    moved: Batch = assemble(encoded("a"), np.array([0])).to(torch.device("meta"))
    assert moved.token_ids.device.type == moved.lengths.device.type == "meta"
