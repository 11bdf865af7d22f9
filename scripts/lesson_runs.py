"""The experiments of the lesson: networks, training rows and test evaluation.

A run that is finished, of the same config, is kept; one that was interrupted
continues where it stopped.

Shapes: N test rows, C classes.
"""

import csv
import io
import itertools
import json
import shutil
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from rnncls import RunError
from rnncls.config.loading import load_config
from rnncls.config.sections import Config
from rnncls.data.checksums import checksum
from rnncls.data.datasets import load_labelled, locate
from rnncls.data.loading import load_split
from rnncls.data.splits import split_rows
from rnncls.evaluation.evaluator import compute_logits
from rnncls.machine.files import read_json, write_atomic, write_json
from rnncls.runs.folder import RunFolder
from rnncls.runs.run import load_run
from rnncls.training.resume import ResumeOptions
from rnncls.training.run import train

ROOT = Path(__file__).parents[1]
LESSON = ROOT / "configs" / "lesson"
SEEDS = (0, 1, 2)
NUM_SMALL_ROWS = 10_000
"""Training rows of the networks of one size."""
ROWS_PADDED_TOGETHER = 16
"""As many texts as the lesson's batches hold, each padded to the longest of them."""
PAD_WORD = "padpadpad"
SHAPES = ((1, 1), (2, 1), (1, 2), (1, 3))
"""(directions, layers) of the networks of one size."""
REVIEWS = """\
data: {train: TRAIN, test: TEST, text: [text]}
model: {embedding_dim: 64, hidden_size: 64}
train: {max_epochs: 5, batch_size: 64}
"""


@dataclass(frozen=True)
class Experiment:
    """A config with some keys changed, to be trained once a seed."""

    name: str
    config: Path
    overrides: tuple[str, ...] = ()
    seeds: tuple[int, ...] = SEEDS


@dataclass(frozen=True)
class Result:
    """What one run came to.

    Attributes:
        path: The run folder.
        right: [N] bool, which test rows it judges right.
        num_parameters: Embedding included.
        num_inner: Parameters without the embedding.
        num_rows: Training rows.
        train_accuracy: Share of the training rows judged right while the kept epoch
            went over them.
        train_s: Seconds of training.
    """

    path: Path
    right: npt.NDArray[np.bool_]
    num_parameters: int
    num_inner: int
    num_rows: int
    train_accuracy: float
    train_s: float

    @property
    def accuracy(self) -> float:
        """Share of the test rows judged right."""
        return float(self.right.mean())


def list_experiments(work: Path) -> list[Experiment]:
    """Return all that is trained on what `write_files` has put into `work`."""
    ag_news = f"data.root={work / 'lesson'}"
    found = [
        Experiment(path.stem, path, (ag_news,))
        for path in sorted(LESSON.glob("*.yaml"))
        if path.stem != "lstm"  # the network of lstm_packed
    ]
    padded = [
        f"data.{split}={work / f'padded_{split}.csv'}" for split in ("train", "test")
    ]
    found += [
        Experiment("rnn_last", LESSON / "rnn.yaml", (ag_news, "model.pooling=[last]")),
        Experiment("bag", LESSON / "lstm.yaml", (ag_news, "model.cell=none")),
        Experiment(
            "lstm_padded",
            LESSON / "lstm.yaml",
            (
                "data.name=null",
                *padded,
                "data.text=[text]",
                "text.tokenizer=whitespace",
            ),
        ),
    ]
    quickstart = ROOT / "configs" / "quickstart.yaml"
    embedded = f"data.root={ROOT / 'data'}"
    found += [
        Experiment("quickstart", quickstart, (embedded,)),
        Experiment(
            "quickstart_bag", quickstart, (embedded, "model.cell=none", "train.lr=0.01")
        ),
    ]
    found += list_capacities(work)
    if (work / "reviews.yaml").exists():
        found.append(Experiment("reviews", work / "reviews.yaml", (), (0,)))
    return found


def list_capacities(work: Path) -> list[Experiment]:
    """Return the networks of one size, by their directions and layers."""
    base = LESSON / "lstm.yaml"
    sizes = match_sizes(SHAPES, load_config(base).model.embedding_dim, num_classes=4)
    own = (
        f"data.root={work / 'small'}",
        "train.max_epochs=4",
        "train.batch_size=64",
        "train.lr=0.003",
        "train.clip_norm=1.0",
    )
    return [
        Experiment(
            f"capacity_{directions}x{layers}",
            base,
            (
                *own,
                f"model.bidirectional={str(directions == 2).lower()}",
                f"model.num_layers={layers}",
                f"model.hidden_size={size}",
            ),
        )
        for (directions, layers), size in zip(SHAPES, sizes, strict=True)
    ]


def count_inner(
    shape: tuple[int, int], hidden_size: int, embedding_dim: int, num_classes: int
) -> int:
    """Count the weights of an LSTM with `last` pooling, without the embedding."""
    directions, layers = shape
    widths = [embedding_dim] + [directions * hidden_size] * (layers - 1)
    recurrent = sum(
        directions * 4 * hidden_size * (width + hidden_size + 2) for width in widths
    )
    return recurrent + num_classes * (directions * hidden_size + 1)


def match_sizes(
    shapes: Sequence[tuple[int, int]],
    embedding_dim: int,
    num_classes: int,
    smallest: int = 64,
) -> list[int]:
    """Return a hidden size per shape, so that all have about equally many weights.

    The counts agree within 1 % with the first shape's.

    The first shape is given the smallest size, from `smallest` on, for which the others
    have one that fits.
    """
    for base in itertools.count(smallest):
        candidates = [
            [
                count_inner(shape, size, embedding_dim, num_classes)
                for size in range(1, base + 1)
            ]
            for shape in shapes
        ]
        wanted = candidates[0][-1]
        nearest = [
            min(counts, key=lambda count: abs(count - wanted)) for counts in candidates
        ]
        if max(abs(count / wanted - 1) for count in nearest) <= 0.01:
            return [
                counts.index(count) + 1
                for counts, count in zip(candidates, nearest, strict=True)
            ]
    raise AssertionError("counts without end")


def run_all(experiments: Sequence[Experiment], work: Path) -> dict[str, list[Result]]:
    """Train and evaluate the missing runs; return the results, one per seed."""
    results: dict[str, list[Result]] = {}
    jobs = [
        (experiment, seed)
        for seed in SEEDS
        for experiment in experiments
        if seed in experiment.seeds
    ]
    for number, (experiment, seed) in enumerate(jobs, start=1):
        path = work / f"{experiment.name}-{seed}"
        config = load_config(experiment.config, [*experiment.overrides, f"seed={seed}"])
        if not ((path / RESULT).exists() and is_of(path, config)):
            print(f"[{number}/{len(jobs)}] training {path.name}", end=" ", flush=True)
            train_one(config, path)
            result = judge(path)
            print(
                f"{result.train_s:.0f} s, test accuracy {result.accuracy:.2%}",
                flush=True,
            )
        results.setdefault(experiment.name, []).append(read_result(path))
    return results


def train_one(config: Config, path: Path) -> None:
    """Train a run to its end.

    A run that was started with this config and these rows is resumed.
    """
    if RunFolder(path).summary.exists() and is_of(path, config):
        return
    is_begun = (
        RunFolder(path).state.exists()
        and not RunFolder(path).summary.exists()
        and load_config(RunFolder(path).config) == config
    )
    if path.exists() and not is_begun:
        shutil.rmtree(path)
    try:
        train(config, path, ResumeOptions(resume=is_begun))
    except RunError:  # other rows than those that it was begun with
        if not is_begun:
            raise
        shutil.rmtree(path)
        train(config, path)


def is_of(path: Path, config: Config) -> bool:
    """Return whether a run is finished and has this config and the present data."""
    learnt_from = read_json(RunFolder(path).summary)["data"]["files"]["train"]["sha256"]
    return (
        load_config(RunFolder(path).config) == config
        and checksum(locate(config.data, "train"), "sha256") == learnt_from
    )


RESULT = "result.json"


def judge(path: Path) -> Result:
    """Evaluate a finished run on the test rows, and keep the result in its folder."""
    run = load_run(path)
    rows, _ = load_split(
        run.config.data_settings,
        "test",
        run.classifier.vocab,
        run.classifier.label_names,
    )
    right = (
        compute_logits(run.classifier.model, rows.texts).argmax(dim=1).numpy()
        == rows.labels
    )
    inner = sum(
        weight.numel()
        for name, weight in run.classifier.model.named_parameters()
        if not name.startswith("embedding.")
    )
    write_json(
        path / RESULT,
        {
            "right": np.packbits(right).tobytes().hex(),
            "num_rows": len(right),
            "inner": inner,
        },
    )
    return read_result(path)


def read_result(path: Path) -> Result:
    """Return what `judge` kept."""
    kept, summary = read_json(path / RESULT), read_json(RunFolder(path).summary)
    packed = np.frombuffer(bytes.fromhex(kept["right"]), dtype=np.uint8)
    best = list_epochs(path)[summary["best_epoch"] - 1]
    return Result(
        path,
        np.unpackbits(packed, count=kept["num_rows"]).astype(bool),
        summary["num_parameters"],
        kept["inner"],
        summary["data"]["num_train_rows"],
        best["train_accuracy"],
        summary["train_s"],
    )


def list_epochs(path: Path) -> list[dict[str, float]]:
    """Return the metrics of a run, a row an epoch."""
    return [
        json.loads(line)
        for line in RunFolder(path).metrics.read_text(encoding="utf-8").splitlines()
    ]


def write_files(root: Path, work: Path, num_rows: int | None) -> None:
    """Write the training files: AG News in two sizes and padded, and film reviews.

    Args:
        root: Where `ag_news/` lies, and perhaps `movie_reviews/`.
        work: Where to write.
        num_rows: How many rows of AG News the lesson's networks learn from, drawn from
            each class alike; None: all.
    """
    draw_rows(root / "ag_news", work / "lesson" / "ag_news", num_rows)
    draw_rows(work / "lesson" / "ag_news", work / "small" / "ag_news", NUM_SMALL_ROWS)
    config = load_config(LESSON / "lstm.yaml")
    for split in ("train", "test"):
        write_rows(
            work / f"padded_{split}.csv",
            pad_rows(work / "lesson" / "ag_news" / f"{split}.csv", config),
        )
    reviews = root / "movie_reviews" / "all.csv"
    if reviews.exists():
        split_reviews(reviews, work)


def draw_rows(source: Path, target: Path, num_rows: int | None) -> None:
    """Copy AG News with a limited number of training rows.

    They keep their order, and each class has equally many.
    """
    target.mkdir(parents=True, exist_ok=True)
    write_atomic(target / "test.csv", (source / "test.csv").read_bytes())
    with (source / "train.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.reader(stream))
    if num_rows is not None and num_rows < len(rows):
        labels = np.array([int(row[0]) for row in rows])
        rows = [
            rows[row] for row in split_rows(labels, num_rows / len(rows), seed=0)[1]
        ]
    lines = io.StringIO(newline="")
    csv.writer(lines, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    write_atomic(target / "train.csv", lines.getvalue().encode())


def pad_rows(source: Path, config: Config) -> Iterator[tuple[str, str]]:
    """Yield each row's label and tokens, filled up with a word that stands for padding.

    As in the lesson, so many rows as stand together are all made as long as the longest
    of them.
    """
    texts = load_labelled(source, config.data, config.text)
    ends = np.cumsum(texts.texts.lengths)
    for start in range(0, len(ends), ROWS_PADDED_TOGETHER):
        rows = range(start, min(start + ROWS_PADDED_TOGETHER, len(ends)))
        longest = int(texts.texts.lengths[start : rows[-1] + 1].max())
        for row in rows:
            length = int(texts.texts.lengths[row])
            tokens = [
                texts.texts.words[number]
                for number in texts.texts.word_ids[ends[row] - length : ends[row]]
            ]
            yield (
                texts.label_names[texts.labels[row]],
                " ".join(tokens + [PAD_WORD] * (longest - length)),
            )


def split_reviews(source: Path, work: Path) -> None:
    """Split the film reviews 9 to 1 into training and test rows; write the config.

    Each class has the same share of both.
    """
    with source.open(encoding="utf-8", newline="") as stream:
        rows = [(row["label"], row["text"]) for row in csv.DictReader(stream)]
    chosen = split_rows(np.array([int(label) for label, _ in rows]), 0.1, seed=0)
    for name, numbers in zip(("train", "test"), chosen, strict=True):
        write_rows(work / f"reviews_{name}.csv", (rows[row] for row in numbers))
    text = REVIEWS
    for name in ("train", "test"):
        text = text.replace(name.upper(), json.dumps(str(work / f"reviews_{name}.csv")))
    write_atomic(work / "reviews.yaml", text.encode())


def write_rows(path: Path, rows: Iterable[tuple[str, str]]) -> None:
    """Write labels and texts as CSV with a header."""
    lines = io.StringIO(newline="")
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(["label", "text"])
    writer.writerows(rows)
    write_atomic(path, lines.getvalue().encode())
