"""Plain poolings: how their hand-written gradients are shared among the states."""

import pytest
import torch

from rnncls.nn.plain_poolings import PLAIN_POOLINGS, pool
from tests.nn.builders import draw_states


def test_equal_tops_share_the_gradient_alike() -> None:
    states = torch.tensor([[[2.0]], [[1.0]], [[2.0]]], requires_grad=True)
    (top,) = pool(states, torch.tensor([3]), None, ["max"])
    top.sum().backward()  # type: ignore[no-untyped-call]
    assert states.grad is not None
    assert states.grad.flatten().tolist() == [0.5, 0.0, 0.5]


def test_padding_that_equals_the_top_takes_no_share_of_its_gradient() -> None:
    states = torch.tensor(
        [[[2.0]], [[1.0]], [[2.0]]], requires_grad=True
    )  # the last one is padding
    inside = torch.tensor([[True], [True], [False]])
    (top,) = pool(states, torch.tensor([2]), inside, ["max"])
    assert torch.autograd.grad(top.sum(), states)[0].flatten().tolist() == [
        1.0,
        0.0,
        0.0,
    ]


@pytest.mark.parametrize("name", PLAIN_POOLINGS)
def test_each_plain_pooling_has_a_gradient_of_its_own(name: str) -> None:
    states = draw_states(torch.tensor([3]), bidirectional=False).forward
    (pooled,) = pool(states, torch.tensor([3]), None, [name])
    (gradient,) = torch.autograd.grad(pooled.sum(), states)
    torch.testing.assert_close(gradient.sum(dim=0), torch.ones(1, 2).double())
