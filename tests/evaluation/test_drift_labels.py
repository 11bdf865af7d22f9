"""Shares of labels in two samples."""

import numpy as np

from rnncls.evaluation.drift_labels import (
    NO_LABEL,
    LabelMatrices,
    LabelShift,
    build_true_labels,
)
from rnncls.evaluation.drift_sample import LabelSet


def test_the_largest_change_is_first() -> None:
    reference = np.array([[True, False], [True, False], [False, True], [True, False]])
    file = np.array([[False, True], [True, False]])
    shifts = LabelMatrices(["a", "b"], reference, file, 2).find_shifts()
    assert shifts == [LabelShift("a", 0.75, 0.5), LabelShift("b", 0.25, 0.5)]
    assert shifts[0].change == -0.25


def test_texts_without_a_label_have_a_column() -> None:
    matrix = np.array([[True, True], [False, False]])
    matrices = LabelMatrices(["a", "b"], matrix, ~matrix, 2).with_no_label()
    assert matrices.names == ["a", "b", NO_LABEL]
    assert matrices.reference[:, 2].tolist() == [False, True]
    assert matrices.file[:, 2].tolist() == [True, False]
    assert all(shift.is_known for shift in matrices.find_shifts())


def test_new_labels_follow_those_of_the_run() -> None:
    reference: list[LabelSet] = [("a",), ("b",)] * 5
    file: list[LabelSet] = [("a",), ("new",), None] * 5
    labels = build_true_labels(reference, file, ["a", "b"])
    assert labels is not None
    assert (labels.names, labels.num_known) == (["a", "b", "new"], 2)
    assert labels.reference.sum(axis=0).tolist() == [5, 5, 0]
    assert labels.file.sum(axis=0).tolist() == [5, 0, 5]
    shifts = {shift.label: shift.is_known for shift in labels.find_shifts()}
    assert shifts == {"a": True, "b": True, "new": False}


def test_a_sample_without_labels_is_not_compared() -> None:
    known: list[LabelSet] = [("a",)] * 20
    unknown: list[LabelSet] = [None] * 20
    assert build_true_labels(known, unknown, ["a", "b"]) is None
    assert build_true_labels(unknown, known, ["a", "b"]) is None
