"""Batches, and their division among threads."""

from itertools import chain

import numpy as np
import pytest
import torch

from rnncls.config.sections import TextSection
from rnncls.text.batch_plans import plan_epoch
from rnncls.text.batching import (
    MIN_TEXTS_PER_THREAD,
    Batch,
    ResidentTexts,
    assemble,
    batch_iterator,
    drop_words,
    iter_batches,
    shard,
    unique_words,
)
from rnncls.text.encoded_texts import EncodedTexts, encode_texts
from rnncls.text.tokenizer import tokenize_texts
from rnncls.text.vocab import PAD, PAD_ID, UNK_ID, Vocab

VOCAB = Vocab([PAD, "<unk>", "a", "b", "c"])


def encoded(*texts: str) -> EncodedTexts:
    return encode_texts(
        tokenize_texts(list(texts), TextSection(tokenizer="whitespace", clean=False)),
        VOCAB,
    )


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


def test_a_batch_stays_where_it_is_on_its_own_device() -> None:
    batch = assemble(encoded("a"), np.array([0]))
    assert batch.to(torch.device("cpu")) is batch


def test_a_batch_moves_to_another_device() -> None:
    moved: Batch = assemble(encoded("a"), np.array([0])).to(torch.device("meta"))
    assert {
        each.device.type for each in (moved.token_ids, moved.lengths, moved.device_rows)
    } == {"meta"}


def test_a_part_of_a_batch_is_as_wide_as_the_whole() -> None:
    batch = assemble(encoded("a b c", "c", "b zzz", "a"), np.array([1, 0, 2, 3]))
    part = batch[2:4]
    assert part.token_ids.tolist() == [[3, UNK_ID, 0], [2, 0, 0]]
    assert part.lengths.tolist() == [2, 1]
    assert part.rows.tolist() == part.device_rows.tolist() == [2, 3]
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
        assert batch.token_ids.dtype == batch.device_rows.dtype == torch.int64
        assert torch.equal(batch.lengths, expected.lengths)
        assert batch.is_ragged == expected.is_ragged
        assert (
            batch.rows.tolist()
            == batch.device_rows.tolist()
            == expected.device_rows.tolist()
        )


def test_only_a_cuda_device_builds_its_batches_itself() -> None:
    iterate = batch_iterator(encoded("a b", "c"), torch.device("cpu"))
    (batch,) = iterate([np.array([1, 0])])
    assert batch.token_ids.tolist() == [[4, 0], [2, 3]]
    assert not isinstance(getattr(iterate, "__self__", None), ResidentTexts)


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
    token_ids = big_batch().token_ids
    dropped = drop_words(token_ids, 0.3, torch.Generator().manual_seed(0))
    changed = dropped != token_ids
    assert (dropped[changed] == UNK_ID).all()
    assert changed.double().mean().item() == pytest.approx(0.3, abs=0.03)


def test_padding_is_never_dropped() -> None:
    token_ids = torch.tensor([[2, 3, PAD_ID], [4, PAD_ID, PAD_ID]])
    dropped = drop_words(token_ids, 0.999999, torch.Generator().manual_seed(0))
    assert dropped.tolist() == [[UNK_ID, UNK_ID, PAD_ID], [UNK_ID, PAD_ID, PAD_ID]]


def test_a_probability_of_zero_drops_no_words() -> None:
    token_ids = big_batch().token_ids
    assert drop_words(token_ids, 0.0, torch.Generator()) is token_ids


def test_dropping_words_does_not_change_its_input() -> None:
    token_ids = big_batch().token_ids
    before = token_ids.clone()
    drop_words(token_ids, 0.9, torch.Generator().manual_seed(0))
    assert torch.equal(token_ids, before)


def test_dropped_words_are_a_function_of_the_generator() -> None:
    token_ids = big_batch().token_ids
    first, second, other = (
        drop_words(token_ids, 0.3, torch.Generator().manual_seed(seed))
        for seed in (0, 0, 1)
    )
    assert torch.equal(first, second)
    assert not torch.equal(first, other)


def test_unique_words_are_those_of_torch_unique() -> None:
    token_ids = big_batch().token_ids
    word_ids, word_rows = unique_words(token_ids, len(VOCAB))
    expected_ids, expected_rows = torch.unique(token_ids, return_inverse=True)
    assert torch.equal(word_ids, expected_ids)
    assert torch.equal(word_rows, expected_rows)


def test_each_row_of_the_unique_words_is_the_word_of_its_token() -> None:
    token_ids = assemble(encoded("a c", "c", "zzz a"), np.array([0, 1, 2])).token_ids
    word_ids, word_rows = unique_words(token_ids, len(VOCAB))
    assert word_ids.tolist() == [0, UNK_ID, 2, 4]  # each once, and no b
    assert torch.equal(word_ids[word_rows], token_ids)


@pytest.mark.parametrize(
    ("texts", "expected"),
    [(["a c", "c"], [0, 2, 4, 0]), (["a a", "c c"], [2, 4, 0, 0])],
)
def test_without_waiting_the_unique_words_are_filled_up_with_padding(
    texts: list[str], expected: list[int]
) -> None:
    token_ids = assemble(encoded(*texts), np.arange(2)).token_ids
    word_ids, word_rows = unique_words(token_ids, len(VOCAB), may_wait=False)
    assert word_ids.tolist() == expected
    assert torch.equal(word_ids[word_rows], token_ids)


def test_there_are_never_more_unique_words_than_words() -> None:
    token_ids = assemble(encoded("a b c a b c a b", "c"), np.arange(2)).token_ids
    word_ids, _ = unique_words(token_ids, len(VOCAB), may_wait=False)
    assert len(word_ids) == len(VOCAB)


def test_the_mask_is_true_where_there_is_a_token() -> None:
    mask = assemble(encoded("a b c", "c"), np.array([0, 1])).mask()
    assert mask is not None
    assert mask.tolist() == [[True, True], [True, False], [True, False]]


def test_a_batch_of_one_length_needs_no_mask() -> None:
    assert assemble(encoded("a b", "b c"), np.array([0, 1])).mask() is None


@pytest.mark.parametrize(
    "num_texts",
    [
        1,
        MIN_TEXTS_PER_THREAD - 1,
        MIN_TEXTS_PER_THREAD,
        2 * MIN_TEXTS_PER_THREAD - 1,
        32,
        33,
        100,
        257,
    ],
)
@pytest.mark.parametrize("num_parts", [1, 2, 3, 16])
def test_shards_have_each_text_once_and_are_equal_and_not_too_small(
    num_texts: int, num_parts: int
) -> None:
    parts = [list(range(num_texts))[part] for part in shard(num_texts, num_parts)]
    assert list(chain(*parts)) == list(range(num_texts))
    sizes = [len(part) for part in parts]
    assert len(parts) == 1 or min(sizes) >= MIN_TEXTS_PER_THREAD
    assert max(sizes) - min(sizes) <= 1
    assert len(parts) <= num_parts


@pytest.mark.parametrize("num_texts", [0, 1, 2, 3, 100, 257])
def test_what_several_processes_shard_is_every_text_once_and_as_long_for_each(
    num_texts: int,
) -> None:
    lengths = np.arange(num_texts) // 4 + 1  # in order, as in a batch
    shares = [
        [
            text
            for part in shard(num_texts, 2, rank=rank, world_size=3)
            for text in range(num_texts)[part]
        ]
        for rank in range(3)
    ]
    assert sorted(chain(*shares)) == list(range(num_texts))
    tokens = [int(lengths[share].sum()) for share in shares]
    assert max(tokens) - min(tokens) <= max(lengths, default=0)


def test_there_is_a_shard_for_each_thread_if_there_are_enough_texts() -> None:
    assert shard(2 * MIN_TEXTS_PER_THREAD, 2) == [
        slice(0, MIN_TEXTS_PER_THREAD, 1),
        slice(MIN_TEXTS_PER_THREAD, 2 * MIN_TEXTS_PER_THREAD, 1),
    ]


def test_batches_of_texts_on_a_device_are_on_that_device() -> None:
    device = torch.device("meta")
    texts = ResidentTexts(encoded("a b", "c"), device)
    (batch,) = texts.iter_batches([np.array([0, 1])])
    for tensor in (batch.token_ids, batch.lengths, batch.device_rows):
        assert tensor.device == device
