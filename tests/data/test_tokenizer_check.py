"""A tokenizer that does not fit the texts is named, with the key to change."""

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from rnncls.config.loading import parse_config
from rnncls.config.sections import Config, TextSection
from rnncls.data.init_config import draft_config
from rnncls.data.inspection import inspect_data
from rnncls.data.loading import load_labelled_split, load_training_data
from rnncls.data.tokenizer_check import TokenStats, describe_misfit, measure_tokens
from rnncls.text.tokenizer import tokenize_texts
from rnncls.text.unicode_words import has_glued_sign
from rnncls.text.vocab import Vocab

FITS = TokenStats(12, 60, spaceless_share=0.0, unknown_share=0.05, glued_share=0.0)
CHINESE = ["味道很好", "太难吃了"]
ENGLISH = ["a good film", "a dull film"]


def configure(texts: list[str], *overrides: str) -> Config:
    rows = "".join(
        f"{texts[number % 2]} {'x' * (number % 3)},{number % 2}\n"
        for number in range(40)
    )
    Path("rows.csv").write_text(f"text,label\n{rows}", encoding="utf-8")
    text = (
        "data: {train: rows.csv, text: [text], valid_fraction: 0.2}\n"
        "text: {tokenizer: basic_english, min_freq: 1}\n"
    )
    return parse_config(text, "my.yaml", overrides)


@pytest.mark.parametrize(
    ("token", "is_glued"),
    [
        ("“excellent”", True),
        ("¡excelente!", True),
        ("ممتاز؟", True),
        ("good😀", True),
        ("😀😀", True),
        ("don\u2019t", True),
        ("don't", False),
        ("…", False),
        ("é", False),
        ("l'été", False),
        ("한국어", False),
        ("abc!", False),
    ],
)
def test_a_sign_outside_ascii_beside_something_else_is_glued(
    token: str, *, is_glued: bool
) -> None:
    assert has_glued_sign(token) is is_glued


def test_shares_are_counted_over_the_selected_texts() -> None:
    texts = tokenize_texts(
        ["other words", "good “good” 很好吃很好吃", "good"], TextSection()
    )
    vocab = Vocab(["<pad>", "<unk>", "good"])
    stats = measure_tokens(texts, np.array([1, 2]), vocab)
    assert stats.median_tokens == 2
    assert stats.median_characters == (4 + 6 + 6 + 4) / 2
    assert stats.spaceless_share == 6 / 18
    assert stats.unknown_share == 2 / 4
    assert stats.glued_share == 1 / 4


@pytest.mark.parametrize("tokenizer", ["basic_english", "whitespace", "words"])
def test_texts_that_fit_give_no_note(tokenizer: str) -> None:
    section = TextSection.model_validate({"tokenizer": tokenizer})
    assert describe_misfit(FITS, section, "new") is None


@pytest.mark.parametrize(
    ("tokenizer", "stats", "found", "key"),
    [
        ("basic_english", TokenStats(1, 12, 0.9, 0.9, 0.0), "90% of the", "words"),
        ("whitespace", TokenStats(1, 12, 0.05, 0.9, 0.0), "without spaces", "words"),
        ("whitespace", TokenStats(9, 12, 0.04, 0.5, 0.3), "30% of the", "words"),
        ("basic_english", TokenStats(9, 12, 0.0, 0.5, 0.02), "signs stick", "words"),
        ("basic_english", TokenStats(1, 12, 0.0, 0.9, 0.0), "are one token", "words"),
        ("words", TokenStats(1, 12, 0.9, 0.9, 0.0), "are one token", "characters"),
        ("basic_english", TokenStats(9, 12, 0.0, 0.21, 0.0), "21% of the", "words"),
        ("words", TokenStats(9, 12, 0.9, 0.21, 0.9), "21% of the", "subwords"),
    ],
)
def test_the_first_reason_is_given_with_the_tokenizer_to_set(
    tokenizer: str, stats: TokenStats, found: str, key: str
) -> None:
    section = TextSection.model_validate({"tokenizer": tokenizer})
    note = describe_misfit(stats, section, "new")
    assert note is not None
    assert note.startswith(f"text.tokenizer: {tokenizer}: ")
    assert found in note
    assert f"set text.tokenizer: {key}" in note


@pytest.mark.parametrize("min_freq", [1, 2])
def test_a_setting_that_is_in_use_is_not_advised(min_freq: int) -> None:
    section = TextSection(tokenizer="words", min_freq=min_freq)
    stats = TokenStats(9, 40, spaceless_share=0.0, unknown_share=0.5, glued_share=0.0)
    note = describe_misfit(stats, section, "new")
    assert note is not None
    assert ("text.min_freq: 1" in note) == (min_freq > 1)


def test_unknown_characters_are_a_matter_of_the_vocabulary() -> None:
    section = TextSection(tokenizer="characters")
    stats = TokenStats(9, 9, spaceless_share=0.9, unknown_share=0.5, glued_share=0.0)
    note = describe_misfit(stats, section, "new")
    assert note is not None
    assert "set text.min_freq: 1" in note


def test_one_short_token_a_text_is_right() -> None:
    stats = TokenStats(1, 9, spaceless_share=0.0, unknown_share=0.0, glued_share=0.0)
    assert describe_misfit(stats, TextSection(), "new") is None


@pytest.mark.parametrize(
    ("tokenizer", "num_notes"), [("basic_english", 1), ("words", 0)]
)
def test_training_says_once_that_sentences_are_tokens(
    caplog: pytest.LogCaptureFixture, tokenizer: str, num_notes: int
) -> None:
    caplog.set_level(logging.INFO)
    config = configure(CHINESE, f"text.tokenizer={tokenizer}")
    load_training_data(config.data_settings, use_cache=False)
    notes = [text for text in caplog.messages if "text.tokenizer" in text]
    assert len(notes) == num_notes
    assert all("validation texts" in note for note in notes)


def test_evaluation_says_that_signs_stick_to_words(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.INFO)
    config = configure(ENGLISH)
    data = load_training_data(config.data_settings, use_cache=False)
    Path("glued.csv").write_text("text,label\n“good” film…,0\n", encoding="utf-8")
    load_labelled_split(
        config.data_settings,
        Path("glued.csv"),
        data.vocab,
        data.label_names,
        "error",
        use_cache=False,
    )
    (note,) = [text for text in caplog.messages if "text.tokenizer" in text]
    assert "100% of the evaluated tokens are unknown because signs stick" in note


@pytest.mark.parametrize(
    ("tokenizer", "num_notes"), [("basic_english", 1), ("words", 0)]
)
def test_inspection_notes_the_misfit(tokenizer: str, num_notes: int) -> None:
    config = configure(CHINESE, f"text.tokenizer={tokenizer}")
    found = inspect_data(config.data, config.text, config.seed, use_cache=False)
    assert len(found.notes) == num_notes
    assert found.to_dict()["notes"] == found.notes


def test_init_notes_texts_that_are_one_word(tmp_path: Path) -> None:
    rows = [f"{'AB'[number % 2] * 12}{number},{number % 2}" for number in range(60)]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    notes = draft_config(str(path), tmp_path / "rows.yaml").notes
    (note,) = [note for note in notes if note.startswith("text.tokenizer: words: ")]
    assert "are one token" in note


@pytest.mark.parametrize(("num_rows", "num_notes"), [(1000, 1), (999, 0)])
def test_init_notes_that_most_words_are_rare(
    tmp_path: Path, num_rows: int, num_notes: int
) -> None:
    rows = [f"word{number} and w{number},{number % 2}" for number in range(num_rows)]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    notes = draft_config(str(path), tmp_path / "rows.yaml").notes
    found = [note for note in notes if "67% of the new tokens are unknown" in note]
    assert len(found) == num_notes


def test_many_unknown_words_of_few_texts_say_nothing_about_the_tokenizer() -> None:
    stats = TokenStats(9, 12, 0.0, 0.8, 0.0, num_texts=99)
    assert describe_misfit(stats, TextSection(tokenizer="words"), "validation") is None
    assert describe_misfit(stats, TextSection(), "validation") is not None
    many = replace(stats, num_texts=100)
    assert describe_misfit(many, TextSection(tokenizer="words"), "validation")
