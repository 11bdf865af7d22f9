"""What a run sees in texts: lengths, unknown words, labels, confidence and states.

Shapes: N texts, C classes, S width of a state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from rnncls.data.label_sets import to_label_matrix
from rnncls.evaluation.evaluator import compute_logits, compute_pooled_states
from rnncls.evaluation.label_coverage import compute_confidences
from rnncls.nn.decisions import decide, to_probs
from rnncls.runs.classifier import Classifier
from rnncls.text.encoded_texts import EncodedTexts, count_tokens, encode_pieces
from rnncls.text.tokenizer import TokenizedTexts, tokenize_texts

Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TextFeatures:
    """What a run sees in N texts.

    Attributes:
        words: The texts as words.
        encoded: The texts as the network reads them.
        num_tokens: [N], the tokens of each text, with those that are cut off.
        num_read: [N], the tokens that are read.
        num_unknown: [N], those of them that the vocabulary lacks.
        predicted: [N, C], the predicted labels; one for each text, or several.
        confidences: [N], the probability of the predicted label; of several labels, the
            probability that all of them are right.
    """

    words: TokenizedTexts
    encoded: EncodedTexts
    num_tokens: Ints
    num_read: Ints
    num_unknown: Ints
    predicted: Bools
    confidences: Floats


def compute_features(classifier: Classifier, texts: Sequence[str]) -> TextFeatures:
    """Tokenise and classify N texts.

    Args:
        classifier: Its model is on its device.
        texts: The texts.
    """
    words = tokenize_texts(list(texts), classifier.text)
    pieces = classifier.vocab.divide(words)
    encoded = encode_pieces(pieces, classifier.vocab)
    num_read, num_unknown, num_cut = count_tokens(pieces, encoded).T  # [N] each
    logits = compute_logits(classifier.model, encoded).double()  # [N, C]
    decisions = decide(logits, classifier.thresholds).numpy()  # [N] or [N, C]
    predicted = to_label_matrix(decisions, logits.shape[1])  # [N, C]
    return TextFeatures(
        words=words,
        encoded=encoded,
        num_tokens=num_read + num_cut,
        num_read=num_read,
        num_unknown=num_unknown,
        predicted=predicted,
        confidences=_compute_confidences(classifier, logits, predicted),
    )


def _compute_confidences(
    classifier: Classifier, logits: torch.Tensor, predicted: Bools
) -> Floats:
    """Return the confidence of each text. [N].

    Args:
        classifier: What computed the logits.
        logits: [N, C] float64.
        predicted: [N, C].
    """
    if classifier.has_several_labels:
        return compute_confidences(logits.numpy(), predicted)
    confidences: Floats = to_probs(logits).amax(dim=1).numpy()
    return confidences


def compute_states(
    classifier: Classifier, texts: EncodedTexts
) -> npt.NDArray[np.float32]:
    """Return the pooled states of texts, the input of the linear layer. [N, S].

    A run of n-grams alone has no states: its logits are returned instead.
    """
    ngrams = classifier.model.ngrams
    if ngrams is not None and ngrams.is_alone:
        states = compute_logits(classifier.model, texts)
    else:
        states = compute_pooled_states(classifier.model, texts)
    array: npt.NDArray[np.float32] = states.numpy()
    return array
