"""Nonlinear conjugate gradients for a linear model with a quadratic penalty.

The logits are linear in the parameters. Once the logits of a direction are known, the
search for the minimum along it needs no product with the features, so it can be exact.
Then two gradients are enough for the next direction (Hestenes and Stiefel 1952; Nocedal
and Wright 2006, section 5.2). L-BFGS needs as many steps, and keeps ten gradients and
ten steps: with many classes, reading them takes longer than the products.

Shapes: N texts, P rows of parameters, C classes.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch

from rnncls.training.linear_problem import LinearProblem
from rnncls.training.linear_targets import LossAtLogits, Targets

_MAX_SLOPE = 0.1
"""A line search ends where the slope is at most this part of the slope at its start."""
_MAX_TRIALS = 10
"""A line search ends after so many trials."""
_MIN_GROWTH, _MAX_GROWTH = 1.2, 10.0
"""Until a line search has an upper limit of the step, each trial is at least and at
most so many times as long as the last one."""
_MAX_CHANGE = 20.0
"""The first trial of a line search changes no logit by more: where all texts are
certain, the curvature is near 0, and a step of Newton's method would be too long."""
_TINY = 1e-20
"""In place of a divisor that is 0."""
_MIN_SHARE = 0.1
"""Each trial is at least this share of the interval away from both of its ends."""


@dataclass
class Point:
    """Parameters with their logits, or a direction: a difference of two points.

    Attributes:
        parameters: [P + 1, C] float32; the last row is that of the bias.
        logits: [N, C] float32, of the training texts.
    """

    parameters: torch.Tensor
    logits: torch.Tensor

    def copy(self) -> "Point":
        """Return a copy, which does not change with this point."""
        return Point(self.parameters.clone(), self.logits.clone())

    def minus(self, other: "Point") -> "Point":
        """Return the direction from another point to this one."""
        parameters = self.parameters - other.parameters  # [P + 1, C]
        return Point(parameters, self.logits - other.logits)

    def move(self, direction: "Point", size: float) -> None:
        """Add a multiple of a direction."""
        self.parameters.add_(direction.parameters, alpha=size)
        self.logits.add_(direction.logits, alpha=size)


class Trial(NamedTuple):
    """A point on a line.

    Attributes:
        size: How often the direction is added to the start of the line.
        loss: The mean loss with the penalty.
        slope: Its derivative by `size`.
        at_logits: The mean loss without the penalty, and its gradient at the logits.
    """

    size: float
    loss: float
    slope: float
    at_logits: LossAtLogits


class Line:
    """The loss with the penalty on a line, a convex function of the step's size."""

    def __init__(
        self,
        targets: Targets,
        penalty: float,
        start: Point,
        start_probs: torch.Tensor,
        direction: Point,
    ) -> None:
        """Compute what all points on the line need.

        Args:
            targets: What is fitted.
            penalty: The factor of half the sum of the squared parameters.
            start: Where the line begins.
            start_probs: [N, C], the probabilities that are predicted there.
            direction: Where it goes.
        """
        weights, changes = start.parameters[:-1], direction.parameters[:-1]  # [P, C]
        self._targets = targets
        self._start_logits = start.logits
        self._start_probs = start_probs
        self._logits = direction.logits
        self._offset = penalty * dot(weights, weights)
        self._slope = penalty * dot(weights, changes)
        self._curvature = penalty * dot(changes, changes)

    def evaluate(self, size: float) -> Trial:
        """Return a point on the line."""
        logits = torch.add(self._start_logits, self._logits, alpha=size)  # [N, C]
        at_logits = self._targets.compute_loss(logits)
        slope = self._slope + size * self._curvature
        added = self._offset + size * (self._slope + slope)
        total_slope = dot(at_logits.errors, self._logits) + slope
        loss = at_logits.mean.item() + added / 2
        return Trial(size, loss, total_slope, at_logits)

    def guess_size(self, slope: float) -> float:
        """Return the step of Newton's method, limited by the change of the logits.

        Args:
            slope: The slope at the start of the line, negative.
        """
        curvature = self.compute_curvature()
        largest_change = self._logits.abs().max().item()
        # Both are 0 only for a direction without an effect.
        limit = _MAX_CHANGE / max(largest_change, _TINY)
        return min(-slope / max(curvature, _TINY), limit)

    def compute_curvature(self) -> float:
        """Return the second derivative at the start of the line."""
        curvature = self._targets.compute_curvature(self._start_probs, self._logits)
        return curvature.item() + self._curvature


class Descent:
    """The state of a fit: a point, its loss, and the gradient there."""

    def __init__(self, problem: LinearProblem, penalty: float, point: Point) -> None:
        """Start at a point; it is moved."""
        self.problem = problem
        self.penalty = penalty
        self.point = point
        at_logits = problem.targets.compute_loss(point.logits)
        weights = point.parameters[:-1]  # [P, C]
        self.loss = at_logits.mean.item() + penalty / 2 * dot(weights, weights)
        self.probs = at_logits.probs  # [N, C]
        self.gradient = self._compute_gradient(at_logits)  # [P + 1, C]

    def _compute_gradient(self, at_logits: LossAtLogits) -> torch.Tensor:
        """Return the gradient of the loss with the penalty. [P + 1, C]."""
        gradient = self.problem.compute_gradient(at_logits.errors)  # [P + 1, C]
        gradient[:-1].add_(self.point.parameters[:-1], alpha=self.penalty)
        return gradient

    def follow(self, direction: Point) -> float:
        """Move to the minimum along a direction, if the loss falls along it.

        Returns:
            By how much the loss fell.
        """
        slope = dot(self.gradient, direction.parameters)
        if slope >= 0:
            return 0.0
        line = Line(
            self.problem.targets, self.penalty, self.point, self.probs, direction
        )
        trial = _search(line, self.loss, slope)
        if trial.loss > self.loss:  # no lower within the rounding errors
            return 0.0
        self.point.move(direction, trial.size)
        self.probs = trial.at_logits.probs
        self.gradient = self._compute_gradient(trial.at_logits)
        decrease = self.loss - trial.loss
        self.loss = trial.loss
        return decrease

    def start_direction(self) -> Point:
        """Return the direction in which the loss falls fastest."""
        parameters = -self.gradient  # [P + 1, C]
        return Point(parameters, self.problem.compute_logits(parameters))

    def turn(self, direction: Point, last_gradient: torch.Tensor) -> Point:
        """Return the next direction.

        Args:
            direction: The last one; it is overwritten.
            last_gradient: [P + 1, C], the gradient before it was followed.
        """
        changes = self.gradient - last_gradient  # [P + 1, C]
        slope_change = dot(direction.parameters, changes)
        share = 0.0
        if slope_change > 0:
            share = max(dot(self.gradient, changes) / slope_change, 0.0)
        parameters = direction.parameters.mul_(share).sub_(self.gradient)
        return Point(parameters, self.problem.compute_logits(parameters))


def minimize(
    problem: LinearProblem,
    penalty: float,
    point: Point,
    first_direction: Point | None,
    max_steps: int,
    min_decrease: float,
) -> None:
    """Move a point to the minimum of the loss with the penalty.

    Args:
        problem: What to fit.
        penalty: The factor of half the sum of the squared parameters, those of the bias
            excepted.
        point: Where to start; it is moved.
        first_direction: Where the minimum may be; None: it is not known.
        max_steps: The largest number of steps.
        min_decrease: The fit stops if a step reduces the loss by less.
    """
    descent = Descent(problem, penalty, point)
    if first_direction is not None:
        descent.follow(first_direction)
    direction = descent.start_direction()
    for _ in range(max_steps):
        last_gradient = descent.gradient
        if descent.follow(direction) < min_decrease:
            break
        direction = descent.turn(direction, last_gradient)


def dot(first: torch.Tensor, second: torch.Tensor) -> float:
    """Return the sum of the products of two tensors of the same shape."""
    return torch.dot(first.flatten(), second.flatten()).item()


def _search(line: Line, start_loss: float, start_slope: float) -> Trial:
    """Return a point near the minimum of a line.

    The first trial is about that of Newton's method. Each further one is where a
    straight line through the slopes at the lower end of the interval and at the last
    trial, or at both ends, is zero.

    Args:
        line: The line.
        start_loss: The loss at its start.
        start_slope: The slope at its start, negative.
    """
    low, low_slope = 0.0, start_slope
    high, high_slope = math.inf, 0.0
    trial = line.evaluate(line.guess_size(start_slope))
    for _ in range(_MAX_TRIALS):
        is_flat = abs(trial.slope) <= _MAX_SLOPE * -start_slope
        if is_flat and trial.loss <= start_loss:
            break
        if trial.slope > 0:
            high, high_slope = trial.size, trial.slope
            size = _interpolate(low, low_slope, high, high_slope)
        elif high < math.inf:
            low, low_slope = trial.size, trial.slope
            size = _interpolate(low, low_slope, high, high_slope)
        else:
            size = _extrapolate(low, low_slope, trial)
            low, low_slope = trial.size, trial.slope
        trial = line.evaluate(size)
    return trial


def _interpolate(low: float, low_slope: float, high: float, high_slope: float) -> float:
    """Return where the slope is 0, if it grows evenly, away from both ends."""
    share = low_slope / (low_slope - high_slope)
    share = min(max(share, _MIN_SHARE), 1 - _MIN_SHARE)
    return low + share * (high - low)


def _extrapolate(low: float, low_slope: float, trial: Trial) -> float:
    """Return where the slope is 0 beyond a trial, if it grows evenly."""
    shortest, longest = _MIN_GROWTH * trial.size, _MAX_GROWTH * trial.size
    if trial.slope <= low_slope:  # rounding errors
        return longest
    share = low_slope / (low_slope - trial.slope)
    size = low + share * (trial.size - low)
    return min(max(size, shortest), longest)
