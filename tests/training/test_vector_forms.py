"""Word dropout that keeps pretrained vectors, against a loop over the tokens."""

import pytest
import torch

from rnncls.text.batching import drop_words
from rnncls.text.vocab import PAD_ID, UNK_ID
from rnncls.training.vector_forms import VectorFormFinder

NUM_ROWS, NUM_VECTOR_WORDS, WIDTH = 40, 9, 3


def make_embedding() -> torch.Tensor:
    """Return an embedding whose last rows have three columns that are not 0."""
    embedding = torch.randn(NUM_ROWS, 5, generator=torch.manual_seed(0))
    embedding[PAD_ID] = 0
    embedding[-NUM_VECTOR_WORDS:, WIDTH:] = 0
    return embedding


@pytest.mark.parametrize("may_wait", [True, False])
@pytest.mark.parametrize("drop_prob", [0.0, 0.4, 1.0])
def test_half_of_the_dropped_words_keep_the_columns_of_the_vectors(
    drop_prob: float, *, may_wait: bool
) -> None:
    embedding = make_embedding()
    token_ids = torch.randint(2, NUM_ROWS, (8, 12), generator=torch.manual_seed(1))
    token_ids[3, 7:] = PAD_ID
    finder = VectorFormFinder(NUM_VECTOR_WORDS)
    rows, forms, parts = finder.find_forms(
        token_ids, embedding, drop_prob, torch.manual_seed(2), may_wait=may_wait
    )
    assert parts is not None
    found = parts.compose(embedding[rows])[forms]  # [B, T, E]
    generator = torch.manual_seed(2)
    half = drop_prob / 2
    is_unknown = drop_words(token_ids, half, generator) != token_ids
    read_ids = token_ids.masked_fill(is_unknown, UNK_ID)
    is_reduced = drop_words(read_ids, half / (1 - half), generator) != read_ids
    if drop_prob == 1.0:
        assert ((read_ids <= UNK_ID) | is_reduced).all()
    expected = embedding[read_ids].clone()
    expected[is_reduced, WIDTH:] = 0
    assert torch.equal(found, expected)
    if drop_prob == 0.4:
        for dropped in (is_unknown, is_reduced):
            assert 0.1 < dropped.float().mean() < 0.3


def test_the_last_columns_of_a_dropped_word_have_no_gradient() -> None:
    embedding = make_embedding()
    token_ids = torch.arange(5, 13)[None]
    finder = VectorFormFinder(NUM_VECTOR_WORDS)
    rows, forms, parts = finder.find_forms(
        token_ids, embedding, 1.0, torch.manual_seed(0), may_wait=True
    )
    assert parts is not None
    leaf = embedding[rows].requires_grad_()
    parts.compose(leaf)[forms].sum().backward()  # type: ignore[no-untyped-call]
    assert leaf.grad is not None
    is_word = rows != UNK_ID
    assert is_word.any()
    assert leaf.grad[is_word][:, :WIDTH].eq(1).all()
    assert leaf.grad[is_word][:, WIDTH:].eq(0).all()


def test_vectors_of_zeros_have_no_columns() -> None:
    assert VectorFormFinder(2).find_width(torch.zeros(4, 3)) == 0
