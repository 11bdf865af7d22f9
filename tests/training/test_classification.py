"""The task of a classifier: its targets, its weights, its noise and its scores."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from rnncls import ConfigError
from rnncls.config.loading import parse_config
from rnncls.config.sections import Config
from rnncls.data.loading import TrainingData, load_training_data
from rnncls.evaluation.evaluator import compute_logits
from rnncls.machine.processes import init_process_group
from rnncls.machine.threads import Workers, start_workers
from rnncls.nn.classifier import TextClassifier
from rnncls.text.batching import Batch, assemble, unique_words
from rnncls.text.vocab import PAD_ID
from rnncls.training.classification import (
    ClassificationTask,
    build_classifier_trainer,
    build_fresh_trainer,
)
from rnncls.training.initialization import build_model
from rnncls.training.step_data import LossSums, StepInputs
from rnncls.training.trainer import Trainer
from tests.nn.builders import seeded

MakeConfig = Callable[..., Config]
ROWS = np.array([3, 0, 8, 5])


def build_task(config: Config, data: TrainingData | None = None) -> ClassificationTask:
    """Return the task of a new model, on the toy file by default."""
    data = data or load_training_data(config.data_settings)
    torch.manual_seed(0)
    model = build_model(config.model, config.text.vectors, data)
    processes = init_process_group()
    return ClassificationTask(config.train, model, data, Workers(1), processes)


def build_label_trainer(folder: Path) -> Trainer[TextClassifier]:
    """Return a trainer of three labels a text, whose epoch is one step."""
    names = ["a", "b", "c"]
    rows = [f"word {number},{';'.join(names[: number % 4])}" for number in range(40)]
    path = folder / "labels.csv"
    path.write_text("\n".join(["text,labels", *rows]))
    config = parse_config(
        f"data: {{train: {path}, text: [text], label: labels, label_separator: ;}}\n"
        "model: {task: several_labels, embedding_dim: 4, hidden_size: 4, dropout: 0,"
        " word_dropout: 0}\n"
        "train: {max_epochs: 1, batch_size: 64, monitor: micro_f1,"
        " label_smoothing: 0}",
        "labels.yaml",
    )
    data = load_training_data(config.data_settings)
    device = torch.device("cpu")
    return build_fresh_trainer(config.model, config.train, None, 1, device, data)


def build_batch(task: ClassificationTask) -> Batch:
    return assemble(task.data.train.texts, ROWS)


def sum_losses(task: ClassificationTask, epoch: int = 0) -> LossSums:
    """Return the task's loss of the texts in `ROWS`."""
    batch = build_batch(task)
    word_ids, word_rows = unique_words(batch.token_ids, len(task.data.vocab))
    vectors = task.model.embedding.weight.detach()[word_ids].requires_grad_()
    noise = task.sample_noise(batch, seeded(1))
    inputs = StepInputs(batch, word_ids, word_rows, vectors, noise, len(ROWS), epoch)
    return task.compute_loss(inputs)


def compute_batch_logits(task: ClassificationTask) -> torch.Tensor:
    batch = build_batch(task)
    logits: torch.Tensor = task.model(
        batch.token_ids, batch.lengths, is_ragged=batch.is_ragged
    )
    return logits  # [B, C]


PLAIN = "model.dropout=0.0", "train.label_smoothing=0.0"


def test_the_loss_and_the_correct_texts_are_summed_over_the_rows_of_the_batch(
    make_config: MakeConfig,
) -> None:
    task = build_task(make_config(*PLAIN))
    labels = torch.from_numpy(task.data.train.labels[ROWS])
    logits = compute_batch_logits(task)
    found = sum_losses(task)
    expected = F.cross_entropy(logits, labels, reduction="sum")
    torch.testing.assert_close(found.loss, expected)
    # The bias makes all predictions the same, so that the labels decide how many are
    # correct.
    for label in (0, 1):
        with torch.no_grad():
            task.model.linear.bias.copy_(F.one_hot(torch.tensor(label), 2) * 100.0)
        assert sum_losses(task).num_correct == (labels == label).sum()


def test_the_first_epochs_are_without_adversarial_training(
    make_config: MakeConfig,
) -> None:
    plain = sum_losses(build_task(make_config(*PLAIN)))
    always = sum_losses(build_task(make_config(*PLAIN, "train.adversarial=0.5")))
    changes = ["train.adversarial=0.5", "train.adversarial_delay=2"]
    task = build_task(make_config(*PLAIN, *changes))
    for epoch in range(4):
        expected = plain if epoch < 2 else always
        torch.testing.assert_close(
            sum_losses(task, epoch).loss, expected.loss, rtol=0, atol=0
        )
    assert always.loss > plain.loss


def test_soft_targets_take_the_place_of_the_labels_in_the_loss_only(
    make_config: MakeConfig,
) -> None:
    config = make_config(*PLAIN)
    data = load_training_data(config.data_settings)
    probs = np.random.default_rng(0).random(len(data.train.labels), dtype=np.float32)
    targets = np.stack([probs, 1 - probs], axis=1)
    hard, soft = build_task(config), build_task(config, replace(data, targets=targets))
    expected = F.cross_entropy(
        compute_batch_logits(soft), torch.from_numpy(targets[ROWS]), reduction="sum"
    )
    found = sum_losses(soft)
    torch.testing.assert_close(found.loss, expected)
    assert found.num_correct == sum_losses(hard).num_correct


def test_class_weights_weight_the_texts_of_their_class(make_config: MakeConfig) -> None:
    plain = build_task(make_config(*PLAIN))
    weighted = build_task(make_config(*PLAIN, "train.class_weights=[1, 3]"))
    labels = torch.from_numpy(weighted.data.train.labels)
    assert plain.row_weights is None
    assert weighted.row_weights is not None
    weights_by_class = [weighted.row_weights[labels == label] for label in (0, 1)]
    first, second = (weights[0].item() for weights in weights_by_class)
    assert second == pytest.approx(3 * first)
    assert all(weights.eq(weights[0]).all() for weights in weights_by_class)
    losses = F.cross_entropy(
        compute_batch_logits(weighted), labels[ROWS], reduction="none"
    )
    expected = (losses * weighted.row_weights[ROWS]).sum()
    torch.testing.assert_close(sum_losses(weighted).loss, expected)


def test_the_forward_pass_computes_in_the_precision_of_the_task(
    make_config: MakeConfig,
) -> None:
    task = build_task(make_config(*PLAIN, "model.cell=lstm"))
    exact = sum_losses(task).loss
    assert task.dtype is torch.float32
    task.dtype = torch.bfloat16
    coarse = sum_losses(task).loss
    assert coarse.dtype is torch.float32
    assert coarse != exact
    torch.testing.assert_close(coarse, exact, rtol=0.02, atol=0.0)


def test_a_precision_that_the_cell_does_not_have_is_refused(
    make_config: MakeConfig,
) -> None:
    config = make_config("model.cell=gru", "train.precision=bfloat16")
    with pytest.raises(ConfigError, match=r"train\.precision.* cell gru"):
        build_task(config)


@pytest.mark.parametrize("sampling", ["uniform", "balanced"])
def test_only_balanced_sampling_looks_at_the_labels(
    make_config: MakeConfig, sampling: str
) -> None:
    task = build_task(make_config(f"train.sampling={sampling}"))
    if sampling == "balanced":
        assert task.balanced_labels is task.data.train.labels
    else:
        assert task.balanced_labels is None


def test_a_plain_step_draws_dropout_masks_only(make_config: MakeConfig) -> None:
    task = build_task(make_config("model.dropout=0.5"))
    noise = task.sample_noise(build_batch(task), seeded(1))
    expected = task.model.sample_dropout(len(ROWS), seeded(1))
    assert torch.equal(noise.dropout.last, expected.last)
    assert noise.second_dropout is None
    assert noise.vat_direction is None


def test_r_drop_draws_a_second_dropout_mask(make_config: MakeConfig) -> None:
    task = build_task(make_config("model.dropout=0.5", "train.r_drop=1.0"))
    noise = task.sample_noise(build_batch(task), seeded(1))
    assert noise.second_dropout is not None
    assert noise.second_dropout.last.shape == noise.dropout.last.shape
    assert not torch.equal(noise.second_dropout.last, noise.dropout.last)


def test_virtual_adversarial_training_draws_a_direction_without_padding(
    make_config: MakeConfig,
) -> None:
    task = build_task(make_config("train.virtual_adversarial=1.0"))
    batch = build_batch(task)
    direction = task.sample_noise(batch, seeded(1)).vat_direction  # [T, B, E]
    assert direction is not None
    assert direction.shape == (*batch.token_ids.t().shape, 8)
    is_padding = batch.token_ids.t() == PAD_ID  # [T, B]
    assert is_padding.any()
    assert not direction[is_padding].any()
    assert direction[~is_padding].all()
    again = task.sample_noise(batch, seeded(1)).vat_direction
    other = task.sample_noise(batch, seeded(2)).vat_direction
    assert again is not None
    assert other is not None
    assert torch.equal(again, direction)
    assert not torch.equal(other, direction)
    assert torch.isfinite(sum_losses(task).loss)


def test_texts_of_one_length_have_a_direction_at_every_token(
    make_config: MakeConfig,
) -> None:
    task = build_task(make_config("train.virtual_adversarial=1.0"))
    batch = assemble(task.data.train.texts, np.array([0]))
    direction = task.sample_noise(batch, seeded(1)).vat_direction
    assert direction is not None
    assert direction.shape == (batch.token_ids.shape[1], 1, 8)
    assert direction.all()


@pytest.mark.parametrize("perturbation", ["absolute", "relative"])
def test_the_sum_of_several_words_may_change_as_much_as_the_words(
    make_config: MakeConfig, perturbation: str
) -> None:
    vectors = torch.randn(9, 8, generator=seeded(0))  # [R, E]
    scales = [
        build_task(
            make_config(
                f"train.perturbation={perturbation}", f"model.tokens_per_step={size}"
            )
        )._measure_columns(vectors)
        for size in (1, 4)
    ]
    expected = vectors.std(dim=0, correction=0)  # [E]
    if perturbation == "absolute":
        expected = torch.ones(())
    torch.testing.assert_close(scales, [expected, 2 * expected])


def test_each_text_has_one_loss(make_config: MakeConfig) -> None:
    assert build_task(make_config()).count_targets(ROWS) == 4


def test_the_training_loss_of_several_labels_is_the_mean_over_them(
    tmp_path: Path,
) -> None:
    trainer = build_label_trainer(tmp_path)
    labels = torch.from_numpy(trainer.data.train.labels)
    logits = compute_logits(trainer.model, trainer.data.train.texts)
    (step,) = list(trainer.steps())
    expected = F.binary_cross_entropy_with_logits(logits, labels.float()).item()
    assert step.loss.item() == pytest.approx(expected, rel=1e-5)
    assert step.validation is not None
    assert step.validation["train_loss"] == pytest.approx(expected, rel=1e-5)


def test_the_scores_are_those_of_the_validation_rows(make_config: MakeConfig) -> None:
    task = build_task(make_config())
    valid = task.data.valid
    labels = torch.from_numpy(valid.labels)
    logits = compute_logits(task.model, valid.texts)
    scores = task.evaluate(task.model)
    assert list(scores) == ["accuracy", "macro_f1", "loss"]
    is_correct = logits.argmax(dim=1) == labels
    assert scores["accuracy"] == pytest.approx(is_correct.double().mean().item())
    loss = F.cross_entropy(logits, labels).item()
    assert scores["loss"] == pytest.approx(loss, rel=1e-5)
    with torch.no_grad():  # all are predicted as class 0
        nn.init.zeros_(task.model.linear.weight)
        task.model.linear.bias.copy_(torch.tensor([1.0, 0.0]))
    scores = task.evaluate(task.model)
    share = (labels == 0).double().mean().item()
    assert scores["accuracy"] == pytest.approx(share)
    assert scores["macro_f1"] == pytest.approx(share / (1 + share))


def test_a_trainer_takes_the_given_threads_and_processes(
    make_config: MakeConfig,
) -> None:
    task = build_task(make_config())
    workers, processes = Workers(2), init_process_group()
    trainer = build_classifier_trainer(
        task.section, task.model, task.data, 7, workers=workers, processes=processes
    )
    assert trainer.workers is workers
    assert trainer.processes is processes
    assert trainer.seed == 7
    assert trainer.model is task.model


def test_a_trainer_has_the_threads_of_the_device_by_default(
    make_config: MakeConfig,
) -> None:
    task = build_task(make_config())
    trainer = build_classifier_trainer(task.section, task.model, task.data, 7)
    assert trainer.workers is start_workers(torch.device("cpu"))
    assert trainer.processes.is_main


def build_fresh(config: Config, seed: int = 0) -> Trainer[TextClassifier]:
    data = load_training_data(config.data_settings)
    device = torch.device("cpu")
    vectors = config.text.vectors
    return build_fresh_trainer(config.model, config.train, vectors, seed, device, data)


def test_first_weights_are_a_function_of_the_seed(make_config: MakeConfig) -> None:
    config = make_config()
    first = build_fresh(config).model.state_dict()
    torch.rand(9)
    again = build_fresh(config).model.state_dict()
    torch.testing.assert_close(again, first, rtol=0.0, atol=0.0)
    other = build_fresh(config, seed=1)
    assert other.seed == 1
    assert not torch.equal(
        other.model.state_dict()["linear.weight"], first["linear.weight"]
    )


def test_class_weights_that_do_not_fit_the_data_are_refused(
    make_config: MakeConfig,
) -> None:
    with pytest.raises(ConfigError, match="class_weights"):
        build_fresh(make_config("train.class_weights=[1, 2, 3]"))
