"""Poolings: worked by hand, against autograd and gradcheck, and their running form."""

from typing import get_args

import pytest
import torch

from rnncls.config import sections
from rnncls.nn.pooling import POOLINGS, Pooling
from rnncls.nn.states import States
from tests.nn.builders import draw_states, naive_join


def naive_pool(name: str, states: States, lengths: torch.Tensor) -> torch.Tensor:
    rows = naive_join(states, lengths)
    last = [torch.cat([row[-1, :2], row[0, 2:]]) for row in rows]
    return torch.stack(
        {
            "last": last,
            "max": [r.amax(0) for r in rows],
            "mean": [r.mean(0) for r in rows],
        }[name]
    )


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("last", [[30.0, 3.0], [10.0, 9.0]]),
        ("max", [[30.0, 3.0], [10.0, 9.0]]),
        ("mean", [[20.0, 2.0], [10.0, 9.0]]),
    ],
)
def test_pooling_by_hand(name: str, expected: list[list[float]]) -> None:
    states = torch.tensor(
        [[[10.0, 1], [20, 2], [30, 3]], [[10, 9], [99, 99], [99, 99]]]
    ).transpose(0, 1)
    pooled = Pooling([name], 2)(States(states), torch.tensor([3, 1]), is_ragged=True)
    torch.testing.assert_close(pooled, torch.tensor(expected))


@pytest.mark.parametrize(
    "names", [["last"], ["max"], ["mean"], ["mean", "max"], ["last", "max", "mean"]]
)
@pytest.mark.parametrize("lengths", [[5, 5, 5], [5, 1, 3]])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_gradient_of_the_pooling_is_autograds(
    names: list[str], lengths: list[int], bidirectional: bool
) -> None:
    sizes = torch.tensor(lengths)
    states = draw_states(sizes, bidirectional=bidirectional)
    leaves = (
        [states.forward]
        if states.backward is None
        else [states.forward, states.backward]
    )
    found = Pooling(names, 2 * len(leaves))(states, sizes, is_ragged=min(lengths) < 5)
    expected = torch.cat([naive_pool(name, states, sizes) for name in names], dim=1)
    torch.testing.assert_close(found, expected)
    weights = torch.randn(
        found.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1)
    )
    torch.testing.assert_close(
        torch.autograd.grad((found * weights).sum(), leaves),
        torch.autograd.grad((expected * weights).sum(), leaves),
    )


def test_every_pooling_of_the_config_exists() -> None:
    assert set(POOLINGS) == set(get_args(sections.Pooling))


@pytest.mark.parametrize("names", [*([name] for name in POOLINGS), [*POOLINGS]])
@pytest.mark.parametrize("lengths", [[4, 4], [4, 1]])
def test_each_pooling_passes_gradcheck(names: list[str], lengths: list[int]) -> None:
    torch.manual_seed(0)
    sizes = torch.tensor(lengths)
    states = draw_states(sizes, bidirectional=True)
    pooling = Pooling(names, 4).double()

    def run(forward: torch.Tensor, backward: torch.Tensor) -> torch.Tensor:
        directions = States(forward, backward, states.reverse_index)
        result: torch.Tensor = pooling(directions, sizes, is_ragged=min(lengths) < 4)
        return result

    leaves = states.directions()
    assert torch.autograd.gradcheck(run, leaves)


@pytest.mark.parametrize("names", [*([name] for name in POOLINGS), [*POOLINGS]])
def test_the_running_form_equals_the_pooling_of_each_prefix(names: list[str]) -> None:
    torch.manual_seed(0)
    states = draw_states(torch.tensor([5]), bidirectional=False).forward
    pooling = Pooling(names, 2).double()
    running = pooling.running()
    for num_read in range(1, 6):
        found = running.add(states[num_read - 1, 0])
        prefix = States(states[:num_read])
        expected = pooling(prefix, torch.tensor([num_read]), is_ragged=False)[0]
        torch.testing.assert_close(found, expected)
