"""Check that padding, batching, threads, device and dtype do not affect predictions.

Each check computes the logits of the same texts twice: once with each text alone on one
thread of the CPU, and once with one thing changed.

Shapes: N texts, B texts in a batch, T tokens in the longest of them, C classes.
"""

import contextlib
import copy
import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls.nn.classifier import TextClassifier
from rnncls.nn.decisions import decide
from rnncls.text.batch_plans import plan_in_order_of_length
from rnncls.text.batching import Batch, assemble
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.vocab import PAD_ID, UNK_ID

LIMIT = 1e-4
"""Largest accepted difference between two logits."""
DEVICE_LIMIT = 1e-2
"""The same on another device: a GPU multiplies in TF32, with a 10-bit mantissa."""
NUM_PADS = 16
BATCH_SIZE = 128

Plan = Sequence[npt.NDArray[np.int64]]
"""The row numbers of each batch."""


@dataclass(frozen=True)
class Check:
    """The effect of one change on the logits of N texts.

    Attributes:
        name: What was changed.
        change: From what to what.
        limit: Largest accepted difference between two logits; None: the difference is
            only reported.
        difference: The largest difference; None if the change could not be made.
        num_relabelled: Number of texts that get another label, or another set of them.
    """

    name: str
    change: str
    limit: float | None
    difference: float | None
    num_relabelled: int

    @property
    def holds(self) -> bool:
        """Whether the difference is within its limit, if there are both."""
        if self.difference is None or self.limit is None:
            return True
        return self.difference <= self.limit

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self) | {"holds": self.holds}


@dataclass(frozen=True)
class _Reference:
    """The logits of each text alone on one thread, which each check compares with.

    Attributes:
        logits: [N, C].
        thresholds: [C], from which probability on a text has a label; None: a text has
            one label.
    """

    logits: torch.Tensor
    thresholds: Sequence[float] | None

    def count_relabelled(self, logits: torch.Tensor) -> int:
        """Return how many texts get other labels from these logits [N, C]."""
        labels = decide(logits, self.thresholds)  # [N], or [N, C]
        expected = decide(self.logits, self.thresholds)
        is_other = (labels != expected).view(len(labels), -1)  # [N, 1 or C]
        return int(is_other.any(dim=1).sum())


@torch.inference_mode()
def check_invariance(
    model: TextClassifier,
    texts: EncodedTexts,
    thresholds: Sequence[float] | None = None,
) -> list[Check]:
    """Run all checks on a model, which must be on the CPU and is not changed.

    Args:
        model: The model.
        texts: N texts.
        thresholds: [C], from which probability on a text has a label; None: a text has
            one label.
    """
    with use_threads(1):
        one_by_one = list(np.arange(len(texts))[:, None])
        logits = compute_batched_logits(model, texts, one_by_one)  # [N, C]
        expected = _Reference(logits, thresholds)
        return [
            *_check_batching(model, texts, expected),
            _check_threads(model, texts, expected),
            _check_device(model, texts, expected),
            *_check_dtypes(model, texts, expected),
        ]


def _check_batching(
    model: TextClassifier, texts: EncodedTexts, expected: _Reference
) -> list[Check]:
    """Change the batches, their order and their padding."""
    num_texts = len(texts)
    by_length = plan_in_order_of_length(texts.lengths, BATCH_SIZE)
    reversed_plan = [rows[::-1].copy() for rows in by_length]
    later_starts = range(BATCH_SIZE, num_texts, BATCH_SIZE)
    in_order = np.split(np.arange(num_texts), later_starts)
    batched = compute_batched_logits(model, texts, by_length)
    reordered = compute_batched_logits(model, texts, reversed_plan)
    padded = compute_batched_logits(model, texts, in_order, filler=PAD_ID)
    filled = compute_batched_logits(model, texts, in_order, filler=UNK_ID)
    sizes = f"1 to {min(BATCH_SIZE, num_texts)}"
    pads = f"none to {NUM_PADS} or more"
    return [
        _compare("batch size", sizes, batched, expected, LIMIT),
        _compare("order", "last text first", reordered, expected, LIMIT),
        _compare("padding", pads, padded, expected, LIMIT),
        _compare("what pads hold", "<pad> to <unk>", filled, expected, LIMIT),
    ]


def _check_threads(
    model: TextClassifier, texts: EncodedTexts, expected: _Reference
) -> Check:
    """Compute in several threads."""
    num_threads = max(2, os.cpu_count() or 1)
    plan = plan_in_order_of_length(texts.lengths, BATCH_SIZE)
    with use_threads(num_threads):
        logits = compute_batched_logits(model, texts, plan)
    return _compare("threads", f"1 to {num_threads}", logits, expected, LIMIT)


def _check_device(
    model: TextClassifier, texts: EncodedTexts, expected: _Reference
) -> Check:
    """Compute on a GPU, if there is one."""
    device = find_other_device()
    if device is None:
        return Check("device", "cpu to another", DEVICE_LIMIT, None, 0)
    plan = plan_in_order_of_length(texts.lengths, BATCH_SIZE)
    logits = compute_batched_logits(copy.deepcopy(model).to(device), texts, plan)
    return _compare("device", f"cpu to {device}", logits, expected, DEVICE_LIMIT)


def _check_dtypes(
    model: TextClassifier, texts: EncodedTexts, expected: _Reference
) -> list[Check]:
    """Compute in float64, and the recurrent cell in bfloat16."""
    plan = plan_in_order_of_length(texts.lengths, BATCH_SIZE)
    exact = compute_batched_logits(copy.deepcopy(model).double(), texts, plan)
    double = _compare("number type", "float32 to float64", exact, expected, LIMIT)
    name, change = "cell's number type", "float32 to bfloat16"
    if model.encoder is None:
        return [double, Check(name, change, None, None, 0)]
    rounded = compute_batched_logits(model, texts, plan, dtype=torch.bfloat16)
    return [double, _compare(name, change, rounded, expected, None)]


def _compare(
    name: str,
    change: str,
    logits: torch.Tensor,
    expected: _Reference,
    limit: float | None,
) -> Check:
    """Compare logits [N, C] with those of each text alone."""
    differences = logits.double() - expected.logits.double()  # [N, C]
    num_relabelled = expected.count_relabelled(logits)
    return Check(name, change, limit, differences.abs().max().item(), num_relabelled)


def compute_batched_logits(
    model: TextClassifier,
    texts: EncodedTexts,
    plan: Plan,
    *,
    filler: int | None = None,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """Return the logits of all texts, in their order, on the CPU.

    Args:
        model: The model, on any device.
        texts: N texts.
        plan: The row numbers of each batch.
        filler: The token id on padding, of which `NUM_PADS` more positions are added;
            None: no extra padding, and `<pad>`.
        dtype: The dtype the recurrent cell computes in; None: that of the weights.

    Returns:
        [N, C].
    """
    weight = model.linear.weight
    model = model.bind(texts.unknown)
    logits = torch.empty(len(texts), len(weight), dtype=weight.dtype)  # [N, C]
    for rows in plan:
        batch = assemble(texts, rows)
        if filler is not None:
            batch = pad(batch, filler)
        batch = batch.to(weight.device)
        output = model(
            batch.token_ids, batch.lengths, is_ragged=batch.is_ragged, dtype=dtype
        )  # [B, C]
        logits[torch.from_numpy(rows)] = output.cpu()
    return logits


def pad(batch: Batch, filler: int) -> Batch:
    """Add `NUM_PADS` positions to a batch on the CPU, with `filler` on all padding."""
    token_ids = F.pad(batch.token_ids, (0, NUM_PADS))  # [B, T + NUM_PADS]
    is_pad = torch.arange(token_ids.shape[1]) >= batch.lengths[:, None]
    filled = token_ids.masked_fill(is_pad, filler)
    return replace(batch, token_ids=filled, is_ragged=True)


def find_other_device() -> torch.device | None:
    """Return a device other than the CPU, if there is one."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps") if torch.backends.mps.is_available() else None


@contextlib.contextmanager
def use_threads(num_threads: int) -> Iterator[None]:
    """Set the number of threads of torch's kernels, and restore it at the end."""
    num_before = torch.get_num_threads()
    torch.set_num_threads(num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(num_before)


def describe_checks(checks: Sequence[Check], num_texts: int) -> str:
    """Summarise in one sentence whether all checks passed."""
    failed = [check for check in checks if not check.holds]
    if not failed:
        return (
            f"All checks passed: no logit of these {num_texts:,} texts moved beyond its"
            " limit."
        )
    names = ", ".join(f"{check.name} ({check.difference:.1e})" for check in failed)
    return f"Failed checks, with a logit that moved beyond its limit: {names}."
