"""The fit reaches the minimum of the loss with the penalty."""

import pytest
import torch

from rnncls.training.conjugate_gradient import Descent, Line, Point, minimize
from rnncls.training.linear_problem import LinearProblem
from rnncls.training.linear_targets import ClassTargets, LabelTargets, Targets
from rnncls.training.sparse_matrix import SparseMatrix, build_sparse

PENALTY = 0.01


def sparse(dense: torch.Tensor) -> SparseMatrix:
    rows, columns = dense.nonzero(as_tuple=True)
    return build_sparse(rows, columns, dense[rows, columns], *dense.shape)


def draw(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


def build_problem(targets: Targets) -> LinearProblem:
    """Return a problem of 60 texts, 5 columns and 3 classes or labels."""
    scales = draw(4, 3).abs() + 0.5
    return LinearProblem(sparse(draw(60, 5)), sparse(draw(5, 4)), scales, targets)


CLASSES = ClassTargets(draw(60, 3).softmax(dim=1), draw(60).abs() + 0.1)
LABEL_WEIGHTS = torch.tensor([1.0, 2.0, 3.0])
LABELS = LabelTargets(draw(60, 3) > 0.5, LABEL_WEIGHTS)
SOFT_LABELS = LabelTargets(draw(60, 3).sigmoid(), LABEL_WEIGHTS)
ALL_TARGETS = [CLASSES, LABELS, SOFT_LABELS]


def start(problem: LinearProblem) -> Point:
    parameters = problem.start()
    return Point(parameters, problem.compute_logits(parameters))


def compute_gradient(
    problem: LinearProblem, parameters: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss with the penalty, and its gradient, by automatic derivation."""
    leaf = parameters.clone().requires_grad_()
    weights = problem.scales * leaf[:-1]
    dense = problem.texts.multiply(torch.eye(5)) @ problem.expand.multiply(torch.eye(4))
    bias = problem.build_model(parameters).bias / parameters[-1] * leaf[-1]
    logits = dense @ weights + bias
    targets = problem.targets
    if isinstance(targets, ClassTargets):
        losses = torch.nn.functional.cross_entropy(
            logits, targets.probs, reduction="none"
        )
        loss = (losses * targets.row_weights).mean()
    else:
        loss = torch.nn.functional.binary_cross_entropy_with_logits(
            logits, targets.probs, pos_weight=targets.label_weights, reduction="sum"
        )
        loss = loss / len(logits)
    loss = loss + PENALTY / 2 * leaf[:-1].square().sum()
    (gradient,) = torch.autograd.grad(loss, leaf)
    return loss.detach(), gradient


@pytest.mark.parametrize("targets", ALL_TARGETS)
def test_loss_and_gradient_are_those_of_automatic_derivation(targets: Targets) -> None:
    problem = build_problem(targets)
    parameters = draw(5, 3)
    point = Point(parameters, problem.compute_logits(parameters))
    descent = Descent(problem, PENALTY, point)
    loss, gradient = compute_gradient(problem, parameters)
    assert descent.loss == pytest.approx(loss.item(), rel=1e-5)
    assert torch.allclose(descent.gradient, gradient, atol=1e-5)


@pytest.mark.parametrize("targets", ALL_TARGETS)
def test_slope_and_curvature_of_a_line_are_differences_of_its_losses(
    targets: Targets,
) -> None:
    problem = build_problem(targets)
    parameters, changes = draw(5, 3), draw(3, 5).T
    point = Point(parameters, problem.compute_logits(parameters))
    direction = Point(changes, problem.compute_logits(changes))
    probs = targets.compute_loss(point.logits).probs
    line = Line(targets, PENALTY, point, probs, direction)
    before, here, after = (line.evaluate(size) for size in (-0.05, 0.0, 0.05))
    assert here.slope == pytest.approx((after.loss - before.loss) / 0.1, rel=0.01)
    slope_change = (after.slope - before.slope) / 0.1
    assert line.compute_curvature() == pytest.approx(slope_change, rel=0.02)
    moved = Point(parameters + 0.05 * changes, problem.compute_logits(parameters))
    moved.logits = point.logits + 0.05 * direction.logits
    assert after.loss == pytest.approx(Descent(problem, PENALTY, moved).loss, rel=1e-5)


@pytest.mark.parametrize("targets", ALL_TARGETS)
def test_the_gradient_at_the_end_is_zero(targets: Targets) -> None:
    problem = build_problem(targets)
    point = start(problem)
    before = Descent(problem, PENALTY, point).gradient.norm()
    minimize(problem, PENALTY, point, None, max_steps=100, min_decrease=1e-6)
    _, gradient = compute_gradient(problem, point.parameters)
    assert gradient.norm() < 0.02 * before
    assert torch.allclose(
        point.logits, problem.compute_logits(point.parameters), atol=1e-4
    )


def test_a_direction_along_which_the_loss_rises_is_not_followed() -> None:
    problem = build_problem(CLASSES)
    point = start(problem)
    descent = Descent(problem, PENALTY, point)
    uphill = Point(descent.gradient, problem.compute_logits(descent.gradient))
    parameters = point.parameters.clone()
    assert descent.follow(uphill) == 0
    assert torch.equal(point.parameters, parameters)


@pytest.mark.parametrize("length", [1e-4, 1.0, 1e4])
def test_the_length_of_a_direction_does_not_matter(length: float) -> None:
    problem = build_problem(CLASSES)
    point = start(problem)
    descent = Descent(problem, PENALTY, point)
    changes = -length * descent.gradient
    decrease = descent.follow(Point(changes, problem.compute_logits(changes)))
    other = Descent(problem, PENALTY, start(problem))
    assert decrease == pytest.approx(other.follow(other.start_direction()), rel=1e-3)
    assert decrease > 0


def test_a_line_search_ends_where_newtons_first_step_is_far_too_long() -> None:
    # At logits of 20 and -20 nearly all texts are certain: the curvature is tiny.
    problem = LinearProblem(
        sparse(torch.tensor([[1.0], [1.0], [1.0]])),
        sparse(torch.ones(1, 1)),
        torch.ones(1, 2),
        ClassTargets(torch.tensor([[1.0, 0.0]] + [[0.0, 1.0]] * 2), torch.ones(3)),
    )
    parameters = torch.tensor([[20.0, -20.0], [0.0, 0.0]])
    point = Point(parameters, problem.compute_logits(parameters))
    minimize(problem, 1e-9, point, None, max_steps=50, min_decrease=3e-6)
    probs = point.logits.softmax(dim=1)
    assert probs[0].tolist() == pytest.approx([1 / 3, 2 / 3], abs=0.05)
