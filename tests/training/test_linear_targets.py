"""The targets of the n-gram part: classes, sets of labels and probabilities."""

import numpy as np
import pytest
import torch

from rnncls.config.sections import TrainSection
from rnncls.data.loading import TrainingData, load_training_data
from rnncls.runs.companions import load_run_config
from rnncls.training.distillation import add_distillation_targets
from rnncls.training.linear_targets import LabelTargets, build_targets
from tests.builders import train_label_sets

ALL_WEIGHTS = [None, torch.tensor([1.0, 3.0, 0.5])]


@pytest.mark.parametrize("weights", ALL_WEIGHTS)
@pytest.mark.parametrize("is_soft", [False, True])
def test_the_gradient_is_that_of_the_loss(
    weights: torch.Tensor | None, *, is_soft: bool
) -> None:
    generator = torch.Generator().manual_seed(0)
    probs = torch.rand(20, 3, generator=generator)
    labels = probs if is_soft else probs > 0.5
    logits = torch.randn(20, 3, generator=generator, requires_grad=True)
    loss, errors, probs = LabelTargets(labels, weights).compute_loss(logits)
    torch.testing.assert_close(probs, logits.sigmoid())
    (expected,) = torch.autograd.grad(loss, logits)
    torch.testing.assert_close(errors, expected)


def test_probabilities_that_are_certain_are_labels() -> None:
    generator = torch.Generator().manual_seed(1)
    labels = torch.rand(20, 3, generator=generator) > 0.7
    logits = torch.randn(20, 3, generator=generator)
    for weights in ALL_WEIGHTS:
        expected = LabelTargets(labels, weights)
        found = LabelTargets(labels.float(), weights)
        pairs = zip(
            found.compute_loss(logits), expected.compute_loss(logits), strict=True
        )
        assert all(torch.equal(*pair) for pair in pairs)
        assert torch.equal(found.start_bias(), expected.start_bias())


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[TrainSection, TrainingData]:
    """The section and the data of a student of a run with several labels a text."""
    run = train_label_sets(tmp_path_factory.mktemp("teacher"), "train.max_epochs=1")
    config = load_run_config(run)
    section = config.train.replace(teachers=[str(run)], teacher_weight=0.5)
    data = load_training_data(config.data_settings)
    device = torch.device("cpu")
    return section, add_distillation_targets(
        section, config.data_settings, data, device
    )


def test_ngrams_learn_what_the_teachers_say_of_several_labels(
    data: tuple[TrainSection, TrainingData],
) -> None:
    section, training_data = data
    rows = np.array([3, 0, 5])
    targets = build_targets(section, training_data, rows)
    assert training_data.targets is not None
    expected = training_data.targets[rows]
    assert targets.probs.tolist() == expected.tolist()
    # Half of each is the label: the rest is what the teacher says.
    labels = training_data.train.labels[rows]
    assert (np.abs(expected - labels) < 0.5).all()
    assert ((expected > 0) & (expected < 1)).all()
