"""The weights of a classifier as one block of bytes, with a small embedding.

Nearly all weights of a classifier are word vectors. They are stored as floats, or as
8-bit integers with a scale for each word. The others of the network stay 32-bit floats;
for those of n-grams see `rnncls.inference.export.page.ngrams`.

Shapes: V words, E embedding_dim.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from rnncls.inference.export.page.ngrams import round_ngrams
from rnncls.inference.export.quantization import (
    EmbeddingType,
    quantize_rows,
    round_float16,
)
from rnncls.runs.portable import Array, PortableClassifier
from rnncls.text.subwords import SubwordVocab
from rnncls.text.vocab import Vocab

EMBEDDING = "embedding.weight"


class PackedWeights(NamedTuple):
    """Arrays in one block of bytes.

    Attributes:
        arrays: For each array its name, its type, its offset in bytes and its size.
        data: The bytes, little-endian.
    """

    arrays: list[dict[str, Any]]
    data: bytes


def round_weights(
    classifier: PortableClassifier, embedding: EmbeddingType
) -> PortableClassifier:
    """Return the classifier with the rounded weights of the page, as float32."""
    vectors = classifier.weights[EMBEDDING]
    if embedding == "int8":
        values, scales = quantize_rows(vectors)
        vectors = values * scales
    elif embedding == "float16":
        vectors = round_float16(vectors).astype(np.float32)
    weights = {**classifier.weights, EMBEDDING: vectors}
    ngrams = classifier.ngrams
    if ngrams is not None:
        ngrams = round_ngrams(ngrams, embedding)
    return replace(classifier, weights=weights, ngrams=ngrams)


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
    merges = [
        (left, right)
        for left, right in vocab.merges
        if {left, right, left + right} <= known
    ]
    return SubwordVocab(words, merges, vocab.max_tokens)


def pack_weights(
    weights: Mapping[str, Array],
    embedding: EmbeddingType,
    ngram_arrays: Mapping[str, npt.NDArray[Any]],
) -> PackedWeights:
    """Return all arrays in one block of bytes, the widest numbers first."""
    arrays = [*_iter_arrays(weights, embedding), *ngram_arrays.items()]
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
    weights: Mapping[str, Array], embedding: EmbeddingType
) -> Iterator[tuple[str, npt.NDArray[Any]]]:
    """Yield each array of the network and its name."""
    for name, values in weights.items():
        if name != EMBEDDING:
            yield name, values.astype(np.float32)
    vectors = weights[EMBEDDING]
    if embedding == "int8":
        rows, scales = quantize_rows(vectors)
        yield "embedding.scales", scales
        yield "embedding.rows", rows
    elif embedding == "float16":
        yield "embedding.rows", round_float16(vectors)
    else:
        yield "embedding.rows", vectors
