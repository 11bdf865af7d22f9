"""Random numbers that depend on a seed and a step only."""

import pytest
import torch

from rnncls.machine.seeds import generator_of, seed_everything

CPU = torch.device("cpu")
needs_cuda = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device"
)


def test_one_seed_draws_the_same_numbers_again() -> None:
    seed_everything(7)
    first = torch.rand(5)
    seed_everything(7)
    assert torch.equal(torch.rand(5), first)


def test_another_seed_draws_other_numbers() -> None:
    seed_everything(7)
    first = torch.rand(5)
    seed_everything(8)
    assert not torch.equal(torch.rand(5), first)


def rand(*numbers: int, device: torch.device = CPU) -> torch.Tensor:
    return torch.rand(5, generator=generator_of(device, *numbers), device=device)


def test_a_generator_is_a_function_of_its_numbers() -> None:
    first = rand(7, 3)
    torch.rand(100)
    assert torch.equal(rand(7, 3), first)


@pytest.mark.parametrize("numbers", [(7, 4), (8, 3), (3, 7), (7,)])
def test_another_seed_or_step_has_another_generator(numbers: tuple[int, ...]) -> None:
    assert not torch.isin(rand(*numbers), rand(7, 3)).any()


def test_no_two_steps_draw_the_same_number() -> None:
    assert (
        len({number for step in range(1000) for number in rand(0, step).tolist()})
        > 4990
    )


def test_a_generator_leaves_the_global_stream_where_it_is() -> None:
    before = torch.get_rng_state()
    rand(7, 3)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.gpu
@needs_cuda
def test_a_generator_is_a_function_of_its_numbers_on_the_device_too() -> None:
    device = torch.device("cuda")
    first = rand(7, 3, device=device)
    torch.rand(100, device=device)
    assert torch.equal(rand(7, 3, device=device), first)
    assert not torch.equal(rand(7, 4, device=device), first)
