"""Texts are chosen that are unlike each other."""

import pytest
import torch

from rnncls.config.sections import TextSection
from rnncls.inference.active_learning.diversity import (
    choose_centres,
    compute_errors,
    order_near_copies_last,
    sample_gradients,
)
from rnncls.text.tokenizer import tokenize_texts

LINE = torch.tensor([[0.0], [1.0], [10.0], [11.0], [5.0]])


def test_near_copies_follow_all_other_texts() -> None:
    words = "one two three four five six seven eight nine ten eleven twelve"
    texts = [f"{words} a", "other", f"{words} b", "more", f"{words} c"]
    order = order_near_copies_last(tokenize_texts(texts, TextSection()))
    assert order == [0, 1, 3, 2, 4]


def test_each_centre_is_the_text_farthest_from_the_others() -> None:
    assert choose_centres(LINE, 3) == [0, 3, 4]


def test_existing_texts_are_centres_already() -> None:
    existing = torch.tensor([[0.0], [11.0]])
    assert choose_centres(LINE, 2, existing) == [4, 1]


def test_all_texts_can_be_chosen_although_some_are_the_same() -> None:
    states = torch.zeros(4, 2)
    assert sorted(choose_centres(states, 4)) == [0, 1, 2, 3]


def test_errors_are_probabilities_minus_the_prediction() -> None:
    probs = torch.tensor([[0.7, 0.3], [0.25, 0.75]])
    one_label = compute_errors(probs, has_several_labels=False)
    assert one_label.tolist() == [
        pytest.approx([-0.3, 0.3]),
        pytest.approx([0.25, -0.25]),
    ]
    several = compute_errors(torch.tensor([[0.7, 0.6]]), has_several_labels=True)
    assert several.tolist() == [pytest.approx([-0.3, -0.4])]


def test_gradients_that_are_long_and_different_are_drawn() -> None:
    errors = torch.tensor([[0.5, -0.5], [0.5, -0.5], [0.01, -0.01], [-0.5, 0.5]])
    states = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    for seed in range(5):
        generator = torch.Generator().manual_seed(seed)
        # The second one is the same as the first one, the third one is short.
        chosen = sample_gradients(states, errors, 2, generator)
        assert chosen in ([0, 3], [0, 2])


def test_gradients_have_the_distances_of_their_outer_products() -> None:
    generator = torch.Generator().manual_seed(0)
    states = torch.randn(6, 3, generator=generator)
    errors = torch.randn(6, 2, generator=generator)
    gradients = (errors[:, :, None] * states[:, None, :]).flatten(1)  # [6, 2 * 3]
    first = int(gradients.norm(dim=1).argmax())
    assert sample_gradients(states, errors, 1, generator) == [first]
    assert sorted(sample_gradients(states, errors, 6, generator)) == list(range(6))


def test_texts_without_any_gradient_are_drawn_in_order() -> None:
    generator = torch.Generator()
    zeros = torch.zeros(3, 2)
    assert sample_gradients(torch.ones(3, 2), zeros, 3, generator) == [0, 1, 2]
