"""The n-gram part of a classifier: a linear model of n-grams of token ids.

A text's logits are the sum of the weights of its n-grams, divided by the norm of the
text, plus a bias. The weights are fitted by themselves (`rnncls.training.ngram_fit`),
not with the network. That is the wide part of a wide and deep model (Cheng et al.
2016), without its joint training.

Shapes: B texts, T tokens in the longest of them, L sizes of n-grams, K n-grams in the
table, C classes.
"""

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

from rnncls.text.ngram_hash import MASK, MULTIPLIER, START
from rnncls.text.ngram_table import NgramTable
from rnncls.text.vocab import UNK_ID

_LAST_KEY = MASK + 1
"""Larger than every key, it ends the sorted list of keys."""
_MIN_SQUARE = 1e-12
"""In place of the squared norm of a text without an n-gram of the table, which is 0."""


class NgramClassifier(nn.Module):
    """A linear classifier of n-grams: token ids in, one logit per class out.

    Its tensors are buffers that `state_dict` does not return: the optimizer has nothing
    to do with them, and `rnncls.text.ngram_table` packs them.
    """

    keys: torch.Tensor
    rows: torch.Tensor
    bias: torch.Tensor

    def __init__(self, table: NgramTable, num_rows: int) -> None:
        """Take the fitted n-grams.

        Args:
            table: The n-grams.
            num_rows: The rows of the embedding. Token ids from here on are those of
                unknown words (see `Vocab.encode_open`).
        """
        super().__init__()
        self.max_size = table.max_size
        self.num_rows = num_rows
        self.scale = table.scale
        self.is_alone = table.is_alone
        keys = torch.from_numpy(np.append(table.keys, _LAST_KEY))  # [K + 1]
        columns = np.column_stack([table.weights, table.squares])  # [K, C + 1]
        # The last row is zero: it stands for all n-grams that are not in the table.
        rows = F.pad(torch.from_numpy(columns), (0, 0, 0, 1))  # [K + 1, C + 1]
        bias = torch.from_numpy(table.bias)
        self.register_buffer("keys", keys, persistent=False)
        self.register_buffer("rows", rows, persistent=False)
        self.register_buffer("bias", bias, persistent=False)

    def forward(self, token_ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the logits of the n-gram part alone, without the scale.

        Padding adds zeros to a sum that is computed in order, so it changes nothing.

        Args:
            token_ids: [B, T] int64. Padding may hold any id.
            lengths: [B] int64 in 1..T.

        Returns:
            [B, C] float32.
        """
        indices = self.find_rows(token_ids, lengths)  # [B, T + 1, L]
        sums = F.embedding_bag(indices.flatten(1), self.rows, mode="sum")  # [B, C + 1]
        return self.normalize(sums) + self.bias

    def normalize(self, sums: torch.Tensor) -> torch.Tensor:
        """Divide summed weights by the norm. [..., C + 1] -> [..., C]."""
        square = sums[..., -1:].clamp(min=_MIN_SQUARE)  # [..., 1]
        return sums[..., :-1] / square.sqrt()

    def find_rows(self, token_ids: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
        """Return the row of the n-gram of each size that begins at each token.

        Args:
            token_ids: [B, T] int64.
            lengths: [B] int64.

        Returns:
            [B, T + 1, L] int64 in 0..K, first the n-grams that begin with `START`; K
            stands for an n-gram that is not in the table.
        """
        num_tokens = token_ids.shape[1]
        positions = torch.arange(num_tokens, device=token_ids.device)  # [T]
        is_padding = positions >= lengths[:, None]  # [B, T]
        is_left_out = is_padding | (token_ids >= self.num_rows)  # [B, T]
        # An n-gram with an unknown token has no key, so padding is not read either.
        ids = token_ids.masked_fill(is_left_out, UNK_ID)  # [B, T]
        ids = F.pad(ids, (1, 0), value=START)  # [B, T + 1]
        ids = F.pad(ids, (0, self.max_size), value=UNK_ID)  # [B, T + 1 + L]
        hashes = torch.zeros_like(ids[:, : num_tokens + 1])  # [B, T + 1]
        is_ngram = torch.ones_like(hashes, dtype=torch.bool)  # [B, T + 1]
        rows = []
        for offset in range(self.max_size):
            following = ids[:, offset : offset + num_tokens + 1]  # [B, T + 1]
            hashes = (hashes * MULTIPLIER + following + 1) & MASK
            is_ngram = is_ngram & (following != UNK_ID)
            rows.append(self._look_up(hashes, is_ngram))
        return torch.stack(rows, dim=2)

    def _look_up(self, hashes: torch.Tensor, is_ngram: torch.Tensor) -> torch.Tensor:
        """Return the rows of keys, K where a key is not in the table. [B, T + 1]."""
        indices = torch.searchsorted(self.keys, hashes)  # [B, T + 1], at most K
        is_found = is_ngram & (self.keys[indices] == hashes)  # [B, T + 1]
        return torch.where(is_found, indices, len(self.keys) - 1)

    def share_out(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Return what each token of one text adds to the logits.

        An n-gram's weight is divided equally among its tokens. The shares add up to the
        logits without the bias, which is what a text of unknown tokens has.

        Args:
            token_ids: [T] int64.

        Returns:
            [T, C] float64.
        """
        num_tokens = len(token_ids)
        lengths = torch.tensor([num_tokens], device=token_ids.device)
        indices = self.find_rows(token_ids[None], lengths)[0]  # [T + 1, L]
        rows = self.rows.double()
        shares = rows.new_zeros(num_tokens, rows.shape[1])  # [T, C + 1]
        for start in range(num_tokens + 1):
            for size in range(1, self.max_size + 1):
                # START is not a token of the text, so it gets no share.
                first, end = max(start - 1, 0), min(start - 1 + size, num_tokens)
                if end > first:
                    row = rows[indices[start, size - 1]]  # [C + 1]
                    shares[first:end] += row / (end - first)
        square = shares[:, -1].sum().clamp(min=_MIN_SQUARE)
        return shares[:, :-1] / square.sqrt()

    def running(self) -> "RunningNgrams":
        """Return the running form for one text, before its first token."""
        return RunningNgrams(self)


class RunningNgrams:
    """The running form of `NgramClassifier` for one text, at a constant cost."""

    def __init__(self, ngrams: NgramClassifier) -> None:
        """Start before the first token."""
        self._ngrams = ngrams
        self._last_ids = [START]
        self._sums = torch.zeros_like(ngrams.rows[0])  # [C + 1]

    def add(self, token_id: int) -> torch.Tensor:
        """Read one more token; return the logits of the text so far. [C]."""
        ngrams = self._ngrams
        self._last_ids = [*self._last_ids, token_id][-ngrams.max_size :]
        for start in range(len(self._last_ids)):
            self._sums = self._sums + ngrams.rows[self._find_row(start)]
        return ngrams.normalize(self._sums) + ngrams.bias

    def _find_row(self, start: int) -> int:
        """Return the row of the n-gram from one of the last tokens to the last one."""
        hashed = 0
        for token_id in self._last_ids[start:]:
            if token_id == UNK_ID or token_id >= self._ngrams.num_rows:
                return len(self._ngrams.keys) - 1
            hashed = (hashed * MULTIPLIER + token_id + 1) & MASK
        key = torch.tensor([[hashed]], device=self._ngrams.keys.device)  # [1, 1]
        is_ngram = torch.ones_like(key, dtype=torch.bool)
        return int(self._ngrams._look_up(key, is_ngram))
