"""Dense kernels of one layer in one direction, two of them with their own gradient.

A CPU runs each direction faster as a separate call of torch's dense kernel than both in
one call, and more than three times as fast as a ragged `PackedSequence`
(docs/results/performance.md). `_TanhRnn` and `_Reorder` have hand-written gradients
because autograd's are slower; tests/nn/test_kernels.py checks both with `gradcheck`.

Tensors are laid out step by step, [T, B, …], as the cells read and write them.

Shapes: B texts, T tokens in the longest of them, E width of a layer's input, H
hidden_size, G gates of a cell.
"""

import itertools
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable
from torch.backends.cudnn.rnn import get_cudnn_mode

_KERNELS: dict[str, Callable[..., tuple[torch.Tensor, ...]]] = {
    "RNN_TANH": torch.rnn_tanh,
    "LSTM": torch.lstm,
    "GRU": torch.gru,
}


class LayerWeights(NamedTuple):
    """The weights of one layer in one direction, in torch's order.

    Attributes:
        input: [G * H, E], from the layer's input.
        recurrent: [G * H, H], from the previous state.
        input_bias: [G * H].
        recurrent_bias: [G * H].
    """

    input: torch.Tensor
    recurrent: torch.Tensor
    input_bias: torch.Tensor
    recurrent_bias: torch.Tensor


def run_kernel(
    mode: str,
    inputs: torch.Tensor,
    weights: LayerWeights,
    dtype: torch.dtype | None,
) -> torch.Tensor:
    """Run one layer in one direction, starting from a zero state.

    Args:
        mode: torch's name of the cell: RNN_TANH, LSTM or GRU.
        inputs: [T, B, E].
        weights: The layer's weights.
        dtype: The dtype to compute in; None: the dtype of the inputs.

    Returns:
        [T, B, H], in the dtype of the inputs.
    """
    outer_dtype = inputs.dtype
    dtype = dtype or outer_dtype
    inputs = inputs.to(dtype)
    cast_weights = [weight.to(dtype) for weight in weights]
    is_on_cpu = inputs.device.type == "cpu"
    if mode == "RNN_TANH" and is_on_cpu and torch.is_grad_enabled():
        return _TanhRnn.apply(inputs, *cast_weights).to(outer_dtype)  # type: ignore[no-any-return, no-untyped-call]
    return _run_torch_kernel(mode, inputs, cast_weights).to(outer_dtype)


def _run_torch_kernel(
    mode: str, inputs: torch.Tensor, weights: list[torch.Tensor]
) -> torch.Tensor:
    batch_size, hidden_size = inputs.shape[1], weights[1].shape[1]
    zeros = inputs.new_zeros(1, batch_size, hidden_size)  # [1, B, H]
    initial_state = (zeros, zeros) if mode == "LSTM" else zeros
    has_biases, num_layers, dropout = True, 1, 0.0
    is_training = torch.is_grad_enabled()
    bidirectional, batch_first = False, False
    outputs = _KERNELS[mode](
        inputs,
        initial_state,
        weights,
        has_biases,
        num_layers,
        dropout,
        is_training,
        bidirectional,
        batch_first,
    )
    return outputs[0]


def flatten_weights(mode: str, weights: LayerWeights) -> None:
    """Move a layer's weights into one buffer, as cuDNN reads them; on a GPU only.

    Otherwise cuDNN copies them into one at every call. `nn.RNNBase.flatten_parameters`
    does the same for all layers and directions in one call of the kernel.

    Args:
        mode: torch's name of the cell: RNN_TANH, LSTM or GRU.
        weights: Parameters; they become views of the buffer.
    """
    if not weights.input.is_cuda or not torch.backends.cudnn.enabled:
        return
    hidden_size, input_size = weights.recurrent.shape[1], weights.input.shape[1]
    projection_size, num_layers = 0, 1
    batch_first, bidirectional = False, False
    with torch.cuda.device(weights.input.device), torch.no_grad():
        torch._cudnn_rnn_flatten_weight(
            list(weights),
            len(weights),
            input_size,
            get_cudnn_mode(mode),  # type: ignore[no-untyped-call]
            hidden_size,
            projection_size,
            num_layers,
            batch_first,
            bidirectional,
        )


class _TanhRnn(torch.autograd.Function):
    """A plain RNN layer with a hand-written gradient.

    autograd computes the weights' gradient with one product per step. Here a single
    product over all steps does it, which leaves two operations per step for the
    backward recursion (docs/results/performance.md).
    """

    @staticmethod
    def forward(
        ctx: Any,
        inputs: torch.Tensor,
        input_weight: torch.Tensor,
        recurrent_weight: torch.Tensor,
        input_bias: torch.Tensor,
        recurrent_bias: torch.Tensor,
    ) -> torch.Tensor:
        # The input's share first; each step then adds the previous state's in place.
        states = F.linear(
            inputs, input_weight, input_bias + recurrent_bias
        )  # [T, B, H]
        steps = states.unbind()
        steps[0].tanh_()
        for previous, state in itertools.pairwise(steps):
            state.addmm_(previous, recurrent_weight.t()).tanh_()
        ctx.save_for_backward(inputs, input_weight, recurrent_weight, states)
        return states

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, ...]:
        inputs, input_weight, recurrent_weight, states = ctx.saved_tensors
        sums = _backpropagate_states(gradient, states, recurrent_weight)  # [T, B, H]
        flat_sums = sums.flatten(0, 1)  # [T * B, H]
        flat_inputs = inputs.flatten(0, 1)  # [T * B, E]
        next_sums = sums[1:].flatten(0, 1)  # [(T - 1) * B, H]
        previous_states = states[:-1].flatten(0, 1)  # [(T - 1) * B, H]

        bias_gradient = flat_sums.sum(dim=0)  # [H]
        input_gradient = sums @ input_weight  # [T, B, E]
        input_weight_gradient = flat_sums.t() @ flat_inputs  # [H, E]
        recurrent_weight_gradient = next_sums.t() @ previous_states  # [H, H]
        # Two tensors for the two biases: the optimiser adds up and clips in place.
        return (
            input_gradient,
            input_weight_gradient,
            recurrent_weight_gradient,
            bias_gradient,
            bias_gradient.clone(),
        )


def _backpropagate_states(
    gradient: torch.Tensor, states: torch.Tensor, recurrent_weight: torch.Tensor
) -> torch.Tensor:
    """Return the gradient of the arguments of tanh.

    Args:
        gradient: [T, B, H], of the states.
        states: [T, B, H].
        recurrent_weight: [H, H].

    Returns:
        [T, B, H].
    """
    one = states.new_ones(())  # []
    tanh_slopes = torch.addcmul(one, states, states, value=-1)  # [T, B, H]
    # The gradient of the states becomes, in place, that of tanh's arguments.
    sums = gradient.clone()  # [T, B, H]
    steps = reversed(sums.unbind())  # [B, H] each
    slopes = reversed(tanh_slopes.unbind())  # [B, H] each
    following = next(steps)
    following.mul_(next(slopes))
    for step, slope in zip(steps, slopes, strict=True):
        step.addmm_(following, recurrent_weight)
        step.mul_(slope)
        following = step
    return sums


def reorder(states: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    """Reverse each text with an index of `rnncls.nn.states.compute_reverse_index`.

    Args:
        states: [T, B, …].
        index: [T] int64, steps, or [T * B] int64, positions.

    Returns:
        [T, B, …].
    """
    return _Reorder.apply(states, index)  # type: ignore[no-any-return, no-untyped-call]


class _Reorder(torch.autograd.Function):
    """`reorder` is its own gradient, because the index is its own inverse.

    autograd would add up positions instead, which is slower.
    """

    @staticmethod
    def forward(ctx: Any, states: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(index)
        return _select(states, index)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None]:
        (index,) = ctx.saved_tensors
        return _select(gradient, index), None


def _select(states: torch.Tensor, index: torch.Tensor) -> torch.Tensor:
    if len(index) == len(states):
        return states.index_select(0, index)
    return states.flatten(0, 1).index_select(0, index).view_as(states)
