"""How many words fit into a page of limited size.

Shapes: V words, E embedding_dim.
"""

import json

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError
from rnncls.inference.export.page.document import render_page
from rnncls.inference.export.page.weights import limit_words
from rnncls.inference.export.quantization import EmbeddingType
from rnncls.runs.portable import PortableClassifier
from rnncls.text.subwords import RESERVED, SubwordVocab

BYTES_A_MEGABYTE = 1_000_000
_BASE64 = 4 / 3
_SCALE_BYTES = 4


def choose_num_words(
    classifier: PortableClassifier,
    max_bytes: int,
    num_other_bytes: int,
    embedding: EmbeddingType,
) -> int:
    """Return how many words a page of limited size can have, V at most.

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
    least = limit_words(classifier, num_least)
    num_fixed = num_other_bytes + len(
        render_page(least, name="", facts=(), examples=(), embedding=embedding)
    )
    costs = _measure_words(classifier, embedding)[num_least:]
    num_more = int(np.searchsorted(num_fixed + costs.cumsum(), max_bytes, "right"))
    if num_fixed > max_bytes:
        needed = num_fixed / BYTES_A_MEGABYTE
        raise ConfigError(
            f"--max-size-mb {max_bytes / BYTES_A_MEGABYTE:g}: the page needs"
            f" {needed:.2f} MB without any word: choose a larger limit, or train with"
            f" {_suggest_smaller(classifier)}"
        )
    return num_least + num_more


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
    return word_bytes + _BASE64 * vector_bytes


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
