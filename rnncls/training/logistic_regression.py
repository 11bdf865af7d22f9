"""Logistic regression on sparse features, fitted by L-BFGS.

It is multinomial if each text has one class, and binary for each label if a text may
have several.

The weights of the columns are `expand @ (scales * parameters)`: several columns may
share parameters, as words share those of the characters they are made of, and a
parameter with a large scale is penalised less. The loss is convex, so the result does
not depend on the start, and each fit starts from the last one.

Shapes: N texts, K columns, P rows of parameters, C classes.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from rnncls.training.linear_targets import Targets
from rnncls.training.sparse_matrix import SparseMatrix

_HISTORY_SIZE = 10
_MIN_CHANGE = 1e-6
"""The fit stops if a step changes the loss or the parameters by less."""
_MIN_GRADIENT = 1e-9
"""The fit stops if no gradient is larger. Gradients of single parameters are tiny."""


@dataclass(frozen=True)
class LinearProblem:
    """What to fit.

    Attributes:
        texts: [N, K], the features of the training texts.
        expand: [K, P].
        scales: [P, C] float32, the factor of each parameter.
        targets: The N classes or sets of labels, and the loss.
    """

    texts: SparseMatrix
    expand: SparseMatrix
    scales: torch.Tensor
    targets: Targets

    def compute_weights(self, parameters: torch.Tensor) -> torch.Tensor:
        """Return the weights of the columns. [P, C] -> [K, C]."""
        return self.expand.multiply(self.scales * parameters)


@dataclass(frozen=True)
class LinearModel:
    """A fitted model; the logits are `features @ weights + bias`.

    Attributes:
        weights: [K, C] float32.
        bias: [C] float32.
    """

    weights: torch.Tensor
    bias: torch.Tensor

    def compute_logits(self, texts: SparseMatrix) -> torch.Tensor:
        """Return the logits of texts. [N, K] -> [N, C]."""
        return texts.multiply(self.weights) + self.bias


def fit_path(
    problem: LinearProblem, penalties: Sequence[float], max_steps: int
) -> Iterator[LinearModel]:
    """Yield the model for each penalty, the largest first.

    Args:
        problem: What to fit.
        penalties: Each is the factor of half the sum of the squared parameters, which
            is added to the mean loss.
        max_steps: The largest number of steps for each penalty.
    """
    bias = problem.targets.start_bias()  # [C]
    parameters = bias.new_zeros(problem.expand.num_columns, len(bias))  # [P, C]
    for penalty in penalties:
        _minimize(problem, parameters, bias, penalty, max_steps)
        yield LinearModel(problem.compute_weights(parameters), bias.clone())


def _minimize(
    problem: LinearProblem,
    parameters: torch.Tensor,
    bias: torch.Tensor,
    penalty: float,
    max_steps: int,
) -> None:
    """Change the parameters, [P, C], and the bias, [C], to those of the least loss."""
    optimizer = torch.optim.LBFGS(
        [parameters, bias],
        max_iter=max_steps,
        history_size=_HISTORY_SIZE,
        tolerance_grad=_MIN_GRADIENT,
        tolerance_change=_MIN_CHANGE,
        line_search_fn="strong_wolfe",
    )

    def compute_loss() -> float:
        """Set the gradients, and return the loss."""
        loss, gradient, bias_gradient = _compute_gradients(problem, parameters, bias)
        parameters.grad = gradient + penalty * parameters
        bias.grad = bias_gradient
        sum_of_squares = parameters.square().sum().item()
        return loss + penalty / 2 * sum_of_squares

    take_steps: Callable[[Callable[[], float]], Any] = optimizer.step
    take_steps(compute_loss)


def _compute_gradients(
    problem: LinearProblem, parameters: torch.Tensor, bias: torch.Tensor
) -> tuple[float, torch.Tensor, torch.Tensor]:
    """Return the mean loss without the penalty, and its gradients.

    Args:
        problem: What to fit.
        parameters: [P, C].
        bias: [C].

    Returns:
        The loss, and gradients like the parameters and the bias.
    """
    weights = problem.compute_weights(parameters)  # [K, C]
    logits = problem.texts.multiply(weights) + bias  # [N, C]
    loss, errors = problem.targets.compute_loss(logits)  # [], [N, C]
    weight_gradient = problem.texts.transposed.multiply(errors)  # [K, C]
    gradient = problem.expand.transposed.multiply(weight_gradient)  # [P, C]
    gradient = problem.scales * gradient
    return loss.item(), gradient, errors.sum(dim=0)
