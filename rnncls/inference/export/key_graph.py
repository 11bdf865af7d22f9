"""The keys of n-grams as ONNX nodes: those of `rnncls.text.ngram_hash`, exactly.

A key has 32 bits and is computed in three parts, of 11, 11 and 10 bits from the lowest
to the highest, so that no sum of products reaches 2**24.

Shapes: B texts, T tokens in the longest of them, L sizes of n-grams, G = L * (T + 1)
n-grams of a text.
"""

from typing import NamedTuple

from rnncls.inference.export.graph_builder import GraphBuilder
from rnncls.inference.export.integer_graph import IntegerGraph
from rnncls.text.ngram_hash import MULTIPLIER, START
from rnncls.text.vocab import PAD_ID, UNK_ID

PART_SIZE = 1 << 11
"""The number of values of the two lower parts of a key."""
NUM_TOPS = 1 << 10
"""The number of values of the highest part of a key."""
_FACTOR_LOW = MULTIPLIER % PART_SIZE
_FACTOR_MIDDLE = MULTIPLIER // PART_SIZE % PART_SIZE
_FACTOR_TOP = MULTIPLIER // PART_SIZE**2
_LAST = 2**31 - 1
"""As the end of a slice: the end of the axis."""


class KeyParts(NamedTuple):
    """Keys in three parts: names in the graph, [T + 1, B] or [G, B] int32."""

    low: str
    middle: str
    top: str


class NgramKeys(NamedTuple):
    """The n-grams of each size that begin at each token, and before the first.

    Attributes:
        parts: Their keys, [G, B] int32 each.
        is_left_out: Whether an n-gram has an unknown token or reaches beyond the end of
            the text, [G, B] bool.
    """

    parts: KeyParts
    is_left_out: str


class KeyGraph:
    """Adds the keys of n-grams to a graph."""

    def __init__(self, graph: GraphBuilder, max_size: int) -> None:
        """Take the graph and L, the number of tokens of the longest n-grams."""
        self._graph = graph
        self._integers = IntegerGraph(graph)
        self._max_size = max_size

    def add_keys(self, token_ids: str) -> NgramKeys:
        """Add the keys. token_ids: [T, B] int64, 0 after the end of a text."""
        extended = self._extend(token_ids)  # [T + L, B]
        zero = self._integers.constant(0)
        parts = KeyParts(zero, zero, zero)
        lows, middles, tops = [], [], []
        are_left_out: list[str] = []
        for offset in range(self._max_size):
            following = self._slice(extended, offset)  # [T + 1, B]
            parts = self._append(parts, following)
            lows.append(parts.low)
            middles.append(parts.middle)
            tops.append(parts.top)
            is_unknown = self._integers.is_equal(following, UNK_ID)
            if are_left_out:
                is_unknown = self._graph.add("Or", are_left_out[-1], is_unknown)
            are_left_out.append(is_unknown)
        concat = self._integers.concat
        keys = KeyParts(concat(lows), concat(middles), concat(tops))
        return NgramKeys(keys, concat(are_left_out))

    def _extend(self, token_ids: str) -> str:
        """Put `START` before each text and `<unk>` after it. [T, B] -> [T + L, B]."""
        integers = self._integers
        ids = integers.cast(token_ids)
        is_padding = integers.is_equal(ids, PAD_ID)
        ids = integers.choose(is_padding, UNK_ID, ids)
        first_row = integers.take(ids, self._graph.integers(0))  # [1, B]
        zeros = integers.multiply(first_row, 0)
        starts = integers.add(zeros, START)
        ends = [integers.add(zeros, UNK_ID)] * (self._max_size - 1)
        return integers.concat([starts, ids, *ends])

    def _slice(self, extended: str, offset: int) -> str:
        """Return the token at an offset from each token. [T + L, B] -> [T + 1, B]."""
        num_after = self._max_size - 1 - offset
        start = self._graph.integers(offset)
        end = self._graph.integers(-num_after if num_after else _LAST)
        axis = self._graph.integers(0)
        return self._graph.add("Slice", extended, start, end, axis)

    def _append(self, parts: KeyParts, token_ids: str) -> KeyParts:
        """Add `(key * MULTIPLIER + token_ids + 1) mod 2**32`, like a long product."""
        integers = self._integers
        numbers = integers.add(token_ids, 1)
        token_middle, token_low = integers.divide(numbers, PART_SIZE)
        low = self._add_products(token_low, (parts.low, _FACTOR_LOW))
        carry, low = integers.divide(low, PART_SIZE)
        middle = self._add_products(
            integers.add(token_middle, carry),
            (parts.low, _FACTOR_MIDDLE),
            (parts.middle, _FACTOR_LOW),
        )
        carry, middle = integers.divide(middle, PART_SIZE)
        top = self._add_products(
            carry,
            (parts.low, _FACTOR_TOP),
            (parts.middle, _FACTOR_MIDDLE),
            (parts.top, _FACTOR_LOW),
        )
        _, top = integers.divide(top, NUM_TOPS)
        return KeyParts(low, middle, top)

    def _add_products(self, total: str, *products: tuple[str, int]) -> str:
        """Return a total and the products of values with constants."""
        for values, factor in products:
            product = self._integers.multiply(values, factor)
            total = self._integers.add(total, product)
        return total
