"""Any text has tokens and a prediction, which depend on nothing but the text."""

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import strategies as st

from rnncls.cli.reporting.prediction_output import prediction_line, save_predictions
from rnncls.config.loading import parse_config
from rnncls.config.sections import Config
from rnncls.config.yaml_format import dump_config
from rnncls.data.readers import read_rows
from rnncls.data.rows import Columns
from rnncls.inference.prediction import Prediction
from rnncls.inference.predictor import Predictor
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.classifier import Classifier
from rnncls.runs.companions import load_vocab
from rnncls.text.cleaning import clean_text
from rnncls.text.tokenizer import (
    build_tokenizer,
    join_texts,
    tokenize_texts,
)
from rnncls.text.vocab import PAD_ID, UNK_ID, Vocab, build_vocab
from tests.fuzz.cases import fuzz, texts

WORDS = ["<pad>", "<unk>", "a", "again", "tag", "quoted", "'", ".", "\u200d", "\0"]
LABELS = ["sport", "world", "weather"]
any_texts = st.lists(texts(surrogates=True), min_size=1, max_size=6)
tokenizers = st.sampled_from(["basic_english", "whitespace"])


def configure(*overrides: str) -> Config:
    return parse_config("data: {train: none.csv}", "fuzz.yaml", overrides)


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    """A model with new weights so large that texts get different predictions."""
    pooling = "model.pooling=[last, max, mean, attention]"
    config = configure(
        "model.embedding_dim=6", "model.hidden_size=5", "text.max_tokens=64", pooling
    )
    torch.manual_seed(0)
    model = TextClassifier(config.model, len(WORDS), len(LABELS)).eval()
    with torch.no_grad():
        model.embedding.weight.mul_(10)
        model.linear.weight.mul_(5)
    return Predictor(
        Classifier(config.text, Vocab(WORDS), LABELS, model),
        torch.device("cpu"),
        attention=True,
    )


def probs_of(predictions: list[Prediction]) -> torch.Tensor:
    return torch.tensor([list(prediction.probs.values()) for prediction in predictions])


# Tokens


@fuzz(
    text=texts(surrogates=True),
    name=tokenizers,
    clean=st.booleans(),
    marks=st.booleans(),
    limit=st.integers(1, 9),
)
def test_a_text_has_one_token_or_more_and_no_white_space_in_them(
    text: str, name: str, clean: bool, marks: bool, limit: int
) -> None:
    changes = (
        f"text.clean={clean}",
        f"text.mark_case={marks}",
        f"text.same_digits={marks}",
    )
    section = configure(
        f"text.tokenizer={name}", *changes, f"text.max_tokens={limit}"
    ).text
    tokens = build_tokenizer(section)(text)
    assert 1 <= len(tokens) <= limit
    assert all(token.split() == [token] for token in tokens)


@fuzz(text=texts(surrogates=True))
def test_tokens_of_white_space_are_the_same_when_they_are_tokenised_again(
    text: str,
) -> None:
    tokenize = build_tokenizer(
        configure("text.tokenizer=whitespace", "text.clean=false").text
    )
    assert tokenize(" ".join(tokenize(text))) == tokenize(text)


@fuzz(text=texts(surrogates=True, without=";\\<"))
def test_a_text_without_marks_of_damage_is_not_mended(text: str) -> None:
    assert clean_text(text) == text


@fuzz(text=texts(surrogates=True))
def test_a_mended_text_has_no_tag_and_no_backslash(text: str) -> None:
    assert "\\" not in clean_text(text)
    assert "<b>" not in clean_text(text)


@fuzz(parts=st.lists(any_texts, max_size=4), name=tokenizers)
def test_parts_tokenised_apart_are_the_whole(parts: list[list[str]], name: str) -> None:
    section = configure(f"text.tokenizer={name}").text
    joined = join_texts(tokenize_texts(part, section) for part in parts)
    whole = tokenize_texts([text for part in parts for text in part], section)
    assert joined.words == whole.words
    np.testing.assert_array_equal(joined.word_ids, whole.word_ids)
    np.testing.assert_array_equal(joined.lengths, whole.lengths)


@fuzz(rows=any_texts, chosen=st.sets(st.integers(0, 5)))
def test_types_are_counted_as_by_hand(rows: list[str], chosen: set[int]) -> None:
    section = configure().text
    picked = sorted(row for row in chosen if row < len(rows))
    tokens = [token for row in picked for token in build_tokenizer(section)(rows[row])]
    found = tokenize_texts(rows, section)
    counts = found.counts(np.array(picked, dtype=np.int64))
    assert counts.tolist() == [tokens.count(word) for word in found.words]


# Vocabulary


@fuzz(
    rows=any_texts, order=st.randoms(use_true_random=False), min_freq=st.integers(1, 3)
)
def test_the_order_of_the_rows_does_not_change_the_vocabulary(
    rows: list[str], order: object, min_freq: int
) -> None:
    shuffled = list(rows)
    order.shuffle(shuffled)  # type: ignore[attr-defined]  # a random.Random
    first, second = (
        build_vocab(found.words, found.counts(), min_freq=min_freq, max_vocab=None)
        for found in (
            tokenize_texts(each, configure().text) for each in (rows, shuffled)
        )
    )
    assert first.words == second.words


@fuzz(rows=any_texts)
def test_a_word_has_its_place_as_its_id_and_any_other_is_unknown(
    rows: list[str],
) -> None:
    found = tokenize_texts(rows, configure().text)
    vocab = build_vocab(found.words, found.counts(), min_freq=2, max_vocab=20)
    ids = vocab.encode(found.words).tolist()
    assert [vocab.words[token_id] for token_id in ids if token_id != UNK_ID] == [
        word for word in found.words if word in vocab.words[2:]
    ]
    assert PAD_ID not in ids


@fuzz(rows=st.lists(texts(), min_size=1, max_size=6), name=tokenizers)
def test_words_are_the_same_when_they_have_been_written_and_read(
    rows: list[str], name: str
) -> None:
    config = configure(f"text.tokenizer={name}")
    found = tokenize_texts(rows, config.text)
    vocab = build_vocab(found.words, found.counts(), min_freq=1, max_vocab=None)
    Path("config.yaml").write_text(dump_config(config), encoding="utf-8")
    Path("vocab.txt").write_bytes("".join(f"{word}\n" for word in vocab.words).encode())
    assert load_vocab(Path()).words == vocab.words


# Predictions


@fuzz(rows=any_texts)
def test_any_texts_have_probabilities_in_their_order(
    predictor: Predictor, rows: list[str]
) -> None:
    found = predictor.predict(rows)
    assert [prediction.text for prediction in found] == rows
    torch.testing.assert_close(probs_of(found).sum(dim=1), torch.ones(len(rows)))
    for prediction in found:
        assert prediction.attention is not None
        assert sum(weight for _, weight in prediction.attention) == pytest.approx(
            1, abs=1e-4
        )


@fuzz(rows=any_texts, more=any_texts)
def test_neither_padding_nor_the_other_texts_change_a_prediction(
    predictor: Predictor, rows: list[str], more: list[str]
) -> None:
    alone = probs_of([predictor.predict([text])[0] for text in rows])
    beside = probs_of(
        predictor.predict([*more, *rows, *more])[len(more) : len(more) + len(rows)]
    )
    torch.testing.assert_close(beside, alone, rtol=0, atol=1e-5)


@fuzz(rows=any_texts, order=st.randoms(use_true_random=False))
def test_the_order_of_the_texts_does_not_change_a_prediction(
    predictor: Predictor, rows: list[str], order: object
) -> None:
    places = list(range(len(rows)))
    order.shuffle(places)  # type: ignore[attr-defined]  # a random.Random
    shuffled = probs_of(predictor.predict([rows[place] for place in places]))
    torch.testing.assert_close(
        shuffled, probs_of(predictor.predict(rows))[places], rtol=0, atol=1e-5
    )


@fuzz(chunks=st.lists(any_texts, max_size=4))
def test_a_stream_of_texts_has_the_predictions_of_a_list(
    predictor: Predictor, chunks: list[list[str]]
) -> None:
    rows = [text for chunk in chunks for text in chunk]
    streamed = [
        prediction for window in predictor.stream(chunks) for prediction in window
    ]
    assert [prediction.text for prediction in streamed] == rows
    if rows:
        torch.testing.assert_close(
            probs_of(streamed), probs_of(predictor.predict(rows)), rtol=0, atol=1e-5
        )


@fuzz(rows=any_texts)
def test_a_plain_line_is_one_line(predictor: Predictor, rows: list[str]) -> None:
    for prediction in predictor.predict(rows):
        assert len(prediction_line(prediction, 3).splitlines()) == 1


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
@fuzz(share=0.25, rows=any_texts)
def test_saved_predictions_are_read_back_in_their_order(
    predictor: Predictor, ending: str, rows: list[str]
) -> None:
    predictions = predictor.predict(rows)
    path = Path(f"out{ending}")
    assert save_predictions(path, predictions, 1) == len(rows)
    labels = [prediction.label for prediction in predictions]
    readable = [text.encode("utf-8", "replace").decode() for text in rows]
    if ending == ".jsonl":
        found = [
            json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()
        ]
        assert [(row["text"], row["label"]) for row in found] == list(
            zip(rows, labels, strict=True)
        )
    elif ending == ".tsv":
        table = csv.DictReader(
            io.StringIO(path.read_bytes().decode(), newline=""), delimiter="\t"
        )
        assert [(row["text"], row["label"]) for row in table] == list(
            zip(readable, labels, strict=True)
        )
    else:
        chunks = list(read_rows(path, Columns(("text",), "label")))
        assert [text for chunk in chunks for text in chunk.texts] == readable
        assert [label for chunk in chunks for label in chunk.labels] == labels


def test_a_text_of_ten_megabytes_has_a_prediction(predictor: Predictor) -> None:
    [prediction] = predictor.predict(["again " * (10_000_000 // 6)])
    assert sum(prediction.probs.values()) == pytest.approx(1)
