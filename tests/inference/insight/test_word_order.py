"""Words in another order, and what that does to a network that needs their order and to
one that does not."""

from collections import Counter

import numpy as np
import pytest
import torch

from rnncls.cli.reporting.insight_plots import plot_word_order
from rnncls.config.sections import ModelSection, TextSection
from rnncls.data.loading import EncodedSplit
from rnncls.evaluation.metrics import wilson_interval
from rnncls.inference.insight.word_order import (
    BAG,
    SHUFFLED,
    WordOrderResult,
    best_without_order,
    compare_to_written,
    describe_word_order,
    evaluate_word_orders,
    is_right,
    resample_mean,
    reverse_words,
    shuffle_words,
    sort_words,
)
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.classifier import Classifier
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.vocab import Vocab

VOCAB = Vocab(["<pad>", "<unk>", "the", "bank", "sues", "club"])


def encode(*texts: list[int]) -> EncodedTexts:
    lengths = np.array([len(text) for text in texts])
    return EncodedTexts(
        np.concatenate(texts).astype(np.int32), lengths, np.cumsum(lengths) - lengths
    )


def decode(texts: EncodedTexts) -> list[list[int]]:
    return [
        texts.token_ids[start : start + length].tolist()
        for start, length in zip(texts.starts, texts.lengths, strict=True)
    ]


TEXTS = encode([2, 3, 4, 5], [5, 1], [2]).select(np.array([2, 0, 1]))


def test_reversed_words_go_from_last_to_first() -> None:
    assert decode(reverse_words(TEXTS)) == [[2], [5, 4, 3, 2], [1, 5]]


def test_sorted_words_follow_the_alphabet_and_not_their_ids() -> None:
    # <unk> bank club sues the
    assert decode(sort_words(TEXTS, VOCAB)) == [[2], [3, 5, 4, 2], [1, 5]]


def test_shuffled_words_stay_in_their_text() -> None:
    shuffled = decode(shuffle_words(TEXTS, np.random.default_rng(0)))
    assert [sorted(text) for text in shuffled] == [[2], [2, 3, 4, 5], [1, 5]]


def test_every_order_is_as_likely() -> None:
    texts = encode(*[[2, 3, 4]] * 6000)
    counts = Counter(map(tuple, decode(shuffle_words(texts, np.random.default_rng(0)))))
    assert len(counts) == 6
    assert all(
        900 < count < 1100 for count in counts.values()
    )  # 1,000 expected, standard deviation 29


def test_a_shuffle_is_a_function_of_the_seed() -> None:
    first, again, other = (
        decode(shuffle_words(TEXTS, np.random.default_rng(seed))) for seed in (3, 3, 5)
    )
    assert first == again
    assert first != other


def build(cell: str, **keys: object) -> TextClassifier:
    torch.manual_seed(0)
    section = ModelSection.model_validate(
        {
            **keys,
            "cell": cell,
            "embedding_dim": 4,
            "hidden_size": 4,
            "bidirectional": False,
            "pooling": ["last"],
        }
    )
    return TextClassifier(section, len(VOCAB), 2).eval()


def wrap(model: TextClassifier, thresholds: list[float] | None = None) -> Classifier:
    """Return a classifier of texts with the words of `VOCAB`."""
    labels = ["economy", "sport"]
    return Classifier(TextSection(), VOCAB, labels, model, thresholds=thresholds)


def test_a_row_of_several_labels_is_right_if_the_whole_set_is() -> None:
    model = build("none", task="several_labels")
    with torch.no_grad():
        model.linear.weight.zero_()
        model.linear.bias.copy_(torch.tensor([1.0, -2.0]))  # 0.73, 0.12
    labels = np.array([[True, False], [True, True], [False, False]])
    split = EncodedSplit(TEXTS, labels, np.arange(3))
    assert is_right(wrap(model, [0.5, 0.5]), split).tolist() == [1, 0, 0]
    assert is_right(wrap(model, [0.5, 0.1]), split).tolist() == [0, 1, 0]


def test_a_bag_of_words_loses_nothing_in_any_order() -> None:
    split = EncodedSplit(TEXTS, np.array([0, 1, 1]), np.arange(3))
    results = evaluate_word_orders(wrap(build("none")), split, num_draws=2, seed=0)
    assert [result.name for result in results] == [
        "as written",
        "reversed",
        "sorted",
        "shuffled",
    ]
    assert [result.loss for result in results] == [0.0] * 4
    assert [len(result.draws) for result in results] == [1, 1, 1, 2]


def test_a_network_that_goes_by_the_last_word_loses_what_its_last_words_say() -> None:
    model = build("rnn")
    with torch.no_grad():
        model.embedding.weight.zero_()
        model.embedding.weight[3, 0], model.embedding.weight[5, 0] = (
            5.0,
            -5.0,
        )  # bank, club
        for weight in model.encoder.rnn.parameters():  # type: ignore[union-attr]
            weight.zero_()
        model.encoder.rnn.weight_ih_l0.fill_diagonal_(1.0)  # type: ignore[union-attr, operator]
        model.linear.weight.zero_()
        model.linear.weight[0, 0], model.linear.weight[1, 0] = 1.0, -1.0
    split = EncodedSplit(encode([5, 4, 3], [3, 4, 5]), np.array([0, 1]), np.arange(2))
    written, backwards, by_alphabet, shuffled = evaluate_word_orders(
        wrap(model), split, num_draws=200, seed=0
    )
    assert (written.accuracy, backwards.accuracy, backwards.loss) == (1.0, 0.0, 1.0)
    assert (
        by_alphabet.accuracy == 0.5
    )  # bank club sues: the last says nothing, and a tie goes to the first class
    # A third of the draws each end in the right word, in the wrong one, and in "sues":
    # right for the first text alone.
    assert shuffled.accuracy == pytest.approx(1 / 3 + 1 / 6, abs=0.06)


def test_the_accuracy_of_several_draws_is_their_mean() -> None:
    written = np.array([1.0, 1.0, 1.0, 0.0])
    draws = [np.array([1.0, 0.0, 0.0, 0.0]), np.array([1.0, 1.0, 0.0, 0.0])]
    result = compare_to_written("shuffled", draws, written)
    assert (result.accuracy, result.draws) == (0.375, [0.25, 0.5])
    assert result.loss == 0.375
    low, high = wilson_interval(1, 4)[0], wilson_interval(2, 4)[1]
    assert low < result.interval[0] < result.interval[1] < high


def test_the_interval_is_that_of_resampled_rows() -> None:
    generator = np.random.default_rng(1)
    values = generator.choice([-1.0, 0.0, 0.4, 1.0], p=[0.1, 0.6, 0.1, 0.2], size=800)
    means = generator.choice(values, (4000, 800)).mean(axis=1)
    assert resample_mean(values) == pytest.approx(
        np.quantile(means, [0.025, 0.975]), abs=0.004
    )


def test_rows_that_all_agree_leave_no_interval() -> None:
    assert resample_mean(np.zeros(5)) == (0.0, 0.0)


def result_of(name: str, loss: float, interval: tuple[float, float]) -> WordOrderResult:
    return WordOrderResult(name, 0.9 - loss, (0.8, 0.95), [0.9 - loss], loss, interval)


@pytest.mark.parametrize(
    ("loss", "interval", "sentence"),
    [
        (
            0.25,
            (0.2, 0.3),
            (
                "Without order 65.0% of the rows are classified correctly (shuffled):"
                " order is worth at most 25.0 points"
            ),
        ),
        (
            0.01,
            (-0.01, 0.03),
            (
                "Without order 89.0% of the rows are classified correctly (shuffled):"
                " no measurable benefit from word order, +1.0 points"
            ),
        ),
        (
            -0.02,
            (-0.03, -0.01),
            (
                "Without order 92.0% of the rows are classified correctly (shuffled),"
                " 2.0 points more than with it"
            ),
        ),
    ],
)
def test_the_sentence_on_the_worth_goes_by_the_interval(
    loss: float, interval: tuple[float, float], sentence: str
) -> None:
    worth, bag = describe_word_order(
        [result_of(BAG, 0.3, (0.25, 0.35)), result_of(SHUFFLED, loss, interval)]
    )
    assert worth.startswith(sentence)
    accuracy = f"{0.9 - loss:.1%}"
    assert bag == (
        "The bag of words is 30.0 points below the run (95% interval 25.0 to 35.0)."
        f" Only the first figure measures order: the run itself classifies {accuracy}"
        " of the rows correctly when their words are shuffled, so the bag of words is"
        " lower for other reasons too."
    )


@pytest.mark.parametrize(
    ("bag_loss", "direction"), [(0.1, "10.0 points below"), (-0.1, "10.0 points above")]
)
def test_a_bag_that_is_the_best_without_order_needs_no_explanation(
    bag_loss: float, direction: str
) -> None:
    interval = (bag_loss - 0.05, bag_loss + 0.05)
    worth, bag = describe_word_order(
        [result_of(BAG, bag_loss, interval), result_of(SHUFFLED, 0.3, (0.2, 0.4))]
    )
    assert "(bag of words)" in worth
    assert bag.startswith(f"The bag of words is {direction} the run (95% interval")
    assert "Only the first figure" not in bag


def test_the_best_reading_that_sees_no_order_bounds_its_worth() -> None:
    results = [
        result_of(name, loss, (loss - 0.01, loss + 0.01))
        for name, loss in (
            ("as written", 0.0),
            ("reversed", 0.001),
            ("sorted", 0.02),
            (SHUFFLED, 0.03),
            (BAG, 0.1),
        )
    ]
    assert best_without_order(results).name == "sorted"


def test_the_picture_has_a_bar_a_reading_as_long_as_its_accuracy() -> None:
    axes = plot_word_order(
        [result_of("as written", 0.0, (0.0, 0.0)), result_of(BAG, 0.4, (0.3, 0.5))]
    ).axes[0]
    assert [bar.get_width() for bar in axes.patches] == [0.9, 0.5]  # type: ignore[attr-defined]
