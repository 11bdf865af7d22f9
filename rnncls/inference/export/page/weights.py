"""The weights of a classifier as one block of bytes.

Nearly all weights of a classifier are word vectors. They are stored as floats, or as
integers with a scale for each word (`rnncls.inference.export.page.mixed_rows`); the
other matrices of the network are 16-bit integers then, with a scale a row, and else
32-bit floats. For n-grams see `rnncls.inference.export.page.ngrams`.

Shapes: V words, E embedding_dim.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnncls.inference.export.page.mixed_rows import (
    VectorFormat,
    quantize_mixed,
    round_mixed,
)
from rnncls.inference.export.page.ngrams import round_ngrams
from rnncls.inference.export.quantization import (
    find_readers,
    quantize_rows,
    round_float16,
)
from rnncls.runs.portable import Array, PortableClassifier
from rnncls.text.subwords import SubwordVocab
from rnncls.text.vocab import Vocab

EMBEDDING = "embedding.weight"
_NETWORK_BITS = 16


class PackedWeights(NamedTuple):
    """Arrays in one block of bytes.

    Attributes:
        arrays: For each array its name, its type, its offset in bytes and its size.
        data: The bytes, little-endian.
    """

    arrays: list[dict[str, Any]]
    data: bytes


def round_weights(
    classifier: PortableClassifier, vectors: VectorFormat
) -> PortableClassifier:
    """Return the classifier with the rounded weights of the page, as float32."""
    weights = {**classifier.weights}
    if vectors.embedding == "float16":
        weights[EMBEDDING] = round_float16(weights[EMBEDDING]).astype(np.float32)
    elif vectors.embedding == "int8":
        weights = _round_matrices(classifier, vectors.num_fine)
    ngrams = classifier.ngrams
    if ngrams is not None:
        ngrams = round_ngrams(ngrams, vectors.embedding)
    return replace(classifier, weights=weights, ngrams=ngrams)


def _round_matrices(classifier: PortableClassifier, num_fine: int) -> dict[str, Array]:
    """Return the arrays of the network with the rounded numbers of a page."""
    weights = {**classifier.weights}
    for name, values in weights.items():
        if name == EMBEDDING:
            weights[name] = round_mixed(values, num_fine, find_readers(classifier))
        elif values.ndim == 2:
            weights[name] = quantize_rows(values, _NETWORK_BITS).restore()
    return weights


def limit_words(classifier: PortableClassifier, num_words: int) -> PortableClassifier:
    """Return the classifier with the first words of its vocabulary only.

    These are the most frequent ones. The others become unknown words; of subwords, they
    become shorter pieces. The buckets of character n-grams stay.
    """
    all_vectors = classifier.weights[EMBEDDING]
    buckets = all_vectors[len(classifier.vocab) :]
    vectors = np.concatenate([all_vectors[:num_words], buckets])
    vocab = _limit_vocab(classifier.vocab, num_words)
    weights = {**classifier.weights, EMBEDDING: vectors}
    return replace(classifier, vocab=vocab, weights=weights)


def _limit_vocab(vocab: Vocab, num_words: int) -> Vocab:
    words = vocab.words[:num_words]
    if not isinstance(vocab, SubwordVocab):
        return Vocab(words, vocab.char_ngrams)
    known = set(words)
    merges = []
    for left, right in vocab.merges:
        pieces = {left, right, left + right}
        if pieces <= known:
            merges.append((left, right))
    return SubwordVocab(words, merges, vocab.max_tokens)


def pack_weights(
    classifier: PortableClassifier,
    vectors: VectorFormat,
    ngram_arrays: Mapping[str, npt.NDArray[Any]],
) -> PackedWeights:
    """Return all arrays in one block of bytes, the widest numbers first."""
    arrays = [*_iter_arrays(classifier, vectors), *ngram_arrays.items()]
    # Each array starts at a multiple of the size of its numbers.
    arrays.sort(key=lambda named: -named[1].itemsize)
    descriptions = []
    data = bytearray()
    for name, values in arrays:
        description = {
            "name": name,
            "type": values.dtype.name,
            "offset": len(data),
            "size": values.size,
        }
        descriptions.append(description)
        data += values.astype(values.dtype.newbyteorder("<")).tobytes()
    return PackedWeights(descriptions, bytes(data))


def _iter_arrays(
    classifier: PortableClassifier, vectors: VectorFormat
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield each array of the network and its name."""
    is_rounded = vectors.embedding == "int8"
    yield from _iter_embedding(classifier, vectors)
    for name, values in classifier.weights.items():
        if name == EMBEDDING:
            continue
        if is_rounded and values.ndim == 2:
            quantized = quantize_rows(values, _NETWORK_BITS)
            yield name, quantized.values
            yield f"{name}.scales", quantized.scales
        else:
            yield name, values.astype(np.float32)


def _iter_embedding(
    classifier: PortableClassifier, vectors: VectorFormat
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield the arrays of the word vectors."""
    matrix = classifier.weights[EMBEDDING]
    if vectors.embedding == "int8":
        readers = find_readers(classifier)
        rows = quantize_mixed(matrix, vectors.num_fine, readers)
        yield "embedding.rows", rows.high
        yield "embedding.low", rows.low
        yield "embedding.scales", rows.scales
    elif vectors.embedding == "float16":
        yield "embedding.rows", round_float16(matrix)
    else:
        yield "embedding.rows", matrix
