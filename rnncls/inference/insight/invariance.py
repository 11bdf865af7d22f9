"""What must not change a prediction: the batch, its order, padding, threads, the
device,
the type of number.

Each text is read alone, in float32, on one thread of the CPU, and then again with one
thing changed; the largest distance between two logits is what is reported. Sums of the
same numbers in another order differ in their last digits, so that "the same" has a
limit.

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
from rnncls.text.batching import Batch, EncodedTexts, assemble, plan_in_order_of_length
from rnncls.text.vocab import PAD_ID, UNK_ID

LIMIT = 1e-4
"""The largest difference between two logits that counts as none."""
DEVICE_LIMIT = 1e-2
"""The same on another device: a GPU multiplies the numbers of a recurrent cell with 10
bits after the point (TF32)."""
NUM_PADS = 16
BATCH_SIZE = 128


@dataclass(frozen=True)
class Check:
    """What one change does to the logits of N texts.

    Attributes:
        name: What was changed.
        change: From what to what.
        limit: How far apart two logits may be; None: the difference is only reported.
        difference: How far apart they are at the most; None where nothing could be
            changed.
        num_relabelled: How many of the texts get another label.
    """

    name: str
    change: str
    limit: float | None
    difference: float | None
    num_relabelled: int

    @property
    def holds(self) -> bool:
        """Whether the difference is within its limit; one without a limit, or that
        could not be tried, holds.
        """
        return (
            self.difference is None
            or self.limit is None
            or self.difference <= self.limit
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain values."""
        return asdict(self) | {"holds": self.holds}


@torch.inference_mode()
def check_invariance(model: TextClassifier, texts: EncodedTexts) -> list[Check]:
    """Return what each change does to the logits of a model, which is on the CPU and
    stays as it is.
    """
    in_order = plan_in_order_of_length(texts.lengths, BATCH_SIZE)
    mixed = np.split(np.arange(len(texts)), range(BATCH_SIZE, len(texts), BATCH_SIZE))
    num_threads = max(2, os.cpu_count() or 1)
    with use_threads(1):
        alone = read(model, texts, list(np.arange(len(texts))[:, None]))  # [N, C]

        def compare(
            name: str,
            change: str,
            found: torch.Tensor | None,
            limit: float | None = LIMIT,
        ) -> Check:
            if found is None:
                return Check(name, change, limit, None, 0)
            difference = (found.double() - alone.double()).abs().max().item()
            return Check(
                name,
                change,
                limit,
                difference,
                int((found.argmax(1) != alone.argmax(1)).sum()),
            )

        checks = [
            compare(
                "batch size",
                f"1 to {min(BATCH_SIZE, len(texts))}",
                read(model, texts, in_order),
            ),
            compare(
                "order",
                "last text first",
                read(model, texts, [rows[::-1].copy() for rows in in_order]),
            ),
            compare(
                "padding",
                f"none to {NUM_PADS} or more",
                read(model, texts, mixed, filler=PAD_ID),
            ),
            compare(
                "what pads hold",
                "<pad> to <unk>",
                read(model, texts, mixed, filler=UNK_ID),
            ),
        ]
        with use_threads(num_threads):
            checks.append(
                compare("threads", f"1 to {num_threads}", read(model, texts, in_order))
            )
        device = find_other_device()
        moved = (
            None
            if device is None
            else read(copy.deepcopy(model).to(device), texts, in_order)
        )
        checks.append(
            compare("device", f"cpu to {device or 'another'}", moved, DEVICE_LIMIT)
        )
        exact, coarse = (
            copy.deepcopy(model).double(),
            (torch.bfloat16 if model.encoder is not None else None),
        )
        checks.append(
            compare("number type", "float32 to float64", read(exact, texts, in_order))
        )
        rough = read(model, texts, in_order, dtype=coarse)
        checks.append(
            compare(
                "cell's number type",
                "float32 to bfloat16",
                rough if coarse else None,
                None,
            )
        )
    return checks


def read(
    model: TextClassifier,
    texts: EncodedTexts,
    plan: Sequence[npt.NDArray[np.int64]],
    *,
    filler: int | None = None,
    dtype: torch.dtype | None = None,
) -> torch.Tensor:
    """Return the logits of all texts, in their order, on the CPU.

    Args:
        model: The model, on any device.
        texts: N texts.
        plan: The row numbers of each batch.
        filler: What stands in the padding, of which there is `NUM_PADS` more than
            needed; None: no more, and `<pad>`.
        dtype: What the recurrent cell computes in; None: what the model's weights are.

    Returns:
        [N, C].
    """
    weight = model.linear.weight
    logits = torch.empty(len(texts), len(weight), dtype=weight.dtype)  # [N, C]
    for rows in plan:
        batch = assemble(texts, rows)
        batch = (batch if filler is None else pad(batch, filler)).to(weight.device)
        found = model(
            batch.token_ids, batch.lengths, is_ragged=batch.is_ragged, dtype=dtype
        )
        logits[torch.from_numpy(rows)] = found.cpu()
    return logits


def pad(batch: Batch, filler: int) -> Batch:
    """Return a batch on the CPU with `NUM_PADS` more positions, and that token id in
    all of its padding.
    """
    token_ids = F.pad(batch.token_ids, (0, NUM_PADS))  # [B, T + NUM_PADS]
    outside = torch.arange(token_ids.shape[1]) >= batch.lengths[:, None]
    return replace(
        batch, token_ids=token_ids.masked_fill(outside, filler), is_ragged=True
    )


def find_other_device() -> torch.device | None:
    """Return a device that is not the CPU, where one is there."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps") if torch.backends.mps.is_available() else None


@contextlib.contextmanager
def use_threads(number: int) -> Iterator[None]:
    """Let each of torch's kernels be shared out among so many threads, and then among
    as many as before.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def describe_checks(checks: Sequence[Check], num_texts: int) -> str:
    """Return in a sentence whether anything changes a prediction that must not."""
    failed = [check for check in checks if not check.holds]
    if not failed:
        return (
            f"Nothing that must not matter changes a logit of these {num_texts:,} texts"
            " beyond its limit."
        )
    names = ", ".join(f"{check.name} ({check.difference:.1e})" for check in failed)
    return f"Changes a logit beyond its limit, and must not: {names}."
