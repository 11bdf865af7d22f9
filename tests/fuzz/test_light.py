"""Any network predicts in NumPy what it predicts in torch."""

from typing import Any

import numpy as np
from hypothesis import strategies as st

from rnncls.config.sections import TextSection
from rnncls.inference.light.network import compute_outputs
from tests.fuzz.cases import fuzz, texts
from tests.inference.light.networks import (
    Networks,
    add_ngrams,
    assert_same_labels,
    build_networks,
)

networks = st.fixed_dictionaries(
    {
        "task": st.sampled_from(["one_label", "several_labels"]),
        "cell": st.sampled_from(["rnn", "lstm", "gru", "grid_lstm", "none"]),
        "bidirectional": st.booleans(),
        "num_layers": st.integers(1, 3),
        "embedding_dim": st.integers(1, 9),
        "hidden_size": st.integers(1, 9),
        "pooling": st.permutations(["last", "max", "mean", "attention"]).flatmap(
            lambda names: st.integers(1, 4).map(lambda number: names[:number])
        ),
        "seed": st.integers(0, 1000),
        "temperature": st.floats(0.25, 4.0),
        "gain": st.sampled_from([0.5, 1.0, 3.0]),
    }
)
sections = st.builds(
    TextSection,
    tokenizer=st.sampled_from(["basic_english", "whitespace", "words", "characters"]),
    clean=st.sampled_from([False, True, "html"]),
    mark_case=st.booleans(),
    max_tokens=st.integers(1, 50),
)
ngram_parts = st.sampled_from(["none", "added", "alone"])
any_texts = st.lists(texts(surrogates=True), min_size=1, max_size=20)


def build_drawn(
    network: dict[str, Any], section: TextSection, ngram_part: str
) -> Networks:
    """Return a network, with n-grams or replaced by them, or neither."""
    built = build_networks(text=section, **network)
    if ngram_part == "none":
        return built
    return add_ngrams(built, is_alone=ngram_part == "alone")


@fuzz(
    share=2.0,
    network=networks,
    section=sections,
    ngram_part=ngram_parts,
    given_texts=any_texts,
)
def test_any_network_has_the_logits_of_torch(
    network: dict[str, Any],
    section: TextSection,
    ngram_part: str,
    given_texts: list[str],
) -> None:
    built = build_drawn(network, section, ngram_part)
    built.assert_equal(given_texts)
    expected = built.predictor().predict(given_texts)
    assert_same_labels(built.light().predict(given_texts), expected)


@fuzz(share=2.0, network=networks, section=sections, given_texts=any_texts)
def test_any_text_has_the_logits_that_it_has_alone(
    network: dict[str, Any], section: TextSection, given_texts: list[str]
) -> None:
    built = build_networks(text=section, **network)
    found = compute_outputs(built.numpy, built.encode(given_texts)).logits
    for text, logits in zip(given_texts, found, strict=True):
        alone = compute_outputs(built.numpy, built.encode([text])).logits[0]
        scale = max(1.0, float(np.abs(alone).max()))
        np.testing.assert_allclose(logits, alone, rtol=0, atol=1e-5 * scale)
