"""The n-gram part of a classifier as ONNX nodes; see `rnncls.nn.ngrams`.

The n-grams are sorted by their keys, in 1,024 buckets by the highest 10 bits. Each
bucket begins with an empty entry, which has the weight 0 and stands for the n-grams
that are not in the table. A binary search finds the other 22 bits in a bucket.

Shapes: B texts, T tokens in the longest of them, L sizes of n-grams, K n-grams in the
table, R = K + 1,024 entries, G = L * (T + 1) n-grams of a text, C classes.
"""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnncls.inference.export.graph_builder import GraphBuilder
from rnncls.inference.export.integer_graph import IntegerGraph
from rnncls.inference.export.key_graph import NUM_TOPS, PART_SIZE, KeyGraph, KeyParts
from rnncls.text.ngram_table import NgramTable, subtract_middle

_EMPTY = -1
"""In place of the low bits of an empty entry's key, below all of them."""
_MIN_SQUARE = 1e-12
_FLOAT = 1  # TensorProto.FLOAT

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]


class Buckets(NamedTuple):
    """The entries of a table, bucket by bucket.

    Attributes:
        starts: [1,024] the empty entry of each bucket.
        ends: [1,024] the last entry of each bucket.
        low_keys: [R] the lowest 22 bits of each key, -1 for an empty entry.
        entries: [K] the entry of each n-gram.
    """

    starts: Ints
    ends: Ints
    low_keys: Ints
    entries: Ints


class NgramGraph:
    """Adds the n-gram part of a classifier to a graph."""

    def __init__(self, graph: GraphBuilder, table: NgramTable) -> None:
        """Take the graph and the table."""
        self._graph = graph
        self._integers = IntegerGraph(graph)
        self._table = table
        self._buckets = arrange_buckets(table.keys)

    def add_logits(self, token_ids: str) -> list[str]:
        """Add the logits, multiplied by the scale.

        Args:
            token_ids: [T, B] int64, 0 after the end of a text.

        Returns:
            The terms whose sum they are, [B, C] and [C] float32.
        """
        normalized = self._add_normalized(token_ids)  # [B, C]
        scale = self._table.scale
        factor = self._graph.constant(scale, np.float32)
        scaled = self._graph.add("Mul", normalized, factor)
        bias = self._graph.constant(self._table.bias * scale, np.float32)
        return [scaled, bias]

    def _add_normalized(self, token_ids: str) -> str:
        """Add the logits without scale and bias. [T, B] int64 -> [B, C] float32."""
        entries = self._add_entries(token_ids)  # [G, B]
        weights = self._table.weights  # [K, C]
        if self._table.is_centred:
            weights = subtract_middle(weights)
        squares = self._table.squares[:, None]  # [K, 1]
        weight_sums = self._add_sums(entries, weights)  # [B, C]
        square_sums = self._add_sums(entries, squares)  # [B, 1]
        if self._table.is_centred:
            weight_sums = self._center(weight_sums)
        return self._normalize(weight_sums, square_sums)

    def _center(self, sums: str) -> str:
        """Make the weights of a text add up to zero, as in the run. [B, C]."""
        means = self._graph.add("ReduceMean", sums, axes=[1], keepdims=1)  # [B, 1]
        return self._graph.add("Sub", sums, means)

    def _normalize(self, sums: str, squares: str) -> str:
        """Divide by the norm. [B, C] and [B, 1] -> [B, C]."""
        smallest = self._graph.constant(_MIN_SQUARE, np.float32)
        limited = self._graph.add("Max", squares, smallest)
        norms = self._graph.add("Sqrt", limited)
        return self._graph.add("Div", sums, norms)

    def _add_sums(self, entries: str, rows: Floats) -> str:
        """Add the sums of the rows of a text's n-grams. [G, B] -> [B, columns]."""
        graph = self._graph
        num_entries = len(self._buckets.low_keys)
        values = np.zeros((num_entries, rows.shape[1]), np.float32)  # [R, columns]
        values[self._buckets.entries] = rows
        stored = graph.constant(values, np.float16)
        gathered = graph.add("Gather", stored, entries, axis=0)  # [G, B, columns]
        gathered = graph.add("Cast", gathered, to=_FLOAT)
        return graph.add("ReduceSum", gathered, graph.integers(0), keepdims=0)

    def _add_entries(self, token_ids: str) -> str:
        """Add the entry of each n-gram. [T, B] int64 -> [G, B] int32."""
        keys = KeyGraph(self._graph, self._table.max_size).add_keys(token_ids)
        entries = self._search(keys.parts)  # [G, B]
        return self._integers.choose(keys.is_left_out, 0, entries)

    def _search(self, key: KeyParts) -> str:
        """Add the entries of keys, 0 where a key is not in the table. [G, B]."""
        integers = self._integers
        low_keys = self._graph.constant(self._buckets.low_keys, np.int32)
        high = integers.multiply(key.middle, PART_SIZE)
        wanted = integers.add(high, key.low)  # [G, B]
        entries = self._take_edges(self._buckets.starts, key.top)  # [G, B]
        ends = self._take_edges(self._buckets.ends, key.top)  # [G, B]
        # The key of `entries` is never above the wanted one.
        for step in self._list_steps():
            later = integers.add(entries, step)
            later = integers.minimum(later, ends)
            entries = self._choose_later(low_keys, wanted, entries, later)
        found_keys = integers.take(low_keys, entries)
        is_found = integers.is_equal(found_keys, wanted)
        return integers.choose(is_found, entries, 0)

    def _choose_later(
        self, low_keys: str, wanted: str, entries: str, later: str
    ) -> str:
        """Return the later entries where their keys are not above the wanted ones."""
        later_keys = self._integers.take(low_keys, later)
        is_above = self._integers.is_less(wanted, later_keys)
        return self._integers.choose(is_above, entries, later)

    def _take_edges(self, edges: Ints, tops: str) -> str:
        """Add the first or last entries of the keys' buckets. [G, B] -> [G, B]."""
        constant = self._graph.constant(edges, np.int32)
        return self._integers.take(constant, tops)

    def _list_steps(self) -> list[int]:
        """Return powers of two, which lead to every entry of the longest bucket."""
        longest = int((self._buckets.ends - self._buckets.starts).max())
        return [1 << bit for bit in reversed(range(longest.bit_length()))]


def arrange_buckets(keys: Ints) -> Buckets:
    """Return the buckets of keys. keys: [K] int64, ascending."""
    low_size = PART_SIZE**2
    buckets = keys // low_size  # [K]
    sizes = np.bincount(buckets, minlength=NUM_TOPS)  # [1,024]
    ends = np.cumsum(sizes + 1) - 1  # [1,024]
    entries = np.arange(len(keys)) + buckets + 1  # [K]
    low_keys = np.full(len(keys) + NUM_TOPS, _EMPTY)  # [R]
    low_keys[entries] = keys % low_size
    return Buckets(ends - sizes, ends, low_keys, entries)
