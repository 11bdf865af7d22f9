"""How much a prediction depends on word order.

Each row is classified with its words as written, reversed, sorted and shuffled. The
same rows are also classified by a bag of words, the mean of the word vectors, which
does not depend on the order. A network cannot use the order of sorted or shuffled words
either. The best of these three is compared with the rows as written. The difference is
an upper bound of what word order is worth on this data, because the network has not
learned to do without it. The network may also be better than a bag of words for other
reasons.

If a text may have several labels, a row is classified correctly if all its labels are
predicted, and no others.

Shapes: N texts, M tokens in all of them, V words.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError
from rnncls.data.loading import EncodedSplit, load_split
from rnncls.data.splits import Split
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.metrics import wilson_interval
from rnncls.nn.decisions import decide
from rnncls.runs.classifier import Classifier
from rnncls.runs.data_check import find_use
from rnncls.runs.run import Run
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.vocab import Vocab

NUM_RESAMPLES = 10_000
AS_WRITTEN, REVERSED, SORTED, SHUFFLED = "as written", "reversed", "sorted", "shuffled"
BAG = "bag of words"

Shares = npt.NDArray[np.float64]
"""[N], 1 for a correctly classified row, 0 for another; means of these over draws."""


@dataclass(frozen=True)
class WordOrderResult:
    """The accuracy for one order of the words.

    Attributes:
        name: Name of the order.
        accuracy: Share of correctly classified rows, averaged over the draws.
        interval: Its 95% interval (Wilson 1927), computed as if there were one draw,
            which makes it wider.
        draws: The accuracy of each draw.
        loss: How far the accuracy is below that of the rows as written.
        loss_interval: The 95% interval of `loss`, by resampling rows (Efron 1979).
    """

    name: str
    accuracy: float
    interval: tuple[float, float]
    draws: list[float]
    loss: float
    loss_interval: tuple[float, float]


def evaluate_word_orders(
    classifier: Classifier,
    split: EncodedSplit,
    *,
    bag: Shares | None = None,
    num_draws: int,
    seed: int,
) -> list[WordOrderResult]:
    """Evaluate a classifier on the rows as written, reversed, sorted and shuffled.

    Args:
        classifier: The network, and the vocabulary, for alphabetical order.
        split: The rows.
        bag: Which of the rows a bag of words classifies correctly; None: no bag of
            words.
        num_draws: How often the words are shuffled.
        seed: Random seed for the shuffles.
    """
    generator = np.random.default_rng(seed)
    texts = split.texts
    as_written = is_right(classifier, split)
    shuffles = [shuffle_words(texts, generator) for _ in range(num_draws)]
    variants = {
        REVERSED: [reverse_words(texts)],
        SORTED: [sort_words(texts, classifier.vocab)],
        SHUFFLED: shuffles,
    }
    results = [compare_to_written(AS_WRITTEN, [as_written], as_written)]
    for name, reordered in variants.items():
        draws = [is_right(classifier, replace(split, texts=draw)) for draw in reordered]
        results.append(compare_to_written(name, draws, as_written))
    if bag is not None:
        results.append(compare_to_written(BAG, [bag], as_written))
    return results


def compare_with_bag(
    run: Run,
    bag: Run,
    split: Split,
    *,
    draws: int = 3,
    seed: int = 0,
    use_cache: bool = True,
) -> tuple[list[WordOrderResult], dict[str, Any]]:
    """Evaluate a run in each word order on a split of its data, and a bag of words.

    Args:
        run: The run.
        bag: A run with `model.cell: none` and the same data.
        split: "train", "valid" or "test".
        draws: How often the words are shuffled.
        seed: Random seed for the shuffles.
        use_cache: Whether to use the cache of tokenised data.

    Returns:
        The results, and the origin of the rows.

    Raises:
        ConfigError: The bag of words has a cell, or other rows or classes.
        RnnclsError: The data is invalid.
    """
    cell = bag.config.model.cell
    if cell != "none":
        raise ConfigError(
            f"{bag.path}: has model.cell: {cell}; expected a bag of words"
            " (model.cell: none)"
        )
    if bag.config.model.ngrams is not None:
        raise ConfigError(
            f"{bag.path}: has model.ngrams: {bag.config.model.ngrams}, so it depends on"
            " word order; expected a bag of words (model.ngrams: null)"
        )
    rows, origin = _load_rows(run, split, use_cache=use_cache)
    bag_rows, bag_origin = _load_rows(bag, split, use_cache=use_cache)
    classifier = run.classifier
    if (
        bag_origin["sha256"] != origin["sha256"]
        or bag.classifier.label_names != classifier.label_names
        or len(bag_rows.labels) != len(rows.labels)
    ):
        raise ConfigError(
            f"{bag.path}: has other rows or classes than {run.path}:"
            f" {bag_origin['path']}"
        )
    origin["used_for"] = find_use(run.path, run.config.data, origin)
    results = evaluate_word_orders(
        classifier,
        rows,
        bag=is_right(bag.classifier, bag_rows),
        num_draws=draws,
        seed=seed,
    )
    return results, origin


def _load_rows(
    run: Run, split: Split, *, use_cache: bool
) -> tuple[EncodedSplit, dict[str, Any]]:
    classifier = run.classifier
    return load_split(
        run.data_settings,
        split,
        classifier.vocab,
        classifier.label_names,
        use_cache=use_cache,
    )


def is_right(classifier: Classifier, split: EncodedSplit) -> Shares:
    """Return 1 for each row that is classified correctly, else 0. [N]."""
    logits = compute_logits(classifier.model, split.texts)  # [N, C]
    predicted = decide(logits, classifier.thresholds).numpy()  # [N], or [N, C]
    is_equal = (predicted == split.labels).reshape(len(predicted), -1)  # [N, 1 or C]
    right: Shares = is_equal.all(axis=1).astype(np.float64)
    return right


def compare_to_written(
    name: str, draws: Sequence[Shares], as_written: Shares
) -> WordOrderResult:
    """Average the accuracy of several draws, and compare it to the original order."""
    mean = np.mean(draws, axis=0)  # [N]
    losses = as_written - mean  # [N]
    return WordOrderResult(
        name,
        accuracy=float(mean.mean()),
        interval=wilson_interval(float(mean.sum()), len(mean)),
        draws=[float(draw.mean()) for draw in draws],
        loss=float(losses.mean()),
        loss_interval=resample_mean(losses),
    )


def resample_mean(values: Shares) -> tuple[float, float]:
    """Return the 95% percentile bootstrap interval of a mean (Efron 1979).

    The number of times that each distinct value occurs in a resample is a multinomial
    draw, so no row needs to be resampled itself.

    Args:
        values: [N].
    """
    distinct, counts = np.unique(values, return_counts=True)
    generator = np.random.default_rng(0)
    resampled_counts = generator.multinomial(
        len(values), counts / len(values), size=NUM_RESAMPLES
    )
    means = resampled_counts @ distinct / len(values)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(low), float(high)


def reverse_words(texts: EncodedTexts) -> EncodedTexts:
    """Reverse the words of each text."""
    return order_words(texts, -np.arange(texts.lengths.sum()))


def sort_words(texts: EncodedTexts, vocab: Vocab) -> EncodedTexts:
    """Sort the words of each text alphabetically; unknown words sort as `<unk>`."""
    ranks = np.empty(len(vocab), dtype=np.int64)
    ranks[np.argsort(np.array(vocab.words))] = np.arange(len(vocab))
    return order_words(texts, ranks[texts.close().flat_tokens()])


def shuffle_words(texts: EncodedTexts, generator: np.random.Generator) -> EncodedTexts:
    """Shuffle the words of each text, every order with the same probability."""
    return order_words(texts, generator.random(texts.lengths.sum()))


def order_words(texts: EncodedTexts, keys: npt.NDArray[Any]) -> EncodedTexts:
    """Sort the words of each text by a key, stably.

    Args:
        texts: N texts.
        keys: [M], text by text.
    """
    owners = np.repeat(np.arange(len(texts)), texts.lengths)  # [M]
    order = np.lexsort((keys, owners))  # [M]
    starts = np.cumsum(texts.lengths) - texts.lengths  # [N]
    return replace(texts, token_ids=texts.flat_tokens()[order], starts=starts)


def best_without_order(results: Sequence[WordOrderResult]) -> WordOrderResult:
    """Return the best result that does not depend on word order."""
    blind = [result for result in results if result.name in (SORTED, SHUFFLED, BAG)]
    return max(blind, key=lambda result: result.accuracy)


def describe_word_order(results: Sequence[WordOrderResult]) -> list[str]:
    """Summarise what word order is worth, and how the bag of words compares.

    If the network itself is better without order than the bag of words, the second
    sentence explains why its figure does not measure the value of word order.
    """
    best = best_without_order(results)
    return [_describe_worth(best), _describe_bag(best, results)]


def _describe_bag(best: WordOrderResult, results: Sequence[WordOrderResult]) -> str:
    bag = next(result for result in results if result.name == BAG)
    points = 100 * bag.loss
    direction = "below" if points >= 0 else "above"
    interval = format_interval(bag.loss_interval)
    difference = (
        f"The bag of words is {abs(points):.1f} points {direction} the run"
        f" ({interval})."
    )
    if best.accuracy <= bag.accuracy or points <= 0:
        return difference
    return (
        f"{difference} Only the first figure measures order: the run itself classifies"
        f" {best.accuracy:.1%} of the rows correctly when their words are {best.name},"
        " so the bag of words is lower for other reasons too."
    )


def _describe_worth(best: WordOrderResult) -> str:
    """Summarise in a sentence the best result without word order."""
    without = (
        f"Without order {best.accuracy:.1%} of the rows are classified correctly"
        f" ({best.name})"
    )
    points, interval = 100 * best.loss, format_interval(best.loss_interval)
    low, high = best.loss_interval
    if low > 0:
        return f"{without}: order is worth at most {points:.1f} points ({interval})."
    if high < 0:
        return (
            f"{without}, {-points:.1f} points more than with it ({interval}): word"
            " order makes this run worse."
        )
    return (
        f"{without}: no measurable benefit from word order, {points:+.1f} points"
        f" ({interval})."
    )


def format_interval(interval: tuple[float, float]) -> str:
    """Format an interval of a difference in percentage points."""
    low, high = interval
    if low == high:
        return "no interval: the loss is the same in each row"
    return f"95% interval {100 * low:.1f} to {100 * high:.1f}"
