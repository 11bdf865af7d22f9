"""Pooling in NumPy: the states of a text to one vector.

Shapes: B texts, T tokens in the longest of them, K steps of the recurrent layers in the
longest of them (T, unless a step reads several tokens), H hidden_size, S width of a
state, P poolings.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from rnncls.inference.light.cells import apply_linear
from rnncls.inference.light.encoder import States
from rnncls.runs.portable import Array

Mask = npt.NDArray[np.bool_]


def pool(states: States, names: Sequence[str], attention: Array | None) -> Array:
    """Apply poolings and concatenate their vectors.

    Args:
        states: The states of a batch.
        names: last, max, mean or attention, in the order of the vectors.
        attention: [K, B], the weights for `attention`; None if it is not among them.

    Returns:
        [B, P * S].
    """
    mask = states.mask()  # [K, B]
    vectors = []
    for name in names:
        if name == "attention":
            assert attention is not None
            vectors.append(np.einsum("tb,tbs->bs", attention, states.joined()))
        else:
            vectors += [
                _pool_direction(name, values, states.lengths, mask)
                for values in states.directions
            ]
    return np.concatenate(vectors, axis=-1)


def _pool_direction(
    name: str, values: Array, lengths: npt.NDArray[np.int64], mask: Mask
) -> Array:
    """Apply one pooling to the states of one direction. [K, B, H] -> [B, H]."""
    if name == "last":
        texts = np.arange(len(lengths))
        last: Array = values[lengths - 1, texts]
        return last
    is_token = mask[..., None]  # [K, B, 1]
    if name == "max":
        without_padding = np.where(is_token, values, np.float32(-np.inf))  # [K, B, H]
        largest: Array = without_padding.max(axis=0)
        return largest
    without_padding = np.where(is_token, values, np.float32(0))  # [K, B, H]
    total = without_padding.sum(axis=0)  # [B, H]
    mean: Array = total / lengths[:, None].astype(np.float32)
    return mean


def attend(states: States, weights: Mapping[str, Array]) -> Array:
    """Return the attention weights.

    Args:
        states: The states of a batch.
        weights: The arrays of a classifier with attention pooling.

    Returns:
        [K, B]. They sum to 1 over a text and are 0 on padding.
    """
    prefix = "pooling.attention"
    projected = apply_linear(
        states.joined(),
        weights[f"{prefix}.projection.weight"],
        weights[f"{prefix}.projection.bias"],
    )  # [K, B, S]
    scores = np.tanh(projected) @ weights[f"{prefix}.query.weight"][0]  # [K, B]
    masked = np.where(states.mask(), scores, np.float32(-np.inf))  # [K, B]
    return softmax(masked, axis=0)


def share_weights(
    weights: Array,
    lengths: npt.NDArray[np.int64],
    tokens_per_step: int,
    num_tokens: int,
) -> Array:
    """Divide the weight of each step equally among its tokens.

    Args:
        weights: [K, B].
        lengths: [B], the tokens of each text.
        tokens_per_step: The tokens of a step; the last one of a text may have fewer.
        num_tokens: T.

    Returns:
        [T, B]; values on padding are undefined.
    """
    tokens = np.arange(num_tokens)  # [T]
    steps = tokens // tokens_per_step  # [T]
    num_left = lengths - steps[:, None] * tokens_per_step  # [T, B]
    num_shares = num_left.clip(1, tokens_per_step).astype(np.float32)  # [T, B]
    shares: Array = weights[steps] / num_shares
    return shares


def softmax(values: Array, axis: int) -> Array:
    """Return the softmax along an axis."""
    exponentials = np.exp(values - values.max(axis=axis, keepdims=True))
    normalised: Array = exponentials / exponentials.sum(axis=axis, keepdims=True)
    return normalised
