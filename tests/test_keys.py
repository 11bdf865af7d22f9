"""No key of the config is read by nobody: each one, changed alone, changes the outcome
of a small run."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from rnncls import RnnclsError
from rnncls.config.describe import iter_keys
from rnncls.config.loading import parse_config
from rnncls.data.loading import load_split
from rnncls.evaluation.evaluator import compute_logits
from rnncls.training import recording, saved_state
from rnncls.training.pretraining import pretrain
from rnncls.training.run import train
from rnncls.training.trainer import Trainer
from tests.conftest import toy_yaml

TIMES = {"elapsed_s", "tokens_per_s"}
# Each key with a value that must make a difference, and what has to be set for that on
# both sides.
CHANGES: dict[str, tuple[str, list[str]]] = {
    "seed": ("1", []),
    "device": ("cuda:9", []),
    "deterministic": ("true", []),
    "data.name": (
        "ag_news",
        ["data.name=quickstart", "data.train=null", "data.test=null"],
    ),
    "data.root": (
        "elsewhere",
        ["data.name=quickstart", "data.train=null", "data.test=null"],
    ),
    "data.train": ("other.csv", []),
    "data.valid": ("toy.csv", []),
    "data.test": ("other.csv", []),
    "data.text": ("[title]", []),
    "data.label": ("title", []),
    "data.label_separator": ("r", ["model.task=several_labels"]),
    "model.task": ("several_labels", []),
    "data.valid_fraction": ("0.4", []),
    "data.split": ("texts", []),
    "data.split_seed": ("5", []),
    "data.delimiter": ("semicolon", ["data.train=two.csv", "data.test=two.csv"]),
    "data.columns": (
        "[label, title, description]",
        ["data.train=plain.csv", "data.test=plain.csv"],
    ),
    "data.test_fraction": ("0.3", ["data.test=null"]),
    "text.tokenizer": ("whitespace", []),
    "text.nfkc": ("false", ["text.tokenizer=words", "data.train=wide.csv"]),
    "text.lowercase": ("false", ["text.tokenizer=words"]),
    "text.subwords": ("400", ["text.tokenizer=subwords"]),
    "text.clean": ("false", []),
    "text.mark_case": ("true", []),
    "text.same_digits": ("true", ["text.clean=false"]),
    "text.min_freq": ("60", []),
    "text.max_vocab": ("6", []),
    "text.max_tokens": ("2", []),
    "text.char_ngrams": ("[2, 4]", []),
    "text.ngram_buckets": ("7", ["text.char_ngrams=[2, 4]"]),
    "text.vectors": ("vectors.txt", []),
    "text.vector_words": ("1", ["text.vectors=vectors.txt", "text.max_vocab=3"]),
    "model.cell": ("gru", []),
    "model.embedding_dim": ("7", []),
    "model.hidden_size": ("7", []),
    "model.num_layers": ("2", []),
    "model.bidirectional": ("false", []),
    "model.tokens_per_step": ("2", []),
    "model.pooling": ("[attention]", []),
    "model.dropout": ("0.5", []),
    "model.word_dropout": ("0.5", []),
    "model.input_dropout": ("0.5", []),
    "model.recurrent_dropout": ("0.5", []),
    "model.ngrams": ("auto", []),
    "train.max_epochs": ("3", []),
    "train.batch_size": ("8", []),
    "train.optimizer": ("sgd", []),
    "train.lr": ("0.01", []),
    "train.schedule": ("cosine", []),
    "train.warmup_fraction": ("0.5", []),
    "train.layer_lr_decay": ("0.5", []),
    "train.freeze_encoder": ("1", []),
    "train.freeze_embedding": ("1", []),
    "train.weight_decay": ("0.5", []),
    "train.label_smoothing": ("0.5", []),
    "train.class_weights": ("[1, 3]", []),
    "train.sampling": ("balanced", ["data.train=unequal.csv"]),
    "train.focal_gamma": ("2.0", []),
    "train.adversarial": ("0.5", []),
    "train.adversarial_delay": ("1", ["train.adversarial=0.5"]),
    "train.virtual_adversarial": ("0.5", []),
    "train.perturbation": ("relative", ["train.adversarial=0.5"]),
    "train.r_drop": ("1.0", []),
    "train.average": ("0.9", []),
    "train.teachers": ("[teacher]", []),
    "train.teacher_weight": ("0.1", ["train.teachers=[teacher]"]),
    "train.replay": ("1.0", ["model.pretrained=teacher", "data.train=other.csv"]),
    "train.clip_norm": ("0.01", []),
    "train.save_every": ("1e-9", []),
    "train.patience": ("1", ["train.max_epochs=4", "train.lr=1e-9"]),
    "train.monitor": ("loss", []),
    "train.calibrate": ("false", []),
    "train.precision": ("bfloat16", []),
}
PRETRAINING_CHANGES: dict[str, tuple[str, list[str]]] = {
    "data.unlabelled": ("[other.csv]", []),
    "pretrain.max_epochs": ("2", []),
    "pretrain.batch_size": ("8", []),
    "pretrain.lr": ("0.01", []),
    "pretrain.dropout": ("0.5", []),
    "pretrain.word_dropout": ("0.5", []),
}

BASE_OUTCOMES: dict[tuple[str, ...], Any] = {}
"""What runs show without the change: many keys are compared with the same run."""


def with_two_delimiters(path: Path) -> str:
    """Return a file with the wanted columns twice, between commas and semicolons."""
    lines = []
    for line in path.read_text(encoding="utf-8").splitlines():
        label, title, description = line.split(",")
        lines.append(f"{line},x;{label};{description};{title};y\n")
    lines[0] = lines[0].replace(";description;title;", ";title;description;")
    return "".join(lines)


@pytest.fixture
def outcome(
    toy_csv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[list[str]], Any]:
    """Return a function from overrides to all that a run shows, or to the error that it
    ends with."""
    saves: list[Path] = []
    save = saved_state.save_state

    def save_and_count(own: Trainer[Any], path: Path) -> None:
        saves.append(path)
        save(own, path)

    monkeypatch.setattr(recording, "save_state", save_and_count)
    text = toy_csv.read_text(encoding="utf-8").replace(
        "the crowd", "The crowd #39;s &lt;b&gt;here&lt;/b&gt;."
    )
    (tmp_path / "toy.csv").write_text(text, encoding="utf-8")
    (tmp_path / "other.csv").write_text(text.replace("meet", "greet"), encoding="utf-8")
    wide = text.replace("meet", "\uff4deet", 3)
    (tmp_path / "wide.csv").write_text(wide, encoding="utf-8")
    (tmp_path / "plain.csv").write_text(text.split("\n", 1)[1], encoding="utf-8")
    (tmp_path / "two.csv").write_text(with_two_delimiters(toy_csv), encoding="utf-8")
    without = [line for number, line in enumerate(text.splitlines()) if number % 4 != 1]
    (tmp_path / "unequal.csv").write_text("\n".join(without) + "\n", encoding="utf-8")
    (tmp_path / "vectors.txt").write_text("meet 1 2 3\n", encoding="utf-8")

    def run(overrides: list[str]) -> Any:
        if any("teacher" in override for override in overrides):
            config = parse_config(toy_yaml(Path("toy.csv")), "toy.yaml")
            if not (tmp_path / "teacher").exists():
                train(config, tmp_path / "teacher")
        saves.clear()
        path = tmp_path / f"run-{'-'.join(overrides).replace('/', '_')}"
        try:
            config = parse_config(toy_yaml(Path("toy.csv")), "toy.yaml", overrides)
            train(config, path)
            return describe(path), saves.count(path)
        except RnnclsError as error:
            return str(error).replace(str(path), "")

    return run


def describe(path: Path) -> Any:
    """Return the metrics rows, the best score, the words, the logits on the test file,
    and which kernels were used."""
    from rnncls.machine.files import read_json
    from rnncls.machine.tensors import load_tensors
    from rnncls.runs.folder import RunFolder
    from rnncls.runs.metric_rows import read_rows
    from rnncls.runs.run import load_run

    loaded = load_run(path)
    split, _ = load_split(
        loaded.config.data_settings,
        "test",
        loaded.classifier.vocab,
        loaded.classifier.label_names,
    )
    rows = [
        {key: value for key, value in row.items() if key not in TIMES}
        for row in read_rows(path / "metrics.jsonl")
    ]
    _, meta = load_tensors(RunFolder(path).state)
    logits = compute_logits(loaded.classifier.model, split.texts).tolist()
    is_deterministic = read_json(path / "summary.json")["deterministic"]
    return (
        rows,
        meta["place"]["best_score"],
        loaded.classifier.vocab.words,
        logits,
        is_deterministic,
    )


def test_every_key_of_the_schema_is_listed_here() -> None:
    elsewhere = [
        "model.pretrained",
        "train.tensorboard",
    ]  # tests/test_pretrainer.py, tests/test_trainer.py
    listed = [*CHANGES, *PRETRAINING_CHANGES, *elsewhere]
    assert sorted(listed) == sorted(key for key, *_ in iter_keys())


@pytest.mark.parametrize("key", CHANGES)
def test_a_changed_key_changes_the_outcome(
    key: str, outcome: Callable[[list[str]], Any]
) -> None:
    value, common = CHANGES[key]
    base = tuple(common)
    if base not in BASE_OUTCOMES:
        BASE_OUTCOMES[base] = outcome(common)
    assert outcome([*common, f"{key}={value}"]) != BASE_OUTCOMES[base]


@pytest.mark.parametrize("key", PRETRAINING_CHANGES)
def test_a_changed_key_of_pretraining_changes_the_perplexity(
    key: str, toy_csv: Path, tmp_path: Path
) -> None:
    value, common = PRETRAINING_CHANGES[key]
    more = toy_csv.read_text(encoding="utf-8").replace("meet", "greet")
    (tmp_path / "other.csv").write_text(more, encoding="utf-8")

    def perplexity(overrides: list[str]) -> float:
        config = parse_config(
            toy_yaml(Path("toy.csv")), "toy.yaml", ["pretrain.max_epochs=1", *overrides]
        )
        found: float = pretrain(config, tmp_path / f"run-{len(overrides)}")["valid"][
            "perplexity"
        ]
        return found

    assert perplexity([*common, f"{key}={value}"]) != perplexity(common)


def test_an_unchanged_config_has_the_same_outcome(
    outcome: Callable[[list[str]], Any], tmp_path: Path
) -> None:
    first = outcome([])
    (tmp_path / "run-").rename(tmp_path / "first")
    assert outcome([]) == first
