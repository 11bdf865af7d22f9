"""The dense kernels and their hand-written gradients."""

import copy
import itertools
import warnings

import pytest
import torch
from torch import nn

from rnncls.nn.kernels import LayerWeights, reorder, run_kernel
from rnncls.nn.states import compute_reverse_index
from rnncls.training.ema import WeightEMA
from tests.nn.builders import build, pad, texts


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_cell_in_bfloat16_has_its_own_type_around_it(cell: str) -> None:
    model = build(
        cell, bidirectional=True, num_layers=2, pooling=["last", "max", "mean"]
    )
    token_ids, lengths, is_ragged = pad(texts())
    logits = model(token_ids, lengths, is_ragged=is_ragged)
    coarse = model(token_ids, lengths, is_ragged=is_ragged, dtype=torch.bfloat16)
    assert coarse.dtype is logits.dtype
    assert not torch.equal(coarse, logits)
    torch.testing.assert_close(coarse, logits, rtol=0.02, atol=0.02)
    weights = list(model.parameters())
    exact, rough = (
        torch.autograd.grad(each.logsumexp(dim=1).sum(), weights)
        for each in (logits, coarse)
    )
    for expected, found in zip(exact, rough, strict=True):
        torch.testing.assert_close(found, expected, rtol=0.05, atol=0.01)


@pytest.mark.parametrize("num_steps", [1, 2, 9])
def test_the_gradient_of_a_plain_rnn_is_torchs_own(num_steps: int) -> None:
    torch.manual_seed(0)
    cell = nn.RNN(4, 3).double()
    inputs = torch.randn(num_steps, 5, 4, dtype=torch.float64, requires_grad=True)
    wanted = [inputs, *cell.all_weights[0]]
    states, expected = (
        run_kernel("RNN_TANH", inputs, LayerWeights(*cell.all_weights[0]), None),
        cell(inputs)[0],
    )  # [T, B, H]
    torch.testing.assert_close(states, expected)
    outer = torch.randn_like(states)
    found = torch.autograd.grad(states, wanted, outer)
    for own, theirs in zip(
        found, torch.autograd.grad(expected, wanted, outer), strict=True
    ):
        torch.testing.assert_close(own, theirs)
    # A step adds up gradients and clips them in place.
    assert len({own.data_ptr() for own in found}) == len(found)


@pytest.mark.parametrize("num_steps", [1, 4])
def test_the_gradient_of_a_plain_rnn_passes_gradcheck(num_steps: int) -> None:
    torch.manual_seed(0)
    cell = nn.RNN(4, 3).double()
    inputs = torch.randn(num_steps, 2, 4, dtype=torch.float64, requires_grad=True)

    def run(inputs: torch.Tensor, *weights: torch.Tensor) -> torch.Tensor:
        return run_kernel("RNN_TANH", inputs, LayerWeights(*weights), None)

    assert torch.autograd.gradcheck(run, (inputs, *cell.all_weights[0]))


@pytest.mark.parametrize("is_ragged", [False, True])
def test_the_gradient_of_reordering_passes_gradcheck(is_ragged: bool) -> None:
    lengths = torch.tensor([4, 1, 3])
    index = compute_reverse_index(lengths, 4, is_ragged=is_ragged)
    states = torch.randn(4, 3, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(reorder, (states, index))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm"])
def test_on_a_gpu_each_kernel_finds_its_weights_in_one_buffer(cell: str) -> None:
    model = build(cell, bidirectional=True, num_layers=2, pooling=["last"])
    token_ids, lengths, is_ragged = pad(texts())
    expected = model(token_ids, lengths, is_ragged=is_ragged)
    on_gpu = copy.deepcopy(model).cuda()
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # torch warns of weights that it has to copy
        logits = on_gpu(token_ids.cuda(), lengths.cuda(), is_ragged=is_ragged)
        logits.sum().backward()
    torch.testing.assert_close(logits.cpu(), expected, rtol=1e-3, atol=1e-3)
    average = WeightEMA(on_gpu, decay=0.9, steps_per_epoch=10).module
    for copied in (on_gpu, average, on_gpu.cpu().cuda()):
        cells = [part for part in copied.modules() if isinstance(part, nn.RNNBase)]
        for weights in itertools.chain.from_iterable(
            part.all_weights for part in cells
        ):
            buffers = {weight.untyped_storage().data_ptr() for weight in weights}
            assert len(buffers) == 1
