"""Compare a training step of rnncls with Keras (TensorFlow) on the same rows.

Each runs in a process of its own, in turn.

Keras trains Embedding → Bidirectional(cell) → Dense with `fit`, padding masked, the
last states alone pooled, which is less than what rnncls does: once with shuffled
batches, once bucketed by length. Needs the extra `bench`.

    python scripts/compare_keras.py configs/ag_news.yaml --set data.root=data --set
    model.tokens_per_step=1 --set train.adversarial=0 --set train.precision=float32
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from bench_packages import require

from rnncls.config.loading import load_config
from rnncls.config.sections import Config
from rnncls.data.loading import TrainingData, load_training_data
from rnncls.text.batch_plans import plan_epoch
from rnncls.text.batching import assemble
from rnncls.text.encoded_texts import EncodedTexts

SIDES = ("rnncls", "keras_shuffled", "keras_bucketed")
KERAS_CELLS = {"rnn": "SimpleRNN", "lstm": "LSTM", "gru": "GRU"}
WARM_UP_STEPS = 60
Plan = list[npt.NDArray[np.int64]]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("config", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="KEY.PATH=VALUE")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument(
        "--side", choices=SIDES, help="measure one side only, in this process"
    )
    arguments = parser.parse_args()
    config = load_config(arguments.config, arguments.set)
    if config.model.cell not in KERAS_CELLS:
        parser.error(
            f"model.cell: {config.model.cell}, which Keras lacks; compare one of"
            f" {', '.join(KERAS_CELLS)}"
        )
    if config.model.tokens_per_step > 1:
        parser.error(
            f"model.tokens_per_step: {config.model.tokens_per_step}, but the network of"
            " Keras reads one: add --set model.tokens_per_step=1"
        )
    if arguments.side != "rnncls":
        require(parser, "keras", "tensorflow")
    if arguments.side is not None:
        measure = measure_rnncls if arguments.side == "rnncls" else measure_keras
        print(json.dumps(measure(config, arguments.seconds, arguments.side)))
        return
    rounds = [{side: run_side(side) for side in SIDES} for _ in range(arguments.pairs)]
    result: dict[str, Any] = {
        side: statistics.median(speeds[side] for speeds in rounds) for side in SIDES
    }
    for side in SIDES[1:]:
        ratios = [speeds["rnncls"] / speeds[side] for speeds in rounds]
        result[f"ratio_to_{side}"] = [
            min(ratios),
            statistics.median(ratios),
            max(ratios),
        ]
    print(json.dumps(result, indent=2))


def run_side(side: str) -> float:
    """Return a side's tokens a second."""
    command = [sys.executable, *sys.argv, "--side", side]
    done = subprocess.run(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=True,
    )
    return float(json.loads(done.stdout.splitlines()[-1]))


def measure_rnncls(config: Config, seconds: float, _side: str) -> float:
    from rnncls.machine.memory import tune_malloc
    from rnncls.machine.seeds import seed_everything
    from rnncls.training.classification import build_classifier_trainer
    from rnncls.training.initialization import build_model

    seed_everything(config.seed)
    tune_malloc()
    data = load_training_data(config.data_settings)
    trainer = build_classifier_trainer(
        config.train,
        build_model(config.model, config.text.vectors, data),
        data,
        config.seed,
    )
    texts = data.train.texts
    plan = itertools.cycle(
        plan_epoch(texts.lengths, config.train.batch_size, config.seed, 0)
    )
    for rows in itertools.islice(plan, WARM_UP_STEPS):
        trainer.train_step(assemble(texts, rows))
    num_tokens, start = 0, time.perf_counter()
    while time.perf_counter() - start < seconds:
        rows = next(plan)
        trainer.train_step(assemble(texts, rows))
        num_tokens += int(texts.lengths[rows].sum())
    return num_tokens / (time.perf_counter() - start)


def measure_keras(config: Config, seconds: float, side: str) -> float:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras
    import tensorflow

    data = load_training_data(config.data_settings)
    texts, batch_size = data.train.texts, config.train.batch_size
    plan = plan_epoch(texts.lengths, batch_size, config.seed, 0)
    if side == "keras_shuffled":
        shuffled = np.random.default_rng(config.seed).permutation(len(texts))
        plan = [
            shuffled[start : start + batch_size]
            for start in range(0, len(texts), batch_size)
        ]
    signature = (
        tensorflow.TensorSpec((None, None), "int64"),
        tensorflow.TensorSpec((None,), "int64"),
    )
    dataset = tensorflow.data.Dataset.from_generator(
        lambda: padded_batches(data, plan), output_signature=signature
    )
    dataset = dataset.repeat().prefetch(2)
    cell_type = getattr(keras.layers, KERAS_CELLS[config.model.cell])
    cell = cell_type(config.model.hidden_size)
    layers = [
        keras.layers.Embedding(
            len(data.vocab), config.model.embedding_dim, mask_zero=True
        ),
        keras.layers.Bidirectional(cell) if config.model.bidirectional else cell,
        keras.layers.Dense(len(data.label_names)),
    ]
    model = keras.Sequential(layers)
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    counter = TokenCounter(texts, plan, seconds)
    stop = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda step, logs: counter.count(step, model)  # noqa: ARG005 - handed over by name
    )
    model.fit(dataset, steps_per_epoch=1_000_000, verbose=0, callbacks=[stop])
    return counter.tokens_per_s


class TokenCounter:
    """Counts the tokens of the steps after the warm-up, until the time is over."""

    def __init__(self, texts: EncodedTexts, plan: Plan, seconds: float) -> None:
        self.texts, self.plan, self.seconds = texts, plan, seconds
        self.num_tokens, self.start, self.tokens_per_s = 0, 0.0, 0.0

    def count(self, step: int, model: Any) -> None:
        if step < WARM_UP_STEPS:
            self.start = time.perf_counter()
            return
        self.num_tokens += int(
            self.texts.lengths[self.plan[step % len(self.plan)]].sum()
        )
        elapsed_s = time.perf_counter() - self.start
        if elapsed_s >= self.seconds:
            self.tokens_per_s = self.num_tokens / elapsed_s
            model.stop_training = True


def padded_batches(
    data: TrainingData, plan: Plan
) -> Iterator[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    for rows in plan:
        yield (
            assemble(data.train.texts, rows).token_ids.numpy(),
            data.train.labels[rows].astype(np.int64),
        )


if __name__ == "__main__":
    main()
