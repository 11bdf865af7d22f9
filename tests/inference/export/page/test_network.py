"""The network in JavaScript computes what torch does."""

from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import strategies as st

from rnncls import ConfigError
from rnncls.config.loading import load_config
from rnncls.config.sections import TextSection
from rnncls.evaluation.evaluator import compute_logits
from rnncls.inference.export.page.mixed_rows import VectorFormat
from rnncls.inference.export.page.support import check_support
from rnncls.inference.export.page.weights import round_weights
from rnncls.inference.insight.explanation import occlude
from rnncls.inference.insight.trajectory import beginnings
from rnncls.inference.light.network import compute_outputs
from rnncls.nn.scope import ScopeRule
from tests.fuzz.cases import fuzz
from tests.inference.export.page.scripts import FLOAT32, Scripts
from tests.inference.light.networks import (
    TOLERANCE,
    add_ngrams,
    add_scope,
    build_networks,
    set_rule,
)

CONFIGS = sorted((Path(__file__).parents[4] / "configs").glob("**/*.yaml"))
ALL = ["attention", "last", "max", "mean"]
TEXTS = ["rovers meet oslo again.", "a", "zanzibar", "oslo " * 70 + "meet rovers"]
Cell = Literal["rnn", "lstm", "gru", "grid_lstm", "none"]


def assert_close(found: Any, expected: npt.NDArray[np.float32]) -> None:
    """Compare logits; `found` has them as lists."""
    logits = np.array(found)
    scale = max(1.0, float(np.abs(expected).max()))
    np.testing.assert_allclose(logits, expected, rtol=0, atol=TOLERANCE * scale)


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm", "none"])
@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("num_layers", [1, 3])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_logits_are_those_of_torch(
    cell: Cell, num_layers: int, size: int, *, bidirectional: bool, scripts: Scripts
) -> None:
    networks = build_networks(
        cell=cell,
        bidirectional=bidirectional,
        num_layers=num_layers,
        tokens_per_step=size,
        pooling=ALL if bidirectional else ALL[::-1],
        temperature=1.7,
    )
    model = networks.torch.model
    scripts.load(networks.numpy)
    for text in TEXTS:
        encoded = networks.encode([text])
        logits = scripts.run("read", tokenIds=encoded.token_ids.tolist())
        assert_close(logits, compute_logits(model, encoded)[0].numpy())
        prefixes = compute_logits(model, beginnings(encoded)).numpy()
        assert_close(scripts.run("prefixes"), prefixes)
        assert_close(scripts.run("occlusions"), occlude(model, encoded).numpy())


SETTINGS = st.fixed_dictionaries(
    {
        "task": st.sampled_from(["one_label", "several_labels"]),
        "cell": st.sampled_from(["rnn", "lstm", "gru", "grid_lstm", "none"]),
        "pooling": st.lists(st.sampled_from(ALL), min_size=1, unique=True),
        "embedding_dim": st.integers(1, 9),
        "hidden_size": st.integers(1, 9),
        "num_layers": st.integers(1, 3),
        "bidirectional": st.booleans(),
        "tokens_per_step": st.integers(1, 4),
        "temperature": st.floats(0.2, 5),
        "seed": st.integers(0, 999),
    }
)


@fuzz(
    settings=SETTINGS,
    ngram_part=st.sampled_from(["none", "added", "alone"]),
    words=st.lists(st.sampled_from(["oslo", "meet", "'", "zanzibar"]), max_size=30),
)
def test_any_network_has_the_logits_of_the_package(
    settings: dict[str, Any], ngram_part: str, words: list[str], scripts: Scripts
) -> None:
    networks = build_networks(**settings)
    if ngram_part != "none":
        networks = add_ngrams(networks, is_alone=ngram_part == "alone")
        rounded = round_weights(networks.numpy, FLOAT32)
        networks = replace(networks, numpy=rounded)
    encoded = networks.encode([" ".join(words)])
    scripts.load(networks.numpy)
    token_ids = encoded.token_ids.tolist()
    logits = scripts.run("read", tokenIds=token_ids)
    assert_close(logits, compute_outputs(networks.numpy, encoded).logits[0])
    (prediction,) = networks.light().predict(" ".join(words))
    probs = np.array(scripts.run("probs", tokenIds=token_ids))
    expected = list(prediction.probs.values())
    np.testing.assert_allclose(probs, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_config_has_a_page_with_its_logits(path: Path, scripts: Scripts) -> None:
    config = load_config(path)
    settings = config.model.model_dump(exclude={"embedding_dim", "hidden_size"})
    networks = build_networks(text=config.text, **settings)
    try:
        check_support(config.text, config.model)
    except ConfigError as error:
        pytest.skip(str(error))
    scripts.load(networks.numpy)
    for text in TEXTS:
        encoded = networks.encode([text])
        logits = scripts.run("read", tokenIds=encoded.token_ids.tolist())
        assert_close(logits, compute_outputs(networks.numpy, encoded).logits[0])


@pytest.mark.parametrize(
    "vector_format",
    [
        VectorFormat("float32"),
        VectorFormat("float16"),
        *(VectorFormat("int8", num_fine) for num_fine in (0, 1, 3, 10)),
    ],
)
@pytest.mark.parametrize("cell", ["gru", "grid_lstm", "none"])
def test_the_weights_are_the_rounded_ones(
    cell: Cell, vector_format: VectorFormat, scripts: Scripts
) -> None:
    networks = build_networks(
        cell=cell, bidirectional=True, pooling=ALL, embedding_dim=5
    )
    vectors = networks.numpy.weights["embedding.weight"].copy()
    vectors[2] = 0.0  # a row without a largest value
    vectors[3] *= 1e-7  # below the smallest normal number of 16 bits
    weights = {**networks.numpy.weights, "embedding.weight": vectors}
    classifier = replace(networks.numpy, weights=weights)
    encoded = networks.encode(["oslo rovers meet again"])
    rounded = round_weights(classifier, vector_format)
    expected = compute_outputs(rounded, encoded).logits
    scripts.load(classifier, vector_format)
    token_ids = encoded.token_ids.tolist()
    assert_close(scripts.run("read", tokenIds=token_ids), expected[0])


@fuzz(
    settings=SETTINGS,
    ngram_part=st.sampled_from(["none", "added", "alone"]),
    char_ngrams=st.sampled_from([None, [2, 3]]),
    texts=st.lists(
        st.lists(st.sampled_from(["oslo", "meet", "a", "zanzibar"]), max_size=6).map(
            " ".join
        ),
        min_size=8,
        max_size=20,
    ),
)
def test_the_texts_that_fit_are_those_of_the_package(
    settings: dict[str, Any],
    ngram_part: str,
    char_ngrams: list[int] | None,
    texts: list[str],
    scripts: Scripts,
) -> None:
    text = TextSection(tokenizer="words", char_ngrams=char_ngrams, ngram_buckets=20)
    networks = build_networks(text=text, **{**settings, "task": "one_label"})
    if ngram_part != "none":
        networks = add_ngrams(networks, is_alone=ngram_part == "alone")
        rounded = round_weights(networks.numpy, FLOAT32)
        networks = replace(networks, numpy=rounded)
    networks = add_scope(networks, texts)
    scripts.load(networks.numpy)
    expected = [prediction.fits for prediction in networks.light().predict(texts)]
    assert scripts.run("fits", texts=texts) == expected


@pytest.mark.parametrize("char_ngrams", [None, [2, 3]])
def test_a_text_without_a_word_that_is_read_fits_none(
    char_ngrams: list[int] | None, scripts: Scripts
) -> None:
    text = TextSection(tokenizer="words", char_ngrams=char_ngrams, ngram_buckets=20)
    rule = ScopeRule(threshold=-100.0, unknown_weight=1.0)
    networks = set_rule(build_networks(text=text), rule)
    scripts.load(networks.numpy)
    expected = [False, char_ngrams is not None, True]
    assert scripts.run("fits", texts=["", "zanzibar", "oslo zanzibar"]) == expected
