"""What each token of a text adds, and the prediction after each token, without torch.

The method is the occlusion of `rnncls explain`: how much the logit of a label drops if
an unknown word replaces a token.

Shapes: T tokens of the text, C classes.
"""

from dataclasses import dataclass, replace

import numpy as np

from rnncls.inference.labelling import decide_fits
from rnncls.inference.light.cells import sigmoid
from rnncls.inference.light.pooling import softmax
from rnncls.inference.serve.limits import check_explained
from rnncls.inference.serve.model import ServedModel
from rnncls.runs.portable import Array
from rnncls.text.encoded_texts import EncodedTexts, count_tokens, encode_pieces
from rnncls.text.tokenizer import tokenize_texts
from rnncls.text.traced_text import Span
from rnncls.text.vocab import UNK_ID


@dataclass(frozen=True)
class Occlusion:
    """A text as the model reads it, completely and without each token.

    Attributes:
        tokens: The T tokens.
        spans: Where each one is in the text.
        is_unknown: [T], which of them the vocabulary lacks.
        counts: How many tokens were read, are unknown, and were cut off.
        logits: [C].
        probs: [C].
        logits_without: [T, C], if an unknown word replaces each token in turn.
        trajectory: [T, C], the probabilities after each token; None: not requested.
        fits: Whether the text fits one of the labels; None: the model cannot tell.
    """

    tokens: list[str]
    spans: list[Span]
    is_unknown: list[bool]
    counts: tuple[int, int, int]
    logits: Array
    probs: Array
    logits_without: Array
    trajectory: Array | None
    fits: bool | None


def occlude_tokens(
    model: ServedModel, text: str, *, with_trajectory: bool
) -> Occlusion:
    """Compute a text without each of its tokens in turn.

    Args:
        model: The classifier.
        text: The text.
        with_trajectory: Whether to compute the text up to each token as well.

    Raises:
        LimitError: The text has too many tokens.
    """
    # Imported here: only explanations need the package `regex`.
    from rnncls.text.spans import locate_tokens

    tokenized = model.vocab.divide(tokenize_texts([text], model.text))
    check_explained(len(tokenized.word_ids))
    encoded = encode_pieces(tokenized, model.vocab)
    tokens = [tokenized.words[word_id] for word_id in tokenized.word_ids]
    counts = count_tokens(tokenized, encoded)  # [1, 3]
    num_read, num_unknown, num_cut = counts[0].tolist()
    logits = model.compute_logits(_replace_each(encoded))  # [T + 1, C]
    fits = decide_fits(
        logits[:1],
        counts,
        model.scope_rule,
        reads_unknown=model.vocab.char_ngrams is not None,
    )
    trajectory = None
    if with_trajectory:
        prefix_logits = model.compute_logits(_cut_at_each(encoded))  # [T, C]
        trajectory = compute_probs(model, prefix_logits)
    return Occlusion(
        tokens,
        locate_tokens(text, tokens, model.text),
        encoded.is_unknown().tolist(),
        (num_read, num_unknown, num_cut),
        logits[0],
        compute_probs(model, logits[:1])[0],
        logits[1:],
        trajectory,
        None if fits is None else fits[0],
    )


def compute_probs(model: ServedModel, logits: Array) -> Array:
    """Return the probability of each class, or of each of several labels. [..., C]."""
    if model.thresholds is not None:
        return sigmoid(logits)
    return softmax(logits, axis=1)


def _replace_each(encoded: EncodedTexts) -> EncodedTexts:
    """Return a text, and the text with an unknown word for each token in turn."""
    num_tokens = len(encoded.token_ids)
    texts = np.tile(encoded.token_ids, (num_tokens + 1, 1))  # [T + 1, T]
    replaced = np.arange(num_tokens)  # [T]
    texts[replaced + 1, replaced] = UNK_ID
    return replace(
        encoded,
        token_ids=texts.ravel(),
        lengths=np.full(num_tokens + 1, num_tokens),
        starts=np.arange(num_tokens + 1) * num_tokens,
    )


def _cut_at_each(encoded: EncodedTexts) -> EncodedTexts:
    """Return the first token of a text, the first two, and so on. T texts."""
    num_tokens = len(encoded.token_ids)
    return replace(
        encoded,
        lengths=np.arange(1, num_tokens + 1),
        starts=np.zeros(num_tokens, np.int64),
    )
