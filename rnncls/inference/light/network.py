"""The network in NumPy: embedding → recurrent layers → pooling → linear layer.

Shapes: N texts, B texts in a batch, T tokens in the longest of them, E embedding_dim,
C classes, P poolings, S width of a state, U unknown words of the texts.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnncls.inference.light.cells import apply_linear, sigmoid
from rnncls.inference.light.encoder import States, encode
from rnncls.inference.light.ngrams import compute_ngram_logits
from rnncls.inference.light.pooling import attend, pool, share_weights, softmax
from rnncls.inference.light.word_vectors import embed, embed_unknown
from rnncls.runs.portable import Array, PortableClassifier
from rnncls.text.batch_plans import plan_in_order_of_length
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.vocab import PAD_ID

BATCH_SIZE = 32
"""Texts in one forward pass; it changes the speed, not the result. Smaller batches are
slower, as most of the time goes into calls of NumPy; larger ones are no faster."""


@dataclass(frozen=True)
class Outputs:
    """What a network computes for N texts.

    Attributes:
        logits: [N, C] float32, divided by the temperature.
        attention: For each text the attention weights of its tokens, which sum to 1;
            None without attention pooling.
    """

    logits: Array
    attention: list[list[float]] | None


def compute_outputs(classifier: PortableClassifier, texts: EncodedTexts) -> Outputs:
    """Return the logits and the attention weights of all texts, in their order.

    Texts of similar length are computed together.
    """
    num_classes = len(classifier.label_names)
    logits = np.empty((len(texts), num_classes), np.float32)  # [N, C]
    attention: list[list[float]] = [[]] * len(texts)
    embedding = classifier.weights["embedding.weight"]
    unknown_vectors = embed_unknown(embedding, texts.unknown)  # [U, E]
    for rows in plan_in_order_of_length(texts.lengths, BATCH_SIZE):
        batch = texts.select(rows)
        inputs = embed(embedding, unknown_vectors, _pad(batch))  # [T, B, E]
        logits[rows], weights = _run_batch(classifier, inputs, batch.lengths)
        if weights is None:
            continue
        attended = zip(rows, batch.lengths, weights.T, strict=True)
        for row, num_tokens, text_weights in attended:
            attention[row] = text_weights[:num_tokens].tolist()
    logits = _add_ngrams(classifier, logits, texts)
    if not classifier.has_attention:
        return Outputs(logits, None)
    return Outputs(logits, attention)


def compute_probs(classifier: PortableClassifier, logits: Array) -> Array:
    """Return the probability of each class, or of each of several labels.

    Args:
        classifier: Says whether a text may have several labels.
        logits: [N, C] float32.

    Returns:
        [N, C] float32.
    """
    if classifier.has_several_labels:
        return sigmoid(logits)
    return softmax(logits, axis=1)


def _add_ngrams(
    classifier: PortableClassifier, logits: Array, texts: EncodedTexts
) -> Array:
    """Return the logits of the network and of the n-gram part together. [N, C]."""
    table = classifier.ngrams
    if table is None:
        return logits
    ngram_logits = compute_ngram_logits(table, texts)  # [N, C]
    return ngram_logits if table.is_alone else logits + ngram_logits


def _pad(texts: EncodedTexts) -> npt.NDArray[np.int32]:
    """Return the token ids of B texts, padded to the longest. [T, B] int32."""
    longest = texts.lengths.max()
    positions = np.arange(longest)[:, None]  # [T, 1]
    is_token = positions < texts.lengths  # [T, B]
    indices = np.where(is_token, texts.starts + positions, 0)  # [T, B]
    token_ids = texts.token_ids[indices]  # [T, B]
    token_ids[~is_token] = PAD_ID
    return token_ids


def _run_batch(
    classifier: PortableClassifier, inputs: Array, lengths: npt.NDArray[np.int64]
) -> tuple[Array, Array | None]:
    """Run the network on one batch.

    Args:
        classifier: The network.
        inputs: [T, B, E], the word vectors of B texts.
        lengths: [B], tokens in each text.

    Returns:
        The logits [B, C], and the attention weights [T, B] or None.
    """
    weights = classifier.weights
    poolings: Sequence[str] = ["mean"]
    states = States([inputs], lengths)
    if classifier.model.cell != "none":
        poolings = classifier.model.pooling
        states = encode(classifier, inputs, lengths)
    attention = None
    if classifier.has_attention:
        attention = attend(states, weights)  # [K, B]
    pooled = pool(states, poolings, attention)  # [B, P * S]
    logits = apply_linear(
        pooled,
        weights["linear.weight"],
        weights["linear.bias"],
    )  # [B, C]
    logits /= np.float32(classifier.temperature)
    if attention is not None:
        size = classifier.model.tokens_per_step
        attention = share_weights(attention, lengths, size, len(inputs))  # [T, B]
    return logits, attention
