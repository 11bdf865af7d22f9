"""The network of a run as an ONNX graph.

The input `token_ids` has the id 0 where a text is shorter than the longest of its
batch. The outputs are the logits, divided by the temperature, and the probabilities:
their softmax, or for several labels a text their sigmoid.

Shapes: B texts, T tokens in the longest of them, V words, E embedding_dim, H
hidden_size, D directions, S = D * H width of a state, P poolings, C classes.
"""

from collections.abc import Sequence

import numpy as np
from onnx import GraphProto, TensorProto, helper

from rnncls.inference.export.encoder_graph import EncoderGraph
from rnncls.inference.export.graph_builder import GraphBuilder
from rnncls.inference.export.layouts import (
    Layout,
    PaddedLayout,
    SingleLayout,
    split_steps,
)
from rnncls.inference.export.ngram_graph import NgramGraph
from rnncls.inference.export.quantization import (
    EmbeddingType,
    QuantizedRows,
    find_readers,
    quantize_rows,
    round_float16,
)
from rnncls.runs.portable import Array, PortableClassifier
from rnncls.text.vocab import PAD_ID

INPUT, LOGITS, PROBS = "token_ids", "logits", "probs"


def build_graph(
    classifier: PortableClassifier, *, embedding: EmbeddingType, is_single: bool
) -> GraphProto:
    """Return the graph of a classifier.

    Args:
        classifier: The weights and the shape of the network.
        embedding: The type in which the word vectors are stored.
        is_single: Whether to read one text at a time, without lengths.
    """
    graph = GraphBuilder()
    token_ids = graph.add("Transpose", INPUT, perm=[1, 0])  # [T, B]
    terms: list[str] = []  # what is added to the logits
    ngrams = classifier.ngrams
    if ngrams is None or not ngrams.is_alone:
        terms += _add_network(
            graph, classifier, token_ids, embedding=embedding, is_single=is_single
        )
    if ngrams is not None:
        terms += NgramGraph(graph, ngrams).add_logits(token_ids)
    activation = "Sigmoid" if classifier.has_several_labels else "Softmax"
    _add_outputs(graph, terms, activation)
    num_classes = len(classifier.label_names)
    return _build_with_shapes(graph, num_classes, is_single=is_single)


def _build_with_shapes(
    graph: GraphBuilder, num_classes: int, *, is_single: bool
) -> GraphProto:
    """Return the graph with its input and its outputs."""
    num_texts: int | str = 1 if is_single else "batch"
    inputs = [
        helper.make_tensor_value_info(INPUT, TensorProto.INT64, [num_texts, "tokens"])
    ]
    shape = [num_texts, num_classes]
    outputs = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
        for name in (LOGITS, PROBS)
    ]
    return graph.build(inputs, outputs)


def _add_network(
    graph: GraphBuilder,
    classifier: PortableClassifier,
    token_ids: str,
    *,
    embedding: EmbeddingType,
    is_single: bool,
) -> list[str]:
    """Add the network; return the terms of its logits, [B, C] and [C]."""
    # A step that reads several tokens has as many ids, of which the first decides
    # whether it is padding.
    model = classifier.model
    size = 1 if model.cell == "none" else model.tokens_per_step
    ids_of_steps = split_steps(graph, token_ids, size)  # [K, B] each
    layout_of = SingleLayout if is_single else PaddedLayout
    layout = layout_of(graph, ids_of_steps[0])
    if size == 1:
        inputs = _add_embedding(graph, token_ids, classifier, embedding)
    else:
        places = graph.integers(2)
        columns = [graph.add("Unsqueeze", ids, places) for ids in ids_of_steps]
        steps = graph.add("Concat", *columns, axis=2)  # [K, B, size]
        vectors = _add_embedding(graph, steps, classifier, embedding)
        inputs = graph.add("ReduceSum", vectors, places, keepdims=0)  # [K, B, E]
    pooled = _add_pooled(graph, layout, classifier, inputs)  # [B, P * S]
    return _add_linear(graph, pooled, classifier)


def _add_embedding(
    graph: GraphBuilder,
    token_ids: str,
    classifier: PortableClassifier,
    kind: EmbeddingType,
) -> str:
    """Add the word vectors of the token ids. [...] -> [..., E] float32."""
    matrix = classifier.weights["embedding.weight"]
    if matrix[PAD_ID].any():
        matrix = matrix.copy()
        matrix[PAD_ID] = 0  # the last step of a text may lack tokens
    if kind == "float32":
        rows = graph.constant(matrix, np.float32)
        return graph.add("Gather", rows, token_ids, axis=0)
    if kind == "float16":
        rows = graph.constant(round_float16(matrix), np.float16)
        vectors = graph.add("Gather", rows, token_ids, axis=0)
        return graph.add("Cast", vectors, to=TensorProto.FLOAT)
    quantized = quantize_rows(matrix, readers=find_readers(classifier))
    return _add_int8_embedding(graph, token_ids, quantized)


def _add_int8_embedding(
    graph: GraphBuilder, token_ids: str, quantized: QuantizedRows
) -> str:
    """Add word vectors stored as int8. [...] -> [..., E] float32."""
    rows = graph.constant(quantized.values, np.int8)
    scales = graph.constant(quantized.scales, np.float32)
    values = graph.add("Gather", rows, token_ids, axis=0)
    values = graph.add("Cast", values, to=TensorProto.FLOAT)
    row_scales = graph.add("Gather", scales, token_ids, axis=0)  # [..., 1]
    return graph.add("Mul", values, row_scales)


def _add_pooled(
    graph: GraphBuilder, layout: Layout, classifier: PortableClassifier, vectors: str
) -> str:
    """Add the recurrent layers and the poolings. [T, B, E] -> [B, P * S]."""
    if classifier.model.cell == "none":
        return layout.mean(vectors)
    encoder = EncoderGraph(graph, layout, classifier)
    states = encoder.add_layers(vectors)  # [T, B, H] each
    pooled: list[str] = []
    for pooling in classifier.model.pooling:
        if pooling == "attention":
            joined = encoder.join(states)  # [T, B, S]
            pooled.append(_add_attention(graph, layout, classifier.weights, joined))
            continue
        pooled += [_add_pooling(layout, pooling, values) for values in states]
    return graph.add("Concat", *pooled, axis=1)


def _add_pooling(layout: Layout, pooling: str, states: str) -> str:
    """Add one pooling of one direction. [T, B, H] -> [B, H]."""
    if pooling == "last":
        return layout.last(states)
    if pooling == "mean":
        return layout.mean(states)
    return layout.max(states)


def _add_attention(
    graph: GraphBuilder, layout: Layout, weights: dict[str, Array], states: str
) -> str:
    """Add the attention pooling. [T, B, S] -> [B, S]."""
    prefix = "pooling.attention"
    projection = graph.constant(weights[f"{prefix}.projection.weight"].T, np.float32)
    bias = graph.constant(weights[f"{prefix}.projection.bias"], np.float32)
    query = graph.constant(weights[f"{prefix}.query.weight"].T, np.float32)
    projected = graph.add("Add", graph.add("MatMul", states, projection), bias)
    scores = graph.add("MatMul", graph.add("Tanh", projected), query)  # [T, B, 1]
    shares = graph.add("Softmax", layout.hide_padding(scores), axis=0)
    weighted = graph.add("Mul", shares, states)  # [T, B, S]
    return graph.add("ReduceSum", weighted, graph.integers(0), keepdims=0)


def _add_linear(
    graph: GraphBuilder, pooled: str, classifier: PortableClassifier
) -> list[str]:
    """Add the linear layer, divided by the temperature; return product and bias."""
    # In float64, so that each weight is rounded once.
    weight = classifier.weights["linear.weight"].astype(np.float64)
    bias = classifier.weights["linear.bias"].astype(np.float64)
    scaled_weight = graph.constant(weight.T / classifier.temperature, np.float32)
    scaled_bias = graph.constant(bias / classifier.temperature, np.float32)
    return [graph.add("MatMul", pooled, scaled_weight), scaled_bias]


def _add_outputs(graph: GraphBuilder, terms: Sequence[str], activation: str) -> None:
    """Add the logits, the sum of at least two terms, and their probabilities."""
    total, *others, last = terms
    for term in others:
        total = graph.add("Add", total, term)
    graph.add_named(LOGITS, "Add", total, last)
    graph.add_named(PROBS, activation, LOGITS)
