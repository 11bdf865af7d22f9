"""A language model of the classifier's own embedding and recurrent layer: each
direction
guesses what it reads next.

What it has learnt from texts without labels is where a classifier of the same shape can
start (Dai and Le 2015; Howard and Ruder 2018, ULMFiT).

Shapes: B texts, T tokens, V words, E embedding_dim, H hidden_size, D directions, S
width of a state, R distinct words, G positions to guess at.
"""

import itertools

import torch
import torch.nn.functional as F
from torch import nn

from rnncls.config.sections import ModelSection
from rnncls.nn.classifier import EMBEDDING_STD
from rnncls.nn.recurrent import (
    Dropout,
    build_encoder,
    draw_mask,
    draw_recurrent,
    reorder,
)
from rnncls.text.vocab import PAD_ID

CUTOFFS = 1_000, 3_000, 9_000, 20_000
"""Where the adaptive softmax cuts the words, the most frequent ones first, into its
head and its tails."""
NARROWEST = 4
"""Numbers that a word is guessed from at least: each tail has half as many as the one
before."""
ROWS = 64
"""Rare words are guessed in multiples of so many rows: oneDNN compiles its bfloat16
products anew for each shape."""
NO_WORD = -100
"""Where there is nothing to guess, as torch's `cross_entropy` has it."""


class LanguageModel(nn.Module):
    """Token ids in, the summed surprise at each next word out, in either direction."""

    def __init__(self, section: ModelSection, vocab_size: int) -> None:
        """Build the network with fresh weights, drawn from torch's global random
        stream.
        """
        super().__init__()
        self.section = section
        self.embedding = nn.Embedding(
            vocab_size, section.embedding_dim, padding_idx=PAD_ID
        )
        with torch.no_grad():
            self.embedding.weight *= EMBEDDING_STD
        self.encoder = build_encoder(section)
        # Words are numbered by their frequency, as the adaptive softmax (Grave et al.
        # 2017) wants them.
        width = section.hidden_size
        cutoffs = [
            cutoff
            for tail, cutoff in enumerate(CUTOFFS, 1)
            if cutoff < vocab_size and width >= NARROWEST * 2**tail
        ] or [vocab_size - 1]
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(
            width,
            vocab_size,
            cutoffs,
            div_value=2.0 if width > 1 else 1.0,
            head_bias=True,
        )

    def forward(  # noqa: PLR0913 - a batch is three of them
        self,
        token_ids: torch.Tensor,
        words: torch.Tensor,
        lengths: torch.Tensor,
        *,
        is_ragged: bool,
        table: torch.Tensor | None = None,
        dropout: Dropout | None = None,
        dtype: torch.dtype | None = None,
    ) -> torch.Tensor:
        """Return the negative log-likelihood of all words but the first that each
        direction reads, in nats, summed.

        Args:
            token_ids: [B, T] int64, what is read: rows of the table.
            words: [B, T] int64, what is guessed: token ids.
            lengths: [B] int64 in 1..T.
            is_ragged: Whether any length is below T.
            table: [R, E] float32, the vectors of the words at hand; None: those of all
                V words.
            dropout: What to drop; None: nothing.
            dtype: What the recurrent cell and the softmax compute in; None: what their
                weights are.

        Returns:
            A scalar.
        """
        inputs = F.embedding(
            token_ids.t(), self.embedding.weight if table is None else table
        )  # [T, B, E]
        if dropout is not None and dropout.inputs is not None:
            inputs = inputs * dropout.inputs
        states = self.encoder(
            inputs, lengths, dropout, is_ragged=is_ragged, dtype=dtype
        )
        states_of, words_of = (
            [states.ahead],
            [words.t()],
        )  # [T, B, H], [T, B] of each direction, as it reads
        if states.back is not None and states.order is not None:
            states_of.append(states.back)
            words_of.append(reorder(words.t(), states.order))
        given = torch.cat(states_of, dim=1)[:-1]  # [T - 1, D * B, H]
        if dropout is not None:
            given = given * torch.cat(
                torch.split(dropout.last, given.shape[2], dim=1)
            )  # [D * B, H]
        has_next = (
            torch.arange(1, len(inputs), device=lengths.device)[:, None] < lengths
        )  # [T - 1, B]
        guessed = torch.cat(words_of, dim=1)[1:].masked_fill(
            ~has_next.repeat(1, len(words_of)), NO_WORD
        )
        return self._surprise(given.flatten(0, 1), guessed.flatten(), dtype)

    def draw_dropout(self, num_texts: int, generator: torch.Generator) -> Dropout:
        """Draw what a training step drops from each of its texts."""
        share = self.section.dropout
        inputs = draw_mask(num_texts, self.section.embedding_dim, share, generator)
        last = draw_mask(num_texts, self.encoder.state_size, share, generator)
        weights = self.encoder.recurrent_weights()
        return Dropout(
            [],
            last,
            inputs,
            draw_recurrent(weights, self.section.recurrent_dropout, generator),
        )

    def layers(self) -> list[list[nn.Parameter]]:
        """Return the weights of each layer but the embedding, from the guesses down to
        the words.
        """
        return [[*self.softmax.parameters()], *self.encoder.layers()]

    def _surprise(
        self, states: torch.Tensor, words: torch.Tensor, dtype: torch.dtype | None
    ) -> torch.Tensor:
        """Return the summed negative log-likelihood of the words but `NO_WORD`. [G, H],
        [G] -> [].

        It is what torch's own module computes, but in any dtype, and by several threads
        at once.
        """

        def surprise(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
            return (
                F.cross_entropy(logits, targets, ignore_index=NO_WORD, reduction="none")
                .to(states.dtype)
                .sum()
            )

        dtype = dtype or states.dtype
        inputs, head = states.to(dtype), self.softmax.head
        classes, loss = words.clone(), states.new_zeros(())  # [G], []
        for number, (first, end) in enumerate(itertools.pairwise(self.softmax.cutoffs)):
            rare = ((words >= first) & (words < end)).nonzero().squeeze(1)
            classes[rare] = self.softmax.cutoffs[0] + number
            targets = F.pad(words[rare] - first, (0, -len(rare) % ROWS), value=NO_WORD)
            logits = F.pad(inputs[rare], (0, 0, 0, -len(rare) % ROWS))
            for weight in self.softmax.tail[
                number
            ].parameters():  # two matrices, no bias
                logits = F.linear(logits, weight.to(dtype))
            loss = loss + surprise(logits, targets)
        logits = F.linear(inputs, head.weight.to(dtype), head.bias.to(dtype))
        return loss + surprise(logits, classes)
