"""Compare configs by paired cross-validation over all rows of their training file.

Each row is scored by models that were not trained on it, so that all rows count, not
only a few thousand for testing. The rows of the folds are the same for each config. The
table has the accuracy of each config, and its difference from the first config with a
95% interval and McNemar's test: for all rows, and for the rows that have a title, which
is the first of several columns of `data.text`.

    scripts/ruler CONFIG [CONFIG ...] [--variant KEY=VALUE ...] [--set KEY=VALUE]
        [--folds 2] [--seeds 0] [--rows N] [--out build/ruler] [--json]

`--variant model.dropout=0.3 model.word_dropout=0.2` adds the first config with these
values. With several seeds, each row counts with its mean over the seeds. The interval
says how much the difference varies with the rows and, with several seeds, with the
random numbers of the trainings. McNemar's test, and the interval with one seed, are
about the rows alone: use at least three seeds, above all with few rows.

If `model.pretrained` is set, to any value, a language model of the section `pretrain`
is trained for each fold, on the rows that the classifier of this fold is trained on.

A fold that is in the folder is not trained again, as long as the config, the data and
the options are the same. Delete the folder after a change of the program.
"""

import argparse
import hashlib
import json
import math
import sys
import time
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from rnncls import ConfigError, RnnclsError
from rnncls.cli.reporting.display import percent, percent_range
from rnncls.config.loading import load_config
from rnncls.config.sections import Config
from rnncls.data.datasets import columns_of
from rnncls.data.loading import TrainingData
from rnncls.data.readers import find_texts
from rnncls.data.sources import Sources, load_sources
from rnncls.evaluation.metrics import mcnemar, wilson_interval
from rnncls.machine.arrays import load_arrays, save_arrays
from rnncls.machine.seeds import seed_everything
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.folder import RunFolder
from rnncls.runs.pretrained import Pretrained
from rnncls.text.vocab import Vocab
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.cross_validation import check_no_leakage, fit, run_folds
from rnncls.training.initialization import build_model, prepare_torch
from rnncls.training.pretraining import (
    build_language_model,
    build_language_model_trainer,
    check_model_section,
    check_text_section,
)
from rnncls.training.step_data import Step
from rnncls.training.trainer import Trainer

Z = 1.959964
"""Standard deviations on each side of a 95% interval."""
Bools = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


class Contender(NamedTuple):
    """A config to compare, with its name in the table."""

    name: str
    config: Config


@dataclass(frozen=True)
class Outcome:
    """The out-of-fold predictions of a config, by seed.

    Attributes:
        rows: [N], the numbers of the rows in the file, from 0.
        has_title: [N], whether a row has a title; None: there is no such column.
        is_correct: [S, N], whether the models of each of S seeds are right.
        train_s: Seconds of training of all folds and seeds, language models left out.
        source: The training file: path, checksum and number of rows.
    """

    rows: Ints
    has_title: Bools | None
    is_correct: Bools
    train_s: float
    source: dict[str, Any]


@dataclass(frozen=True)
class Difference:
    """The paired difference in accuracy from the first config.

    Attributes:
        difference: Accuracy minus that of the first config.
        interval: Its 95% interval, of the normal distribution, from the variance over
            the rows and, with several seeds, over the seeds.
        of_seed: The difference of each seed.
        gained: Rows that this config gets right more often than the first one.
        lost: Rows that it gets right less often.
        p: p-value of McNemar's exact test of `gained` against `lost`.
    """

    difference: float
    interval: tuple[float, float]
    of_seed: list[float]
    gained: int
    lost: int
    p: float


def main() -> None:
    """Train what is missing, and print the table."""
    options = read_options()
    try:
        contenders = list_contenders(options)
        outcomes = [measure(contender.config, options) for contender in contenders]
        check_same_rows(contenders, outcomes)
    except RnnclsError as error:
        sys.exit(f"error: {error}")
    results = compare(contenders, outcomes)
    if options.json:
        described = {**outcomes[0].source, "num_scored_rows": len(outcomes[0].rows)}
        values = {"num_folds": options.folds, "seeds": options.seeds}
        print(json.dumps({**values, "data": described, "configs": results}, indent=2))
    else:
        print_table(results)


def read_options(arguments: list[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("configs", nargs="+", type=Path)
    parser.add_argument(
        "--variant", action="append", nargs="+", default=[], metavar="KEY=VALUE"
    )
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE")
    parser.add_argument("--folds", type=int, default=2)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--rows", type=int, help="use only so many rows, at random")
    parser.add_argument("--out", type=Path, default=Path("build/ruler"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    if options.folds < 2:
        parser.error(f"--folds: expected 2 or more, found {options.folds}")
    return options


def list_contenders(options: argparse.Namespace) -> list[Contender]:
    """Return the configs, and the first one with the values of each variant.

    Raises:
        ConfigError: A config is wrong, or cannot be compared.
    """
    contenders = []
    for path in options.configs:
        config = load_config(path, options.set)
        contenders.append(Contender(str(path), config))
    for overrides in options.variant:
        config = load_config(options.configs[0], [*options.set, *overrides])
        contenders.append(Contender(" ".join(overrides), config))
    return [Contender(name, prepare(config)) for name, config in contenders]


def prepare(config: Config) -> Config:
    """Return a config whose folds do not depend on the seed.

    Raises:
        ConfigError: It cannot be compared by cross-validation.
    """
    model = config.model
    if model.has_several_labels:
        raise ConfigError(
            "model.task: several_labels: expected one label a text: use rnncls crossval"
        )
    check_no_leakage(model.replace(pretrained=None), config.train)
    if model.pretrained is not None:
        if RunFolder(Path(model.pretrained)).model.is_file():
            raise ConfigError(
                f"model.pretrained: {model.pretrained} is a classifier that was trained"
                " on the rows of every fold: set it to null"
            )
        check_model_section(model)
        check_text_section(config.text)
    split_seed = config.data.split_seed or 0
    return config.replace(data=config.data.replace(split_seed=split_seed))


def measure(config: Config, options: argparse.Namespace) -> Outcome:
    """Return the out-of-fold predictions of a config; train what is missing."""
    sources = load_sources(config.data, config.text, config.seed)
    sources = sample_rows(sources, options.rows)
    is_correct, train_s = [], 0.0
    for seed in options.seeds:
        folds = load_folds(config, seed, sources, options)
        rows = np.concatenate([fold["rows"] for fold in folds])
        logits = np.concatenate([fold["logits"] for fold in folds])
        order = np.argsort(rows)
        rows = rows[order]  # [N]
        predictions = logits[order].argmax(axis=1)
        is_correct.append(predictions == sources.train.labels[rows])
        train_s += sum(float(fold["train_s"]) for fold in folds)
    return Outcome(
        rows,
        find_titles(sources.train.path, config, rows),
        np.stack(is_correct),
        train_s,
        describe_source(sources),
    )


def describe_source(sources: Sources) -> dict[str, Any]:
    """Return the path, the checksum and the number of rows of the training file."""
    source = sources.train
    num_rows = len(source.labels)
    return {"path": str(source.path), "sha256": source.sha256, "num_rows": num_rows}


def sample_rows(sources: Sources, num_rows: int | None) -> Sources:
    """Return the sources with so many of their rows, the same ones at each call."""
    rows = sources.own_rows
    if num_rows is None or num_rows >= len(rows):
        return sources
    chosen = np.sort(np.random.default_rng(0).choice(rows, num_rows, replace=False))
    if sources.is_one_file:  # each fold draws its own validation rows
        return sources._replace(train_rows=chosen, valid_rows=chosen[:0])
    return sources._replace(train_rows=chosen)


def find_titles(path: Path, config: Config, rows: Ints) -> Bools | None:
    """Return which rows have a title, the first of several columns of text. [N]."""
    columns = columns_of(config.data)
    if len(columns.text) < 2:
        return None
    title = replace(columns, text=columns.text[:1], label=None)
    texts = find_texts(path, title, rows.tolist())
    return np.array([bool(text.strip()) for text in texts])


# Folds


def load_folds(
    config: Config, seed: int, sources: Sources, options: argparse.Namespace
) -> list[dict[str, npt.NDArray[Any]]]:
    """Return the rows, logits and seconds of each fold; train the missing ones."""
    settings = {"rows": options.rows, "folds": options.folds}
    settings["sha256"] = [sources.train.sha256, sources.valid.sha256]
    seeded = config.replace(seed=seed)
    folder = options.out / digest({**settings, "config": list_values(seeded)})
    paths = [folder / f"fold-{number}" for number in range(1, options.folds + 1)]
    finished = {number for number, path in enumerate(paths, start=1) if path.is_file()}
    if len(finished) < options.folds:
        device = prepare_torch(
            config.device,
            seed,
            config.model,
            config.train,
            deterministic=config.deterministic,
        )
        models = options.out / digest({**settings, "model": language_settings(config)})
        folds = run_folds(
            seeded.data_settings,
            sources,
            options.folds,
            partial(build_trainer, seeded, config.seed, device, models),
            ignore_step,
            config.train,
            finished=finished,
        )
        for fold in folds:
            arrays: dict[str, npt.NDArray[Any]] = {"rows": fold.rows}
            arrays |= {"logits": fold.logits, "train_s": np.array(fold.train_s)}
            folder.mkdir(parents=True, exist_ok=True)
            save_arrays(paths[fold.number - 1], arrays, {"scores": fold.scores})
            note(f"seed {seed}, fold {fold.number}: {percent(fold.scores['accuracy'])}")
    return [load_arrays(path)[0] for path in paths]


def list_values(config: Config) -> dict[str, Any]:
    """Return the values of a config; without defaults, so that new keys change none."""
    values: dict[str, Any] = config.model_dump(exclude_defaults=True)
    return values


def digest(values: dict[str, Any]) -> str:
    """Return a name for a folder: the same for the same values."""
    text = json.dumps(values, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def ignore_step(step: Step) -> None:
    """Do nothing after a step."""


def note(text: str) -> None:
    """Print progress, apart from the result."""
    print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)


def build_trainer(
    config: Config,
    language_seed: int,
    device: torch.device,
    models: Path,
    data: TrainingData,
) -> Trainer[TextClassifier]:
    """Return a trainer with its first weights, of a language model if it has one."""
    pretrained = None
    if config.model.pretrained is not None:
        path = models / hashlib.sha256(data.train.rows.tobytes()).hexdigest()[:16]
        if not path.is_file():
            train_language_model(config.replace(seed=language_seed), device, data, path)
        pretrained = load_language_model(path)
    seed_everything(config.seed)
    model = build_model(config.model, config.text.vectors, data, pretrained)
    return build_classifier_trainer(config.train, model.to(device), data, config.seed)


# Language models


def language_settings(config: Config) -> dict[str, Any]:
    """Return all that a language model depends on besides its rows."""
    values = list_values(config)
    model, train = values.get("model", {}), values.get("train", {})
    shapes = ("cell", "embedding_dim", "hidden_size", "num_layers", "bidirectional")
    shared = ("optimizer", "weight_decay", "clip_norm", "warmup_fraction", "precision")
    return {
        "seed": config.seed,
        **{name: values.get(name) for name in ("data", "text", "pretrain")},
        "model": {name: model.get(name) for name in shapes},
        "train": {name: train.get(name) for name in shared},
    }


def train_language_model(
    config: Config, device: torch.device, data: TrainingData, path: Path
) -> None:
    """Train a language model on the training rows of a fold, and save it."""
    start = time.monotonic()
    seed_everything(config.seed)
    data = leave_out_vector_words(data)
    model = build_language_model(
        config.model, config.pretrain, config.text.vectors, data, is_fresh=True
    )
    trainer = build_language_model_trainer(
        config.pretrain, config.train, config.seed, model.to(device), data
    )
    best = fit(trainer, ignore_step)
    arrays = {
        name: tensor.cpu().numpy()
        for name, tensor in best.state_dict().items()
        if name.startswith(("embedding.", "encoder."))
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_arrays(path, arrays, {"words": data.vocab.words})
    note(f"language model of a fold: {time.monotonic() - start:.0f} s")


def leave_out_vector_words(data: TrainingData) -> TrainingData:
    """Return the data with `<unk>` for words that only a file of vectors has."""
    vocab = Vocab(data.vocab.trained_words)
    train, valid = data.train, data.valid
    return replace(
        data,
        vocab=vocab,
        train=replace(train, texts=train.texts.limit_words(len(vocab))),
        valid=replace(valid, texts=valid.texts.limit_words(len(vocab))),
    )


def load_language_model(path: Path) -> Pretrained:
    """Load a language model that `train_language_model` saved."""
    arrays, metadata = load_arrays(path)
    weights = {name: torch.from_numpy(array) for name, array in arrays.items()}
    return Pretrained(path, Vocab(metadata["words"]), weights)


# Comparison


def check_same_rows(contenders: list[Contender], outcomes: list[Outcome]) -> None:
    """Check that all configs were scored on the same rows.

    Raises:
        ConfigError: The training file or the rows differ.
    """
    first = outcomes[0]
    for contender, outcome in zip(contenders, outcomes, strict=True):
        has_same_file = outcome.source["sha256"] == first.source["sha256"]
        if not has_same_file or not np.array_equal(outcome.rows, first.rows):
            raise ConfigError(
                f"{contender.name}: has other rows than {contenders[0].name}: expected"
                " the same training file and the same section data"
            )


def compare(
    contenders: list[Contender], outcomes: list[Outcome]
) -> list[dict[str, Any]]:
    """Return the scores of each config, and its difference from the first one."""
    results = []
    first = outcomes[0]
    for contender, outcome in zip(contenders, outcomes, strict=True):
        every_row = np.ones(len(first.rows), dtype=np.bool_)
        result: dict[str, Any] = {"name": contender.name, "train_s": outcome.train_s}
        result["all"] = describe_group(outcome, first, every_row)
        if first.has_title is not None:
            result["titled"] = describe_group(outcome, first, first.has_title)
        results.append(result)
    return results


def describe_group(
    outcome: Outcome, first: Outcome, is_inside: Bools
) -> dict[str, Any]:
    """Return the scores of a config on some of the rows.

    Args:
        outcome: Its predictions.
        first: Those of the config to compare it with.
        is_inside: [N], which rows.
    """
    is_correct = outcome.is_correct[:, is_inside]  # [S, n]
    num_rows = is_correct.shape[1]
    accuracy = float(is_correct.mean()) if num_rows else math.nan
    difference = compare_rows(first.is_correct[:, is_inside], is_correct)
    return {
        "num_rows": num_rows,
        "accuracy": accuracy,
        "accuracy_interval": wilson_interval(round(accuracy * num_rows), num_rows),
        "accuracy_of_seed": is_correct.mean(axis=1).tolist(),
        **asdict(difference),
    }


def compare_rows(baseline: Bools, is_correct: Bools) -> Difference:
    """Compare two configs on the same n rows.

    Args:
        baseline: [S, n], where the first config is right, for each seed.
        is_correct: [S, n], where the other one is.
    """
    gains = is_correct.mean(axis=0) - baseline.mean(axis=0)  # [n]
    mean = float(gains.mean())
    of_seed = is_correct.mean(axis=1) - baseline.mean(axis=1)  # [S]
    variance = 0.0
    for values in (gains, of_seed):
        if len(values) > 1:
            variance += float(values.var(ddof=1)) / len(values)
    margin = Z * math.sqrt(variance)
    gained, lost = int((gains > 0).sum()), int((gains < 0).sum())
    p = mcnemar(gained, lost)
    interval = mean - margin, mean + margin
    return Difference(mean, interval, of_seed.tolist(), gained, lost, p)


def print_table(results: list[dict[str, Any]]) -> None:
    """Print a table in Markdown, with the rows that have a title apart."""
    groups = [name for name in ("all", "titled") if name in results[0]]
    titles = {"all": "all rows", "titled": "rows with a title"}
    heads = [f"{titles[name]}: {results[0][name]['num_rows']:,}" for name in groups]
    columns = [f"{head} | difference in points (95%) | p" for head in heads]
    print(f"| config | {' | '.join(columns)} | training |")
    print(f"|---{'|--:|--:|--:' * len(groups)}|--:|")
    for number, result in enumerate(results):
        cells = []
        for name in groups:
            cells += group_cells(result[name], is_first=number == 0)
        print(f"| {result['name']} | {' | '.join(cells)} | {result['train_s']:.0f} s |")


def group_cells(group: dict[str, Any], *, is_first: bool) -> list[str]:
    """Return accuracy, difference and p-value of a config as cells of the table."""
    accuracy = percent(group["accuracy"])
    if is_first:
        return [f"{accuracy} ({percent_range(group['accuracy_interval'])})", "", ""]
    low, high = group["interval"]
    difference = f"{group['difference']:+.2%} ({low:+.2%} to {high:+.2%})"
    return [accuracy, difference.replace("%", ""), f"{group['p']:.3f}"]


if __name__ == "__main__":
    main()
