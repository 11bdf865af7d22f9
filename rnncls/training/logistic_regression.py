"""Logistic regression on sparse features, for one strength of regularisation or many.

It is multinomial if each text has one class, and binary for each label if a text may
have several. The loss is convex, so the result does not depend on the start.

Shapes: P rows of parameters, C classes.
"""

from collections.abc import Iterator, Sequence

from rnncls.training.conjugate_gradient import Point, minimize
from rnncls.training.linear_problem import LinearModel, LinearProblem


def fit_path(
    problem: LinearProblem,
    penalties: Sequence[float],
    max_steps: int,
    min_decrease: float,
) -> Iterator[LinearModel]:
    """Yield the model for each penalty, the largest first.

    Each fit starts from the last one. It first goes on in the direction from the last
    fit but one to the last one, as the weights change almost evenly with the logarithm
    of the penalty.

    Args:
        problem: What to fit.
        penalties: Each is the factor of half the sum of the squared parameters, which
            is added to the mean loss. That of the bias is not penalised.
        max_steps: The largest number of steps for each penalty.
        min_decrease: A fit stops if a step reduces the loss by less.
    """
    parameters = problem.start()  # [P + 1, C]
    point = Point(parameters, problem.compute_logits(parameters))
    last_change: Point | None = None
    for penalty in penalties:
        start = point.copy()
        minimize(problem, penalty, point, last_change, max_steps, min_decrease)
        yield problem.build_model(point.parameters)
        last_change = point.minus(start)
