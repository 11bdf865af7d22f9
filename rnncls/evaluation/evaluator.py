"""A model and encoded texts into logits and scores.

Shapes: N texts, B texts in a batch, C classes.
"""

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls.data.loading import EncodedSplit
from rnncls.evaluation.metrics import count_confusion
from rnncls.machine.processes import SINGLE, ProcessGroup
from rnncls.machine.threads import start_workers
from rnncls.nn.classifier import TextClassifier
from rnncls.text.batching import EncodedTexts, assemble, plan_in_order_of_length

BATCH_SIZE = 128
"""Texts in one forward pass; it changes the speed alone."""


def compute_logits(model: TextClassifier, texts: EncodedTexts) -> torch.Tensor:
    """Return the logits of all texts, in their order. [N, C] float32 on the CPU."""
    device = model.linear.weight.device
    logits = torch.empty(len(texts), model.linear.out_features, device=device)  # [N, C]

    @torch.inference_mode()
    def read(rows: npt.NDArray[np.int64]) -> None:
        batch = assemble(texts, rows).to(device)
        found = model(
            batch.token_ids, batch.lengths, is_ragged=batch.is_ragged
        )  # [B, C]
        logits[torch.from_numpy(rows).to(device)] = found.float()

    # The longest first, so that no worker is left with a long one at the end.
    start_workers(device).map(
        read, plan_in_order_of_length(texts.lengths, BATCH_SIZE)[::-1]
    )
    return logits.cpu()


def find_attention(model: TextClassifier, texts: EncodedTexts) -> list[list[float]]:
    """Return how much of each of its tokens attention pooling takes in, for each of the
    N
    texts.

    The model must pool so; the weights of a text sum to 1.
    """
    device = model.linear.weight.device
    found: list[list[float]] = [[]] * len(texts)

    @torch.inference_mode()
    def read(rows: npt.NDArray[np.int64]) -> None:
        batch = assemble(texts, rows).to(device)
        weights = model.attend(
            batch.token_ids, batch.lengths, is_ragged=batch.is_ragged
        )  # [B, T]
        for row, length, own in zip(rows, batch.lengths, weights.tolist(), strict=True):
            found[row] = own[:length]

    start_workers(device).map(
        read, plan_in_order_of_length(texts.lengths, BATCH_SIZE)[::-1]
    )
    return found


def evaluate(
    model: TextClassifier, split: EncodedSplit, processes: ProcessGroup = SINGLE
) -> tuple[npt.NDArray[np.int64], float]:
    """Return the confusion matrix [C, C] int64 and the mean cross-entropy in nats over
    all
    N texts.

    Each process reads its share of the texts; what they count is added up.
    """
    rows = np.argsort(split.texts.lengths, kind="stable")[
        processes.rank :: processes.world_size
    ]
    logits, labels = compute_logits(model, split.texts.select(rows)), split.labels[rows]
    loss = F.cross_entropy(
        logits.double(), torch.from_numpy(labels), reduction="sum"
    )  # []
    confusion = torch.from_numpy(
        count_confusion(labels, logits.argmax(dim=1).numpy(), logits.shape[1])
    )  # [C, C]
    processes.all_reduce_sum([confusion, loss], torch.float64)
    return confusion.numpy(), loss.item() / len(split.labels)
