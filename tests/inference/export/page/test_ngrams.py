"""The n-gram part of the page."""

from dataclasses import replace
from typing import Any, Literal

import numpy as np
import pytest
from hypothesis import strategies as st

from rnncls.config.sections import TextSection
from rnncls.evaluation.evaluator import compute_logits
from rnncls.inference.export.page.mixed_rows import VectorFormat
from rnncls.inference.export.page.ngrams import pack_ngrams, round_ngrams
from rnncls.inference.export.page.weights import round_weights
from rnncls.inference.insight.explanation import occlude
from rnncls.inference.insight.trajectory import beginnings
from rnncls.inference.light.network import compute_outputs
from rnncls.nn.ngrams import NgramClassifier
from rnncls.runs.portable import PortableClassifier
from rnncls.text.encoded_texts import encode_texts
from rnncls.text.ngram_hash import hash_ngrams
from rnncls.text.ngram_table import NgramTable, pack_table, unpack_table
from rnncls.text.subwords import learn_subwords
from rnncls.text.tokenizer import tokenize_texts
from rnncls.text.vocab import Vocab
from tests.fuzz.cases import fuzz
from tests.inference.export.page.scripts import Scripts
from tests.inference.export.page.test_network import TEXTS, assert_close
from tests.inference.light.networks import LABELS, Networks, add_ngrams, build_networks

EmbeddingType = Literal["float32", "float16", "int8"]
TOKENIZERS = ["basic_english", "whitespace", "words", "subwords", "characters"]
LINES = [
    *TEXTS,
    "",
    "meet zanzibar rovers . meet oslo again ' a",
    "東京 oslo 👍🏽 Meet",
]


def build_rounded(
    embedding: EmbeddingType, *, is_alone: bool, task: str = "one_label"
) -> Networks:
    """Return networks whose n-grams have the weights of a page."""
    networks = add_ngrams(
        build_networks(cell="gru", bidirectional=True, temperature=1.7, task=task),
        is_alone=is_alone,
    )
    table = networks.numpy.ngrams
    assert table is not None
    rounded = round_ngrams(table, embedding)
    networks.torch.model.ngrams = NgramClassifier(rounded, len(networks.numpy.vocab))
    return replace(networks, numpy=replace(networks.numpy, ngrams=rounded))


@pytest.mark.parametrize("is_alone", [False, True])
@pytest.mark.parametrize("task", ["one_label", "several_labels"])
def test_logits_prefixes_and_occlusions_are_those_of_torch(
    task: str, *, is_alone: bool, scripts: Scripts
) -> None:
    networks = build_rounded("float32", is_alone=is_alone, task=task)
    model = networks.torch.model
    scripts.load(networks.numpy)
    for text in LINES:
        encoded = networks.encode([text])
        logits = scripts.run("read", tokenIds=encoded.token_ids.tolist())
        assert_close(logits, compute_logits(model, encoded)[0].numpy())
        prefixes = compute_logits(model, beginnings(encoded)).numpy()
        assert_close(scripts.run("prefixes"), prefixes)
        assert_close(scripts.run("occlusions"), occlude(model, encoded).numpy())


def build_with_tokenizer(
    name: str, *, is_alone: bool, is_centred: bool = True
) -> PortableClassifier:
    """Return a classifier with n-grams of the words of `LINES`, but for some."""
    networks = build_networks(
        text=TextSection.model_validate({"tokenizer": name, "max_tokens": 64})
    )
    tokenized = tokenize_texts(LINES * 3, networks.numpy.text)
    vocab = Vocab(["<pad>", "<unk>", *sorted(set(tokenized.words) - {"<unk>"})[::2]])
    if name == "subwords":
        pytest.importorskip("tokenizers")
        counts = tokenized.counts()
        vocab = learn_subwords(tokenized.words, counts, size=300, max_tokens=64)
    encoded = encode_texts(tokenized, vocab)
    keys = hash_ngrams(encoded.flat_tokens(), encoded.lengths, 4)
    keys = np.unique(keys)[1::2]  # [K], without NO_KEY
    generator = np.random.default_rng(0)
    table = NgramTable(
        4,
        keys,
        generator.normal(size=(len(keys), len(LABELS))).astype(np.float32),
        generator.random(len(keys)).astype(np.float32),
        generator.normal(size=len(LABELS)).astype(np.float32),
        is_alone=is_alone,
        is_centred=is_centred,
    )
    vectors = generator.normal(size=(len(vocab), 6)).astype(np.float32)
    weights = {**networks.numpy.weights, "embedding.weight": vectors}
    return replace(networks.numpy, vocab=vocab, weights=weights, ngrams=table)


@pytest.mark.parametrize("is_centred", [False, True])
@pytest.mark.parametrize("is_alone", [False, True])
@pytest.mark.parametrize("name", TOKENIZERS)
def test_a_text_has_the_logits_of_the_package(
    name: str, *, is_alone: bool, is_centred: bool, scripts: Scripts
) -> None:
    classifier = build_with_tokenizer(name, is_alone=is_alone, is_centred=is_centred)
    vectors = VectorFormat("int8", 3)
    scripts.load(classifier, vectors)
    rounded = round_weights(classifier, vectors)
    tokenized = tokenize_texts(LINES, classifier.text)
    expected = compute_outputs(rounded, encode_texts(tokenized, classifier.vocab))
    answers = scripts.run("classify", texts=LINES)
    for logits, row in zip(answers, expected.logits, strict=True):
        assert_close(logits, row)


@fuzz(
    embedding=st.sampled_from(["float16", "int8"]),
    token_ids=st.lists(st.integers(1, 9), min_size=1, max_size=30),
    is_alone=st.booleans(),
)
def test_any_token_ids_have_the_logits_of_the_package(
    embedding: EmbeddingType,
    token_ids: list[int],
    scripts: Scripts,
    *,
    is_alone: bool,
) -> None:
    networks = add_ngrams(build_networks(), is_alone=is_alone)
    encoded = networks.encode(["a"])
    encoded = replace(
        encoded,
        token_ids=np.array(token_ids, np.int32),
        lengths=np.array([len(token_ids)]),
    )
    vectors = VectorFormat(embedding)
    scripts.load(networks.numpy, vectors)
    expected = compute_outputs(round_weights(networks.numpy, vectors), encoded)
    assert_close(scripts.run("read", tokenIds=token_ids), expected.logits[0])


def build_table(num_ngrams: int, num_classes: int, **settings: Any) -> NgramTable:
    """Return a table as a run has it, with weights of a heavy-tailed distribution."""
    generator = np.random.default_rng(1)
    keys = np.unique(generator.integers(0, 2**32, num_ngrams))
    shape = (len(keys), num_classes)
    table = NgramTable(
        2,
        keys,
        generator.standard_t(4, size=shape).astype(np.float32),
        generator.uniform(1, 100, len(keys)).astype(np.float32),
        np.zeros(num_classes, np.float32),
        **settings,
    )
    return unpack_table(pack_table(table, np.ones(len(keys), np.float32)))


@pytest.mark.parametrize("num_classes", [2, 3, 4, 30])
def test_sixteen_bits_are_those_of_a_run(num_classes: int) -> None:
    table = build_table(4000, num_classes)
    rounded = round_ngrams(table, "float16")
    differences = np.abs(rounded.weights - table.weights)
    # Only an n-gram with equal weights of two classes may be rounded once more.
    assert np.median(differences) < 1e-6
    assert differences.max() < 2**-11 * np.abs(table.weights).max()
    assert (rounded.squares == table.squares).all()


def test_sixteen_bits_of_several_labels_are_those_of_a_run() -> None:
    table = build_table(4000, 30, is_centred=False)
    rounded = round_ngrams(table, "float16")
    np.testing.assert_array_equal(rounded.weights, table.weights)
    assert not rounded.is_centred


def test_eight_bits_keep_small_weights() -> None:
    table = build_table(4000, 4)
    rounded = round_ngrams(table, "int8")
    differences = np.abs(rounded.weights - table.weights)
    assert 0 < differences.max() < 0.01 * np.abs(table.weights).max()
    assert differences.mean() < 0.02 * np.abs(table.weights).mean()


@pytest.mark.parametrize(("num_classes", "most"), [(2, 200_000), (4, 125_000)])
def test_the_largest_table_adds_less_than_a_megabyte_and_a_half(
    num_classes: int, most: int
) -> None:
    packed = pack_ngrams(build_table(most, num_classes), "int8")
    num_bytes = sum(array.nbytes for array in packed.arrays.values())
    assert num_bytes * 4 / 3 < 1_500_000
