"""Predictions for texts.

Shapes: N texts, C classes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice, tee
from pathlib import Path

import torch

from rnncls import ConfigError, DataError, RnnclsError
from rnncls.evaluation.evaluator import compute_attention, compute_logits
from rnncls.inference.prediction import Prediction
from rnncls.inference.texts import check_texts
from rnncls.machine.device import resolve_run_device
from rnncls.machine.processes import ProcessGroup
from rnncls.machine.threads import borrow_thread
from rnncls.runs.classifier import Classifier
from rnncls.runs.folder import find_run
from rnncls.runs.run import load_run
from rnncls.text.encoded_texts import count_tokens, encode_pieces
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
                "the model has no attention weights: train one with --set"
                " 'model.pooling=[last,max,attention]'"
            )
        self.classifier = classifier
        self.model = classifier.model.to(device)
        self.device = device
        self.attention = attention
        self.min_confidence = min_confidence

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

        The windows are assigned to the processes in turn. Each process must get all
        texts.

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
                processes.send(self._compute_rows(tokenized))
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
            tokenized = join_texts(tokenized for _, tokenized in window)
            yield texts, self.classifier.vocab.divide(tokenized)

    def _compute_rows(self, tokenized: TokenizedTexts) -> torch.Tensor:
        """Return the probabilities and the token counts of the texts, side by side.

        Returns:
            [N, C + 3] float32 on the CPU; the counts are those of `count_tokens`.
        """
        encoded = encode_pieces(tokenized, self.classifier.vocab)
        with borrow_thread(self.device):
            probs = compute_logits(self.model, encoded).softmax(dim=1)  # [N, C]
        counts = count_tokens(tokenized, encoded)  # [N, 3]
        return torch.cat([probs, torch.from_numpy(counts).float()], dim=1)

    def _label(self, texts: list[str], rows: torch.Tensor) -> list[Prediction]:
        """Return predictions from the result of `_compute_rows`."""
        if len(texts) != len(rows):
            raise DataError(
                f"one process was given {len(texts)} texts, another {len(rows)} in"
                " their place"
            )
        labels = self.classifier.label_names
        all_probs = rows[:, : len(labels)].tolist()
        all_counts = rows[:, len(labels) :].long().tolist()
        return [
            Prediction(
                text,
                dict(zip(labels, probs, strict=True)),
                None,
                self.min_confidence,
                *counts,
            )
            for text, probs, counts in zip(texts, all_probs, all_counts, strict=True)
        ]

    def _predict(self, texts: list[str], tokenized: TokenizedTexts) -> list[Prediction]:
        """Return the predictions for texts and their tokens."""
        probs = self._compute_rows(tokenized)
        predictions = self._label(texts, probs)
        if not self.attention:
            return predictions
        token_weights = self._attend(tokenized)
        return list(map(self._add_attention, predictions, token_weights))

    def _add_attention(
        self, prediction: Prediction, attention: list[tuple[str, float]]
    ) -> Prediction:
        # Imported here: only attention needs the package `regex`.
        from rnncls.text.spans import locate_tokens

        tokens = [token for token, _ in attention]
        spans = locate_tokens(prediction.text, tokens, self.classifier.text)
        return replace(prediction, attention=attention, attention_spans=spans)

    def _attend(self, tokenized: TokenizedTexts) -> list[list[tuple[str, float]]]:
        """Return each token of each text and its attention weight."""
        encoded = encode_pieces(tokenized, self.classifier.vocab)
        tokens = (tokenized.words[word_id] for word_id in tokenized.word_ids)
        with borrow_thread(self.device):
            weights_of_texts = compute_attention(self.model, encoded)
        attention = []
        for weights in weights_of_texts:
            text_tokens = islice(tokens, len(weights))
            attention.append(list(zip(text_tokens, weights, strict=True)))
        return attention


def load_predictor(
    run: str | Path | None = None,
    *,
    device: str | None = None,
    min_confidence: float = 0.0,
) -> Predictor:
    """Load a run for predictions; see `rnncls.load`.

    Raises:
        RunError: The folder is not a run, or one of its files is damaged.
        DeviceError: This machine lacks the requested device.
    """
    path = None if run is None else Path(run)
    loaded = load_run(find_run(path))
    own_device = resolve_run_device(device, loaded.config.device)
    return Predictor(loaded.classifier, own_device, min_confidence=min_confidence)
