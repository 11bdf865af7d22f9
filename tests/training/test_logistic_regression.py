"""The fit is scikit-learn's."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from rnncls.training.linear_problem import LinearProblem
from rnncls.training.linear_targets import ClassTargets, LabelTargets
from rnncls.training.logistic_regression import fit_path
from rnncls.training.sparse_matrix import SparseMatrix, build_sparse


def sparse(dense: torch.Tensor) -> SparseMatrix:
    rows, columns = dense.nonzero(as_tuple=True)
    return build_sparse(rows, columns, dense[rows, columns], *dense.shape)


def test_the_weights_are_those_of_scikit_learn() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(200, 6, generator=generator)
    labels = (features[:, :3] + torch.randn(200, 3, generator=generator)).argmax(1)
    weights = torch.rand(200, generator=generator) + 0.5
    weights = weights / weights.mean()
    problem = LinearProblem(
        sparse(features),
        sparse(torch.eye(6)),
        torch.ones(6, 3),
        ClassTargets(torch.nn.functional.one_hot(labels, 3).float(), weights),
    )
    penalties = [1.0, 1 / (2.0 * 200)]
    models = list(fit_path(problem, penalties, max_steps=100, min_decrease=1e-6))
    expected = LogisticRegression(C=2.0, tol=1e-8, max_iter=1000)
    expected.fit(features.numpy(), labels.numpy(), weights.numpy())
    logits = models[1].compute_logits(problem.texts).softmax(dim=1).numpy()
    found = expected.predict_proba(features.numpy())
    assert np.abs(logits - found).max() < 0.01


def test_columns_can_share_parameters() -> None:
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 0.0]])
    targets = torch.tensor([[1.0, 0.0]] * 3 + [[0.0, 1.0]])
    shared = torch.tensor([[1.0], [1.0]])
    problem = LinearProblem(
        sparse(features),
        sparse(shared),
        torch.ones(1, 2),
        ClassTargets(targets, torch.ones(4)),
    )
    (model,) = fit_path(problem, [0.1], max_steps=50, min_decrease=3e-6)
    assert torch.equal(model.weights[0], model.weights[1])
    assert model.weights[0, 0] > model.weights[0, 1]


@pytest.mark.parametrize("label_weight", [None, 3.0])
def test_the_weights_of_each_label_are_those_of_scikit_learn(
    label_weight: float | None,
) -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(300, 5, generator=generator)
    noise = torch.randn(300, 3, generator=generator)
    labels = features[:, :3] + noise > torch.tensor([0.0, 1.0, 2.0])
    weights = None if label_weight is None else torch.full((3,), label_weight)
    problem = LinearProblem(
        sparse(features),
        sparse(torch.eye(5)),
        torch.ones(5, 3),
        LabelTargets(labels, weights),
    )
    (model,) = fit_path(problem, [1 / (2.0 * 300)], max_steps=200, min_decrease=3e-6)
    probs = model.compute_logits(problem.texts).sigmoid().numpy()
    for index, is_true in enumerate(labels.T.numpy()):
        expected = LogisticRegression(
            C=2.0, tol=1e-8, max_iter=1000, class_weight={1: label_weight or 1.0}
        )
        expected.fit(features.numpy(), is_true)
        found = expected.predict_proba(features.numpy())[:, 1]
        assert np.abs(probs[:, index] - found).max() < 0.01


def test_without_features_each_label_has_its_share_of_the_texts() -> None:
    labels = torch.tensor([[True, False]] * 9 + [[False, False]])
    bias = LabelTargets(labels).start_bias()
    # (9 + 1) texts with the first label and (1 + 1) without.
    assert bias.exp().tolist() == pytest.approx([10 / 2, 1 / 11])


def test_scales_are_those_of_the_features() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.randn(50, 3, generator=generator)
    targets = torch.nn.functional.one_hot(features.argmax(1) % 2, 2).float()
    factors = torch.tensor([0.0, 0.5, 2.0])
    classes = ClassTargets(targets, torch.ones(50))
    identity = sparse(torch.eye(3))
    scales = factors[:, None].expand(3, 2)
    scaled = LinearProblem(sparse(features), identity, scales, classes)
    same = LinearProblem(
        sparse(features * factors), identity, torch.ones(3, 2), classes
    )
    (found,) = fit_path(scaled, [0.1], max_steps=100, min_decrease=3e-6)
    (expected,) = fit_path(same, [0.1], max_steps=100, min_decrease=3e-6)
    assert torch.equal(found.weights[0], torch.zeros(2))
    assert torch.allclose(
        found.compute_logits(scaled.texts),
        expected.compute_logits(same.texts),
        atol=1e-3,
    )
