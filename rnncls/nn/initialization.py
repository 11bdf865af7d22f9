"""Initial weights of the embedding and of the recurrent layers.

Shapes: V words, E embedding_dim.
"""

import torch
from torch import nn

from rnncls.text.vocab import PAD_ID

EMBEDDING_STD = 0.1
"""Standard deviation of the initial word vectors. With torch's default, 1, the accuracy
on AG News is 0.9 points lower (docs/results/experiments.md)."""


def build_embedding(vocab_size: int, embedding_dim: int) -> nn.Embedding:
    """Build an embedding with small random vectors and a zero vector for `<pad>`."""
    embedding = nn.Embedding(vocab_size, embedding_dim, padding_idx=PAD_ID)
    with torch.no_grad():
        embedding.weight *= EMBEDDING_STD
    return embedding


def start_from_vectors(
    embedding: nn.Embedding, vectors: torch.Tensor, has_vector: torch.Tensor
) -> None:
    """Copy pretrained vectors into the first columns of an embedding.

    Args:
        embedding: V words or more rows, E columns.
        vectors: [V, at most E] float32.
        has_vector: [V] bool, which words have a pretrained vector.
    """
    device = embedding.weight.device
    with torch.no_grad():
        new_rows = vectors[has_vector].to(device)
        word_rows = embedding.weight[: len(vectors)]  # the others are of n-grams
        word_rows[has_vector, : vectors.shape[1]] = new_rows


def start_vector_words(embedding: nn.Embedding, vectors: torch.Tensor) -> None:
    """Set the last rows of an embedding, those of words that no training row has.

    The columns after those of the vectors are 0, as nothing says what they should be.

    Args:
        embedding: X rows or more, E columns.
        vectors: [X, at most E] float16, in which a run stores them.
    """
    num_rows, width = vectors.shape
    with torch.no_grad():
        rows = embedding.weight[len(embedding.weight) - num_rows :]  # [X, E]
        rows.zero_()
        rows[:, :width] = vectors


def init_recurrent_weights(rnn: nn.RNNBase | nn.LSTMCell) -> None:
    """Initialise a recurrent layer: orthogonal recurrent weights, Glorot input weights.

    Each gate is initialised separately. Biases are 0, except the forget gate's, which
    is 1. Orthogonal weights preserve a state over many steps (Saxe, McClelland and
    Ganguli 2014), and so does an open forget gate (Jozefowicz, Zaremba and Sutskever
    2015). docs/results/experiments.md has the measurements.
    """
    size = rnn.hidden_size
    has_forget_gate = isinstance(rnn, nn.LSTM | nn.LSTMCell)
    for name, parameter in rnn.named_parameters():
        for gate in torch.split(parameter.detach(), size):
            _init_gate(name, gate)
        if has_forget_gate and "bias_ih" in name:
            # torch's order of the gates: input, forget, cell, output
            nn.init.ones_(parameter.detach()[size : 2 * size])


def _init_gate(name: str, gate: torch.Tensor) -> None:
    if "weight_hh" in name:
        nn.init.orthogonal_(gate)
    elif "weight_ih" in name:
        nn.init.xavier_uniform_(gate)
    else:
        nn.init.zeros_(gate)
