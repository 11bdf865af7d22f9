"""Predictions for texts.

Shapes: N texts, C classes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice, tee

import torch

from rnncls import ConfigError, DataError, RnnclsError
from rnncls.evaluation.evaluator import compute_attention, compute_logits
from rnncls.machine.processes import ProcessGroup
from rnncls.runs.classifier import Classifier
from rnncls.text.batching import encode_texts
from rnncls.text.tokenizer import (
    TEXTS_A_PIECE,
    TokenizedTexts,
    join_texts,
    rebatch,
    tokenize_stream,
    tokenize_texts,
)

PIECES_A_WINDOW = 4
"""Pieces of 4,096 texts in one window. The texts of a larger window are more similar in
length, but its results come later."""


@dataclass(frozen=True)
class Prediction:
    """The prediction for one text.

    Attributes:
        text: The text.
        probs: Label → probability, in the order of the run's labels; they sum to 1.
        attention: Each token and its attention weight; None if not requested.
        min_confidence: Below this probability there is no answer.
    """

    text: str
    probs: dict[str, float]
    attention: list[tuple[str, float]] | None = None
    min_confidence: float = 0.0

    @property
    def label(self) -> str:
        """The most probable label."""
        return max(self.probs, key=self.probs.__getitem__)

    @property
    def prob(self) -> float:
        """The probability of the most probable label."""
        return self.probs[self.label]

    @property
    def answer(self) -> str | None:
        """The most probable label; None if less probable than `min_confidence`."""
        return self.label if self.prob >= self.min_confidence else None

    def top(self, k: int) -> list[tuple[str, float]]:
        """Return the `k` most probable labels with their probabilities, sorted."""
        return sorted(self.probs.items(), key=lambda item: -item[1])[:k]


class Predictor:
    """A classifier on a device, with options for its predictions."""

    def __init__(
        self,
        classifier: Classifier,
        device: torch.device,
        *,
        attention: bool = False,
        min_confidence: float = 0.0,
    ) -> None:
        """Move the model to a device.

        Args:
            classifier: The classifier.
            device: The device to compute on.
            attention: Whether to return attention weights.
            min_confidence: Below this probability there is no answer.

        Raises:
            ConfigError: Attention weights were requested of a model without attention.
        """
        if attention and not classifier.model.has_attention:
            raise ConfigError(
                "the model has no attention to show: train one with --set"
                " 'model.pooling=[last,max,attention]'"
            )
        self.classifier = classifier
        self.model = classifier.model.to(device)
        self.attention = attention
        self.min_confidence = min_confidence

    def predict(self, texts: list[str]) -> list[Prediction]:
        """Return one prediction per text, in the order of the texts."""
        return self._predict(texts, tokenize_texts(texts, self.classifier.text))

    def stream(self, chunks: Iterable[list[str]]) -> Iterator[list[Prediction]]:
        """Yield the predictions for all texts in their order, one window at a time.

        Within a window the texts are batched by length; later windows are tokenised in
        the meantime.
        """
        for texts, tokenized in self._tokenize_windows(chunks):
            yield self._predict(texts, tokenized)

    def stream_together(
        self, chunks: Iterable[list[str]], processes: ProcessGroup
    ) -> Iterator[list[Prediction]]:
        """Yield what `stream` does in the main process; the others call `read_along`.

        The processes take turns at the windows. Each must get all texts.

        Raises:
            DataError: The processes got different texts.
        """
        if processes.world_size == 1:
            yield from self.stream(chunks)
            return
        windows, copies = tee(rebatch(chunks, PIECES_A_WINDOW * TEXTS_A_PIECE))
        own_windows = islice(copies, 0, None, processes.world_size)
        own_predictions = self.stream(own_windows)
        for index, texts in enumerate(windows):
            sender = index % processes.world_size
            if sender == 0:
                yield next(own_predictions)
            else:
                yield self._label(texts, processes.receive(sender))

    def read_along(self, chunks: Iterable[list[str]], processes: ProcessGroup) -> None:
        """Compute this process's windows for `stream_together` in the main process.

        An error in this process is raised in the main process too.
        """
        windows = rebatch(chunks, PIECES_A_WINDOW * TEXTS_A_PIECE)
        own_windows = islice(windows, processes.rank, None, processes.world_size)
        try:
            for _, tokenized in self._tokenize_windows(own_windows):
                processes.send(self._compute_probs(tokenized))
        except RnnclsError as error:
            processes.send_error(error)
            raise

    def _tokenize_windows(
        self, chunks: Iterable[list[str]]
    ) -> Iterator[tuple[list[str], TokenizedTexts]]:
        """Yield the texts of each window together with their tokens."""
        pieces = tokenize_stream(chunks, self.classifier.text)
        while window := list(islice(pieces, PIECES_A_WINDOW)):
            texts: list[str] = []
            for piece, _ in window:
                texts.extend(piece)
            yield texts, join_texts(tokenized for _, tokenized in window)

    def _compute_probs(self, tokenized: TokenizedTexts) -> torch.Tensor:
        """Return the probabilities of the classes. [N, C] float32 on the CPU."""
        encoded = encode_texts(tokenized, self.classifier.vocab)
        return compute_logits(self.model, encoded).softmax(dim=1)

    def _label(self, texts: list[str], probs: torch.Tensor) -> list[Prediction]:
        """Return predictions from probabilities, [N, C]."""
        if len(texts) != len(probs):
            raise DataError(
                f"one process was given {len(texts)} texts, another {len(probs)} in"
                " their place"
            )
        labels = self.classifier.label_names
        predictions = []
        for text, row in zip(texts, probs.tolist(), strict=True):
            prob_of_label = dict(zip(labels, row, strict=True))
            prediction = Prediction(
                text, prob_of_label, min_confidence=self.min_confidence
            )
            predictions.append(prediction)
        return predictions

    def _predict(self, texts: list[str], tokenized: TokenizedTexts) -> list[Prediction]:
        """Return the predictions for texts and their tokens."""
        probs = self._compute_probs(tokenized)
        predictions = self._label(texts, probs)
        if not self.attention:
            return predictions
        with_attention = []
        token_weights = self._attend(tokenized)
        for prediction, attention in zip(predictions, token_weights, strict=True):
            with_attention.append(replace(prediction, attention=attention))
        return with_attention

    def _attend(self, tokenized: TokenizedTexts) -> list[list[tuple[str, float]]]:
        """Return each token of each text and its attention weight."""
        encoded = encode_texts(tokenized, self.classifier.vocab)
        tokens = (tokenized.words[word_id] for word_id in tokenized.word_ids)
        weights_of_texts = compute_attention(self.model, encoded)
        attention = []
        for weights in weights_of_texts:
            text_tokens = islice(tokens, len(weights))
            attention.append(list(zip(text_tokens, weights, strict=True)))
        return attention
