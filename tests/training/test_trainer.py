"""The trainer: its steps, the metrics row of an epoch, and when it stops."""

import itertools
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from rnncls import DivergedError
from rnncls.config.sections import Config
from rnncls.data.loading import load_training_data
from rnncls.evaluation.evaluator import compute_logits, evaluate
from rnncls.machine.seeds import seed_everything
from rnncls.machine.tensors import load_tensors
from rnncls.machine.threads import Workers
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.folder import MODEL, STATE, RunFolder
from rnncls.runs.run import load_uncalibrated
from rnncls.text.batching import ResidentTexts, assemble
from rnncls.text.vocab import PAD_ID, UNK_ID
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.ema import WeightEMA
from rnncls.training.initialization import build_model
from rnncls.training.run import train
from rnncls.training.saved_state import save_state
from rnncls.training.trainer import Trainer
from tests.builders import RESUME_WITH_CHANGES

MakeConfig = Callable[..., Config]


def start(config: Config, num_threads: int | None = None) -> Trainer[TextClassifier]:
    """Return a new trainer, by default with as many threads as torch has."""
    data = load_training_data(config.data_settings)
    seed_everything(config.seed)
    model = build_model(config.model, config.text.vectors, data)
    workers = None if num_threads is None else Workers(num_threads)
    return build_classifier_trainer(
        config.train, model, data, config.seed, workers=workers
    )


def rows_of(trainer: Trainer[TextClassifier]) -> list[dict[str, Any]]:
    return [step.validation for step in trainer.steps() if step.validation is not None]


def test_an_epoch_is_as_many_steps_as_batches_fit(make_config: MakeConfig) -> None:
    trainer = start(make_config("train.max_epochs=2", "train.batch_size=30"))
    assert [step.num_texts for step in trainer.steps()].count(30) == 10
    assert trainer.step == 12  # 160 rows make 5 batches of 30 and one of 10, twice


def test_a_step_moves_the_weights_against_the_gradient_of_the_smoothed_loss(
    make_config: MakeConfig,
) -> None:
    config = make_config(
        "model.dropout=0.0",
        "train.optimizer=sgd",
        "train.schedule=constant",
        "train.warmup_fraction=0.0",
        "train.clip_norm=null",
        "train.label_smoothing=0.2",
        "train.lr=0.5",
    )
    trainer = start(config)
    batch = assemble(trainer.data.train.texts, np.arange(4))
    weights = list(trainer.model.parameters())
    before = [weight.detach().clone() for weight in weights]
    logits = trainer.model(batch.token_ids, batch.lengths, is_ragged=batch.is_ragged)
    log_probs = F.log_softmax(logits, dim=1)
    labels = torch.from_numpy(trainer.data.train.labels[:4])
    right = log_probs[torch.arange(4), labels]
    loss = -(0.8 * right + 0.2 * log_probs.mean(dim=1)).mean()
    gradients = torch.autograd.grad(loss, weights)
    found = trainer.train_step(batch)
    torch.testing.assert_close(found, loss.detach())
    expected = [
        old - 0.5 * gradient for old, gradient in zip(before, gradients, strict=True)
    ]
    torch.testing.assert_close([weight.detach() for weight in weights], expected)


def test_word_dropout_replaces_words_by_unk_in_training_only(
    make_config: MakeConfig,
) -> None:
    trainer = start(
        make_config(
            "model.dropout=0.0",
            "model.word_dropout=0.999999",
            "train.label_smoothing=0.0",
        )
    )
    texts = trainer.data.train.texts.select(np.arange(4))
    batch = assemble(texts, np.arange(4))
    labels = torch.from_numpy(trainer.data.train.labels[:4])
    as_unk = trainer.model(
        torch.full_like(batch.token_ids, UNK_ID),
        batch.lengths,
        is_ragged=batch.is_ragged,
    ).detach()
    assert not torch.allclose(compute_logits(trainer.model, texts), as_unk)
    torch.testing.assert_close(
        trainer.train_step(batch), F.cross_entropy(as_unk, labels)
    )


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_a_training_that_never_waits_for_its_device_ends_with_the_same_weights(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch, optimizer: str
) -> None:
    config = make_config(
        "train.max_epochs=2", f"train.optimizer={optimizer}", "train.weight_decay=0.01"
    )
    expected, found = start(config), start(config)
    rows_of(expected)
    # As on a GPU: the texts are on the device, and nothing waits to learn how many
    # words a batch has.
    resident = ResidentTexts(found.data.train.texts, found.device)
    monkeypatch.setattr(found, "iter_batches", resident.iter_batches)
    monkeypatch.setattr(found, "may_wait_in_step", False)
    rows_of(found)
    torch.testing.assert_close(found.model.state_dict(), expected.model.state_dict())
    assert not found.model.embedding.weight[PAD_ID].any()


def first_loss(config: Config, step: int = 0) -> float:
    trainer = start(config)
    trainer.step = step
    return trainer.train_step(assemble(trainer.data.train.texts, np.arange(40))).item()


@pytest.mark.parametrize("kind", ["dropout", "word_dropout"])
def test_what_a_step_drops_is_a_function_of_the_seed_and_the_step(
    make_config: MakeConfig, kind: str
) -> None:
    config = make_config(
        "model.word_dropout=0.0", "model.dropout=0.0", f"model.{kind}=0.5"
    )
    loss = first_loss(config)
    torch.rand(100)
    assert first_loss(config) == loss
    assert first_loss(config, step=1) != loss


def test_the_tokens_of_a_balanced_epoch_are_those_that_it_reads(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    lines = toy_csv.read_text(encoding="utf-8").splitlines()
    toy_csv.write_text(
        "\n".join([*lines[:7], *lines[8::2]]) + "\n"
    )  # 3 of one class, 100 of the other
    trainer = start(make_config("train.sampling=balanced"))
    found = [row["num_tokens"] for row in rows_of(trainer)]
    lengths = trainer.data.train.texts.lengths
    assert found == list(
        itertools.accumulate(
            int(lengths[np.concatenate(trainer.planner.plan(e))].sum())
            for e in range(2)
        )
    )
    assert found[0] != lengths.sum()


def weights_of(trainer: Trainer[TextClassifier]) -> dict[str, torch.Tensor]:
    return {name: weight.clone() for name, weight in trainer.model.state_dict().items()}


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm", "none"])
def test_two_threads_take_the_step_of_one(
    make_config: MakeConfig, optimizer: str, cell: str
) -> None:
    config = make_config(
        f"train.optimizer={optimizer}",
        f"model.cell={cell}",
        "model.num_layers=2",
        "model.dropout=0.3",
        "model.word_dropout=0.2",
        "model.pooling=[last,max,mean,attention]",
        "model.input_dropout=0.2",
        "model.recurrent_dropout=0.2",
        "train.adversarial=0.1",
        "train.virtual_adversarial=0.1",
        "train.r_drop=1.0",
        "train.class_weights=[1, 3]",
        "train.focal_gamma=1.0",
    )
    found = []
    for num_threads in (1, 2):
        trainer = start(config, num_threads)
        before = weights_of(trainer)
        loss = trainer.train_step(assemble(trainer.data.train.texts, np.arange(50)))
        found.append(
            {
                "loss": loss,
                "correct": trainer.epoch_sums.num_correct,
                **weights_of(trainer),
            }
        )
        assert not torch.equal(before["linear.weight"], trainer.model.linear.weight)
    torch.testing.assert_close(found[1], found[0], rtol=0, atol=1e-5)


def test_two_trainings_with_two_threads_are_the_same_to_the_bit(
    make_config: MakeConfig,
) -> None:
    config = make_config(
        "train.batch_size=40",
        "model.dropout=0.3",
        "model.word_dropout=0.2",
        "model.num_layers=2",
    )
    first, second = start(config, 2), start(config, 2)
    losses = [
        [step.loss.item() for step in trainer.steps()] for trainer in (first, second)
    ]
    assert losses[0] == losses[1]
    torch.testing.assert_close(
        second.state_dict()[0], first.state_dict()[0], rtol=0, atol=0
    )


def test_the_averaged_weights_are_validated_and_saved(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    config = make_config(
        "train.average=0.9", "train.max_epochs=3", "train.monitor=loss"
    )
    trainer = start(config)
    last = rows_of(trainer)[-1]
    assert not torch.equal(
        trainer.eval_model.linear.weight, trainer.model.linear.weight
    )
    losses = [
        evaluate(model, trainer.data.valid)[1]
        for model in (trainer.eval_model, trainer.model)
    ]
    assert last["valid_loss"] == losses[0] != losses[1]
    train(config, tmp_path / "run")
    assert (
        json.loads((tmp_path / "run" / "summary.json").read_text())["best_epoch"] == 3
    )
    saved = load_uncalibrated(tmp_path / "run").classifier.model.state_dict()
    torch.testing.assert_close(
        saved, dict(trainer.eval_model.state_dict()), rtol=0, atol=0
    )


def test_an_average_over_short_epochs_is_of_trained_weights(
    make_config: MakeConfig,
) -> None:
    options = "train.average=0.9", "train.batch_size=100", "train.monitor=loss"
    trainer = start(make_config(*options))
    assert trainer.steps_per_epoch < WeightEMA.EVERY
    first = weights_of(trainer)
    next(step for step in trainer.steps() if step.validation is not None)
    assert not torch.equal(trainer.eval_model.linear.weight, first["linear.weight"])


def test_the_last_of_every_few_steps_updates_the_average(
    make_config: MakeConfig,
) -> None:
    trainer = start(make_config("train.average=0.9", "train.batch_size=30"))
    assert trainer.ema is not None
    assert trainer.ema.every == 6
    counts = [trainer.ema.n_averaged.item() for _ in trainer.steps()]
    assert counts == [0] * 5 + [1] * 6 + [2]


def test_frozen_weights_stay_for_as_many_epochs_as_asked(
    make_config: MakeConfig,
) -> None:
    trainer = start(
        make_config(
            "train.freeze_encoder=1", "train.freeze_embedding=2", "train.max_epochs=3"
        )
    )
    kinds = ("embedding.", "encoder.", "linear.")
    weights = [weights_of(trainer)]
    weights += [
        weights_of(trainer) for step in trainer.steps() if step.validation is not None
    ]
    moved = [
        [
            any(
                not torch.equal(old[name], new[name])
                for name in old
                if name.startswith(kind)
            )
            for kind in kinds
        ]
        for old, new in itertools.pairwise(weights)
    ]
    assert moved == [[False, False, True], [False, True, True], [True, True, True]]


@pytest.mark.parametrize(
    "option",
    ["train.adversarial=1.0", "train.virtual_adversarial=1.0", "train.r_drop=1.0"],
)
def test_what_is_asked_beside_the_labels_is_in_the_training_loss(
    make_config: MakeConfig, option: str
) -> None:
    config = make_config("model.dropout=0.3")
    assert first_loss(make_config("model.dropout=0.3", option)) > first_loss(config)


def test_the_state_is_the_weights_the_optimizers_and_the_sums_over_the_epoch(
    make_config: MakeConfig,
) -> None:
    trainer = start(make_config())
    next(trainer.steps())
    tensors, _ = trainer.state_dict()
    assert {name.partition(".")[0] for name in tensors} == {
        *("model", "optimizer", "epoch_loss", "epoch_correct", "gradients")
    }


def test_the_row_of_an_epoch_holds_the_validation_scores_of_the_weights_after_it(
    make_config: MakeConfig,
) -> None:
    trainer = start(make_config("train.max_epochs=1"))
    (row,) = rows_of(trainer)
    logits = compute_logits(trainer.model, trainer.data.valid.texts)
    labels = torch.from_numpy(trainer.data.valid.labels)
    assert (
        row["valid_accuracy"] == (logits.argmax(dim=1) == labels).double().mean().item()
    )
    assert row["valid_loss"] == pytest.approx(
        F.cross_entropy(logits, labels).item(), rel=1e-6
    )


def test_training_figures_are_sums_over_texts_not_means_of_batches(
    make_config: MakeConfig,
) -> None:
    trainer = start(make_config("train.max_epochs=1", "train.batch_size=90"))
    steps = list(trainer.steps())
    row = steps[-1].validation
    assert row is not None
    weighted = sum(step.loss.item() * step.num_texts for step in steps) / sum(
        step.num_texts for step in steps
    )
    assert row["train_loss"] == pytest.approx(weighted, rel=1e-6)


def test_a_row_counts_steps_epochs_and_tokens(make_config: MakeConfig) -> None:
    trainer = start(make_config("train.max_epochs=2"))
    rows = rows_of(trainer)
    num_tokens = int(trainer.data.train.texts.lengths.sum())
    assert [(row["step"], row["epoch"], row["num_tokens"]) for row in rows] == [
        (10, 1, num_tokens),
        (20, 2, 2 * num_tokens),
    ]


def test_training_stops_when_patience_runs_out(make_config: MakeConfig) -> None:
    rows = rows_of(
        start(make_config("train.max_epochs=50", "train.patience=2", "train.lr=1.0e-9"))
    )
    assert [row["is_best"] for row in rows] == [True, False, False]


def test_patience_null_never_stops(make_config: MakeConfig) -> None:
    assert (
        len(
            rows_of(
                start(
                    make_config(
                        "train.max_epochs=6", "train.patience=null", "train.lr=1.0e-9"
                    )
                )
            )
        )
        == 6
    )


def test_a_lower_loss_is_better_when_the_loss_is_monitored(
    make_config: MakeConfig,
) -> None:
    trainer = start(
        make_config("train.max_epochs=4", "train.monitor=loss", "train.patience=null")
    )
    losses = [row["valid_loss"] for row in rows_of(trainer)]
    assert trainer.best_epoch == losses.index(min(losses)) + 1


DIVERGING = (
    "train.lr=1e38",
    "train.clip_norm=null",
    "train.optimizer=sgd",
    "train.warmup_fraction=0.0",
)


def test_a_loss_that_is_not_finite_stops_the_run_within_the_epoch_and_names_the_rows(
    make_config: MakeConfig, toy_csv: Path
) -> None:
    lines = toy_csv.read_text(encoding="utf-8").splitlines()
    lines = [
        f"{line} zzz" if number % 30 == 7 else line for number, line in enumerate(lines)
    ]  # from 0, the header's
    toy_csv.write_text("\n".join(lines), encoding="utf-8")
    trainer = start(make_config("model.word_dropout=0.0", "train.max_epochs=1"))
    with torch.no_grad():
        trainer.model.embedding.weight[trainer.data.vocab.words.index("zzz")] = (
            torch.inf
        )
    with pytest.raises(DivergedError) as caught:
        rows_of(trainer)
    found = re.search(
        r"is not finite in step (\d+) \(epoch 1\), a batch of the training rows ([\d,"
        r" ]+); ",
        str(caught.value),
    )
    assert found is not None
    rows = list(map(int, found[2].split(", ")))
    assert len(rows) == len(set(rows)) == 16
    assert any("zzz" in lines[row] for row in rows)


def test_a_gradient_that_is_not_finite_stops_the_run(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = start(make_config())
    monkeypatch.setattr(
        torch.nn.utils, "get_total_norm", lambda _: torch.tensor(torch.inf)
    )
    with pytest.raises(
        DivergedError,
        match=r"the loss or its gradient is not finite in step 1 \(epoch 1\)",
    ):
        rows_of(trainer)


def test_a_diverged_run_can_be_resumed_from_its_last_save(
    make_config: MakeConfig,
) -> None:
    own = (
        "train.optimizer=sgd",
        "train.warmup_fraction=0.0",
        "train.clip_norm=null",
        "train.lr=0.1",
    )
    train(make_config("train.max_epochs=1", *own), Path("run"))
    files = [Path("run") / name for name in (MODEL, STATE)]
    weights_before = files[0].read_bytes()
    with pytest.raises(
        DivergedError,
        match=r"the last save is complete: .* a lower train\.lr or a train\.clip_norm",
    ):
        train(
            make_config("train.max_epochs=2", *own, *DIVERGING),
            Path("run"),
            RESUME_WITH_CHANGES,
        )
    for file in files:
        tensors, _ = load_tensors(file)
        assert all(tensor.isfinite().all() for tensor in tensors.values())
    summary = train(
        make_config("train.max_epochs=2", *own),
        Path("run"),
        RESUME_WITH_CHANGES,
    )
    assert summary["num_epochs"] == 2
    assert files[0].read_bytes() != weights_before


def test_weights_that_are_not_finite_are_never_saved(
    make_config: MakeConfig, toy_run: Path
) -> None:
    trainer = start(make_config())
    before = RunFolder(toy_run).state.read_bytes()
    with torch.no_grad():
        trainer.model.linear.bias[0] = torch.nan
    with pytest.raises(
        DivergedError,
        match="the weights are not finite after step 0; the last save is complete",
    ):
        save_state(trainer, toy_run)
    assert RunFolder(toy_run).state.read_bytes() == before


def test_the_length_of_the_gradient_is_that_before_clipping(
    make_config: MakeConfig,
) -> None:
    trainer = start(
        make_config(
            "model.dropout=0.0", "train.clip_norm=1e-3", "train.label_smoothing=0.0"
        )
    )
    batch = assemble(trainer.data.train.texts, np.arange(4))
    logits = trainer.model(batch.token_ids, batch.lengths, is_ragged=batch.is_ragged)
    loss = F.cross_entropy(logits, torch.from_numpy(trainer.data.train.labels[:4]))
    gradients = torch.autograd.grad(loss, list(trainer.model.parameters()))
    expected = sum(gradient.square().sum() for gradient in gradients) ** 0.5
    trainer.train_step(batch)
    torch.testing.assert_close(trainer.optimizer.norm, expected)


def test_a_row_has_the_mean_and_the_largest_length_of_the_gradients(
    make_config: MakeConfig,
) -> None:
    trainer = start(make_config("train.max_epochs=1", "train.clip_norm=null"))
    norms, row = [], None
    for step in trainer.steps():
        norms.append(trainer.optimizer.norm.item())
        row = step.validation
    assert row is not None
    assert row["largest_gradient_norm"] == max(norms)
    assert row["gradient_norm"] == pytest.approx(sum(norms) / 10, rel=1e-6)


def test_an_exploded_gradient_is_logged(
    make_config: MakeConfig, caplog: pytest.LogCaptureFixture
) -> None:
    trainer = start(make_config("train.max_epochs=1"))
    with caplog.at_level("INFO", "rnncls"):
        for number, _ in enumerate(trainer.steps()):
            if number == 3:
                trainer.epoch_sums.gradients.add(
                    4, torch.tensor(1.0), torch.tensor(1e6)
                )
    assert "epoch 1: the gradient has exploded" in caplog.text
    assert "its largest norm is 1e+06, the mean is 1e+05" in caplog.text
