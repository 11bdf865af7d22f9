"""The light predictor: what `rnncls.inference.predictor` returns, without torch.

It is for few texts. torch is faster for thousands, and computes on other devices.

Shapes: N texts, C classes.
"""

from collections.abc import Iterable, Iterator

from rnncls.inference.labelling import (
    add_attention,
    check_attention,
    decide_fits,
    find_thresholds,
    label_texts,
)
from rnncls.inference.light.network import compute_outputs, compute_probs
from rnncls.inference.prediction import Prediction
from rnncls.inference.texts import check_texts
from rnncls.inference.windows import tokenize_windows
from rnncls.runs.portable import PortableClassifier
from rnncls.text.encoded_texts import count_tokens, encode_pieces
from rnncls.text.tokenizer import TokenizedTexts, tokenize_texts


class LightPredictor:
    """A classifier in NumPy, with options for its predictions.

    Its probabilities equal those of `Predictor` up to rounding: the logits differ by
    less than 1e-5 of their scale.
    """

    def __init__(
        self,
        classifier: PortableClassifier,
        *,
        attention: bool = False,
        min_confidence: float = 0.0,
        threshold: float | None = None,
    ) -> None:
        """Take a classifier.

        Args:
            classifier: The classifier, which `find_unsupported` finds nothing in.
            attention: Whether to return attention weights.
            min_confidence: Below this probability there is no answer.
            threshold: The threshold of all labels; None: those of the run.

        Raises:
            ConfigError: Attention weights were requested of a model without attention;
                or a threshold for a run with one label a text.
        """
        check_attention(is_requested=attention, has_attention=classifier.has_attention)
        self.classifier = classifier
        self.attention = attention
        self.min_confidence = min_confidence
        self.thresholds = find_thresholds(
            classifier.label_names, classifier.thresholds, threshold
        )

    def predict(self, texts: str | Iterable[str]) -> list[Prediction]:
        """Return one prediction per text, in the order of the texts.

        Several threads may call it at once.

        Args:
            texts: One text, or a list, tuple, generator, array or Series of texts.

        Raises:
            TypeError: An item is not a string.
        """
        checked = check_texts(texts)
        tokenized = tokenize_texts(checked, self.classifier.text)
        return self._predict(checked, self.classifier.vocab.divide(tokenized))

    def stream(self, chunks: Iterable[list[str]]) -> Iterator[list[Prediction]]:
        """Yield the predictions for all texts in their order, one window at a time."""
        section, vocab = self.classifier.text, self.classifier.vocab
        for texts, tokenized in tokenize_windows(chunks, section, vocab):
            yield self._predict(texts, tokenized)

    def _predict(self, texts: list[str], tokenized: TokenizedTexts) -> list[Prediction]:
        """Return the predictions for texts and their tokens."""
        encoded = encode_pieces(tokenized, self.classifier.vocab)
        outputs = compute_outputs(self.classifier, encoded)
        probs = compute_probs(self.classifier, outputs.logits)  # [N, C]
        counts = count_tokens(tokenized, encoded)  # [N, 3]
        fits = decide_fits(
            outputs.logits,
            counts,
            self.classifier.scope_rule,
            reads_unknown=self.classifier.reads_unknown,
        )
        predictions = label_texts(
            texts,
            probs.tolist(),
            counts.tolist(),
            self.classifier.label_names,
            self.min_confidence,
            self.thresholds,
            fits,
        )
        if not self.attention or outputs.attention is None:
            return predictions
        return add_attention(
            predictions, tokenized, outputs.attention, self.classifier.text
        )
