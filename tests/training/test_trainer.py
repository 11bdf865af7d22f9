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

from rnncls import ConfigError, DeviceError, DivergedError, RunError
from rnncls.config.sections import Config
from rnncls.data.loading import load_training_data
from rnncls.evaluation.evaluator import compute_logits, evaluate
from rnncls.machine.device import has_amx
from rnncls.machine.files import load_tensors
from rnncls.machine.seeds import seed_everything
from rnncls.machine.threads import Workers
from rnncls.nn.classifier import TextClassifier
from rnncls.runs.folder import MODEL, STATE, RunFolder
from rnncls.runs.run import load_run, load_uncalibrated
from rnncls.runs.unfinished import find_unfinished
from rnncls.text.batching import ResidentTexts, assemble
from rnncls.text.vocab import PAD_ID, UNK_ID
from rnncls.training.classification import build_classifier_trainer
from rnncls.training.ema import WeightEMA
from rnncls.training.initialization import build_model
from rnncls.training.recording import SaveClock
from rnncls.training.run import train
from rnncls.training.saved_state import save_state
from rnncls.training.trainer import Trainer

MakeConfig = Callable[..., Config]


def start(config: Config, num_threads: int | None = None) -> Trainer[TextClassifier]:
    """Return a new trainer, by default with as many threads as torch has."""
    data = load_training_data(config)
    seed_everything(config.seed)
    model = build_model(config, data)
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
    # As on a GPU: the texts are on the device, and nothing waits to learn how many words
    # a batch has.
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
            resume=True,
            may_change=True,
        )
    for file in files:
        tensors, _ = load_tensors(file)
        assert all(tensor.isfinite().all() for tensor in tensors.values())
    summary = train(
        make_config("train.max_epochs=2", *own),
        Path("run"),
        resume=True,
        may_change=True,
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
    assert (
        "epoch 1: the gradient has exploded: its largest norm is 1e+06, the mean is 1e+05"
        in caplog.text
    )


@pytest.mark.parametrize("is_training", [False, True])
def test_evaluation_drops_nothing_and_keeps_no_gradient(
    make_config: MakeConfig, is_training: bool
) -> None:
    trainer = start(
        make_config("model.dropout=0.9", "model.word_dropout=0.9", "model.num_layers=2")
    )
    batch = assemble(trainer.data.train.texts, np.arange(20))
    expected = trainer.model(
        batch.token_ids, batch.lengths, is_ragged=batch.is_ragged
    ).detach()
    stream = torch.get_rng_state()
    trainer.model.train(is_training)
    logits = compute_logits(trainer.model, trainer.data.train.texts)
    torch.testing.assert_close(logits[:20], expected)
    assert not logits.requires_grad
    assert torch.is_grad_enabled()
    assert trainer.model.training == is_training
    assert torch.equal(torch.get_rng_state(), stream)


def test_two_threads_compute_the_logits_of_one_to_the_bit(
    make_config: MakeConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rnncls.evaluation.evaluator.BATCH_SIZE", 7)
    trainer = start(make_config())
    texts = trainer.data.train.texts
    logits = [
        compute_logits(trainer.model, texts, Workers(num_threads))
        for num_threads in (1, 2)
    ]
    assert torch.equal(logits[0], logits[1])


def test_evaluation_counts_each_text_once(make_config: MakeConfig) -> None:
    trainer = start(make_config())
    confusion, _ = evaluate(trainer.model, trainer.data.train)
    assert (
        confusion.sum(axis=1).tolist()
        == np.bincount(trainer.data.train.labels).tolist()
    )


def test_logits_come_in_the_order_of_the_texts(make_config: MakeConfig) -> None:
    trainer = start(make_config())
    texts = trainer.data.train.texts
    order = np.random.default_rng(0).permutation(len(texts))
    torch.testing.assert_close(
        compute_logits(trainer.model, texts.select(order)),
        compute_logits(trainer.model, texts)[order],
    )


def test_vectors_wider_than_the_embedding_are_refused(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("the " + " ".join(["0.5"] * 9) + "\n", encoding="utf-8")
    config = make_config(f"text.vectors={vectors}")
    with pytest.raises(
        ConfigError, match=r"9 columns, more than model\.embedding_dim: 8"
    ):
        build_model(config, load_training_data(config))


@pytest.mark.parametrize(
    "override", ["model.embedding_dim=1000000000000", f"model.hidden_size={10**30}"]
)
def test_a_network_larger_than_the_memory_is_refused(
    make_config: MakeConfig, override: str
) -> None:
    config = make_config(override)
    with pytest.raises(
        ConfigError,
        match=r"^model: the network cannot be built: its sizes are too large: ",
    ):
        build_model(config, load_training_data(config))


def test_vectors_start_the_embedding(make_config: MakeConfig, tmp_path: Path) -> None:
    vectors = tmp_path / "vectors.txt"
    vectors.write_text("the 1.5 2.5 3.5\n", encoding="utf-8")
    config = make_config(f"text.vectors={vectors}")
    data = load_training_data(config)
    model = build_model(config, data)
    assert model.embedding.weight[data.vocab.words.index("the"), :3].tolist() == [
        1.5,
        2.5,
        3.5,
    ]


def test_a_device_that_is_not_there_leaves_no_folder(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    with pytest.raises(DeviceError, match="cuda:7"):
        train(make_config("device=cuda:7"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_bfloat16_that_does_not_help_is_refused_by_name(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    with pytest.raises(ConfigError, match=r"train.precision: bfloat16 needs CUDA"):
        train(
            make_config("train.precision=bfloat16", "model.cell=gru", "device=cpu"),
            tmp_path / "run",
        )
    assert not (tmp_path / "run").exists()


@pytest.mark.skipif(not has_amx(), reason="needs a CPU with AMX")
def test_bfloat16_trains_about_as_well_as_float32(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    losses = {}
    for precision in ("float32", "bfloat16"):
        config = make_config(
            f"train.precision={precision}", "device=cpu", "model.num_layers=2"
        )
        losses[precision] = train(config, tmp_path / precision)["valid"]["loss"]
    assert losses["bfloat16"] != losses["float32"]
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05)


def test_an_existing_run_is_not_overwritten(
    make_config: MakeConfig, toy_run: Path
) -> None:
    before = RunFolder(toy_run).model.read_bytes()
    with pytest.raises(ConfigError, match="already exists"):
        train(make_config(), toy_run)
    assert RunFolder(toy_run).model.read_bytes() == before


def test_resuming_with_another_config_names_the_keys_that_differ(
    make_config: MakeConfig, toy_run: Path
) -> None:
    with pytest.raises(ConfigError, match=r"differs in seed, train\.lr"):
        train(make_config("train.lr=0.5", "seed=1"), toy_run, resume=True)


def test_resuming_with_other_data_is_refused(
    make_config: MakeConfig, toy_run: Path, toy_csv: Path
) -> None:
    text = toy_csv.read_text(encoding="utf-8")
    toy_csv.write_text(text.replace("meet", "met", 1), encoding="utf-8")
    with pytest.raises(RunError, match=r"the data differs in files\.train\.sha256"):
        train(make_config(), toy_run, resume=True)


def test_resuming_nothing_says_so(make_config: MakeConfig, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="nothing to resume"):
        train(make_config(), tmp_path / "absent", resume=True)


def test_resuming_a_finished_run_changes_nothing(
    make_config: MakeConfig, toy_run: Path
) -> None:
    names = (MODEL, "metrics.jsonl", STATE)
    before = {name: (toy_run / name).read_bytes() for name in names}
    train(make_config(), toy_run, resume=True)
    assert {name: (toy_run / name).read_bytes() for name in names} == before


def test_without_an_unfinished_run_there_is_nothing_to_find(
    make_config: MakeConfig,
) -> None:
    with pytest.raises(RunError, match="no unfinished run"):
        find_unfinished(make_config())


def test_the_newest_unfinished_run_of_the_same_config_is_found(
    make_config: MakeConfig,
) -> None:
    configs = {
        "old": make_config(),
        "new": make_config(),
        "other": make_config("seed=1"),
    }
    for name, config in configs.items():
        train(config, Path("runs") / name)
        RunFolder(Path("runs") / name).summary.unlink()
    assert find_unfinished(make_config()) == Path("runs/new")


def test_an_unfinished_run_from_before_a_key_existed_is_found(
    make_config: MakeConfig,
) -> None:
    for name in ("old", "damaged"):
        train(make_config(), Path("runs") / name)
        RunFolder(Path("runs") / name).summary.unlink()
    path = RunFolder(Path("runs/old")).config
    path.write_text(
        path.read_text(encoding="utf-8").replace("  mark_case: false\n", ""),
        encoding="utf-8",
    )
    RunFolder(Path("runs/damaged")).config.write_text("text: [", encoding="utf-8")
    assert find_unfinished(make_config()) == Path("runs/old")


def test_a_run_whose_best_weights_are_lost_is_not_resumed(
    make_config: MakeConfig, toy_run: Path
) -> None:
    RunFolder(toy_run).model.unlink()
    with pytest.raises(RunError, match=r"model\.safetensors: missing"):
        train(make_config(), toy_run, resume=True)


def test_a_run_can_be_resumed_from_its_very_first_moment(
    make_config: MakeConfig, toy_run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path("killed")
    with monkeypatch.context() as patch:
        patch.setattr(
            "rnncls.training.run.record_training",
            lambda *_: (_ for _ in ()).throw(KeyboardInterrupt),
        )
        with pytest.raises(KeyboardInterrupt):
            train(make_config(), path)
    train(make_config(), path, resume=True)
    assert RunFolder(path).model.read_bytes() == (RunFolder(toy_run).model).read_bytes()


def test_a_run_logs_events_for_tensorboard_where_asked(make_config: MakeConfig) -> None:
    pytest.importorskip("tensorboard", reason="extra tb")
    train(make_config("train.tensorboard=true", "train.max_epochs=1"), Path("run"))
    assert [
        path.name.startswith("events.out") for path in Path("run/events").iterdir()
    ] == [True]


def test_a_finished_run_that_is_gone_on_with_keeps_its_temperature_bit_for_bit(
    make_config: MakeConfig,
) -> None:
    config = make_config("train.max_epochs=1")
    first = train(config, Path("run"))["temperature"]
    before = Path("run/model.safetensors").read_bytes()
    assert train(config, Path("run"), resume=True)["temperature"] == first != 1
    assert Path("run/model.safetensors").read_bytes() == before


def test_the_temperature_makes_the_validation_rows_more_probable(
    make_config: MakeConfig,
) -> None:
    config = make_config("train.label_smoothing=0.3")
    train(config, Path("run"))
    data, losses = load_training_data(config), []
    for load in (load_run, load_uncalibrated):
        logits = compute_logits(load(Path("run")).classifier.model, data.valid.texts)
        losses.append(
            F.cross_entropy(logits, torch.from_numpy(data.valid.labels)).item()
        )
    assert losses[0] < losses[1]


def test_a_run_that_is_not_to_be_calibrated_has_the_temperature_one(
    make_config: MakeConfig,
) -> None:
    assert (
        train(make_config("train.calibrate=false", "train.max_epochs=1"), Path("run"))[
            "temperature"
        ]
        == 1.0
    )


def test_a_save_is_due_after_so_many_minutes_but_never_takes_over_a_fiftieth_of_the_time() -> (
    None
):
    assert SaveClock.spacing(10.0, save_s=0.5) == 600.0
    assert SaveClock.spacing(10.0, save_s=30.0) == 1500.0
    clock = SaveClock(1e-6)
    clock.saved_at -= 1.0
    assert clock.is_time
    with clock.saving():
        clock.save_s = 100.0
    assert not SaveClock(1.0).is_time
    assert clock.save_s < 1.0


def test_a_save_that_took_long_puts_the_next_one_off() -> None:
    clock = SaveClock(1e-6)
    clock.save_s = 1.0
    clock.saved_at -= 49.0
    assert not clock.is_time
    clock.saved_at -= 2.0
    assert clock.is_time
