"""A model and encoded texts into logits and scores.

Shapes: N texts, B texts in a batch, C classes.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls.batching import EncodedTexts, iter_batches, plan_in_order_of_length
from rnncls.corpus import EncodedSplit
from rnncls.metrics import count_confusion
from rnncls.model import TextClassifier

BATCH_SIZE = 256
"""Texts in one forward pass; it changes the speed alone."""


@contextmanager
def evaluating(model: TextClassifier) -> Iterator[None]:
    """Switch dropout and gradients off, and the mode back to what it was."""
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            yield
    finally:
        model.train(was_training)


def compute_logits(model: TextClassifier, texts: EncodedTexts) -> torch.Tensor:
    """Return the logits of all texts, in their order. [N, C] float32 on the CPU."""
    device = model.linear.weight.device
    logits = torch.empty(len(texts), model.linear.out_features, device=device)  # [N, C]
    with evaluating(model):
        for batch in iter_batches(texts, plan_in_order_of_length(texts.lengths, BATCH_SIZE)):
            batch = batch.to(device)
            rows = torch.from_numpy(batch.rows).to(device)  # [B]
            logits[rows] = model(batch.token_ids, batch.lengths, is_ragged=batch.is_ragged).float()
    return logits.cpu()


def evaluate(model: TextClassifier, split: EncodedSplit) -> tuple[npt.NDArray[np.int64], float]:
    """Return the confusion matrix [C, C] int64 and the mean cross-entropy in nats over all N texts."""
    logits = compute_logits(model, split.texts)
    loss = F.cross_entropy(logits.double(), torch.from_numpy(split.labels)).item()
    predictions = logits.argmax(dim=1).numpy()
    return count_confusion(split.labels, predictions, logits.shape[1]), loss
