"""The fit is scikit-learn's."""

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression

from rnncls.training.logistic_regression import LinearProblem, fit_path
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
        torch.nn.functional.one_hot(labels, 3).float(),
        weights,
    )
    models = list(fit_path(problem, [1.0, 1 / (2.0 * 200)], max_steps=100))
    expected = LogisticRegression(C=2.0, tol=1e-8, max_iter=1000)
    expected.fit(features.numpy(), labels.numpy(), weights.numpy())
    logits = models[1].compute_logits(problem.texts).softmax(dim=1).numpy()
    found = expected.predict_proba(features.numpy())
    assert np.abs(logits - found).max() < 0.01


def test_columns_can_share_parameters() -> None:
    features = torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, 1.0]])
    targets = torch.tensor([[1.0, 0.0]] * 4)
    shared = torch.tensor([[1.0], [1.0]])
    problem = LinearProblem(sparse(features), sparse(shared), targets, torch.ones(4))
    (model,) = fit_path(problem, [0.1], max_steps=50)
    assert torch.equal(model.weights[0], model.weights[1])
    assert model.weights[0, 0] > model.weights[0, 1]
