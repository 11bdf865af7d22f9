"""Dropout masks for a batch, sampled before the forward pass.

Sampling first makes a training step a function of its seed, whatever the number of
threads or processes that share the batch.

Shapes: B texts, E embedding_dim, H hidden_size, G gates of a cell, S width of a state,
P poolings.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from rnncls.nn.kernels import LayerWeights


@dataclass(frozen=True)
class Dropout:
    """The dropout masks of a batch: 0 where a value is dropped, else 1 / (1 - p).

    Attributes:
        between: [B, S] for each layer but the last: one mask for all steps of a text
            (Gal and Ghahramani 2016).
        last: [B, P * S], for the pooled states before the linear layer; [B, S], for the
            states of a language model.
        inputs: [B, E], for the word vectors, one mask for all steps of a text; None: no
            input dropout.
        recurrent: [G * H, H] for each recurrent weight matrix, one mask for all texts
            and steps (Merity, Keskar and Socher 2018, AWD-LSTM); empty: no recurrent
            dropout.
    """

    between: list[torch.Tensor]
    last: torch.Tensor
    inputs: torch.Tensor | None = None
    recurrent: list[torch.Tensor] = field(default_factory=list)

    def of(self, texts: slice) -> "Dropout":
        """Return the dropout masks for a slice of the batch."""
        inputs = None if self.inputs is None else self.inputs[texts]
        between = [mask[texts] for mask in self.between]
        return Dropout(between, self.last[texts], inputs, self.recurrent)


def sample_mask(
    num_rows: int, width: int, rate: float, generator: torch.Generator
) -> torch.Tensor:
    """Sample a mask: 0 with probability `rate`, else 1 / (1 - rate). [num_rows, width].

    Args:
        num_rows: Number of rows.
        width: Number of columns.
        rate: Probability of dropping a value, in [0, 1).
        generator: Source of randomness, on the device of the mask.
    """
    keep_rate = 1.0 - rate
    uniform = torch.rand(
        num_rows, width, generator=generator, device=generator.device
    )  # [num_rows, width]
    return uniform.lt_(keep_rate).div_(keep_rate)


def sample_recurrent_masks(
    weights: Sequence[torch.Tensor], rate: float, generator: torch.Generator
) -> list[torch.Tensor]:
    """Sample one mask per recurrent weight matrix; none if `rate` is 0."""
    if not rate:
        return []
    return [
        sample_mask(len(weight), weight.shape[1], rate, generator) for weight in weights
    ]


def drop_inputs(inputs: torch.Tensor, dropout: Dropout | None) -> torch.Tensor:
    """Apply input dropout to word vectors. [T, B, E] -> [T, B, E].

    Args:
        inputs: The word vectors.
        dropout: The masks; None: no dropout.
    """
    if dropout is None or dropout.inputs is None:
        return inputs
    return inputs * dropout.inputs


def drop_between(
    states: torch.Tensor, dropout: Dropout | None, layer: int
) -> torch.Tensor:
    """Apply the dropout between layers to the states of a layer. [T, B, S].

    Args:
        states: The states.
        dropout: The masks; None: no dropout.
        layer: From 0; not the last layer.
    """
    if dropout is None or not dropout.between:
        return states
    return states * dropout.between[layer]


def drop_recurrent(
    weights: LayerWeights, dropout: Dropout | None, index: int
) -> LayerWeights:
    """Apply recurrent dropout to the weights of one layer and direction.

    Args:
        weights: The weights.
        dropout: The masks; None: no dropout.
        index: Which of `Dropout.recurrent` belongs to them.
    """
    if dropout is None or not dropout.recurrent:
        return weights
    return weights._replace(recurrent=weights.recurrent * dropout.recurrent[index])
