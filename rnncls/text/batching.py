"""From flat arrays to batches: texts of (nearly) equal length side by side.

An epoch is the rows shuffled, stably sorted by length, cut into batches, and the
batches shuffled. Nearly every batch then has one length, which needs no padding; where
a length runs out the batch goes on with the next one.

Shapes: N texts, M tokens in all of them, B texts in a batch, T tokens in its longest
text.
"""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from rnncls.config.sections import TextSection
from rnncls.text.tokenizer import TokenizedTexts, build_tokenizer
from rnncls.text.vocab import PAD_ID, UNK_ID, Vocab

SMALLEST_PART = 16
"""Texts that are worth a thread of their own: matrices of fewer rows are slow."""


@dataclass(frozen=True)
class EncodedTexts:
    """N texts as slices of one flat array of token ids.

    Attributes:
        token_ids: [M] int32, in 0..V-1.
        lengths: [N] int64, tokens in each text, at least 1.
        starts: [N] int64, where each text begins in `token_ids`.
    """

    token_ids: npt.NDArray[np.int32]
    lengths: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int64]

    def __len__(self) -> int:
        """Return N."""
        return len(self.lengths)

    def select(self, rows: npt.NDArray[np.int64]) -> "EncodedTexts":
        """Return the texts with these numbers, in this order; their tokens are shared,
        not copied.
        """
        return EncodedTexts(self.token_ids, self.lengths[rows], self.starts[rows])


@dataclass(frozen=True)
class Batch:
    """B texts padded to the longest of them.

    Attributes:
        token_ids: [B, T] int64, `PAD_ID` after a text's end.
        lengths: [B] int64, at least 1.
        is_ragged: Whether any text is shorter than T; known on the host, so that nobody
            has to ask the device.
        rows: [B] int64 on the host, the texts' numbers among those that were batched.
        numbers: [B] int64, the same where the tokens are.
    """

    token_ids: torch.Tensor
    lengths: torch.Tensor
    is_ragged: bool
    rows: npt.NDArray[np.int64]
    numbers: torch.Tensor

    def __len__(self) -> int:
        """Return B."""
        return len(self.rows)

    def of(self, texts: slice) -> "Batch":
        """Return some of the texts, as wide as before."""
        token_ids, lengths, numbers = (
            each[texts] for each in (self.token_ids, self.lengths, self.numbers)
        )
        return Batch(token_ids, lengths, self.is_ragged, self.rows[texts], numbers)

    def to(self, device: torch.device) -> "Batch":
        """Return the batch on a device."""
        if self.token_ids.device == device:
            return self
        token_ids, lengths, numbers = (
            each.to(device) for each in (self.token_ids, self.lengths, self.numbers)
        )
        return Batch(token_ids, lengths, self.is_ragged, self.rows, numbers)


def encode_texts(texts: TokenizedTexts, vocab: Vocab) -> EncodedTexts:
    """Return the texts with the token ids of a vocabulary."""
    starts = np.cumsum(texts.lengths) - texts.lengths
    return EncodedTexts(
        vocab.encode(texts.words)[texts.word_ids], texts.lengths, starts
    )


def encode_text(
    text: str, section: TextSection, vocab: Vocab
) -> tuple[list[str], EncodedTexts]:
    """Return the T tokens of one text, as `rnncls predict` reads it, and the text
    encoded.
    """
    tokens = build_tokenizer(section)(text)
    return tokens, EncodedTexts(
        vocab.encode(tokens), np.array([len(tokens)]), np.zeros(1, np.int64)
    )


def plan_epoch(
    lengths: npt.NDArray[np.int64],
    batch_size: int,
    seed: int,
    epoch: int,
    balance: npt.NDArray[np.int64] | None = None,
) -> list[npt.NDArray[np.int64]]:
    """Return the row numbers of each batch of one epoch.

    The plan is a function of its arguments alone: a run that resumes in the middle of
    an epoch draws the same one.

    Args:
        lengths: [N] tokens in each text.
        batch_size: B.
        seed: Draws the plan, together with the epoch.
        epoch: From 0.
        balance: [N] the labels of the classes that shall occur equally often; None:
            every row once.
    """
    generator = np.random.default_rng((seed, epoch))
    shuffled = generator.permutation(
        len(lengths) if balance is None else _draw_balanced(balance, generator)
    )
    by_length = shuffled[np.argsort(lengths[shuffled], kind="stable")]
    batches = _cut(by_length, batch_size)
    return [batches[number] for number in generator.permutation(len(batches))]


def plan_in_order_of_length(
    lengths: npt.NDArray[np.int64], batch_size: int
) -> list[npt.NDArray[np.int64]]:
    """Return the row numbers of each batch for an evaluation, shortest texts first,
    every row once.
    """
    return _cut(np.argsort(lengths, kind="stable"), batch_size)


def evenly_spaced(num_rows: int, wanted: int) -> npt.NDArray[np.int64]:
    """Return so many of 0..`num_rows` - 1, or all where they are fewer, evenly spread
    over them. [at most `wanted`].
    """
    return np.linspace(0, num_rows - 1, min(wanted, num_rows)).astype(np.int64)


def iter_batches(
    texts: EncodedTexts, plan: list[npt.NDArray[np.int64]]
) -> Iterator[Batch]:
    """Yield the batches of a plan."""
    for rows in plan:
        yield assemble(texts, rows)


def assemble(texts: EncodedTexts, rows: npt.NDArray[np.int64]) -> Batch:
    """Return the texts with these numbers as one batch on the CPU."""
    lengths = texts.lengths[rows]
    longest, shortest = int(lengths.max()), int(lengths.min())
    positions = np.arange(longest)
    places = texts.starts[rows][:, None] + positions  # [B, T]
    if shortest < longest:
        inside = positions < lengths[:, None]  # [B, T]
        token_ids = np.where(
            inside, texts.token_ids[np.where(inside, places, 0)], PAD_ID
        )
    else:
        token_ids = texts.token_ids[places]
    return Batch(
        torch.from_numpy(token_ids.astype(np.int64)),
        torch.from_numpy(lengths),
        shortest < longest,
        rows,
        torch.from_numpy(rows),
    )


class ResidentTexts:
    """Encoded texts that stay on a device: its batches are put together there, and the
    host never waits for one.
    """

    def __init__(self, texts: EncodedTexts, device: torch.device) -> None:
        """Bring the texts over."""
        self.texts = texts
        self.token_ids = torch.from_numpy(texts.token_ids).to(device)  # [M]
        self.lengths = torch.from_numpy(texts.lengths).to(device)  # [N]
        self.starts = torch.from_numpy(texts.starts).to(device)  # [N]

    def iter_batches(self, plan: list[npt.NDArray[np.int64]]) -> Iterator[Batch]:
        """Yield what the function of this name does; the plan's row numbers come over
        in one piece.
        """
        if not plan:
            return
        numbers = torch.from_numpy(np.concatenate(plan)).to(self.token_ids.device)
        sizes = [len(rows) for rows in plan]
        for rows, own in zip(plan, torch.split(numbers, sizes), strict=True):
            yield self._assemble(rows, own)

    def _assemble(self, rows: npt.NDArray[np.int64], numbers: torch.Tensor) -> Batch:
        on_host = self.texts.lengths[rows]
        longest, is_ragged = int(on_host.max()), bool(on_host.min() < on_host.max())
        positions = torch.arange(longest, device=numbers.device)  # [T]
        lengths = self.lengths[numbers]  # [B]
        places = self.starts[numbers][:, None] + positions  # [B, T]
        token_ids = self.token_ids[places.clamp_(max=len(self.token_ids) - 1)].long()
        if is_ragged:
            token_ids = torch.where(positions < lengths[:, None], token_ids, PAD_ID)
        return Batch(token_ids, lengths, is_ragged, rows, numbers)


def drop_words(batch: Batch, share: float, generator: torch.Generator) -> Batch:
    """Return the batch with about that share of its words replaced by `<unk>`."""
    if not share:
        return batch
    device = batch.token_ids.device
    dropped = (
        torch.rand(batch.token_ids.shape, generator=generator, device=device) < share
    )  # [B, T]
    dropped &= batch.token_ids != PAD_ID
    return replace(batch, token_ids=batch.token_ids.masked_fill(dropped, UNK_ID))


def number_words(
    batch: Batch, vocab_size: int, *, may_wait: bool = True
) -> tuple[torch.Tensor, Batch]:
    """Return the R distinct words of a batch, [R] int64, and the batch with its words
    numbered 0..R-1 in their order.

    So the vectors of those words are all that a step has to look at.

    Args:
        batch: B texts.
        vocab_size: V.
        may_wait: Whether the host may wait for the device to say what R is. If not, R
            is the most that it could be, and `PAD_ID`, whose vector is zero and stays
            so, fills the rest.
    """
    seen = torch.zeros(vocab_size, dtype=torch.bool, device=batch.token_ids.device)
    seen[batch.token_ids] = True
    if may_wait:
        words = seen.nonzero().squeeze(1)  # [R]
    else:
        at_most = min(vocab_size, batch.token_ids.numel())
        words = seen.nonzero_static(size=at_most, fill_value=PAD_ID).squeeze(1)  # [R]
    numbers = torch.empty(vocab_size, dtype=torch.int64, device=words.device)
    numbers[words] = torch.arange(len(words), device=words.device)
    return words, replace(batch, token_ids=numbers[batch.token_ids])


def share_out(
    num_texts: int, num_parts: int, *, first: int = 0, every: int = 1
) -> list[slice]:
    """Return as many parts of 0..`num_texts` - 1, equal but for one text; fewer where a
    part would be too small.

    Of texts in the order of their length, `every`th ones are as many tokens as any
    others but for about one text.

    Args:
        num_texts: B.
        num_parts: How many parts.
        first: The first of the texts that are shared out.
        every: Only every so many of them.
    """
    own = range(first, num_texts, every)
    num_parts = max(1, min(num_parts, len(own) // SMALLEST_PART))
    ends = [
        first + every * (number * len(own) // num_parts)
        for number in range(num_parts + 1)
    ]
    return [slice(start, end, every) for start, end in itertools.pairwise(ends)]


def _draw_balanced(
    labels: npt.NDArray[np.int64], generator: np.random.Generator
) -> npt.NDArray[np.int64]:
    """Return as many row numbers as there are rows, as many of each class but for one.

    No row is drawn again before all others of its class have been: less is left to
    chance than by independent draws.
    """
    classes = generator.permutation(np.unique(labels))
    wanted = [
        len(part) for part in np.array_split(np.arange(len(labels)), len(classes))
    ]
    drawn = []
    for label, num_rows in zip(classes, wanted, strict=True):
        own = np.flatnonzero(labels == label)
        rounds = np.tile(own, (-(-num_rows // len(own)), 1))
        drawn.append(generator.permuted(rounds, axis=1).ravel()[:num_rows])
    return np.concatenate(drawn)


def _cut(rows: npt.NDArray[np.int64], batch_size: int) -> list[npt.NDArray[np.int64]]:
    return [
        rows[start : start + batch_size] for start in range(0, len(rows), batch_size)
    ]
