"""Choose the texts of a pool whose labels help the next training most.

Shapes: N texts in the pool, M labelled texts, C classes, S width of a state.
"""

from dataclasses import dataclass
from typing import Literal

import torch

from rnncls.evaluation.evaluator import compute_logits, compute_pooled_states
from rnncls.inference.active_learning.diversity import (
    choose_centres,
    compute_errors,
    sample_gradients,
)
from rnncls.inference.active_learning.uncertainty import (
    check_dropout,
    compute_closeness,
    compute_disagreement,
    compute_entropy,
)
from rnncls.inference.labelling import find_thresholds, label_texts
from rnncls.inference.prediction import Prediction
from rnncls.runs.classifier import Classifier
from rnncls.text.encoded_texts import EncodedTexts, count_tokens, encode_pieces
from rnncls.text.tokenizer import TokenizedTexts, join_texts, tokenize_stream

Measure = Literal["margin", "entropy", "dropout", "gradients", "centres", "random"]
"""How texts are chosen; see `choose_texts`."""


@dataclass(frozen=True)
class SelectionOptions:
    """What a user asks of a selection.

    Attributes:
        num_rows: The number of texts to choose.
        measure: How they are chosen.
        candidates: From how many uncertain texts each chosen one is taken, at most from
            half of the pool. With 1, the most uncertain texts are chosen, however
            similar they are.
        seed: Draws what is random.
    """

    num_rows: int = 50
    measure: Measure = "margin"
    candidates: int = 1
    seed: int = 0


@dataclass(frozen=True)
class Suggestion:
    """A text that should be labelled.

    Attributes:
        index: Its place among the texts of the pool, from 0.
        prediction: The prediction of the run for it.
    """

    index: int
    prediction: Prediction


def suggest_texts(
    classifier: Classifier,
    texts: list[str],
    options: SelectionOptions,
    train_texts: EncodedTexts | None = None,
) -> list[Suggestion]:
    """Return the texts to label next, the first choice first.

    Args:
        classifier: Its model is on its device.
        texts: The texts of the pool; if they are too few, all are returned.
        options: How many texts are chosen, and how.
        train_texts: The texts that the run was trained on, for the measure `centres`;
            None: chosen texts need not be unlike them.

    Raises:
        ConfigError: The measure is `dropout`, and the model has no dropout.
    """
    if options.measure == "dropout":
        check_dropout(classifier.model)
    if not texts:
        return []
    tokenized = tokenize_all(classifier, texts)
    encoded = encode_pieces(tokenized, classifier.vocab)
    logits = compute_logits(classifier.model, encoded)  # [N, C]
    probs = classifier.model.compute_probs(logits)  # [N, C]
    chosen = choose_texts(classifier, encoded, probs, options, train_texts)
    predictions = label_texts(
        [texts[index] for index in chosen],
        probs[chosen].tolist(),
        count_tokens(tokenized, encoded)[chosen].tolist(),
        classifier.label_names,
        min_confidence=0.0,
        thresholds=find_thresholds(
            classifier.label_names, classifier.thresholds, threshold=None
        ),
    )
    return list(map(Suggestion, chosen, predictions))


def tokenize_all(classifier: Classifier, texts: list[str]) -> TokenizedTexts:
    """Return the tokens that the classifier reads of each text."""
    pieces = tokenize_stream([texts], classifier.text)
    tokenized = join_texts(piece for _, piece in pieces)
    return classifier.vocab.divide(tokenized)


def choose_texts(
    classifier: Classifier,
    encoded: EncodedTexts,
    probs: torch.Tensor,
    options: SelectionOptions,
    train_texts: EncodedTexts | None = None,
) -> list[int]:
    """Return the indices of the texts to label, the first choice first.

    - `margin`, `entropy`, `dropout`: of the most uncertain texts, so many that each
      chosen one has `candidates`, take those that are centres of the others.
    - `gradients`: BADGE, which weighs both at once.
    - `centres`: texts that are unlike the labelled ones and each other, however certain
      their prediction is.
    - `random`: any texts.

    Args:
        classifier: Its model is on its device.
        encoded: N texts.
        probs: [N, C], their calibrated probabilities.
        options: How many texts are chosen, and how.
        train_texts: M labelled texts, for `centres`.
    """
    num_chosen = min(options.num_rows, len(encoded))
    generator = torch.Generator().manual_seed(options.seed)
    if options.measure == "random":
        order = torch.randperm(len(encoded), generator=generator)
        return order[:num_chosen].tolist()
    if options.measure == "centres":
        states = compute_states(classifier, encoded)  # [N, S]
        existing = None
        if train_texts is not None:
            existing = compute_states(classifier, train_texts)  # [M, S]
        return choose_centres(states, num_chosen, existing)
    if options.measure == "gradients":
        states = compute_states(classifier, encoded)  # [N, S]
        errors = compute_errors(
            probs, has_several_labels=classifier.has_several_labels
        )  # [N, C]
        return sample_gradients(states, errors, num_chosen, generator)
    uncertainty = measure_uncertainty(classifier, encoded, probs, options)  # [N]
    return _spread(classifier, encoded, uncertainty, num_chosen, options.candidates)


def measure_uncertainty(
    classifier: Classifier,
    encoded: EncodedTexts,
    probs: torch.Tensor,
    options: SelectionOptions,
) -> torch.Tensor:
    """Return how uncertain the prediction of each text is, by an option. [N]."""
    if options.measure == "dropout":
        return compute_disagreement(classifier.model, encoded, options.seed)
    if options.measure == "entropy":
        several = classifier.has_several_labels
        return compute_entropy(probs, has_several_labels=several)
    return compute_closeness(probs, classifier.thresholds)


def _spread(
    classifier: Classifier,
    encoded: EncodedTexts,
    uncertainty: torch.Tensor,
    num_chosen: int,
    candidates: int,
) -> list[int]:
    """Return texts that are unlike each other, of the most uncertain ones.

    The most uncertain text comes first.
    """
    order = uncertainty.argsort(descending=True, stable=True)  # [N]
    num_considered = min(num_chosen * candidates, len(order) // 2)
    considered = order[: max(num_considered, num_chosen)]
    if len(considered) == num_chosen:
        return considered.tolist()
    states = compute_states(classifier, encoded.select(considered.numpy()))
    chosen = choose_centres(states, num_chosen)
    return considered[chosen].tolist()


def compute_states(classifier: Classifier, encoded: EncodedTexts) -> torch.Tensor:
    """Return a vector for each text, by which similar texts are recognised. [N, S].

    It is the pooled state of the network, or without a network the logits.
    """
    model = classifier.model
    if not model.section.has_network:
        return compute_logits(model, encoded)
    return compute_pooled_states(model, encoded)
