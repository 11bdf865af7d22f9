"""The n-gram part of a run as nodes of an ONNX graph; see `rnncls.nn.ngrams`.

Only operators that every runtime has are used. A key is found in the sorted keys by
bisection, in as many steps as the number of keys has binary digits.

Shapes: B texts, T tokens in the longest of them, L sizes of n-grams, K n-grams in the
table, C classes.
"""

import numpy as np

from rnncls.inference.export.graph_builder import GraphBuilder
from rnncls.text.ngram_hash import MASK, MULTIPLIER, START
from rnncls.text.ngram_table import NgramTable
from rnncls.text.vocab import PAD_ID, UNK_ID

_MIN_SQUARE = 1e-12


def add_ngrams(graph: GraphBuilder, token_ids: str, table: NgramTable) -> str:
    """Add the logits of the n-gram part, multiplied by its scale. [B, T] -> [B, C].

    Args:
        graph: The graph.
        token_ids: The input of the graph, `PAD_ID` after the end of a text.
        table: The n-grams.
    """
    ids = _add_borders(graph, token_ids, table.max_size)  # [B, 1 + T + L]
    keys, is_ngram = _add_keys(graph, ids, table.max_size)  # [B, T + 1, L]
    rows = _find_rows(graph, keys, is_ngram, table)  # [B, T + 1, L]
    columns = np.column_stack([table.weights, table.squares])  # [K, C + 1]
    # The last row is zero: it stands for all n-grams that are not in the table.
    values = graph.constant(np.pad(columns, ((0, 1), (0, 0))), np.float32)
    vectors = graph.add("Gather", values, rows, axis=0)  # [B, T + 1, L, C + 1]
    axes = graph.integers(1, 2)
    sums = graph.add("ReduceSum", vectors, axes, keepdims=0)  # [B, C + 1]
    return _normalize(graph, sums, table)


def _normalize(graph: GraphBuilder, sums: str, table: NgramTable) -> str:
    """Add the division by the norm, the bias and the scale. [B, C + 1] -> [B, C]."""
    num_classes = len(table.bias)
    last_axis = graph.integers(1)
    end = graph.integers(num_classes)
    weights = graph.add("Slice", sums, graph.integers(0), end, last_axis)  # [B, C]
    next_end = graph.integers(num_classes + 1)
    squares = graph.add("Slice", sums, end, next_end, last_axis)  # [B, 1]
    smallest = graph.constant(_MIN_SQUARE, np.float32)
    norms = graph.add("Sqrt", graph.add("Max", squares, smallest))  # [B, 1]
    quotients = graph.add("Div", weights, norms)
    bias = graph.constant(table.bias, np.float32)
    logits = graph.add("Add", quotients, bias)
    return graph.add("Mul", logits, graph.constant(table.scale, np.float32))


def _add_borders(graph: GraphBuilder, token_ids: str, max_size: int) -> str:
    """Add `START` before each text, and unknown tokens after it.

    [B, T] -> [B, 1 + T + L] int64.
    """
    unknown = graph.constant(UNK_ID, np.int64)
    is_padding = graph.add("Equal", token_ids, graph.constant(PAD_ID, np.int64))
    ids = graph.add("Where", is_padding, unknown, token_ids)  # [B, T]
    axes = graph.integers(1)
    column = graph.add("Slice", ids, graph.integers(0), graph.integers(1), axes)
    zeros = graph.add("Mul", column, graph.constant(0, np.int64))  # [B, 1]
    start = graph.add("Add", zeros, graph.constant(START, np.int64))
    after = graph.add("Add", zeros, unknown)
    return graph.add("Concat", start, ids, *[after] * max_size, axis=1)


def _add_keys(graph: GraphBuilder, ids: str, max_size: int) -> tuple[str, str]:
    """Add the keys of the n-grams of each size, and whether there is one.

    [B, 1 + T + L] -> [B, T + 1, L] int64, and bool.
    """
    unknown = graph.constant(UNK_ID, np.int64)
    multiplier = graph.constant(MULTIPLIER, np.int64)
    modulus = graph.constant(MASK + 1, np.int64)
    one, axes, last = graph.constant(1, np.int64), graph.integers(1), graph.integers(2)
    keys: list[str] = []
    all_known: list[str] = []
    for offset in range(max_size):
        start, end = graph.integers(offset), graph.integers(offset - max_size)
        following = graph.add("Slice", ids, start, end, axes)  # [B, T + 1]
        is_known = graph.add("Not", graph.add("Equal", following, unknown))
        key = graph.add("Add", following, one)
        if offset:
            key = graph.add("Add", graph.add("Mul", keys[-1], multiplier), key)
            is_known = graph.add("And", all_known[-1], is_known)
        quotient = graph.add("Div", key, modulus)
        key = graph.add("Sub", key, graph.add("Mul", quotient, modulus))
        keys.append(key)
        all_known.append(is_known)
    stacked = [graph.add("Unsqueeze", key, last) for key in keys]
    stacked_known = [graph.add("Unsqueeze", value, last) for value in all_known]
    return (
        graph.add("Concat", *stacked, axis=2),
        graph.add("Concat", *stacked_known, axis=2),
    )


def _find_rows(graph: GraphBuilder, keys: str, is_ngram: str, table: NgramTable) -> str:
    """Add the row of each n-gram in the table; K if it is not there.

    The search keeps a position whose key is at most the wanted one, or 0.
    """
    num_ngrams = len(table.keys)
    num_steps = max(num_ngrams - 1, 1).bit_length()
    filled = np.full(2**num_steps, MASK + 1)  # larger than every key
    filled[:num_ngrams] = table.keys
    sorted_keys = graph.constant(filled, np.int64)
    position = graph.add("Mul", keys, graph.constant(0, np.int64))
    for step in reversed(range(num_steps)):
        size = graph.constant(2**step, np.int64)
        candidate = graph.add("Add", position, size)
        candidate_keys = graph.add("Gather", sorted_keys, candidate, axis=0)
        is_beyond = graph.add("Less", keys, candidate_keys)
        position = graph.add("Where", is_beyond, position, candidate)
    found_keys = graph.add("Gather", sorted_keys, position, axis=0)
    is_equal = graph.add("Equal", found_keys, keys)
    is_found = graph.add("And", is_equal, is_ngram)
    missing = graph.constant(num_ngrams, np.int64)
    return graph.add("Where", is_found, position, missing)
