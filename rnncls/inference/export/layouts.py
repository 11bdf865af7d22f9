"""How an ONNX graph reads a batch of texts: padded, or one text at a time.

Recurrent nodes get neither lengths nor a direction, since several runtimes ignore or
reject the input `sequence_lens`, and tract returns wrong states for the direction
`reverse`: the backward direction is a forward node over texts that are reversed within
their lengths, and every pooling masks the padding. A single text needs no lengths.

Shapes: B texts, T tokens in the longest of them, H width of the states.
"""

from functools import cached_property
from typing import Protocol

import numpy as np

from rnncls.inference.export.graph_builder import GraphBuilder


class Layout(Protocol):
    """What depends on whether texts are padded. Values are names in the graph."""

    def reverse(self, states: str) -> str:
        """Reverse the order of the tokens of each text. [T, B, H] -> [T, B, H]."""

    def last(self, states: str) -> str:
        """Return the last states in reading order. [T, B, H] -> [B, H]."""

    def mean(self, states: str) -> str:
        """Return the mean over the tokens of each text. [T, B, H] -> [B, H]."""

    def max(self, states: str) -> str:
        """Return the maximum over the tokens of each text. [T, B, H] -> [B, H]."""

    def hide_padding(self, scores: str) -> str:
        """Set the scores of padding to minus infinity. [T, B, 1] -> [T, B, 1]."""


class PaddedLayout:
    """Texts of any length, padded with the token id 0."""

    def __init__(self, graph: GraphBuilder, token_ids: str) -> None:
        """Compute the lengths and the mask. token_ids: [T, B] int64."""
        self._graph = graph
        self._lengths = self._count_tokens(token_ids)  # [B]
        steps = _number_steps(graph, _count_steps(graph, token_ids))  # [T]
        steps = graph.add("Unsqueeze", steps, graph.integers(1))  # [T, 1]
        self._mark_steps(steps)
        self._zero = graph.constant(0.0, np.float32)
        self._lowest = graph.constant(-np.inf, np.float32)

    def _mark_steps(self, steps: str) -> None:
        """Mark the tokens and the last token of each text. steps: [T, 1] int64."""
        graph = self._graph
        is_token = graph.add("Less", steps, self._lengths)  # [T, B]
        one = graph.constant(1, np.int64)
        last_steps = graph.add("Sub", self._lengths, one)  # [B]
        is_last = graph.add("Equal", steps, last_steps)  # [T, B]
        features = graph.integers(2)
        self._is_token = graph.add("Unsqueeze", is_token, features)  # [T, B, 1]
        self._is_last = graph.add("Unsqueeze", is_last, features)  # [T, B, 1]

    def _count_tokens(self, token_ids: str) -> str:
        """Return the lengths, at least 1. [T, B] -> [B] int64."""
        graph = self._graph
        zero = graph.constant(0, np.int64)
        is_padding = graph.add("Equal", token_ids, zero)
        is_token = graph.add("Not", is_padding)
        counted = graph.add("Cast", is_token, to=_INT64)
        first_axis = graph.integers(0)
        lengths = graph.add("ReduceSum", counted, first_axis, keepdims=0)
        return graph.add("Max", lengths, graph.integers(1))

    def reverse(self, states: str) -> str:
        """Reverse each text within its length."""
        return self._graph.add(
            "ReverseSequence", states, self._lengths, batch_axis=1, time_axis=0
        )

    def last(self, states: str) -> str:
        """Return the states at the last token in reading order."""
        chosen = self._graph.add("Where", self._is_last, states, self._zero)
        return self._sum(chosen)

    def mean(self, states: str) -> str:
        """Return the mean over the tokens of each text."""
        graph = self._graph
        total = self._sum(graph.add("Where", self._is_token, states, self._zero))
        counts = graph.add("Cast", self._lengths, to=_FLOAT)
        counts = graph.add("Unsqueeze", counts, graph.integers(1))  # [B, 1]
        return graph.add("Div", total, counts)

    def max(self, states: str) -> str:
        """Return the maximum over the tokens of each text."""
        visible = self.hide_padding(states)
        return self._graph.add("ReduceMax", visible, axes=[0], keepdims=0)

    def hide_padding(self, scores: str) -> str:
        """Set the values of padding to minus infinity."""
        return self._graph.add("Where", self._is_token, scores, self._lowest)

    def _sum(self, states: str) -> str:
        axis = self._graph.integers(0)
        return self._graph.add("ReduceSum", states, axis, keepdims=0)


class SingleLayout:
    """One text without padding."""

    def __init__(self, graph: GraphBuilder, token_ids: str) -> None:
        """Take the graph and the text. token_ids: [T, 1] int64."""
        self._graph = graph
        self._token_ids = token_ids

    @cached_property
    def _backward_steps(self) -> str:
        """The steps from the last to the first. [T] int64."""
        graph = self._graph
        num_steps = _count_steps(graph, self._token_ids)
        steps = _number_steps(graph, num_steps)
        one = graph.constant(1, np.int64)
        last_step = graph.add("Sub", num_steps, one)
        return graph.add("Sub", last_step, steps)

    def reverse(self, states: str) -> str:
        """Reverse the order of the tokens."""
        return self._graph.add("Gather", states, self._backward_steps, axis=0)

    def last(self, states: str) -> str:
        """Return the last states in reading order."""
        step = self._graph.constant(-1, np.int64)
        return self._graph.add("Gather", states, step, axis=0)

    def mean(self, states: str) -> str:
        """Return the mean over all tokens."""
        return self._graph.add("ReduceMean", states, axes=[0], keepdims=0)

    def max(self, states: str) -> str:
        """Return the maximum over all tokens."""
        return self._graph.add("ReduceMax", states, axes=[0], keepdims=0)

    def hide_padding(self, scores: str) -> str:
        """Return the scores as they are."""
        return scores


def split_steps(graph: GraphBuilder, token_ids: str, tokens_per_step: int) -> list[str]:
    """Return the first token of each step, the second, and so on.

    A text has as many steps as first tokens; a step that lacks a token has the id 0,
    whose word vector is 0.

    Args:
        graph: The graph.
        token_ids: [T, B] int64.
        tokens_per_step: The tokens of a step.

    Returns:
        [K, B] int64 for each token of a step.
    """
    if tokens_per_step == 1:
        return [token_ids]
    num_tokens = _count_steps(graph, token_ids)  # []
    last = graph.add("Sub", num_tokens, graph.constant(1, np.int64))
    zero = graph.constant(0, np.int64)
    stride = graph.constant(tokens_per_step, np.int64)
    first = graph.add("Range", zero, num_tokens, stride)  # [K]
    parts = [graph.add("Gather", token_ids, first, axis=0)]
    for offset in range(1, tokens_per_step):
        positions = graph.add("Add", first, graph.constant(offset, np.int64))  # [K]
        existing = graph.add("Min", positions, last)
        ids = graph.add("Gather", token_ids, existing, axis=0)  # [K, B]
        exists = graph.add("Less", positions, num_tokens)
        factors = graph.add("Cast", exists, to=_INT64)
        factors = graph.add("Unsqueeze", factors, graph.integers(1))  # [K, 1]
        parts.append(graph.add("Mul", ids, factors))
    return parts


def _count_steps(graph: GraphBuilder, token_ids: str) -> str:
    """Return T, a scalar. token_ids: [T, B] int64."""
    shape = graph.add("Shape", token_ids)
    return graph.add("Gather", shape, graph.constant(0, np.int64), axis=0)


def _number_steps(graph: GraphBuilder, num_steps: str) -> str:
    """Return 0, 1, ..., T - 1. [T] int64."""
    first, step = graph.constant(0, np.int64), graph.constant(1, np.int64)
    return graph.add("Range", first, num_steps, step)


_FLOAT, _INT64 = 1, 7  # TensorProto.FLOAT and INT64
