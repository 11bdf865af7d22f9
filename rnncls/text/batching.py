"""Batches of encoded texts as tensors, and their division among threads and processes.

Shapes: N texts, M tokens in all of them, B texts in a batch, T tokens in its longest
text, V words, R distinct words in a batch.
"""

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import numpy.typing as npt
import torch

from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.vocab import PAD_ID, UNK_ID

MIN_TEXTS_PER_THREAD = 16
"""Texts from which a further thread is worth it: matrices of fewer rows are slow."""


@dataclass(frozen=True)
class Batch:
    """B texts, padded to the longest of them.

    Attributes:
        token_ids: [B, T] int64, `PAD_ID` after the end of a text.
        lengths: [B] int64, at least 1.
        is_ragged: Whether any text is shorter than T. It is known on the host, so that
            nothing has to wait for the device.
        rows: [B] int64 on the host, the row numbers of the texts.
        device_rows: [B] int64, the same on the device of the token ids.
    """

    token_ids: torch.Tensor
    lengths: torch.Tensor
    is_ragged: bool
    rows: npt.NDArray[np.int64]
    device_rows: torch.Tensor

    def __len__(self) -> int:
        """Return B."""
        return len(self.rows)

    def __getitem__(self, texts: slice) -> "Batch":
        """Return a slice of the texts, padded to the same T."""
        return Batch(
            self.token_ids[texts],
            self.lengths[texts],
            self.is_ragged,
            self.rows[texts],
            self.device_rows[texts],
        )

    def mask(self) -> torch.Tensor | None:
        """Return where there is a token, [T, B] bool, or None: there is no padding."""
        if not self.is_ragged:
            return None
        longest = self.token_ids.shape[1]
        positions = torch.arange(longest, device=self.lengths.device)  # [T]
        return positions[:, None] < self.lengths

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        if self.token_ids.device == device:
            return self
        return Batch(
            self.token_ids.to(device),
            self.lengths.to(device),
            self.is_ragged,
            self.rows,
            self.device_rows.to(device),
        )


def iter_batches(
    texts: EncodedTexts, plan: list[npt.NDArray[np.int64]]
) -> Iterator[Batch]:
    """Yield the batches of a plan on the CPU."""
    for rows in plan:
        yield assemble(texts, rows)


def assemble(texts: EncodedTexts, rows: npt.NDArray[np.int64]) -> Batch:
    """Return the texts with these row numbers as one batch on the CPU."""
    lengths = texts.lengths[rows]
    starts = texts.starts[rows]
    longest, is_ragged = _find_longest(lengths)
    positions = np.arange(longest)  # [T]
    indices = starts[:, None] + positions  # [B, T]
    if is_ragged:
        mask = positions < lengths[:, None]  # [B, T]
        indices = np.where(mask, indices, 0)
        token_ids = np.where(mask, texts.token_ids[indices], PAD_ID)
    else:
        token_ids = texts.token_ids[indices]  # [B, T]
    return Batch(
        token_ids=torch.from_numpy(token_ids.astype(np.int64)),
        lengths=torch.from_numpy(lengths),
        is_ragged=is_ragged,
        rows=rows,
        device_rows=torch.from_numpy(rows),
    )


def batch_iterator(
    texts: EncodedTexts, device: torch.device
) -> Callable[[list[npt.NDArray[np.int64]]], Iterator[Batch]]:
    """Return the function that yields the batches of a plan for this device.

    For CUDA the texts are copied to the device once, and the batches are built there.
    For other devices the batches are on the CPU.
    """
    if device.type == "cuda":
        return ResidentTexts(texts, device).iter_batches
    return partial(iter_batches, texts)


class ResidentTexts:
    """Encoded texts on a device, which builds the batches there.

    The host never waits for a batch.
    """

    def __init__(self, texts: EncodedTexts, device: torch.device) -> None:
        """Copy the texts to the device."""
        self.texts = texts
        self.token_ids = torch.from_numpy(texts.token_ids).to(device)  # [M]
        self.lengths = torch.from_numpy(texts.lengths).to(device)  # [N]
        self.starts = torch.from_numpy(texts.starts).to(device)  # [N]

    def iter_batches(self, plan: list[npt.NDArray[np.int64]]) -> Iterator[Batch]:
        """Yield the batches of a plan, whose row numbers are copied all at once."""
        if not plan:
            return
        sizes = [len(rows) for rows in plan]
        host_rows = torch.from_numpy(np.concatenate(plan))
        all_device_rows = host_rows.to(self.token_ids.device)
        device_plan = torch.split(all_device_rows, sizes)
        for rows, device_rows in zip(plan, device_plan, strict=True):
            yield self._assemble(rows, device_rows)

    def _assemble(
        self, rows: npt.NDArray[np.int64], device_rows: torch.Tensor
    ) -> Batch:
        longest, is_ragged = _find_longest(self.texts.lengths[rows])
        lengths = self.lengths[device_rows]  # [B]
        starts = self.starts[device_rows]  # [B]
        positions = torch.arange(longest, device=device_rows.device)  # [T]
        indices = starts[:, None] + positions  # [B, T]
        # The padding of the last texts would be read from beyond the end.
        last_index = len(self.token_ids) - 1
        indices.clamp_(max=last_index)
        token_ids = self.token_ids[indices].long()  # [B, T]
        if is_ragged:
            mask = positions < lengths[:, None]  # [B, T]
            token_ids = torch.where(mask, token_ids, PAD_ID)
        return Batch(token_ids, lengths, is_ragged, rows, device_rows)


def drop_words(
    token_ids: torch.Tensor, drop_prob: float, generator: torch.Generator
) -> torch.Tensor:
    """Return token ids in which about this fraction of the words is `<unk>`.

    Args:
        token_ids: [B, T] int64; padding stays padding.
        drop_prob: In 0..1.
        generator: On the device of the token ids.

    Returns:
        [B, T] int64.
    """
    if not drop_prob:
        return token_ids
    values = torch.rand(
        token_ids.shape, generator=generator, device=token_ids.device
    )  # [B, T]
    dropped = (values < drop_prob) & (token_ids != PAD_ID)  # [B, T]
    return token_ids.masked_fill(dropped, UNK_ID)


def unique_words(
    token_ids: torch.Tensor, vocab_size: int, *, may_wait: bool = True
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the distinct words of a batch, and the index of each token among them.

    A training step then needs the vectors of R words only. It is what
    `torch.unique(token_ids, return_inverse=True)` returns, without sorting.

    Args:
        token_ids: [B, T] int64.
        vocab_size: V.
        may_wait: Whether the host may wait for the device to learn R. If not, R is the
            largest possible number, and the rest of the words is `PAD_ID`, whose vector
            is zero and stays zero.

    Returns:
        The words [R] int64 in ascending order, and the indices [B, T] int64.
    """
    device = token_ids.device
    occurs = torch.zeros(vocab_size, dtype=torch.bool, device=device)  # [V]
    occurs[token_ids] = True
    max_words = None if may_wait else min(vocab_size, token_ids.numel())
    word_ids = _find_true(occurs, max_words)  # [R]
    index_of = torch.empty(vocab_size, dtype=torch.int64, device=device)  # [V]
    index_of[word_ids] = torch.arange(len(word_ids), device=device)
    return word_ids, index_of[token_ids]


def _find_true(values: torch.Tensor, num_indices: int | None) -> torch.Tensor:
    """Return the indices of the values that are true, in ascending order.

    Args:
        values: [V] bool.
        num_indices: How many indices to return, without waiting for the device; the
            rest of them is `PAD_ID`. None: as many as there are.

    Returns:
        [R] int64.
    """
    if num_indices is None:
        indices = values.nonzero()  # [R, 1]
    else:
        indices = values.nonzero_static(size=num_indices, fill_value=PAD_ID)  # [R, 1]
    return indices.squeeze(1)


def shard(
    num_texts: int, num_threads: int, *, rank: int = 0, world_size: int = 1
) -> list[slice]:
    """Divide the texts of a batch among the processes, and a process's among threads.

    A process takes every `world_size`th text: of texts sorted by length, that is an
    equal share of the tokens, but for about one text.

    Args:
        num_texts: B.
        num_threads: The largest number of slices.
        rank: The number of this process, from 0.
        world_size: The number of processes.

    Returns:
        The slices of this process, equal but for one text; fewer than `num_threads` if
        they would be shorter than `MIN_TEXTS_PER_THREAD`.
    """
    own_texts = range(rank, num_texts, world_size)
    max_slices = len(own_texts) // MIN_TEXTS_PER_THREAD
    num_slices = max(1, min(num_threads, max_slices))
    bounds = [
        rank + world_size * (index * len(own_texts) // num_slices)
        for index in range(num_slices + 1)
    ]
    return [slice(start, end, world_size) for start, end in itertools.pairwise(bounds)]


def _find_longest(lengths: npt.NDArray[np.int64]) -> tuple[int, bool]:
    """Return the largest of the lengths, and whether any of them is smaller."""
    longest = int(lengths.max())
    is_ragged = bool(lengths.min() < longest)
    return longest, is_ragged
