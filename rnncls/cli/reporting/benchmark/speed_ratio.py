"""The speed of the program divided by that of the bare cell, from timed pairs of work.

Shapes: B texts in a batch, T tokens.
"""

import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnncls.cli.reporting.benchmark.timing import peak_memory_mib
from rnncls.text.encoded_texts import EncodedTexts

Rows = npt.NDArray[np.int64]
"""The indices of the texts of a batch."""

RunPair = Callable[[list[Rows]], tuple[float, float]]
"""Processes batches with the program and with the bare cell; returns both durations."""


@dataclass(frozen=True)
class SpeedRatio:
    """The speed of the program compared with that of the bare cell.

    Attributes:
        tokens_per_s: Median speed of the program.
        bare_tokens_per_s: Median speed of the bare cell.
        ratio: Median ratio of the pairs.
        ratio_spread: The lowest and the highest ratio of the pairs.
        samples_per_s: Median number of texts per second of the program.
        padding_share: Share of the positions in the program's batches that are padding.
        peak_memory_mib: Peak memory of the process so far.
    """

    tokens_per_s: float
    bare_tokens_per_s: float
    ratio: float
    ratio_spread: tuple[float, float]
    samples_per_s: float
    padding_share: float
    peak_memory_mib: float


@dataclass(frozen=True)
class _TimedPair:
    """The two durations of a pair in seconds, and how much was processed."""

    program_s: float
    bare_s: float
    num_texts: int
    num_tokens: int
    num_bare_tokens: int
    num_positions: int

    @property
    def samples_per_s(self) -> float:
        return self.num_texts / self.program_s

    @property
    def tokens_per_s(self) -> float:
        return self.num_tokens / self.program_s

    @property
    def bare_tokens_per_s(self) -> float:
        return self.num_bare_tokens / self.bare_s


def compare_pairs(
    run_pair: RunPair,
    pairs: Sequence[list[Rows]],
    texts: EncodedTexts,
    num_rounds: int = 1,
    num_repeats: int = 1,
) -> SpeedRatio:
    """Time pairs of work and return the median speeds.

    Args:
        run_pair: Runs the work of a pair.
        pairs: The batches of each pair.
        texts: All texts.
        num_rounds: How often each pair is timed.
        num_repeats: How often a pair is repeated each time, the program and the bare
            cell in turn. Of each, the fastest counts: other work on the machine makes a
            duration longer, never shorter.
    """
    # Warm-up: a kernel is compiled when a shape is first seen, which happens once in a
    # run of many epochs.
    for batches in pairs:
        run_pair(batches)
    timed = []
    for _ in range(num_rounds):
        timed += [
            _time_pair(run_pair, batches, texts, num_repeats) for batches in pairs
        ]
    return _summarize(timed)


def _summarize(timed: Sequence[_TimedPair]) -> SpeedRatio:
    ratios = [pair.tokens_per_s / pair.bare_tokens_per_s for pair in timed]
    return SpeedRatio(
        tokens_per_s=statistics.median(pair.tokens_per_s for pair in timed),
        bare_tokens_per_s=statistics.median(pair.bare_tokens_per_s for pair in timed),
        ratio=statistics.median(ratios),
        ratio_spread=(min(ratios), max(ratios)),
        samples_per_s=statistics.median(pair.samples_per_s for pair in timed),
        padding_share=_padding_share(timed),
        peak_memory_mib=peak_memory_mib(),
    )


def _padding_share(timed: Sequence[_TimedPair]) -> float:
    num_tokens = sum(pair.num_tokens for pair in timed)
    num_positions = sum(pair.num_positions for pair in timed)
    return 1 - num_tokens / num_positions


def batch_shapes(texts: EncodedTexts, batches: Sequence[Rows]) -> list[tuple[int, int]]:
    """Return (B, T) of each batch, with T its mean length: equal tokens, no padding."""
    return [(len(rows), round(float(texts.lengths[rows].mean()))) for rows in batches]


def _time_pair(
    run_pair: RunPair, batches: list[Rows], texts: EncodedTexts, num_repeats: int
) -> _TimedPair:
    durations = [run_pair(batches) for _ in range(num_repeats)]
    program_s = min(program_s for program_s, _ in durations)
    bare_s = min(bare_s for _, bare_s in durations)
    lengths = [texts.lengths[rows] for rows in batches]
    bare_shapes = batch_shapes(texts, batches)
    return _TimedPair(
        program_s=program_s,
        bare_s=bare_s,
        num_texts=sum(map(len, batches)),
        num_tokens=sum(int(batch.sum()) for batch in lengths),
        num_bare_tokens=sum(size * length for size, length in bare_shapes),
        num_positions=sum(len(batch) * int(batch.max()) for batch in lengths),
    )
