"""Batch plans: which texts are read together. Does not import torch.

The plan of an epoch shuffles the rows, sorts them by length (stably), cuts them into
batches and shuffles the batches. Nearly every batch then has texts of one length and
needs no padding.

Shapes: N texts, B texts in a batch.
"""

import numpy as np
import numpy.typing as npt


def plan_epoch(
    lengths: npt.NDArray[np.int64],
    batch_size: int,
    seed: int,
    epoch: int,
    balanced_labels: npt.NDArray[np.int64] | None = None,
) -> list[npt.NDArray[np.int64]]:
    """Return the row numbers of each batch of one epoch.

    The plan is a function of its arguments alone: a run that is resumed in the middle
    of an epoch makes the same plan.

    Args:
        lengths: [N] tokens in each text.
        batch_size: B.
        seed: The seed of the run.
        epoch: From 0.
        balanced_labels: [N] labels whose classes are to occur equally often; None: each
            row occurs once.
    """
    generator = np.random.default_rng((seed, epoch))
    if balanced_labels is None:
        shuffled = generator.permutation(len(lengths))
    else:
        shuffled = generator.permutation(_sample_balanced(balanced_labels, generator))
    by_length = shuffled[np.argsort(lengths[shuffled], kind="stable")]
    batches = _cut(by_length, batch_size)
    return [batches[index] for index in generator.permutation(len(batches))]


def plan_in_order_of_length(
    lengths: npt.NDArray[np.int64], batch_size: int
) -> list[npt.NDArray[np.int64]]:
    """Return the row numbers of each batch of an evaluation, shortest texts first."""
    return _cut(np.argsort(lengths, kind="stable"), batch_size)


def evenly_spaced(num_rows: int, limit: int) -> npt.NDArray[np.int64]:
    """Return at most `limit` row numbers, evenly spaced over 0..`num_rows` - 1."""
    return np.linspace(0, num_rows - 1, min(limit, num_rows)).astype(np.int64)


def _sample_balanced(
    labels: npt.NDArray[np.int64], generator: "np.random.Generator"
) -> npt.NDArray[np.int64]:
    """Return N row numbers, equally many of each class but for one.

    No row is repeated before all others of its class have occurred. That leaves less to
    chance than independent draws.
    """
    classes = generator.permutation(np.unique(labels))
    shares = np.array_split(np.arange(len(labels)), len(classes))
    sampled = []
    for label, share in zip(classes, shares, strict=True):
        class_rows = np.flatnonzero(labels == label)
        num_rounds = -(-len(share) // len(class_rows))  # rounded up
        rounds = np.tile(class_rows, (num_rounds, 1))
        shuffled_rounds = generator.permuted(rounds, axis=1).ravel()
        sampled.append(shuffled_rounds[: len(share)])
    return np.concatenate(sampled)


def _cut(rows: npt.NDArray[np.int64], batch_size: int) -> list[npt.NDArray[np.int64]]:
    starts = range(0, len(rows), batch_size)
    return [rows[start : start + batch_size] for start in starts]
