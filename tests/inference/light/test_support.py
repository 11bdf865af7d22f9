"""What the light runtime knows, and what it leaves to torch."""

import pytest
from pydantic import create_model

from rnncls.config.sections import ModelSection, TextSection
from rnncls.inference.light.support import KNOWN_KEYS, find_unsupported


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm", "none"])
def test_every_cell_pooling_and_tokenizer_is_known(cell: str) -> None:
    model = ModelSection().replace(
        cell=cell, pooling=["last", "max", "mean", "attention"], dropout=0.1
    )
    for tokenizer in ("basic_english", "whitespace", "words", "subwords", "characters"):
        text = TextSection().replace(tokenizer=tokenizer, max_tokens=7)
        assert find_unsupported(text, model) is None


def test_a_new_key_is_unknown_unless_it_has_its_default_value() -> None:
    later = create_model("Later", __base__=ModelSection, depth=(int, 2))
    assert find_unsupported(TextSection(), later()) is None
    assert (
        find_unsupported(TextSection(), later.model_validate({"depth": 3}))
        == "model.depth=3"
    )


@pytest.mark.parametrize("ngrams", ["auto", "alone"])
def test_a_model_of_ngrams_is_known(ngrams: str) -> None:
    model = ModelSection().replace(ngrams=ngrams)
    assert find_unsupported(TextSection(), model) is None


def test_a_new_value_of_a_known_key_is_unknown() -> None:
    later = create_model("Later", __base__=ModelSection, pooling=(list[str], ["last"]))
    found = find_unsupported(
        TextSection(), later.model_validate({"pooling": ["last", "min"]})
    )
    assert found == "model.pooling=['last', 'min']"


def test_the_known_keys_exist() -> None:
    keys = {f"text.{name}" for name in TextSection.model_fields}
    keys |= {f"model.{name}" for name in ModelSection.model_fields}
    assert keys >= KNOWN_KEYS
