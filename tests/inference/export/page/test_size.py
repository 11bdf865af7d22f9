"""The words that fit into a page of limited size."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnncls import ConfigError
from rnncls.config.sections import TextSection
from rnncls.inference.export.page.document import write_page
from rnncls.inference.export.page.mixed_rows import VectorFormat, choose_format
from rnncls.inference.export.page.size import choose_content
from rnncls.inference.export.page.weights import limit_words
from rnncls.inference.export.quantization import EmbeddingType
from rnncls.runs.portable import PortableClassifier
from rnncls.text.subwords import SubwordVocab, learn_subwords
from rnncls.text.vocab import Vocab
from tests.inference.light.networks import add_ngrams, build_networks

PAGE = Path("page.html")
SIGNS = '<"é東'
WORDS = [f"{SIGNS[number % 4]}{number}" for number in range(3000)]


def build_classifier(vocab: Vocab) -> PortableClassifier:
    text = TextSection(clean=False, tokenizer="whitespace")
    networks = build_networks(text=text, embedding_dim=30)
    vectors = np.random.default_rng(0).normal(size=(len(vocab), 30))
    weights = {**networks.numpy.weights, "embedding.weight": vectors.astype(np.float32)}
    return replace(networks.numpy, vocab=vocab, weights=weights)


def measure(classifier: PortableClassifier, vectors: VectorFormat) -> int:
    return write_page(classifier, PAGE, name="page", vectors=vectors)


@pytest.mark.parametrize("embedding", ["float32", "float16", "int8"])
def test_the_page_is_as_large_as_allowed(embedding: EmbeddingType) -> None:
    classifier = build_classifier(Vocab(["<pad>", "<unk>", *WORDS]))
    limit = measure(classifier, VectorFormat(embedding)) - 50_000
    content = choose_content(classifier, limit, 0, embedding)
    assert content.vectors.num_fine == 0
    size = measure(limit_words(classifier, content.num_words), content.vectors)
    assert limit - 300 < size <= limit + 100


def test_free_room_gives_frequent_words_more_bits() -> None:
    classifier = build_classifier(Vocab(["<pad>", "<unk>", *WORDS]))
    limit = measure(classifier, VectorFormat("int8")) + 20_000
    content = choose_content(classifier, limit, 0, "int8")
    assert content.num_words == len(classifier.vocab)
    assert 0 < content.vectors.num_fine < len(classifier.vocab)
    assert limit - 300 < measure(classifier, content.vectors) <= limit + 100


@pytest.mark.parametrize("embedding", ["int8", "float16"])
def test_a_model_of_two_megabytes_has_a_page_of_less(embedding: EmbeddingType) -> None:
    words = [f"{SIGNS[number % 4]}word{number}" for number in range(16_600)]
    classifier = build_classifier(Vocab(["<pad>", "<unk>", *words]))
    num_parameters = sum(values.size for values in classifier.weights.values())
    assert 1.99e6 < 4 * num_parameters < 2e6  # as `tune --max-size-mb 2` counts
    assert measure(classifier, choose_format(embedding, len(classifier.vocab))) < 2e6


def test_fewer_subwords_are_pieces_of_shorter_merges() -> None:
    pytest.importorskip("tokenizers")
    words = [f"{first}{last}" for first in WORDS[:40] for last in ("ing", "ed")]
    counts = np.full(len(words), 5, np.int64)
    vocab = learn_subwords(words, counts, size=420, max_tokens=50)
    classifier = build_classifier(vocab)
    limit = measure(classifier, VectorFormat("int8")) - 2000
    content = choose_content(classifier, limit, 0, "int8")
    limited = limit_words(classifier, content.num_words)
    assert isinstance(limited.vocab, SubwordVocab)
    assert 0 < len(limited.vocab.merges) < len(vocab.merges)
    assert limited.vocab.words == vocab.words[: len(limited.vocab)]
    assert "".join(limited.vocab.divide_tokens(['"4ing'])) == '▁"4ing'


def test_a_limit_without_room_for_words_is_an_error() -> None:
    classifier = build_classifier(Vocab(["<pad>", "<unk>", "a"]))
    message = r"0\.001 MB: the page needs 0\.0\d MB without"
    with pytest.raises(ConfigError, match=message):
        choose_content(classifier, 1000, 0, "int8")


def test_the_error_names_what_makes_the_page_smaller() -> None:
    text = TextSection(char_ngrams=[3, 5], ngram_buckets=500)
    networks = add_ngrams(build_networks(text=text))
    advice = "hidden_size or fewer text.ngram_buckets or model.ngrams=null"
    with pytest.raises(ConfigError, match=advice):
        choose_content(networks.numpy, 1000, 0, "int8")


def test_all_words_fit_into_a_large_page() -> None:
    classifier = build_classifier(Vocab(["<pad>", "<unk>", *WORDS]))
    content = choose_content(classifier, 10**9, 0, "int8")
    assert content == (3002, VectorFormat("int8", 3002))
