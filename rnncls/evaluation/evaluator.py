"""Compute logits, states, attention weights and scores of a model on encoded texts.

Shapes: N texts, B texts in a batch, T tokens in the longest of them, C classes.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls.data.loading import EncodedSplit
from rnncls.evaluation.metrics import count_confusion
from rnncls.machine.processes import SINGLE, ProcessGroup
from rnncls.machine.threads import Workers, start_workers
from rnncls.nn.classifier import TextClassifier
from rnncls.text.batch_plans import plan_in_order_of_length
from rnncls.text.batching import Batch, assemble
from rnncls.text.encoded_texts import EncodedTexts

BATCH_SIZE = 128
"""Texts in one forward pass. It changes the speed, not the result."""

Rows = npt.NDArray[np.int64]


def compute_logits(
    model: TextClassifier, texts: EncodedTexts, workers: Workers | None = None
) -> torch.Tensor:
    """Return the logits of all texts, in their order.

    Args:
        model: On its device.
        texts: N of them.
        workers: Threads that share the batches; None: those of the model's device.

    Returns:
        [N, C] float32 on the CPU.
    """

    def compute_batch(bound: TextClassifier, batch: Batch) -> torch.Tensor:
        logits: torch.Tensor = bound(
            batch.token_ids, batch.lengths, is_ragged=batch.is_ragged
        )
        return logits

    num_classes = model.linear.out_features
    return collect_rows(model, texts, num_classes, compute_batch, workers)


@dataclass(frozen=True)
class PartLogits:
    """The logits of the parts of a model for N texts, on the CPU.

    Attributes:
        network: [N, C] float32, of the network alone.
        ngrams: [N, C] float32, of the n-gram part alone, without its scale.
        together: [N, C] float32, what `compute_logits` returns.
    """

    network: torch.Tensor
    ngrams: torch.Tensor
    together: torch.Tensor


def compute_part_logits(model: TextClassifier, texts: EncodedTexts) -> PartLogits:
    """Return the logits of the network and of the n-gram part of a model that has one.

    Args:
        model: On its device.
        texts: N of them.
    """
    ngrams = model.ngrams
    assert ngrams is not None

    def compute_network(bound: TextClassifier, batch: Batch) -> torch.Tensor:
        return bound.compute_network_logits(
            batch.token_ids, batch.lengths, is_ragged=batch.is_ragged
        )

    def compute_ngrams(_: TextClassifier, batch: Batch) -> torch.Tensor:
        logits: torch.Tensor = ngrams(batch.token_ids, batch.lengths)
        return logits

    num_classes = model.linear.out_features
    network = collect_rows(model, texts, num_classes, compute_network)
    ngram_logits = collect_rows(model, texts, num_classes, compute_ngrams)
    return PartLogits(network, ngram_logits, model.join(network, ngram_logits))


def compute_pooled_states(model: TextClassifier, texts: EncodedTexts) -> torch.Tensor:
    """Return the pooled states of all texts: what the linear layer reads.

    Args:
        model: On its device.
        texts: N of them.

    Returns:
        [N, P * S] float32 on the CPU, for P poolings of states of width S.
    """

    def compute_batch(bound: TextClassifier, batch: Batch) -> torch.Tensor:
        return bound.compute_pooled(
            batch.token_ids, batch.lengths, is_ragged=batch.is_ragged
        )

    return collect_rows(model, texts, model.linear.in_features, compute_batch)


def collect_rows(
    model: TextClassifier,
    texts: EncodedTexts,
    width: int,
    compute_batch: Callable[[TextClassifier, Batch], torch.Tensor],
    workers: Workers | None = None,
) -> torch.Tensor:
    """Return what a function computes of each text, in the order of the texts.

    Args:
        model: Gives the device.
        texts: N of them.
        width: W, the number of values of a text.
        compute_batch: From the model, bound to the texts, and B texts on its device to
            values [B, W].
        workers: Threads that share the batches; None: those of the model's device.

    Returns:
        [N, W] float32 on the CPU.
    """
    device = model.linear.weight.device
    values = torch.empty(len(texts), width, device=device)  # [N, W]
    model = model.bind(texts.unknown)

    @torch.inference_mode()
    def fill_batch(rows: Rows) -> None:
        batch = assemble(texts, rows).to(device)
        values[batch.device_rows] = compute_batch(model, batch).float()

    if workers is None:
        workers = start_workers(device)
    _for_each_batch(texts, fill_batch, workers)
    return values.cpu()


def compute_attention(model: TextClassifier, texts: EncodedTexts) -> list[list[float]]:
    """Return the weight that attention pooling gives to each token of each text.

    Args:
        model: A model with attention pooling.
        texts: N of them.

    Returns:
        For each text a list as long as the text, with a sum of 1.
    """
    device = model.linear.weight.device
    attention: list[list[float]] = [[]] * len(texts)
    model = model.bind(texts.unknown)

    @torch.inference_mode()
    def compute_batch(rows: Rows) -> None:
        batch = assemble(texts, rows).to(device)
        weights = model.attend(
            batch.token_ids, batch.lengths, is_ragged=batch.is_ragged
        )  # [B, T]
        for row, text_weights in zip(rows, weights.tolist(), strict=True):
            num_tokens = texts.lengths[row]
            attention[row] = text_weights[:num_tokens]

    _for_each_batch(texts, compute_batch, start_workers(device))
    return attention


def evaluate(
    model: TextClassifier,
    split: EncodedSplit,
    processes: ProcessGroup = SINGLE,
    workers: Workers | None = None,
) -> tuple[npt.NDArray[np.int64], float]:
    """Return the confusion matrix and the mean cross-entropy of a split.

    Each process evaluates its share of the texts; the counts and losses are summed.

    Args:
        model: On its device.
        split: N texts with labels.
        processes: The processes that share the texts.
        workers: The threads of this process; None: those of the model's device.

    Returns:
        [C, C] int64, rows for labels and columns for predictions; and nats.
    """
    share = select_share(split, processes)
    labels = share.labels
    logits = compute_logits(model, share.texts, workers)  # [N of the share, C]
    targets = torch.from_numpy(labels)  # [N of the share]
    exact_logits = logits.double()
    loss = F.cross_entropy(exact_logits, targets, reduction="sum")  # []

    num_classes = logits.shape[1]
    predictions = logits.argmax(dim=1).numpy()
    counts = count_confusion(labels, predictions, num_classes)
    confusion = torch.from_numpy(counts)  # [C, C]

    # In place: these are now the sums over all processes.
    processes.all_reduce_sum([confusion, loss], torch.float64)
    mean_loss = loss.item() / len(split.labels)
    return confusion.numpy(), mean_loss


def select_share(split: EncodedSplit, processes: ProcessGroup) -> EncodedSplit:
    """Return the texts of this process; each process gets texts of all lengths."""
    by_length = np.argsort(split.texts.lengths, kind="stable")
    return split.select(by_length[processes.rank :: processes.world_size])


def _for_each_batch(
    texts: EncodedTexts, compute_batch: Callable[[Rows], None], workers: Workers
) -> None:
    """Call a function with the row numbers of each batch, in several threads."""
    plan = plan_in_order_of_length(texts.lengths, BATCH_SIZE)
    # The longest first, so that no thread starts a long batch at the end.
    workers.map(compute_batch, plan[::-1])
