"""How uncertain a classifier is about each text.

The probabilities are calibrated. The measures are compared by Settles, "Active Learning
Literature Survey" (2009); the disagreement of dropout masks is BALD (Houlsby et al.
2011) with the masks as samples of the weights (Gal, Islam and Ghahramani 2017).

Shapes: N texts, B texts in a batch, C classes, K dropout masks.
"""

from collections.abc import Sequence

import torch

from rnncls import ConfigError
from rnncls.evaluation.evaluator import collect_rows
from rnncls.nn.classifier import TextClassifier
from rnncls.text.batching import Batch
from rnncls.text.encoded_texts import EncodedTexts

NUM_MASKS = 10
"""K, the dropout masks of `compute_disagreement`."""


def compute_entropy(probs: torch.Tensor, *, has_several_labels: bool) -> torch.Tensor:
    """Return the entropy of the prediction of each text, in nats. [..., C] -> [...].

    For several labels a text, it is the sum over the labels.
    """
    entropy: torch.Tensor = torch.special.entr(probs)  # [..., C]
    if has_several_labels:
        entropy = entropy + torch.special.entr(1 - probs)
    return entropy.sum(dim=-1)


def compute_closeness(
    probs: torch.Tensor, thresholds: Sequence[float] | None
) -> torch.Tensor:
    """Return how close each text is to another prediction, from 0 to 1. [N].

    Args:
        probs: [N, C].
        thresholds: From which probability on a text has a label, [C]; None: a text has
            one label.

    Returns:
        1 minus the margin. The margin is the difference between the two largest
        probabilities, or for several labels a text the smallest distance between a
        probability and its threshold.
    """
    if thresholds is None:
        largest = probs.topk(2, dim=1).values  # [N, 2]
        return 1 - (largest[:, 0] - largest[:, 1])
    distances = (probs - probs.new_tensor(thresholds)).abs()  # [N, C]
    return 1 - distances.amin(dim=1)


def compute_disagreement(
    model: TextClassifier, texts: EncodedTexts, seed: int
) -> torch.Tensor:
    """Return how much the predictions of K dropout masks disagree, in nats. [N].

    It is the entropy of the mean prediction minus the mean entropy of the predictions:
    what the masks do not agree on, without what all of them are uncertain about.

    Args:
        model: On its device.
        texts: N of them.
        seed: Draws the masks.

    Raises:
        ConfigError: The model was trained without dropout.
    """
    check_dropout(model)
    device = model.linear.weight.device
    has_several_labels = model.section.has_several_labels

    def compute_batch(bound: TextClassifier, batch: Batch) -> torch.Tensor:
        # Seeded by the texts, so that the number of threads does not matter.
        generator = torch.Generator(device)
        generator.manual_seed(seed + int(batch.rows[0]))
        samples = sample_probs(bound, batch, generator)  # [K, B, C]
        mean = samples.mean(dim=0)  # [B, C]
        total = compute_entropy(mean, has_several_labels=has_several_labels)  # [B]
        each = compute_entropy(samples, has_several_labels=has_several_labels)
        disagreement = total - each.mean(dim=0)  # [B]
        return disagreement[:, None]

    return collect_rows(model, texts, 1, compute_batch)[:, 0]


def sample_probs(
    model: TextClassifier, batch: Batch, generator: torch.Generator
) -> torch.Tensor:
    """Return the probabilities of each class with K random dropout masks. [K, B, C]."""
    samples = []
    for _ in range(NUM_MASKS):
        dropout = model.sample_dropout(len(batch), generator)
        logits = model(
            batch.token_ids, batch.lengths, is_ragged=batch.is_ragged, dropout=dropout
        )  # [B, C]
        samples.append(model.compute_probs(logits))
    return torch.stack(samples)


def check_dropout(model: TextClassifier) -> None:
    """Check that the network of a model has dropout.

    Raises:
        ConfigError: It has none, so that all masks would give the same prediction.
    """
    section = model.section
    rates = (section.dropout, section.input_dropout, section.recurrent_dropout)
    if section.has_network and any(rates):
        return
    reason = "model.dropout, model.input_dropout and model.recurrent_dropout are 0"
    if not section.has_network:
        reason = "model.ngrams: alone has no network"
    raise ConfigError(
        f"the run has no dropout whose masks could disagree ({reason}): choose the"
        " texts by another measure",
        {"by": "margin"},
    )
