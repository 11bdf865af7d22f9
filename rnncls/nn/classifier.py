"""The classifier: embedding → recurrent cell → pooling → dropout → linear layer.

Padding does not change a text's logits: the recurrent layers never read it before a
token (rnncls.nn.encoder), and no pooling includes it.

Shapes: B texts, T tokens in the longest of them, V rows of the embedding, U unknown
words of the texts that have vectors of their own, R rows of `word_vectors`, E
embedding_dim, H hidden_size, D directions, C classes, S = D * H width of a state, P
poolings, K steps of the recurrent layers in the longest text: T, unless a step reads
several tokens.
"""

import copy

import torch
import torch.nn.functional as F
from torch import nn

from rnncls.config.sections import ModelSection
from rnncls.nn.decisions import to_label_probs, to_probs
from rnncls.nn.dropout import (
    Dropout,
    drop_inputs,
    sample_mask,
    sample_recurrent_masks,
)
from rnncls.nn.encoder import Encoder, build_encoder
from rnncls.nn.grid_lstm import GridLstm
from rnncls.nn.initialization import build_embedding
from rnncls.nn.ngram_vectors import mean_ngrams
from rnncls.nn.ngrams import NgramClassifier
from rnncls.nn.pooling import Pooling, padding_mask
from rnncls.nn.states import States
from rnncls.nn.token_steps import share_weights, sum_tokens
from rnncls.text.char_ngrams import WordNgrams
from rnncls.text.vocab import UNK_ID, UnknownWords


class TextClassifier(nn.Module):
    """A recurrent text classifier: token ids in, one logit per class out."""

    def __init__(
        self, section: ModelSection, vocab_size: int, num_classes: int
    ) -> None:
        """Build the network with fresh weights from torch's global random generator."""
        super().__init__()
        embedding_dim = section.embedding_dim
        self.section = section
        self.embedding = build_embedding(vocab_size, embedding_dim)
        self.encoder: Encoder | GridLstm | None = None
        if section.cell == "none":
            poolings = ["mean"]
            state_size = embedding_dim
        else:
            self.encoder = build_encoder(section)
            poolings = list(section.pooling)
            state_size = self.encoder.state_size
        self.pooling = Pooling(poolings, state_size)
        pooled_size = len(poolings) * state_size
        self.linear = nn.Linear(pooled_size, num_classes)
        # Logits are divided by it (rnncls.evaluation.calibration fits it).
        self.temperature = 1.0
        # [U, E], set by `bind`. Not a parameter: it depends on the texts to read.
        self.unknown_vectors: torch.Tensor | None = None
        # It is fitted at the end of the training; `rnncls.runs.run.load_run` sets it.
        self.ngrams: NgramClassifier | None = None

    def forward(
        self,
        token_ids: torch.Tensor,
        lengths: torch.Tensor,
        *,
        is_ragged: bool,
        word_vectors: torch.Tensor | None = None,
        dropout: Dropout | None = None,
        dtype: torch.dtype | None = None,
    ) -> torch.Tensor:
        """Return the logits, those of the n-gram part included, if there is one.

        Args:
            token_ids: [B, T] int64, rows of `word_vectors`. Padding may hold any id.
            lengths: [B] int64 in 1..T.
            is_ragged: Whether any length is below T.
            word_vectors: [R, E] float32; None: the embedding of all V words.
            dropout: The dropout masks; None: no dropout.
            dtype: The dtype the recurrent cell computes in; None: that of the word
                vectors.

        Returns:
            [B, C] float32.
        """
        inputs, num_steps = self.embed_steps(
            token_ids, lengths, word_vectors, is_ragged=is_ragged
        )  # [K, B, E], [B]
        logits = self.classify_steps(
            inputs, num_steps, dropout, is_ragged=is_ragged, dtype=dtype
        )  # [B, C]
        if self.ngrams is None:
            return logits
        return self.join(logits, self.ngrams(token_ids, lengths))

    def join(self, logits: torch.Tensor, ngram_logits: torch.Tensor) -> torch.Tensor:
        """Return the logits of the network and those of the n-gram part together.

        Args:
            logits: [..., C], what `compute_network_logits` returned.
            ngram_logits: [..., C], what `ngrams` returned.

        Returns:
            [..., C].
        """
        assert self.ngrams is not None
        scaled = ngram_logits * self.ngrams.scale
        return scaled if self.ngrams.is_alone else logits + scaled

    def compute_probs(self, logits: torch.Tensor) -> torch.Tensor:
        """Return the probability of each class, or of each of several labels.

        Args:
            logits: [..., C].

        Returns:
            [..., C] of the same dtype. They sum to 1 if a text has one label.
        """
        if self.section.has_several_labels:
            return to_label_probs(logits)
        return to_probs(logits)

    def compute_network_logits(
        self, token_ids: torch.Tensor, lengths: torch.Tensor, *, is_ragged: bool
    ) -> torch.Tensor:
        """Return the logits of the network alone, without dropout.

        Args:
            token_ids: [B, T] int64.
            lengths: [B] int64 in 1..T.
            is_ragged: Whether any length is below T.

        Returns:
            [B, C] float32.
        """
        pooled = self.compute_pooled(
            token_ids, lengths, is_ragged=is_ragged
        )  # [B, P * S]
        return self.classify(pooled)

    def compute_pooled(
        self, token_ids: torch.Tensor, lengths: torch.Tensor, *, is_ragged: bool
    ) -> torch.Tensor:
        """Return the pooled states, without dropout: what `classify` reads.

        Args:
            token_ids: [B, T] int64.
            lengths: [B] int64 in 1..T.
            is_ragged: Whether any length is below T.

        Returns:
            [B, P * S] float32.
        """
        inputs, num_steps = self.embed_steps(
            token_ids, lengths, is_ragged=is_ragged
        )  # [K, B, E], [B]
        return self._encode(inputs, num_steps, is_ragged=is_ragged)

    def embed_steps(
        self,
        token_ids: torch.Tensor,
        lengths: torch.Tensor,
        word_vectors: torch.Tensor | None = None,
        *,
        is_ragged: bool,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return what each step of the recurrent layers reads, and the steps of a text.

        Without recurrent layers, these are the word vectors and the lengths.

        Args:
            token_ids: [B, T] int64, rows of `word_vectors`. Padding may hold any id.
            lengths: [B] int64 in 1..T.
            word_vectors: [R, E] float32; None: the embedding of all V words.
            is_ragged: Whether any length is below T.

        Returns:
            [K, B, E] float32, and [B] int64 in 1..K.
        """
        ids_by_step = token_ids.t()  # [T, B]
        if word_vectors is None:
            inputs = self.embed(ids_by_step)  # [T, B, E]
        else:
            inputs = F.embedding(ids_by_step, word_vectors)  # [T, B, E]
        if self.encoder is None:
            return inputs, lengths
        size = self.section.tokens_per_step
        return sum_tokens(inputs, lengths, size, is_ragged=is_ragged)

    def classify_steps(
        self,
        inputs: torch.Tensor,
        num_steps: torch.Tensor,
        dropout: Dropout | None = None,
        *,
        is_ragged: bool,
        dtype: torch.dtype | None = None,
    ) -> torch.Tensor:
        """Return the logits of the network alone for what `embed_steps` returned.

        Args:
            inputs: [K, B, E] float32, before their dropout.
            num_steps: [B] int64 in 1..K.
            dropout: The dropout masks; None: no dropout.
            is_ragged: Whether any number of steps may be below K.
            dtype: The dtype the recurrent cell computes in; None: that of the inputs.

        Returns:
            [B, C] float32.
        """
        inputs = drop_inputs(inputs, dropout)
        pooled = self._encode(
            inputs, num_steps, dropout, is_ragged=is_ragged, dtype=dtype
        )  # [B, P * S]
        if dropout is not None:
            pooled = pooled * dropout.last
        return self.classify(pooled)

    def _encode(
        self,
        inputs: torch.Tensor,
        num_steps: torch.Tensor,
        dropout: Dropout | None = None,
        *,
        is_ragged: bool,
        dtype: torch.dtype | None = None,
    ) -> torch.Tensor:
        """Return the pooled states of what the steps read.

        Args:
            inputs: [K, B, E] float32, after their dropout.
            num_steps: [B] int64 in 1..K.
            dropout: The masks of the recurrent layers; None: no dropout.
            is_ragged: Whether any number of steps may be below K.
            dtype: The dtype the recurrent cell computes in; None: that of the inputs.

        Returns:
            [B, P * S] float32, before their dropout.
        """
        states = States(inputs)
        if self.encoder is not None:
            states = self.encoder(
                inputs, num_steps, dropout, is_ragged=is_ragged, dtype=dtype
            )
        pooled: torch.Tensor = self.pooling(states, num_steps, is_ragged=is_ragged)
        return pooled

    def bind(self, unknown: UnknownWords | None) -> "TextClassifier":
        """Return the same network for texts with these unknown words.

        The vector of an unknown word is that of `<unk>` and the mean of those of its
        n-grams. The weights are shared, not copied.

        Args:
            unknown: The U words whose token ids are above those of the embedding; None:
                there are none.
        """
        if unknown is None:
            return self
        bound = copy.copy(self)
        embedding = self.embedding.weight.detach()
        means = mean_ngrams(embedding, unknown.ngrams)  # [U, E]
        bound.unknown_vectors = embedding[UNK_ID] + means  # [U, E]
        return bound

    def embed(self, token_ids: torch.Tensor) -> torch.Tensor:
        """Return the word vectors of token ids. [...] int64 -> [..., E]."""
        embedding = self.embedding.weight
        if self.unknown_vectors is None:
            return F.embedding(token_ids, embedding)
        unknown_ids = token_ids - len(embedding)  # [...]
        is_unknown = unknown_ids >= 0  # [...]
        known_vectors = F.embedding(
            token_ids.masked_fill(is_unknown, UNK_ID), embedding
        )  # [..., E]
        if not len(self.unknown_vectors):
            return known_vectors
        vectors = F.embedding(
            unknown_ids.clamp_min(0), self.unknown_vectors
        )  # [..., E]
        return torch.where(is_unknown[..., None], vectors, known_vectors)

    def classify(self, pooled: torch.Tensor) -> torch.Tensor:
        """Return the logits of pooled states, divided by the temperature.

        Args:
            pooled: [..., P * S].

        Returns:
            [..., C].
        """
        logits: torch.Tensor = self.linear(pooled)
        return logits / self.temperature

    @property
    def has_attention(self) -> bool:
        """Whether one of its poolings is attention."""
        return self.pooling.attention is not None

    def attend(
        self, token_ids: torch.Tensor, lengths: torch.Tensor, *, is_ragged: bool
    ) -> torch.Tensor:
        """Return the attention weights of a model with attention pooling.

        Args:
            token_ids: [B, T] int64.
            lengths: [B] int64 in 1..T.
            is_ragged: Whether any length is below T.

        Returns:
            [B, T] float32. They sum to 1 over a text and are 0 on padding.
        """
        assert self.encoder is not None
        assert self.pooling.attention is not None
        inputs, num_steps = self.embed_steps(
            token_ids, lengths, is_ragged=is_ragged
        )  # [K, B, E], [B]
        states = self.encoder(inputs, num_steps, is_ragged=is_ragged)
        mask = padding_mask(states, num_steps)  # [K, B]
        weights = self.pooling.attention(states.joined(), mask)  # [K, B]
        shares = share_weights(
            weights, lengths, self.section.tokens_per_step, token_ids.shape[1]
        )  # [T, B]
        return shares.t()

    def sample_dropout(self, num_texts: int, generator: torch.Generator) -> Dropout:
        """Sample the dropout masks of a training step for that many texts."""
        section = self.section
        rate = section.dropout
        # Changing the order of the samples would change what a seed trains.
        between = []
        if self.encoder is not None:
            size = self.encoder.state_size
            for _ in range(section.num_layers - 1):
                mask = sample_mask(num_texts, size, rate, generator)  # [B, S]
                between.append(mask)
        pooled_size = self.linear.in_features
        last = sample_mask(num_texts, pooled_size, rate, generator)  # [B, P * S]
        inputs = None
        if section.input_dropout:
            inputs = sample_mask(
                num_texts, section.embedding_dim, section.input_dropout, generator
            )  # [B, E]
        weights = [] if self.encoder is None else self.encoder.recurrent_weights()
        recurrent = sample_recurrent_masks(
            weights, section.recurrent_dropout, generator
        )  # [G * H, H] each
        return Dropout(between, last, inputs, recurrent)

    def layers(self) -> list[list[nn.Parameter]]:
        """Return the parameters of each layer but the embedding, from the top down."""
        top = [*self.linear.parameters(), *self.pooling.parameters()]
        return [top, *(self.encoder.layers() if self.encoder else [])]


def add_ngrams(model: TextClassifier, ngrams: WordNgrams | None) -> TextClassifier:
    """Return a copy whose word vectors include the mean vectors of their n-grams.

    A prediction then needs n-grams for unknown words only; see `TextClassifier.bind`.

    Args:
        model: A model as it is trained.
        ngrams: The n-grams of the words of the vocabulary; None: there are none, and
            the model itself is returned.
    """
    if ngrams is None:
        return model
    complete = copy.deepcopy(model)
    embedding = complete.embedding.weight.detach()  # [V, E]
    embedding[: len(ngrams)] += mean_ngrams(embedding, ngrams)
    return complete


def least_weights(section: ModelSection, vocab_size: int, num_classes: int) -> int:
    """Return a lower bound on the number of weights, without building the network."""
    embedding = section.embedding_dim * vocab_size
    if section.cell == "none":
        return embedding + section.embedding_dim * num_classes
    size = section.hidden_size
    recurrent = size * (section.embedding_dim + section.num_layers * size)
    return embedding + recurrent + size * num_classes
