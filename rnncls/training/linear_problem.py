"""The linear model of the n-grams: its parameters, its logits and their gradients.

The weights of the columns are `expand @ (scales * parameters)`: several columns may
share parameters, as words share those of the characters they are made of, and a
parameter with a large scale is penalised less.

Shapes: N texts, K columns, P rows of parameters, C classes.
"""

from dataclasses import dataclass

import torch

from rnncls.training.linear_targets import Targets
from rnncls.training.sparse_matrix import SparseMatrix

_BIAS_SCALE = 0.3
"""The factor of the parameters of the bias. The loss changes most with the bias, as all
texts have it. With this factor its parameters are more like the others, and the fit
takes fewer steps."""


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


@dataclass(frozen=True)
class LinearProblem:
    """What to fit. The parameters are [P + 1, C]; the last row is that of the bias.

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

    def start(self) -> torch.Tensor:
        """Return the parameters to start from, with weights of 0. [P + 1, C]."""
        bias = self.targets.start_bias()  # [C]
        parameters = bias.new_zeros(len(self.scales) + 1, len(bias))  # [P + 1, C]
        parameters[-1] = bias / _BIAS_SCALE
        return parameters

    def build_model(self, parameters: torch.Tensor) -> LinearModel:
        """Return the model with these parameters. [P + 1, C]."""
        weights = self.expand.multiply(self.scales * parameters[:-1])  # [K, C]
        return LinearModel(weights, _BIAS_SCALE * parameters[-1])

    def compute_logits(self, parameters: torch.Tensor) -> torch.Tensor:
        """Return the logits of the training texts. [P + 1, C] -> [N, C]."""
        return self.build_model(parameters).compute_logits(self.texts)

    def compute_gradient(self, errors: torch.Tensor) -> torch.Tensor:
        """Return the gradient at the parameters from that at the logits.

        Args:
            errors: [N, C].

        Returns:
            [P + 1, C].
        """
        weight_gradient = self.texts.transposed.multiply(errors)  # [K, C]
        shared_gradient = self.expand.transposed.multiply(weight_gradient)  # [P, C]
        gradient = errors.new_empty(len(self.scales) + 1, errors.shape[1])
        torch.mul(self.scales, shared_gradient, out=gradient[:-1])
        torch.mul(errors.sum(dim=0), _BIAS_SCALE, out=gradient[-1])
        return gradient
