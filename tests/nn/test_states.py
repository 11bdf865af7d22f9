"""States of two directions: joining them, and reversing texts within their length."""

import pytest
import torch

from rnncls.nn.states import compute_reverse_index
from tests.nn.builders import draw_states, naive_join


@pytest.mark.parametrize("bidirectional", [False, True])
def test_joined_states_stand_at_their_tokens(bidirectional: bool) -> None:
    lengths = torch.tensor([5, 1, 3])
    states = draw_states(lengths, bidirectional=bidirectional)
    joined = states.joined()
    for text, expected in enumerate(naive_join(states, lengths)):
        torch.testing.assert_close(
            joined[: len(expected), text], expected, rtol=0, atol=0
        )


def test_reversal_turns_each_text_round_and_keeps_padding() -> None:
    order = compute_reverse_index(torch.tensor([3, 1, 4]), 4)
    steps = torch.tensor([[10, 20, 30], [11, 0, 31], [12, 0, 32], [0, 0, 33]])
    assert steps.flatten()[order].view(4, 3).tolist() == [
        [12, 20, 33],
        [11, 0, 32],
        [10, 0, 31],
        [0, 0, 30],
    ]


@pytest.mark.parametrize("is_ragged", [False, True])
def test_the_reverse_index_is_on_the_device_of_the_lengths(is_ragged: bool) -> None:
    lengths = torch.tensor([3, 2], device="meta")
    index = compute_reverse_index(lengths, 3, is_ragged=is_ragged)
    assert index.device.type == "meta"
