"""Choose the texts of a pool whose labels help the next training most.

Shapes: N texts in the pool, M labelled texts, C classes, S width of a state.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import torch

from rnncls.evaluation.evaluator import compute_logits, compute_pooled_states
from rnncls.inference.active_learning.diversity import (
    choose_centres,
    compute_errors,
    order_near_copies_last,
    sample_gradients,
)
from rnncls.inference.active_learning.pool import PoolText
from rnncls.inference.active_learning.uncertainty import (
    check_dropout,
    compute_closeness,
    compute_disagreement,
    compute_entropy,
)
from rnncls.inference.prediction import Prediction
from rnncls.inference.predictor import Predictor
from rnncls.runs.classifier import Classifier
from rnncls.text.encoded_texts import EncodedTexts, encode_texts
from rnncls.text.tokenizer import TokenizedTexts, join_texts, tokenize_stream

Measure = Literal["margin", "entropy", "dropout", "gradients", "centres", "random"]
"""How texts are chosen; see `suggest_texts`."""
MAX_NEAR_COPIES = 1000
"""How many near copies of uncertain texts can be passed over."""


@dataclass(frozen=True)
class SelectionOptions:
    """What a user asks of a selection.

    Attributes:
        num_rows: The number of texts to choose.
        measure: How they are chosen.
        candidates: From how many uncertain texts each chosen one is taken, at most from
            half of the pool. With 1, the most uncertain texts are chosen. It is not
            used for `gradients`, `centres` and `random`.
        seed: Draws what is random.
    """

    num_rows: int = 50
    measure: Measure = "margin"
    candidates: int = 1
    seed: int = 0

    @property
    def max_candidates(self) -> int:
        """The number of uncertain texts that all chosen ones are taken from."""
        return self.num_rows * self.candidates


@dataclass(frozen=True)
class Suggestion:
    """A text that should be labelled.

    Attributes:
        text: The text.
        prediction: The prediction of the run for it.
    """

    text: PoolText
    prediction: Prediction


def suggest_texts(
    classifier: Classifier,
    blocks: Iterable[list[PoolText]],
    options: SelectionOptions,
    train_texts: EncodedTexts | None = None,
) -> list[Suggestion]:
    """Return the texts to label next, the first choice first.

    - `margin`, `entropy`, `dropout`: the texts with the most uncertain predictions;
      with more than one of the `candidates` for each, those that are centres of them.
    - `gradients`: texts that are uncertain and unlike each other (BADGE).
    - `centres`: texts that are unlike the labelled ones and each other, however certain
      their prediction is.
    - `random`: any texts.

    Only `gradients` and `centres` keep all texts of the pool in memory.

    Args:
        classifier: Its model is on its device.
        blocks: The texts of the pool, in lists; if they are too few, all are returned.
        options: How many texts are chosen, and how.
        train_texts: The M texts that the run was trained on, for `centres`; None:
            chosen texts need not be unlike them.

    Raises:
        ConfigError: The measure is `dropout`, and the model has no dropout.
    """
    if options.measure == "dropout":
        check_dropout(classifier.model)
    if options.measure == "centres":
        chosen = _choose_centres(classifier, blocks, options.num_rows, train_texts)
    elif options.measure == "gradients":
        chosen = _choose_gradients(classifier, blocks, options)
    else:
        chosen = _choose_uncertain(classifier, blocks, options)
    if not chosen:
        return []
    device = classifier.model.linear.weight.device
    predictor = Predictor(classifier, device)
    predictions = predictor.predict([text.text for text in chosen])
    return list(map(Suggestion, chosen, predictions))


def tokenize_pool_texts(
    classifier: Classifier, texts: list[PoolText]
) -> TokenizedTexts:
    """Return the tokens of each text."""
    pieces = tokenize_stream([[text.text for text in texts]], classifier.text)
    return join_texts(piece for _, piece in pieces)


def encode_pool_texts(classifier: Classifier, texts: list[PoolText]) -> EncodedTexts:
    """Return the token ids that the classifier reads of each text."""
    return encode_texts(tokenize_pool_texts(classifier, texts), classifier.vocab)


def _choose_centres(
    classifier: Classifier,
    blocks: Iterable[list[PoolText]],
    num_rows: int,
    train_texts: EncodedTexts | None,
) -> list[PoolText]:
    texts: list[PoolText] = []
    block_states = []
    for block in blocks:
        texts += block
        encoded = encode_pool_texts(classifier, block)
        block_states.append(compute_states(classifier, encoded))
    if not texts:
        return []
    states = torch.cat(block_states)  # [N, S]
    existing = None
    if train_texts is not None:
        existing = compute_states(classifier, train_texts)  # [M, S]
    num_chosen = min(num_rows, len(texts))
    return _select(texts, choose_centres(states, num_chosen, existing))


def _choose_gradients(
    classifier: Classifier, blocks: Iterable[list[PoolText]], options: SelectionOptions
) -> list[PoolText]:
    has_several_labels = classifier.has_several_labels
    texts: list[PoolText] = []
    block_states, block_errors = [], []
    for block in blocks:
        texts += block
        encoded = encode_pool_texts(classifier, block)
        block_states.append(compute_states(classifier, encoded))
        probs = compute_probs(classifier, encoded)
        errors = compute_errors(probs, has_several_labels=has_several_labels)
        block_errors.append(errors)
    if not texts:
        return []
    states, errors = torch.cat(block_states), torch.cat(block_errors)
    num_chosen = min(options.num_rows, len(texts))
    generator = torch.Generator().manual_seed(options.seed)
    return _select(texts, sample_gradients(states, errors, num_chosen, generator))


def _choose_uncertain(
    classifier: Classifier, blocks: Iterable[list[PoolText]], options: SelectionOptions
) -> list[PoolText]:
    """Return uncertain or random texts, and of many candidates those in the centre.

    The most uncertain text comes first. Of uncertain texts that are nearly the same,
    the most uncertain one is chosen, as long as there are others. The candidates are at
    most half of the pool, but not fewer than the texts to choose.
    """
    kept, num_texts = _keep_most_uncertain(classifier, blocks, options)
    if not kept or options.measure == "random":
        return kept[: options.num_rows]
    order = order_near_copies_last(tokenize_pool_texts(classifier, kept))
    half = max(num_texts // 2, options.num_rows)
    num_candidates = min(options.max_candidates, half)
    considered = _select(kept, order[:num_candidates])
    if len(considered) <= options.num_rows:
        return considered
    states = compute_states(classifier, encode_pool_texts(classifier, considered))
    return _select(considered, choose_centres(states, options.num_rows))


def _keep_most_uncertain(
    classifier: Classifier, blocks: Iterable[list[PoolText]], options: SelectionOptions
) -> tuple[list[PoolText], int]:
    """Return the candidates and some more, the most uncertain first.

    Other texts are not kept in memory.

    Returns:
        The texts, and the number of texts of the pool.
    """
    max_kept = options.max_candidates + MAX_NEAR_COPIES
    generator = torch.Generator().manual_seed(options.seed)
    kept: list[PoolText] = []
    uncertainty = torch.empty(0)  # [len(kept)]
    num_texts = 0
    for block in blocks:
        if options.measure == "random":
            block_uncertainty = torch.rand(len(block), generator=generator)
        else:
            seed = options.seed + num_texts
            block_uncertainty = measure_uncertainty(classifier, block, options, seed)
        uncertainty = torch.cat([uncertainty, block_uncertainty])
        order = uncertainty.argsort(descending=True, stable=True)[:max_kept]
        uncertainty = uncertainty[order]
        kept = _select(kept + block, order.tolist())
        num_texts += len(block)
    return kept, num_texts


def _select(texts: list[PoolText], indices: list[int]) -> list[PoolText]:
    return [texts[index] for index in indices]


def measure_uncertainty(
    classifier: Classifier, texts: list[PoolText], options: SelectionOptions, seed: int
) -> torch.Tensor:
    """Return how uncertain the prediction of each text is, by an option. [N].

    Args:
        classifier: Its model is on its device.
        texts: N of them.
        options: The measure: `margin`, `entropy` or `dropout`.
        seed: Draws the dropout masks.
    """
    encoded = encode_pool_texts(classifier, texts)
    if options.measure == "dropout":
        return compute_disagreement(classifier.model, encoded, seed)
    probs = compute_probs(classifier, encoded)
    if options.measure == "entropy":
        several = classifier.has_several_labels
        return compute_entropy(probs, has_several_labels=several)
    return compute_closeness(probs, classifier.thresholds)


def compute_probs(classifier: Classifier, encoded: EncodedTexts) -> torch.Tensor:
    """Return the calibrated probabilities of each text. [N, C]."""
    logits = compute_logits(classifier.model, encoded)  # [N, C]
    return classifier.model.compute_probs(logits)


def compute_states(classifier: Classifier, encoded: EncodedTexts) -> torch.Tensor:
    """Return a vector for each text, by which similar texts are recognised. [N, S].

    It is the pooled state of the network, or without a network the logits.
    """
    model = classifier.model
    if not model.section.has_network:
        return compute_logits(model, encoded)
    return compute_pooled_states(model, encoded)
