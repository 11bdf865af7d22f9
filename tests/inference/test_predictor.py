"""Predictions: what is said of a text does not depend on what else is asked."""

import math
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from rnncls import ConfigError
from rnncls.config.loading import parse_config
from rnncls.evaluation import evaluator
from rnncls.inference.prediction import Prediction
from rnncls.inference.predictor import Predictor
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.classifier import Classifier
from rnncls.text.vocab import Vocab

WORDS = ["<pad>", "<unk>", "oslo", "rovers", "meet", "again"]
LABELS = ["sport", "world", "weather"]
CONFIG = """
data: {train: none.csv}
text: {max_tokens: 64}
model: {embedding_dim: 6, hidden_size: 5}
"""
TEXTS = [
    "rovers meet oslo",
    "oslo",
    "again again again oslo meet rovers again",
    "",
    "meet oslo",
    "rovers " * 40,
]
ODD_TEXTS = {
    "empty": "",
    "spaces": " \t\r\n\u2028\u3000",
    "NUL": "rovers \0 meet\0",
    "emoji joined by zero-width joiners": (
        "oslo \U0001f468\u200d\U0001f469\u200d\U0001f467 meet"
    ),
    "right to left": "\u202e\u0627\u0644\u0639 \u05d0\u05d1\u05d2 oslo",
    "lone surrogate": "rovers \udcff oslo",
    "broken entities": "&#xD800; &#0; &lt;b&gt; #39;s quot;",
    "100,000 words": "oslo " * 100_000,
    "one long word": "o" * 100_000,
    "the padding's own name": "<pad> <unk>",
}


def build_predictor() -> Predictor:
    """Return a model with weights so large that texts get different answers."""
    config = parse_config(CONFIG, "test.yaml")
    torch.manual_seed(0)
    model = TextClassifier(config.model, len(WORDS), len(LABELS))
    with torch.no_grad():
        model.linear.weight.mul_(5)
    return Predictor(
        Classifier(config.text, Vocab(WORDS), LABELS, model), torch.device("cpu")
    )


@pytest.fixture
def predictor() -> Predictor:
    """Return a predictor with fresh weights."""
    return build_predictor()


def probs_of(predictions: list[Prediction]) -> torch.Tensor:
    return torch.tensor([list(prediction.probs.values()) for prediction in predictions])


@pytest.mark.parametrize(
    ("text", "token_ids"),
    [
        ("rovers meet oslo", [3, 4, 2]),
        ("OSLO, rovers!", [2, 1, 3, 1]),  # basic_english: lower case, punctuation apart
        ("oslo zanzibar", [2, 1]),
        ("", [1]),
        (" \t\n\u3000", [1]),
    ],
)
def test_probs_are_the_softmax_of_the_logits(
    predictor: Predictor, text: str, token_ids: list[int]
) -> None:
    logits = predictor.model(
        torch.tensor([token_ids]), torch.tensor([len(token_ids)]), is_ragged=False
    )[0].tolist()
    total = sum(math.exp(logit) for logit in logits)
    (prediction,) = predictor.predict([text])
    expected = {
        name: math.exp(logit) / total
        for name, logit in zip(LABELS, logits, strict=True)
    }
    assert prediction.probs == pytest.approx(expected, rel=1e-5)


def test_texts_come_back_in_their_order_whatever_their_lengths(
    predictor: Predictor,
) -> None:
    assert [prediction.text for prediction in predictor.predict(TEXTS)] == TEXTS


def test_each_text_gets_the_prediction_that_it_gets_alone(predictor: Predictor) -> None:
    together = probs_of(predictor.predict(TEXTS))
    alone = probs_of([predictor.predict([text])[0] for text in TEXTS])
    torch.testing.assert_close(together, alone)


def test_different_texts_get_different_probs(predictor: Predictor) -> None:
    assert len({prediction.prob for prediction in predictor.predict(TEXTS)}) == len(
        TEXTS
    )


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_the_batch_size_does_not_matter(
    predictor: Predictor, batch_size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = probs_of(predictor.predict(TEXTS))
    monkeypatch.setattr(evaluator, "BATCH_SIZE", batch_size)
    torch.testing.assert_close(probs_of(predictor.predict(TEXTS)), before)


def test_a_text_stands_for_each_of_its_copies(predictor: Predictor) -> None:
    first, _, third = predictor.predict(["oslo meet", "rovers", "oslo meet"])
    assert (first.text, first.label) == (third.text, third.label)
    # Not bit by bit: on some CPUs the last rows of a matrix are multiplied by another
    # kernel than the first ones.
    torch.testing.assert_close(probs_of([first]), probs_of([third]))


def test_no_texts_get_no_predictions(predictor: Predictor) -> None:
    assert predictor.predict([]) == []


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
def test_an_odd_text_comes_back_unchanged(predictor: Predictor, text: str) -> None:
    assert [
        prediction.text for prediction in predictor.predict(["oslo", text, "meet"])
    ] == ["oslo", text, "meet"]


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
def test_the_probs_of_an_odd_text_sum_to_one(predictor: Predictor, text: str) -> None:
    (prediction,) = predictor.predict([text])
    assert sum(prediction.probs.values()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("text", ODD_TEXTS.values(), ids=ODD_TEXTS.keys())
def test_an_odd_neighbour_does_not_change_a_prediction(
    predictor: Predictor, text: str
) -> None:
    alone, beside = (
        predictor.predict(["rovers meet"])[0],
        predictor.predict([text, "rovers meet"])[1],
    )
    assert beside.probs == pytest.approx(alone.probs, abs=1e-6)


def test_what_stands_after_max_tokens_is_not_read(predictor: Predictor) -> None:
    cut, longer = predictor.predict(["oslo " * 64, "oslo " * 64 + "rovers"])
    torch.testing.assert_close(
        probs_of([longer]), probs_of([cut])
    )  # not bit by bit: see above


@pytest.mark.parametrize(
    "chunks", [[TEXTS[:2], [], TEXTS[2:]], [[text] for text in TEXTS], [TEXTS]]
)
def test_a_stream_answers_all_texts_in_their_order_a_window_at_a_time(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch, chunks: list[list[str]]
) -> None:
    monkeypatch.setattr("rnncls.text.tokenizer.TEXTS_A_PIECE", 2)
    monkeypatch.setattr("rnncls.inference.windows.PIECES_A_WINDOW", 2)
    answered = list(predictor.stream(chunks))
    assert [[prediction.text for prediction in window] for window in answered] == [
        TEXTS[:4],
        TEXTS[4:],
    ]
    found = probs_of([prediction for window in answered for prediction in window])
    torch.testing.assert_close(found, probs_of(predictor.predict(TEXTS)))


@pytest.mark.parametrize("chunks", [[], [[]]])
def test_a_stream_of_no_texts_answers_nothing(
    predictor: Predictor, chunks: list[list[str]]
) -> None:
    assert list(predictor.stream(chunks)) == []


def test_a_stream_reads_a_window_only_when_it_is_wanted(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnncls.text.tokenizer.TEXTS_A_PIECE", 1)
    monkeypatch.setattr("rnncls.inference.windows.PIECES_A_WINDOW", 2)
    chunks = iter([["oslo"], ["rovers"], ["meet"], ["lima"]])
    next(predictor.stream(chunks))
    assert list(chunks) == [["meet"], ["lima"]]


def test_predicting_drops_nothing_in_either_mode_and_leaves_the_mode(
    predictor: Predictor,
) -> None:
    before = predictor.predict(TEXTS)
    predictor.model.train()
    assert predictor.predict(TEXTS) == before
    assert predictor.model.training


def test_attention_is_of_each_token_that_was_read() -> None:
    config = parse_config(
        CONFIG, "test.yaml", ["model.pooling=[attention]", "text.max_tokens=6"]
    )
    torch.manual_seed(0)
    model = TextClassifier(config.model, len(WORDS), len(LABELS))
    predictor = Predictor(
        Classifier(config.text, Vocab(WORDS), LABELS, model),
        torch.device("cpu"),
        attention=True,
    )
    predictions = predictor.predict(TEXTS)
    found = [prediction.attention for prediction in predictions]
    tokens = [[token for token, _ in own or []] for own in found]
    assert tokens[:2] == [["rovers", "meet", "oslo"], ["oslo"]]
    assert tokens[5] == ["rovers"] * 6
    spans = predictions[0].attention_spans or []
    written = [TEXTS[0][start:end].lower() for start, end in spans]
    assert written == tokens[0]
    for text, own in zip(TEXTS, found, strict=True):
        assert own is not None
        assert sum(weight for _, weight in own) == pytest.approx(1.0)
        (alone,) = predictor.predict([text])
        assert dict(own) == pytest.approx(dict(alone.attention or []), abs=1e-6)


def test_attention_of_a_model_without_it_is_refused(predictor: Predictor) -> None:
    with pytest.raises(ConfigError, match="the model has no attention weights"):
        Predictor(predictor.classifier, torch.device("cpu"), attention=True)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("rovers meet oslo", (3, 0, 0)),
        ("rovers zanzibar oslo lima", (4, 2, 0)),
        ("oslo " * 70 + "lima", (64, 0, 7)),
        ("lima", (1, 1, 0)),
        ("", (0, 0, 0)),
        (" \t\u3000", (0, 0, 0)),
    ],
    ids=["known", "unknown", "cut", "none known", "empty", "blank"],
)
def test_the_tokens_that_were_read_unknown_and_cut_are_counted(
    predictor: Predictor, text: str, expected: tuple[int, int, int]
) -> None:
    _, prediction, _ = predictor.predict(["oslo", text, "rovers"])
    counts = (prediction.num_tokens, prediction.num_unknown, prediction.num_cut)
    assert counts == expected


def test_a_text_without_a_known_word_has_no_answer_above_any_threshold(
    predictor: Predictor,
) -> None:
    predictor.min_confidence = 1e-6
    answers = [each.answer for each in predictor.predict(["lima", "", "oslo lima"])]
    assert answers[:2] == [None, None]
    assert answers[2] in LABELS


@pytest.mark.parametrize("num_torch_threads", [1, 3])
def test_eight_threads_get_exactly_what_one_gets(
    predictor: Predictor, num_torch_threads: int
) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(num_torch_threads)
    expected = [predictor.predict(TEXTS[index:]) for index in range(len(TEXTS))]
    with ThreadPoolExecutor(8) as pool:
        starts = [index % len(TEXTS) for index in range(160)]
        found = list(pool.map(lambda start: predictor.predict(TEXTS[start:]), starts))
    num_after = torch.get_num_threads()
    torch.set_num_threads(before)
    assert num_after == num_torch_threads
    assert found == [expected[start] for start in starts]


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_forked_child_answers_and_the_host_keeps_its_threads() -> None:
    program = """
import os, signal, sys, torch
from tests.inference.test_predictor import TEXTS, build_predictor
torch.set_num_threads(4)
predictor = build_predictor()
expected = predictor.predict(TEXTS * 100)
assert torch.get_num_threads() == 4
torch.ones(300, 300) @ torch.ones(300, 300)
child = os.fork()
if child == 0:
    signal.alarm(30)
    os._exit(int(predictor.predict(TEXTS * 100) != expected))
assert os.waitpid(child, 0)[1] == 0
assert predictor.predict(TEXTS * 100) == expected
"""
    command = [sys.executable, "-c", program]
    root = Path(__file__).parents[2]
    done = subprocess.run(
        command, check=False, capture_output=True, timeout=120, cwd=root
    )
    assert done.returncode == 0, done.stderr.decode()


def test_a_prediction_is_printed_with_its_label_probability_and_text() -> None:
    prediction = Prediction("rovers\nmeet " + "oslo " * 50, {"a": 0.25, "b": 0.75})
    assert str(prediction).startswith("b (75.0%): rovers\\nmeet oslo oslo")
    assert str(prediction).endswith("…")
    assert len(str(prediction)) < 80
    assert [Prediction("hi", {"a": 0.25, "b": 0.75})].__repr__() == (
        "[Prediction(label='b', prob=0.7500, text='hi')]"
    )
