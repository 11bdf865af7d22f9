"""How many words fit into a page of limited size, and how many bits they get.

Shapes: V words, E embedding_dim.
"""

import json
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError
from rnncls.inference.export.page.document import render_page
from rnncls.inference.export.page.mixed_rows import VectorFormat
from rnncls.inference.export.page.text_code import CHARACTERS_A_BYTE
from rnncls.inference.export.page.weights import limit_words
from rnncls.inference.export.quantization import EmbeddingType
from rnncls.runs.portable import PortableClassifier
from rnncls.text.subwords import RESERVED, SubwordVocab

BYTES_A_MEGABYTE = 1_000_000
_SCALE_BYTES = 4


class PageContent(NamedTuple):
    """What fits into a page.

    Attributes:
        num_words: The number of words, the most frequent ones; V at most.
        vectors: How their vectors are stored.
    """

    num_words: int
    vectors: VectorFormat


def choose_content(
    classifier: PortableClassifier,
    max_bytes: int,
    num_other_bytes: int,
    embedding: EmbeddingType,
) -> PageContent:
    """Return how many words a page of limited size can have.

    If all words fit with 8 bits, the most frequent ones get 12 bits as long as there is
    room.

    Args:
        classifier: The run. Its most frequent words come first.
        max_bytes: The largest allowed page.
        num_other_bytes: The size of the parts that do not depend on the classifier.
        embedding: The type of the word vectors.

    Raises:
        ConfigError: The page is too large without any word.
    """
    vocab = classifier.vocab
    num_least = len(RESERVED) if isinstance(vocab, SubwordVocab) else 2
    num_fixed = num_other_bytes + _measure_page(classifier, num_least, embedding)
    if num_fixed > max_bytes:
        raise _too_large(classifier, max_bytes, num_fixed)
    costs = _measure_words(classifier, embedding)[num_least:]
    sizes = num_fixed + costs.cumsum()  # [V - num_least]
    num_more = int(np.searchsorted(sizes, max_bytes, "right"))
    num_fine = 0
    if num_more == len(costs) and embedding == "int8":
        num_free = max_bytes - num_fixed - costs.sum()
        num_fine = _count_fine(classifier, num_free)
    return PageContent(num_least + num_more, VectorFormat(embedding, num_fine))


def _too_large(
    classifier: PortableClassifier, max_bytes: int, num_needed: int
) -> ConfigError:
    limit = max_bytes / BYTES_A_MEGABYTE
    needed = num_needed / BYTES_A_MEGABYTE
    return ConfigError(
        f"a limit of {limit:g} MB: the page needs {needed:.2f} MB without any word:"
        f" train with {_suggest_smaller(classifier)}, or choose a larger limit",
        {"max_size_mb": "MB"},
    )


def _measure_page(
    classifier: PortableClassifier, num_words: int, embedding: EmbeddingType
) -> int:
    """Return the bytes of a page with so many words, without card and examples."""
    limited = limit_words(classifier, num_words)
    vectors = VectorFormat(embedding)
    page = render_page(limited, name="", facts=(), examples=(), vectors=vectors)
    return len(page)


def _count_fine(classifier: PortableClassifier, num_bytes: float) -> int:
    """Return how many words can have 4 bits more in so many bytes of the page."""
    row_bytes = CHARACTERS_A_BYTE * classifier.model.embedding_dim / 2
    return min(len(classifier.vocab), int(num_bytes / row_bytes))


def _suggest_smaller(classifier: PortableClassifier) -> str:
    """Return the settings that make the parts of a page without words smaller."""
    settings = ["a smaller model.hidden_size"]
    if classifier.vocab.char_ngrams is not None:
        settings.append("fewer text.ngram_buckets")
    if classifier.ngrams is not None:
        settings.append("model.ngrams=null")
    return " or ".join(settings)


def _measure_words(
    classifier: PortableClassifier, embedding: EmbeddingType
) -> npt.NDArray[np.float64]:
    """Return how many bytes of the page each word takes. [V] float64."""
    vocab = classifier.vocab
    num_bytes = {word: _measure_json(word) for word in vocab.words}
    if isinstance(vocab, SubwordVocab):
        for left, right in vocab.merges:
            piece = left + right
            num_bytes[piece] += _measure_json([left, right])
    word_bytes = np.array(list(num_bytes.values()))  # [V]
    vector_bytes = _measure_vector(classifier.model.embedding_dim, embedding)
    return word_bytes + CHARACTERS_A_BYTE * vector_bytes


def _measure_vector(embedding_dim: int, embedding: EmbeddingType) -> int:
    """Return the bytes of a word vector and its scale."""
    sizes = {"float32": 4, "float16": 2, "int8": 1}
    num_bytes = sizes[embedding] * embedding_dim
    return num_bytes + _SCALE_BYTES if embedding == "int8" else num_bytes


def _measure_json(value: object) -> int:
    """Return the bytes of a value and the comma after it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # "<" is written as six characters, a lone surrogate as well.
    num_escaped = 5 * text.count("<")
    return len(text.encode("utf-8", "backslashreplace")) + num_escaped + 1
