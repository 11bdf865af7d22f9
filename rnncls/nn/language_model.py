"""A language model with the classifier's embedding and recurrent layers.

Each direction predicts the word that it reads next. A classifier of the same shape can
start from what the model learned on unlabelled texts (Dai and Le 2015; Howard and
Ruder 2018, ULMFiT).

Shapes: B texts, T tokens in the longest of them, V words, R rows of `word_vectors`, E
embedding_dim, H hidden_size, D directions, S = D * H width of a state, G predicted
positions.
"""

import torch
import torch.nn.functional as F
from torch import nn

from rnncls.config.sections import ModelSection
from rnncls.nn.dropout import (
    Dropout,
    drop_inputs,
    sample_mask,
    sample_recurrent_masks,
)
from rnncls.nn.encoder import build_encoder
from rnncls.nn.initialization import build_embedding
from rnncls.nn.kernels import reorder
from rnncls.nn.states import States

CUTOFFS = 1_000, 3_000, 9_000, 20_000
"""Word ids at which the adaptive softmax starts a new tail. Ids are sorted by the
frequency of the words, the most frequent one first."""
MIN_TAIL_SIZE = 4
"""Smallest projection of a tail; each tail's is half as wide as the one before."""
ROW_MULTIPLE = 64
"""The rows of a tail are padded to a multiple of this, because oneDNN compiles its
bfloat16 products again for each shape."""
IGNORE_INDEX = -100
"""The target of positions without a next word, as in torch's `cross_entropy`."""


class LanguageModel(nn.Module):
    """A recurrent language model in one or two directions: token ids in, loss out."""

    def __init__(self, section: ModelSection, vocab_size: int) -> None:
        """Build the network with fresh weights from torch's global random generator."""
        super().__init__()
        self.section = section
        self.embedding = build_embedding(vocab_size, section.embedding_dim)
        self.encoder = build_encoder(section)
        # Adaptive softmax (Grave et al. 2017)
        self.softmax = nn.AdaptiveLogSoftmaxWithLoss(
            section.hidden_size,
            vocab_size,
            choose_cutoffs(vocab_size, section.hidden_size),
            div_value=2.0 if section.hidden_size > 1 else 1.0,
            head_bias=True,
        )

    def forward(  # noqa: PLR0913 - a batch is three of them
        self,
        token_ids: torch.Tensor,
        words: torch.Tensor,
        lengths: torch.Tensor,
        *,
        is_ragged: bool,
        word_vectors: torch.Tensor | None = None,
        dropout: Dropout | None = None,
        dtype: torch.dtype | None = None,
    ) -> torch.Tensor:
        """Return the negative log-likelihood in nats, summed over all predicted words.

        Each direction predicts every word of a text but the first that it reads.

        Args:
            token_ids: [B, T] int64, the input: rows of `word_vectors`.
            words: [B, T] int64, the targets: ids of the vocabulary.
            lengths: [B] int64 in 1..T.
            is_ragged: Whether any length is below T.
            word_vectors: [R, E] float32; None: the embedding of all V words.
            dropout: The dropout masks; None: no dropout.
            dtype: The dtype the recurrent cell and the softmax compute in; None: that
                of their weights.

        Returns:
            A scalar.
        """
        if word_vectors is None:
            word_vectors = self.embedding.weight
        ids_by_step = token_ids.t()  # [T, B]
        inputs = F.embedding(ids_by_step, word_vectors)  # [T, B, E]
        inputs = drop_inputs(inputs, dropout)
        encoded: States = self.encoder(
            inputs, lengths, dropout, is_ragged=is_ragged, dtype=dtype
        )
        states = torch.cat(encoded.directions(), dim=1)  # [T, D * B, H]
        # The state at the last step has no word left to predict.
        states = states[:-1]  # [T - 1, D * B, H]
        if dropout is not None:
            hidden_size = states.shape[2]
            masks = torch.split(dropout.last, hidden_size, dim=1)  # [B, H] each
            mask = torch.cat(masks)  # [D * B, H]
            states = states * mask
        targets = _next_words(encoded, words, lengths)  # [T - 1, D * B]
        flat_states = states.flatten(0, 1)  # [G, H]
        flat_targets = targets.flatten()  # [G]
        return self._sum_nll(flat_states, flat_targets, dtype)

    def sample_dropout(self, num_texts: int, generator: torch.Generator) -> Dropout:
        """Sample the dropout masks of a training step for that many texts."""
        section = self.section
        rate = section.dropout
        state_size = self.encoder.state_size
        inputs = sample_mask(num_texts, section.embedding_dim, rate, generator)
        last = sample_mask(num_texts, state_size, rate, generator)
        recurrent = sample_recurrent_masks(
            self.encoder.recurrent_weights(), section.recurrent_dropout, generator
        )
        return Dropout([], last, inputs, recurrent)

    def layers(self) -> list[list[nn.Parameter]]:
        """Return the parameters of each layer but the embedding, from the top down."""
        return [[*self.softmax.parameters()], *self.encoder.layers()]

    def _sum_nll(
        self, states: torch.Tensor, targets: torch.Tensor, dtype: torch.dtype | None
    ) -> torch.Tensor:
        """Return the summed negative log-likelihood of the targets.

        It equals the loss of `nn.AdaptiveLogSoftmaxWithLoss`, but computes in any dtype
        and in several threads at once.

        Args:
            states: [G, H].
            targets: [G] int64, ids of the vocabulary or `IGNORE_INDEX`.
            dtype: The dtype to compute in; None: that of the states.

        Returns:
            A scalar in the dtype of the states.
        """
        outer_dtype = states.dtype
        inputs = states.to(dtype or outer_dtype)  # [G, H]
        num_tails = self.softmax.n_clusters
        first_tail = self.softmax.cutoffs[0]
        head_targets = targets.clone()  # [G]
        loss = states.new_zeros(())  # []
        for tail in range(num_tails):
            rows, tail_targets = self._select_tail(tail, targets)
            head_targets[rows] = first_tail + tail
            tail_inputs = inputs[rows]  # [rows, H]
            tail_nll = self._tail_nll(tail, tail_inputs, tail_targets)
            tail_loss = tail_nll.to(outer_dtype).sum()  # []
            loss = loss + tail_loss
        head_nll = self._head_nll(inputs, head_targets)  # [G]
        head_loss = head_nll.to(outer_dtype).sum()  # []
        return loss + head_loss

    def _select_tail(
        self, tail: int, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return the targets that are in a tail.

        Args:
            tail: From 0.
            targets: [G] int64, ids of the vocabulary or `IGNORE_INDEX`.

        Returns:
            Their indices among the targets, [rows] int64, and the targets counted from
            the first word of the tail, [rows] int64.
        """
        first, end = self.softmax.cutoffs[tail : tail + 2]
        is_in_tail = (targets >= first) & (targets < end)  # [G]
        rows = is_in_tail.nonzero().squeeze(1)
        return rows, targets[rows] - first

    def _head_nll(self, inputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """Return the negative log-likelihoods in the head: frequent words and tails.

        Args:
            inputs: [G, H].
            targets: [G] int64, a word of the head, a tail or `IGNORE_INDEX`.

        Returns:
            [G].
        """
        head = self.softmax.head
        weight = head.weight.to(inputs.dtype)
        bias = head.bias.to(inputs.dtype)
        return _nll(F.linear(inputs, weight, bias), targets)

    def _tail_nll(
        self, tail: int, inputs: torch.Tensor, targets: torch.Tensor
    ) -> torch.Tensor:
        """Return the negative log-likelihoods within a tail, 0 for rows of padding.

        Args:
            tail: From 0.
            inputs: [rows, H].
            targets: [rows] int64, counted from the first word of the tail.

        Returns:
            [rows, padded to a multiple of `ROW_MULTIPLE`].
        """
        num_pads = -len(targets) % ROW_MULTIPLE
        logits = F.pad(inputs, (0, 0, 0, num_pads))
        for weight in self.softmax.tail[tail].parameters():  # two matrices, no bias
            logits = F.linear(logits, weight.to(inputs.dtype))
        return _nll(logits, F.pad(targets, (0, num_pads), value=IGNORE_INDEX))


def choose_cutoffs(vocab_size: int, hidden_size: int) -> list[int]:
    """Return the cutoffs of the adaptive softmax, at least one."""
    cutoffs = [
        cutoff
        for tail, cutoff in enumerate(CUTOFFS, 1)
        if cutoff < vocab_size and hidden_size >= MIN_TAIL_SIZE * 2**tail
    ]
    return cutoffs or [vocab_size - 1]


def _next_words(
    states: States, words: torch.Tensor, lengths: torch.Tensor
) -> torch.Tensor:
    """Return the word that each state predicts, `IGNORE_INDEX` where a text ends.

    Args:
        states: The states of the batch.
        words: [B, T] int64.
        lengths: [B] int64.

    Returns:
        [T - 1, D * B] int64.
    """
    read_words = [words.t()]  # [T, B] in the reading order of each direction
    if states.reverse_index is not None:
        read_words.append(reorder(words.t(), states.reverse_index))
    next_steps = torch.arange(1, words.shape[1], device=lengths.device)  # [T - 1]
    has_next = next_steps[:, None] < lengths  # [T - 1, B]
    next_words = torch.cat(read_words, dim=1)[1:]  # [T - 1, D * B]
    return next_words.masked_fill(~has_next.repeat(1, len(read_words)), IGNORE_INDEX)


def _nll(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the negative log-likelihood of each target, 0 where it is ignored."""
    return F.cross_entropy(logits, targets, ignore_index=IGNORE_INDEX, reduction="none")
