"""The steps of the recurrent layers, if one step reads several tokens.

A step reads the sum of the word vectors of neighbouring tokens, as time reduction in
speech recognition merges neighbouring frames (Chan et al. 2016, "Listen, attend and
spell"). The last step of a text may have fewer tokens.

Shapes: B texts, T tokens in the longest of them, E embedding_dim, K steps in the
longest of them.
"""

from typing import Any

import torch
import torch.nn.functional as F
from torch.autograd.function import once_differentiable

from rnncls.text.vocab import PAD_ID


def sum_tokens(
    inputs: torch.Tensor,
    lengths: torch.Tensor,
    tokens_per_step: int,
    *,
    is_ragged: bool,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return what each step reads, and how many steps a text has.

    Args:
        inputs: [T, B, E], the word vectors. Padding may hold anything.
        lengths: [B] int64 in 1..T.
        tokens_per_step: The tokens of a step.
        is_ragged: Whether any length is below T.

    Returns:
        [K, B, E], 0 on padding, and [B] int64 in 1..K.
    """
    if tokens_per_step == 1:
        return inputs, lengths
    is_token = inputs.new_ones(len(inputs), 1, 1)  # [T, 1, 1]
    if is_ragged:
        positions = torch.arange(len(inputs), device=lengths.device)[:, None]  # [T, 1]
        is_token = (positions < lengths)[..., None].to(inputs.dtype)  # [T, B, 1]
    sums = _SumTokens.apply(inputs, is_token, tokens_per_step)  # type: ignore[no-untyped-call]
    return sums, count_steps(lengths, tokens_per_step)


class _SumTokens(torch.autograd.Function):
    """Sums of neighbouring rows, with a gradient that copies each sum's to its rows.

    autograd would keep and go over a masked and a padded copy of all word vectors.
    """

    @staticmethod
    def forward(
        ctx: Any, inputs: torch.Tensor, is_token: torch.Tensor, tokens_per_step: int
    ) -> torch.Tensor:
        """Return the sums. [T, B, E], [T, B or 1, 1] -> [K, B, E]."""
        ctx.save_for_backward(is_token)
        ctx.tokens_per_step = tokens_per_step
        sums = inputs[::tokens_per_step] * is_token[::tokens_per_step]  # [K, B, E]
        for place in range(1, tokens_per_step):
            vectors = inputs[place::tokens_per_step]  # the last step may lack one
            factors = is_token[place::tokens_per_step]
            sums[: len(vectors)].addcmul_(vectors, factors)
        return sums

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor, None, None]:
        """Return the gradient of the word vectors. [K, B, E] -> [T, B, E]."""
        (is_token,) = ctx.saved_tensors
        of_inputs = gradient.new_empty(len(is_token), *gradient.shape[1:])
        for place in range(ctx.tokens_per_step):
            factors = is_token[place :: ctx.tokens_per_step]
            known = gradient[: len(factors)]
            torch.mul(known, factors, out=of_inputs[place :: ctx.tokens_per_step])
        return of_inputs, None, None


def count_steps(lengths: torch.Tensor, tokens_per_step: int) -> torch.Tensor:
    """Return how many steps texts of these numbers of tokens have. [B] int64."""
    return (lengths + tokens_per_step - 1) // tokens_per_step


def group_tokens(
    token_ids: torch.Tensor, lengths: torch.Tensor, tokens_per_step: int
) -> torch.Tensor:
    """Return the tokens of each step, `<pad>` where a step has fewer.

    Args:
        token_ids: [T, B] int64. Padding may hold any id.
        lengths: [B] int64 in 1..T.
        tokens_per_step: The tokens of a step.

    Returns:
        [K, B, tokens] int64.
    """
    num_tokens, num_texts = token_ids.shape
    positions = torch.arange(num_tokens, device=lengths.device)[:, None]  # [T, 1]
    known = token_ids.masked_fill(positions >= lengths, PAD_ID)
    num_missing = -num_tokens % tokens_per_step
    complete = F.pad(known, (0, 0, 0, num_missing), value=PAD_ID)
    return complete.view(-1, tokens_per_step, num_texts).transpose(1, 2)


def share_weights(
    weights: torch.Tensor, lengths: torch.Tensor, tokens_per_step: int, num_tokens: int
) -> torch.Tensor:
    """Divide the weight of each step equally among its tokens.

    Args:
        weights: [K, B], 0 on padding.
        lengths: [B] int64, the tokens of each text.
        tokens_per_step: The tokens of a step; the last one of a text may have fewer.
        num_tokens: T.

    Returns:
        [T, B], 0 on padding. The sum of a text stays the same.
    """
    if tokens_per_step == 1:
        return weights
    tokens = torch.arange(num_tokens, device=lengths.device)[:, None]  # [T, 1]
    steps = tokens // tokens_per_step  # [T, 1]
    num_left = lengths - steps * tokens_per_step  # [T, B], from the step's first on
    num_shares = num_left.clamp(1, tokens_per_step)  # [T, B]
    shares = weights[steps[:, 0]] / num_shares  # [T, B]
    return shares.masked_fill(tokens >= lengths, 0.0)
