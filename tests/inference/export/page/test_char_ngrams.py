"""Unknown words of the page are read by their character n-grams."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st

from rnncls.config.sections import TextSection
from rnncls.evaluation.evaluator import compute_logits
from rnncls.inference.export.page.mixed_rows import VectorFormat
from rnncls.inference.export.page.size import choose_content
from rnncls.inference.export.page.weights import limit_words, round_weights
from rnncls.inference.insight.explanation import occlude
from rnncls.inference.insight.trajectory import beginnings
from rnncls.inference.light.network import compute_outputs
from rnncls.text.char_ngrams import CharNgrams
from tests.fuzz.cases import fuzz, texts
from tests.inference.export.page.scripts import FLOAT32, Scripts
from tests.inference.export.page.test_network import assert_close
from tests.inference.light.networks import Networks, add_ngrams, build_networks

TEXTS = [
    "oslo zanzibar meet kenya",
    "overs rover <unk> <pad> meet",
    "",
    "x",
    "東京 👍🏽 naïve 👨‍👩‍👧 ﬁ oslo 𐐷𐐷𐐷",
    "zanzibar " * 70,
]


def build(tokenizer: str = "words", **settings: int) -> Networks:
    lengths = [settings.get("min_length", 3), settings.get("max_length", 5)]
    text = TextSection.model_validate(
        {
            "tokenizer": tokenizer,
            "char_ngrams": lengths,
            "ngram_buckets": 64,
            "max_tokens": 64,
        }
    )
    return build_networks(cell="gru", bidirectional=True, text=text)


@pytest.mark.parametrize("tokenizer", ["basic_english", "whitespace", "words"])
@pytest.mark.parametrize("has_ngrams", [False, True])
def test_logits_prefixes_and_occlusions_are_those_of_torch(
    tokenizer: str, *, has_ngrams: bool, scripts: Scripts
) -> None:
    networks = build(tokenizer)
    if has_ngrams:
        networks = add_ngrams(networks)
        networks = replace(networks, numpy=round_weights(networks.numpy, FLOAT32))
    scripts.load(networks.numpy)
    model = networks.torch.model
    for text in TEXTS:
        encoded = networks.encode([text])
        (logits,) = scripts.run("classify", texts=[text])
        rows = compute_outputs(networks.numpy, encoded).logits
        assert_close(logits, rows[0])
        if has_ngrams:  # those of torch are not rounded
            continue
        assert_close(logits, compute_logits(model, encoded)[0].numpy())
        prefixes = compute_logits(model, beginnings(encoded)).numpy()
        assert_close(scripts.run("prefixes"), prefixes)
        assert_close(scripts.run("occlusions"), occlude(model, encoded).numpy())


@fuzz(
    lengths=st.tuples(st.integers(2, 6), st.integers(2, 6)),
    text=texts() | st.text(max_size=40),
    vectors=st.sampled_from(
        [VectorFormat("float16"), VectorFormat("int8"), VectorFormat("int8", 4)]
    ),
)
def test_any_text_has_the_logits_of_the_package(
    lengths: tuple[int, int],
    text: str,
    vectors: VectorFormat,
    scripts: Scripts,
) -> None:
    networks = build(min_length=min(lengths), max_length=max(lengths))
    scripts.load(networks.numpy, vectors)
    rounded = round_weights(networks.numpy, vectors)
    (logits,) = scripts.run("classify", texts=[text])
    assert_close(logits, compute_outputs(rounded, networks.encode([text])).logits[0])


def test_a_word_of_thousands_of_letters_has_its_logits(scripts: Scripts) -> None:
    networks = build(min_length=2, max_length=2)
    scripts.load(networks.numpy)
    (logits,) = scripts.run("classify", texts=["x" * 5000])
    expected = compute_outputs(networks.numpy, networks.encode(["x" * 5000]))
    assert_close(logits, expected.logits[0])


@pytest.mark.parametrize("num_buckets", [1, 1000, 2_000_000])
def test_a_word_has_the_rows_of_the_package(num_buckets: int, scripts: Scripts) -> None:
    words = ["where", "a", "", "東京タワー", "👨‍👩‍👧", "\ud83d", "a\udc4db", "é\u0301"]
    settings = {"minLength": 3, "maxLength": 6, "numBuckets": num_buckets}
    found = scripts.run("hash", words=words, charNgrams={**settings, "firstRow": 5})
    expected = CharNgrams(3, 6, num_buckets).hash_words(words, 5)
    rows = np.split(expected.rows, expected.starts[1:])
    assert found == [row.tolist() for row in rows]


def test_a_smaller_page_reads_rare_words_by_their_ngrams(scripts: Scripts) -> None:
    networks = build()
    vocab = networks.numpy.vocab
    limited = limit_words(networks.numpy, 4)
    assert limited.vocab.words == vocab.words[:4]
    assert len(limited.weights["embedding.weight"]) == 4 + 64
    scripts.load(limited)
    small = Networks(replace(networks.torch, vocab=limited.vocab), limited)
    encoded = small.encode(["oslo meet again"])
    expected = compute_outputs(limited, encoded).logits[0]
    (logits,) = scripts.run("classify", texts=["oslo meet again"])
    assert_close(logits, expected)
    content = choose_content(networks.numpy, 10**9, 0, "int8")
    assert content == (len(vocab), VectorFormat("int8", len(vocab)))
