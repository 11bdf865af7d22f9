"""How fast: the program's own work beside the bare cell of torch.nn, in turn, in one
process.

Tokens are the words of texts; padding is never counted. Two things are compared pair by
pair, so that a machine that slows down slows both; a figure is the median over the
pairs.

Shapes: B texts in a batch, T tokens, E embedding_dim, S width of a state.
"""

import contextlib
import itertools
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from rnncls import ConfigError
from rnncls.config.sections import Config, ModelSection
from rnncls.data.loading import TrainingData
from rnncls.evaluation.evaluator import BATCH_SIZE
from rnncls.inference.predictor import Predictor
from rnncls.machine.threads import start_workers
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.encoder import CELLS, Encoder
from rnncls.runs.folder import RunFolder
from rnncls.runs.run import create_run
from rnncls.runs.weights import save_model
from rnncls.text.batching import (
    EncodedTexts,
    assemble,
    plan_epoch,
    plan_in_order_of_length,
)
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.recording import SaveClock
from rnncls.training.saved_state import save_state
from rnncls.training.trainer import Trainer

NUM_PAIRS = 15
NUM_SAVES = 7
STEPS_A_PAIR = 10
VOCAB_SIZE, TIMES_AS_MANY = 40_000, 10
TEXTS_A_PAIR, NUM_PAIRS_OF_TEXTS = 32_768, 5

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Comparison:
    """The program's speed beside the bare cell's.

    Attributes:
        tokens_per_s: Median of the program's.
        bare_tokens_per_s: Median of the bare cell's.
        ratio: Median of the pairs' ratios.
        ratio_spread: The pairs' lowest and highest ratio.
        samples_per_s: Texts a second, the median of the program's.
        padding_share: Share of the positions in the program's batches that hold no
            token.
        peak_memory_mib: The most memory that the process has held so far.
    """

    tokens_per_s: float
    bare_tokens_per_s: float
    ratio: float
    ratio_spread: tuple[float, float]
    samples_per_s: float
    padding_share: float
    peak_memory_mib: float


@dataclass(frozen=True)
class Saving:
    """What it costs to keep a run safe.

    Attributes:
        save_s: Median seconds to write all that an exact resume needs, verified and on
            the disk.
        save_best_s: Median seconds to write the weights of a new best epoch.
        save_mib: What an exact resume needs, in MiB.
        save_share: Share of an epoch's time that goes into saving: at its end, its
            weights as the best so far, and within it every `train.save_every` minutes.
    """

    save_s: float
    save_best_s: float
    save_mib: float
    save_share: float


class BareCell:
    """A torch.nn cell on random inputs of given shapes: nothing around it, nothing
    padded.
    """

    def __init__(self, section: ModelSection) -> None:
        """Build the cell, in torch's own layout, [T, B, E]."""
        self.embedding_dim = section.embedding_dim
        if section.cell not in CELLS:
            raise ConfigError(
                f"model.cell: {section.cell} is no cell of torch.nn to compare with:"
                f" use {', '.join(CELLS)}"
            )
        self.cell = Encoder(section).rnn

    def inputs(self, shapes: Sequence[tuple[int, int]]) -> list[torch.Tensor]:
        """Return a random input [T, B, E] for each (B, T); the embedding below a cell
        needs its gradient.
        """
        return [
            torch.randn(length, size, self.embedding_dim, requires_grad=True)
            for size, length in shapes
        ]

    def train(self, inputs: Sequence[torch.Tensor]) -> None:
        """Run forward and backward on each input, with as many threads as torch takes
        by itself.
        """
        with _all_threads():
            for values in inputs:
                states = self.cell(values)[0]  # [T, B, S]
                torch.autograd.backward(states, torch.ones_like(states))
                self.cell.zero_grad()

    def infer(self, inputs: Sequence[torch.Tensor]) -> None:
        """Run forward alone on each input, keeping nothing for a backward pass."""
        self.cell.eval()
        with torch.inference_mode(), _all_threads():
            for values in inputs:
                self.cell(values)


def compare_training(
    trainer: Trainer[TextClassifier], section: ModelSection
) -> Comparison:
    """Alternate full training steps, the assembling of the batches included, with the
    bare cell on the same shapes.
    """
    texts, bare = trainer.data.train.texts, BareCell(section)
    plan = _endless_plan(texts, trainer.options.batch_size)

    def one_pair(batches: list[Rows]) -> tuple[float, float]:
        own_s = _seconds(
            lambda: [trainer.train_step(assemble(texts, rows)) for rows in batches]
        )
        inputs = bare.inputs(_shapes(texts, batches))
        return own_s, _seconds(lambda: bare.train(inputs))

    return _compare(
        one_pair,
        [list(itertools.islice(plan, STEPS_A_PAIR)) for _ in range(NUM_PAIRS)],
        texts,
    )


def compare_vocabularies(
    config: Config, data: TrainingData
) -> tuple[float, float, float]:
    """Alternate training steps over many words with the same over few; return the
    median
    ratio, lowest and highest.

    The texts are the same: their words are scattered at random over the rows of the
    larger and the smaller embedding.
    """
    few = max(VOCAB_SIZE, len(data.vocab))
    trainers = [_scattered(config, data, size) for size in (few, TIMES_AS_MANY * few)]
    plan = _endless_plan(data.train.texts, config.train.batch_size)
    pairs = [list(itertools.islice(plan, STEPS_A_PAIR)) for _ in range(NUM_PAIRS)]

    def step_s(trainer: Trainer[TextClassifier], batches: list[Rows]) -> float:
        return _seconds(
            lambda: [
                trainer.train_step(assemble(trainer.data.train.texts, rows))
                for rows in batches
            ]
        )

    seconds = [
        [step_s(trainer, batches) for trainer in trainers]
        for batches in [*pairs, *pairs]
    ][NUM_PAIRS:]
    ratios = [many_s / few_s for few_s, many_s in seconds]
    return statistics.median(ratios), min(ratios), max(ratios)


def measure_saving(
    trainer: Trainer[TextClassifier], config: Config, tokens_per_s: float
) -> Saving:
    """Save a run between training steps, on the disk of the current folder, and weigh
    that
    against an epoch's time.

    Args:
        trainer: Whose state and weights are saved.
        config: All settings.
        tokens_per_s: Its speed without saving.
    """
    texts, plan = (
        trainer.data.train.texts,
        _endless_plan(trainer.data.train.texts, config.train.batch_size),
    )
    state_s, model_s = [], []
    with tempfile.TemporaryDirectory(prefix=".rnncls-benchmark-", dir=".") as folder:
        path = Path(folder)
        create_run(path, config, trainer.data.vocab, trainer.label_names)
        trainer.num_validations = 0  # no metrics rows belong to this state
        for batches in (
            list(itertools.islice(plan, STEPS_A_PAIR)) for _ in range(NUM_SAVES)
        ):
            for rows in batches:
                trainer.train_step(assemble(texts, rows))
            RunFolder(path).state.parent.mkdir(exist_ok=True)
            state_s.append(_seconds(lambda: save_state(trainer, path)))
            model_s.append(_seconds(lambda: save_model(path, trainer.eval_model)))
        size = RunFolder(path).state.stat().st_size
    save_s, best_s = statistics.median(state_s), statistics.median(model_s)
    train_s = int(trainer.data.train.texts.lengths.sum()) / tokens_per_s
    num_saves = 1 + int(train_s / SaveClock.spacing(config.train.save_every, save_s))
    spent_s = num_saves * save_s + best_s  # each epoch may be the best so far
    return Saving(save_s, best_s, size / (1 << 20), spent_s / (train_s + spent_s))


def compare_prediction(
    predictor: Predictor, texts: list[str], encoded: EncodedTexts
) -> Comparison:
    """Alternate whole predictions, tokenising included, with the bare cell's forward
    pass on the same shapes.
    """
    bare = BareCell(predictor.model.section)
    starts = itertools.cycle(range(0, max(len(texts) - TEXTS_A_PAIR, 1), TEXTS_A_PAIR))
    windows = [
        np.arange(len(texts))[start : start + TEXTS_A_PAIR]
        for start in itertools.islice(starts, NUM_PAIRS_OF_TEXTS)
    ]

    def one_pair(batches: list[Rows]) -> tuple[float, float]:
        window = [texts[row] for row in np.sort(np.concatenate(batches))]
        own_s = _seconds(lambda: deque(predictor.stream([window]), maxlen=0))
        inputs = bare.inputs(_shapes(encoded, batches))
        return own_s, _seconds(lambda: bare.infer(inputs))

    plans = [
        [
            rows[order]
            for order in plan_in_order_of_length(encoded.lengths[rows], BATCH_SIZE)
        ]
        for rows in windows
    ]
    return _compare(one_pair, plans, encoded)


def compare_commands(
    command: Sequence[str], other: Sequence[str], num_pairs: int = 7
) -> tuple[float, float, float]:
    """Run two commands in turn; return the median seconds of each and the median ratio
    of the first to the second.
    """
    pairs = [(_run(command), _run(other)) for _ in range(num_pairs + 1)][1:]
    seconds, other_seconds = zip(*pairs, strict=True)
    ratio = statistics.median(a / b for a, b in pairs)
    return statistics.median(seconds), statistics.median(other_seconds), ratio


def startup_commands(config: Path, run: Path) -> list[tuple[str, list[str], list[str]]]:
    """Return what a start is worth measuring: a name, the program's command, and the
    bare import to set it beside.
    """
    program = [sys.executable, "-m", "rnncls"]
    typer, torch_ = (
        [sys.executable, "-c", f"import {name}"] for name in ("typer", "torch")
    )
    wrong = ["config", "validate", "--config", str(config), "--set", "train.lrr=1"]
    return [
        ("help", [*program, "--help"], typer),
        ("config_error", [*program, *wrong], typer),
        (
            "predict",
            [*program, "predict", "Wall St. rallies as oil falls", "--run", str(run)],
            torch_,
        ),
    ]


def _compare(
    one_pair: Callable[[list[Rows]], tuple[float, float]],
    pairs: list[list[Rows]],
    texts: EncodedTexts,
) -> Comparison:
    # a warm-up: a kernel is compiled when a shape is first seen, once in a run of many
    # epochs
    for batches in pairs:
        one_pair(batches)
    speeds, bare_speeds, samples, positions, tokens = [], [], [], 0, 0
    for batches in pairs:
        own_s, bare_s = one_pair(batches)
        num_tokens = sum(int(texts.lengths[rows].sum()) for rows in batches)
        num_texts = sum(map(len, batches))
        speeds.append(num_tokens / own_s)
        samples.append(num_texts / own_s)
        bare_speeds.append(
            sum(size * length for size, length in _shapes(texts, batches)) / bare_s
        )
        tokens += num_tokens
        positions += sum(len(rows) * int(texts.lengths[rows].max()) for rows in batches)
    ratios = [own / bare for own, bare in zip(speeds, bare_speeds, strict=True)]
    return Comparison(
        tokens_per_s=statistics.median(speeds),
        bare_tokens_per_s=statistics.median(bare_speeds),
        ratio=statistics.median(ratios),
        ratio_spread=(min(ratios), max(ratios)),
        samples_per_s=statistics.median(samples),
        padding_share=1 - tokens / positions,
        peak_memory_mib=peak_memory_mib(),
    )


def peak_memory_mib() -> float:
    """Return the most memory that this process has held, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


@contextlib.contextmanager
def _all_threads() -> Iterator[None]:
    """Let torch share out each kernel among as many threads as the program has workers."""
    torch.set_num_threads(start_workers(torch.device("cpu")).num_threads)
    try:
        yield
    finally:
        torch.set_num_threads(1)


def _endless_plan(texts: EncodedTexts, batch_size: int) -> Iterator[Rows]:
    for epoch in itertools.count():
        yield from plan_epoch(texts.lengths, batch_size, seed=0, epoch=epoch)


def _shapes(texts: EncodedTexts, batches: Sequence[Rows]) -> list[tuple[int, int]]:
    """Return (B, T) of each batch, T its mean length: the same tokens, with no padding."""
    return [(len(rows), round(float(texts.lengths[rows].mean()))) for rows in batches]


def _scattered(
    config: Config, data: TrainingData, vocab_size: int
) -> Trainer[TextClassifier]:
    """Return a trainer over so many words, which gives each word of the data another
    row of the embedding.
    """
    rows = np.random.default_rng(0).permutation(
        np.arange(2, vocab_size, dtype=np.int32)
    )  # 0 and 1: <pad> and <unk>
    rows = np.concatenate([np.arange(2, dtype=np.int32), rows])
    texts = replace(data.train.texts, token_ids=rows[data.train.texts.token_ids])
    model = TextClassifier(config.model, vocab_size, len(data.label_names))
    return build_classifier_trainer(
        config.train,
        model,
        replace(data, train=replace(data.train, texts=texts)),
        config.seed,
    )


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _run(command: Sequence[str]) -> float:
    return _seconds(lambda: subprocess.run(command, capture_output=True, check=False))
