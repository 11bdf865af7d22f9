"""The weight of each class: balanced, given by position or name, and refused."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from sklearn.utils.class_weight import compute_class_weight

from rnncls import ConfigError
from rnncls.config.sections import TrainSection
from rnncls.training.class_weights import compute_class_weights

MANY = np.repeat([0, 1, 2], [70, 25, 5])


def section(**values: Any) -> TrainSection:
    return TrainSection.model_validate(values)


def list_weights(wanted: TrainSection, labels: npt.NDArray[np.int64]) -> list[float]:
    found = compute_class_weights(wanted, labels, ["a", "b", "c"])
    assert found is not None
    return found.tolist()


def test_balanced_weights_are_those_of_scikit_learn() -> None:
    expected = compute_class_weight("balanced", classes=np.arange(3), y=MANY)
    assert list_weights(section(class_weights="balanced"), MANY) == pytest.approx(
        expected.tolist()
    )


def test_no_weights_are_none() -> None:
    assert compute_class_weights(section(), MANY, ["a", "b", "c"]) is None


def test_own_weights_keep_their_ratios_and_weigh_one_in_the_mean() -> None:
    # 0.70 * 1 + 0.25 * 2 + 0.05 * 10 = 1.7
    assert list_weights(section(class_weights=[1, 2, 10]), MANY) == pytest.approx(
        [1 / 1.7, 2 / 1.7, 10 / 1.7]
    )


def test_own_weights_weigh_one_in_the_mean_of_a_balanced_epoch_too() -> None:
    # (1 + 2 + 9) / 3 = 4
    found = list_weights(section(class_weights=[1, 2, 9], sampling="balanced"), MANY)
    assert found == pytest.approx([0.25, 0.5, 2.25])


def test_a_class_without_a_training_row_does_no_harm() -> None:
    found = list_weights(section(class_weights="balanced"), np.array([0, 0, 1]))
    assert found[:2] == pytest.approx([0.75, 1.5])
    assert math.isfinite(found[2])


def test_there_must_be_a_weight_for_each_class() -> None:
    with pytest.raises(
        ConfigError,
        match=(
            r"class_weights: found 2 for 3 classes: expected one for each of a, b,"
            r" c, in"
        ),
    ):
        compute_class_weights(section(class_weights=[1, 2]), MANY, ["a", "b", "c"])


def test_class_weights_can_be_given_by_name() -> None:
    by_name = list_weights(section(class_weights={"c": 10, "b": 2}), MANY)
    assert by_name == list_weights(section(class_weights=[1, 2, 10]), MANY)


def test_a_weight_of_an_unknown_class_is_reported_with_the_nearest_class() -> None:
    named = section(class_weights={"biling": 2})
    with pytest.raises(
        ConfigError, match=r"no class is named 'biling'.*did you mean 'billing'\?$"
    ):
        compute_class_weights(named, MANY, ["a", "b", "billing"])


def test_an_unknown_class_is_reported_with_twenty_classes_at_most() -> None:
    names = [f"class {index}" for index in range(22)]
    weights = section(class_weights={"other": 2.0})
    with pytest.raises(ConfigError, match=r"'class 18', 'class 19' and 2 more"):
        compute_class_weights(weights, np.zeros(1, np.int64), names)
