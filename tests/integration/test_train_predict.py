"""From a config to predictions: what is saved is what was trained, and the same command
trains the same model."""

import csv
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch

from rnncls.config.sections import Config
from rnncls.config.yaml_format import dump_config
from rnncls.data.loading import load_training_data
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.run_evaluation import evaluate_run
from rnncls.inference.predictor import Predictor
from rnncls.machine.seeds import seed_everything
from rnncls.machine.tensors import load_tensors
from rnncls.runs.folder import RunFolder
from rnncls.runs.run import create_run, load_run
from rnncls.runs.weights import save_model
from rnncls.text.encoded_texts import encode_texts
from rnncls.text.tokenizer import tokenize_texts
from rnncls.training import recording
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.initialization import build_model
from rnncls.training.run import train
from rnncls.training.saved_state import save_state
from rnncls.training.trainer import Trainer
from tests.builders import RESUME

MakeConfig = Callable[..., Config]
Row = dict[str, Any]

CPU = torch.device("cpu")
CELLS = ["rnn", "lstm", "gru", "grid_lstm", "none"]
TIMES = {"elapsed_s", "tokens_per_s"}
NOISY = ("model.dropout=0.3", "model.word_dropout=0.2", "train.max_epochs=3")


def start(config: Config) -> Trainer[Any]:
    data = load_training_data(config.data_settings)
    seed_everything(config.seed)
    return build_classifier_trainer(
        config.train,
        build_model(config.model, config.text.vectors, data),
        data,
        config.seed,
    )


def run_on(trainer: Trainer[Any], num_steps: int | None = None) -> list[Row]:
    """Train for so many steps, or to the end, and return the metrics rows without their
    times."""
    rows = []
    for number, step in enumerate(trainer.steps(), start=1):
        if step.validation is not None:
            rows.append(
                {
                    key: value
                    for key, value in step.validation.items()
                    if key not in TIMES
                }
            )
        if number == num_steps:
            break
    return rows


def resume(config: Config, trainer: Trainer[Any]) -> Trainer[Any]:
    """Return a new trainer that goes on from the state that another one has saved."""
    path = Path("state")
    create_run(path, dump_config(config), trainer.data.vocab, trainer.data.label_names)
    save_state(trainer, path)
    again = start(config)
    torch.manual_seed(12345)  # what was drawn in the meantime must not matter
    tensors, meta = load_tensors(RunFolder(path).state)
    again.load_state_dict(tensors, meta["place"], RunFolder(path).state)
    return again


def weights_of(trainer: Trainer[Any]) -> dict[str, list[Any]]:
    return {
        name: weight.tolist() for name, weight in trainer.model.state_dict().items()
    }


def read_rows(path: Path) -> list[Row]:
    rows = [
        json.loads(line) for line in (path / "metrics.jsonl").read_text().splitlines()
    ]
    return [
        {key: value for key, value in row.items() if key not in TIMES} for row in rows
    ]


def read_texts(path: Path) -> list[str]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            f"{row['title']} {row['description']}" for row in csv.DictReader(stream)
        ]


# Train, save, load, predict


@pytest.mark.parametrize(
    "bidirectional", [True, False], ids=["two directions", "one direction"]
)
@pytest.mark.parametrize("cell", CELLS)
def test_a_loaded_run_predicts_what_the_trained_model_does(
    make_config: MakeConfig, toy_csv: Path, cell: str, bidirectional: bool
) -> None:
    config = make_config(
        f"model.cell={cell}", f"model.bidirectional={json.dumps(bidirectional)}"
    )
    trainer = start(config)
    run_on(trainer)
    create_run(
        Path("run"), dump_config(config), trainer.data.vocab, trainer.data.label_names
    )
    save_model(Path("run"), trainer.model)

    texts = [*read_texts(toy_csv), "", "zanzibar", "rovers " * 300]
    encoded = encode_texts(tokenize_texts(texts, config.text), trainer.data.vocab)
    expected = compute_logits(trainer.model, encoded).softmax(dim=1)

    predictions = Predictor(load_run(Path("run")).classifier, CPU).predict(texts)
    assert [
        list(prediction.probs.values()) for prediction in predictions
    ] == expected.tolist()
    assert list(predictions[0].probs) == ["sport", "world"]


@pytest.mark.parametrize("pooling", ["last", "max", "mean", "attention"])
def test_a_loaded_run_predicts_the_same_with_each_pooling(
    make_config: MakeConfig, toy_csv: Path, pooling: str
) -> None:
    trainer = start(
        config := make_config(f"model.pooling=[{pooling}]", "model.num_layers=2")
    )
    run_on(trainer)
    create_run(
        Path("run"), dump_config(config), trainer.data.vocab, trainer.data.label_names
    )
    save_model(Path("run"), trainer.model)
    encoded = encode_texts(
        tokenize_texts(read_texts(toy_csv), config.text), trainer.data.vocab
    )
    loaded = load_run(Path("run")).classifier.model
    assert torch.equal(
        compute_logits(loaded, encoded), compute_logits(trainer.model, encoded)
    )


# The same again


@pytest.mark.parametrize("cell", CELLS)
def test_one_seed_trains_one_model_to_the_bit(
    make_config: MakeConfig, cell: str
) -> None:
    config = make_config(f"model.cell={cell}", *NOISY)
    train(config, Path("one"))
    torch.rand(100)
    train(config, Path("two"))
    assert read_rows(Path("one")) == read_rows(Path("two"))
    assert (
        Path("one/model.safetensors").read_bytes()
        == Path("two/model.safetensors").read_bytes()
    )


def test_another_seed_trains_another_model(make_config: MakeConfig) -> None:
    train(make_config("seed=0", *NOISY), Path("one"))
    train(make_config("seed=1", *NOISY), Path("two"))
    losses = [
        [row["train_loss"] for row in read_rows(Path(name))] for name in ("one", "two")
    ]
    assert all(one != two for one, two in zip(*losses, strict=True))


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize(
    "num_steps", [1, 10, 17], ids=["first step", "end of an epoch", "within an epoch"]
)
def test_a_resumed_training_is_the_same_to_the_bit(
    make_config: MakeConfig, num_steps: int, optimizer: str
) -> None:
    config = make_config(f"train.optimizer={optimizer}", *NOISY)
    whole = start(config)
    whole_rows = run_on(whole)

    stopped = start(config)
    first_rows = run_on(stopped, num_steps)
    resumed = resume(config, stopped)
    assert first_rows + run_on(resumed) == whole_rows
    assert weights_of(resumed) == weights_of(whole)


@pytest.mark.parametrize("cell", CELLS)
def test_a_resumed_training_is_the_same_with_each_cell(
    make_config: MakeConfig, cell: str
) -> None:
    config = make_config(
        f"model.cell={cell}", "train.max_epochs=2", "model.dropout=0.3"
    )
    whole = start(config)
    run_on(whole)
    stopped = start(config)
    run_on(stopped, 10)
    resumed = resume(config, stopped)
    run_on(resumed)
    assert weights_of(resumed) == weights_of(whole)


@pytest.mark.parametrize(
    "num_steps", [10, 17], ids=["end of an epoch", "within an epoch"]
)
def test_a_resumed_training_is_the_same_with_everything_on(
    make_config: MakeConfig, num_steps: int
) -> None:
    config = make_config(
        *NOISY,
        "model.input_dropout=0.2",
        "model.recurrent_dropout=0.2",
        "train.average=0.9",
        "train.adversarial=0.5",
        "train.virtual_adversarial=0.5",
        "train.r_drop=1.0",
        "train.layer_lr_decay=0.5",
        "train.freeze_encoder=1",
        "train.freeze_embedding=2",
        "train.sampling=balanced",
        "train.class_weights=[1, 3]",
        "train.focal_gamma=1.0",
    )
    whole = start(config)
    whole_rows = run_on(whole)
    stopped = start(config)
    first_rows = run_on(stopped, num_steps)
    resumed = resume(config, stopped)
    assert first_rows + run_on(resumed) == whole_rows
    assert weights_of(resumed) == weights_of(whole)


def test_patience_is_not_forgotten_when_a_training_resumes(
    make_config: MakeConfig,
) -> None:
    config = make_config("train.max_epochs=20", "train.patience=3", "train.lr=1.0e-12")
    stopped = start(config)
    first_rows = run_on(stopped, 25)  # two epochs of 10 steps and a half
    assert [row["epoch"] for row in first_rows + run_on(resume(config, stopped))] == [
        1,
        2,
        3,
        4,
    ]


@pytest.mark.parametrize(
    "module_and_name",
    [(recording, "append_row"), (recording, "save_model"), (recording, "save_state")],
)
def test_a_run_that_crashed_after_an_epoch_goes_on_from_the_one_before(
    make_config: MakeConfig,
    module_and_name: tuple[ModuleType, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    config = make_config(
        "train.max_epochs=4",
        "train.patience=null",
        "train.monitor=loss",
        "model.dropout=0.3",
    )
    train(config, Path("whole"))

    module, name = module_and_name
    write, calls = getattr(module, name), []

    def write_twice(*arguments: Any, **options: Any) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise ZeroDivisionError
        write(*arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(module, name, write_twice)
        with pytest.raises(ZeroDivisionError):
            train(config, Path("crashed"))
    train(config, Path("crashed"), RESUME)
    assert read_rows(Path("crashed")) == read_rows(Path("whole"))
    assert (
        Path("crashed/model.safetensors").read_bytes()
        == Path("whole/model.safetensors").read_bytes()
    )


# The best epoch


@pytest.mark.parametrize("patience", [1, 3])
def test_training_stops_when_nothing_gets_better_for_so_many_epochs(
    make_config: MakeConfig, patience: int
) -> None:
    # So small a step leaves the weights and the scores as they are: the first epoch
    # stays the best one.
    config = make_config(
        "train.max_epochs=20", f"train.patience={patience}", "train.lr=1.0e-12"
    )
    summary = train(config, Path("run"))
    assert (summary["best_epoch"], summary["num_epochs"]) == (1, 1 + patience)
    assert len(read_rows(Path("run"))) == 1 + patience


@pytest.mark.parametrize("monitor", ["accuracy", "macro_f1", "loss"])
def test_the_weights_of_the_best_epoch_are_kept(
    make_config: MakeConfig, monitor: str
) -> None:
    # So large a step makes the scores jump; a run that runs out of patience has its
    # best epoch behind it.
    config = make_config(
        "train.max_epochs=60",
        "train.patience=2",
        "train.lr=1.0",
        "train.schedule=constant",
        f"train.monitor={monitor}",
        "train.calibrate=false",
    )
    summary = train(config, Path("run"))
    rows = read_rows(Path("run"))
    assert len(rows) < 60
    values = [row[f"valid_{monitor}"] for row in rows]
    best = values.index(min(values) if monitor == "loss" else max(values))
    assert summary["best_epoch"] == best + 1
    scores = evaluate_run(Path("run"), split="valid").scores()
    assert scores.accuracy == rows[best]["valid_accuracy"]
    assert scores.loss == pytest.approx(rows[best]["valid_loss"], rel=1e-6)
    assert scores.loss != pytest.approx(rows[-1]["valid_loss"], rel=1e-3)


# What can be learnt


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_a_recurrent_network_learns_what_only_the_order_of_the_words_tells(
    make_config: MakeConfig, cell: str
) -> None:
    train(
        make_config(f"model.cell={cell}", "train.max_epochs=12", "train.batch_size=8"),
        Path("run"),
    )
    scores = evaluate_run(Path("run")).scores()
    assert scores.accuracy > 0.97


def test_the_mean_of_the_words_cannot_learn_their_order(
    make_config: MakeConfig,
) -> None:
    train(
        make_config("model.cell=none", "train.max_epochs=12", "train.batch_size=8"),
        Path("run"),
    )
    scores = evaluate_run(Path("run")).scores()
    # Each sport row has a world row of the same words: of two equal answers one is
    # right.
    assert scores.accuracy == pytest.approx(0.5, abs=0.03)
