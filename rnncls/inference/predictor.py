"""Predictions for texts.

Shapes: N texts, C classes.
"""

from collections.abc import Iterable, Iterator
from itertools import islice, tee

import torch

from rnncls import DataError, RnnclsError
from rnncls.evaluation.evaluator import compute_attention, compute_logits
from rnncls.inference.labelling import (
    add_attention,
    check_attention,
    decide_fits,
    find_thresholds,
    label_texts,
)
from rnncls.inference.prediction import Prediction
from rnncls.inference.texts import check_texts
from rnncls.inference.windows import split_windows, tokenize_windows
from rnncls.machine.processes import ProcessGroup
from rnncls.machine.threads import borrow_thread
from rnncls.runs.classifier import Classifier
from rnncls.text.encoded_texts import count_tokens, encode_pieces
from rnncls.text.tokenizer import TokenizedTexts, tokenize_texts


class Predictor:
    """A classifier on a device, with options for its predictions."""

    def __init__(
        self,
        classifier: Classifier,
        device: torch.device,
        *,
        attention: bool = False,
        min_confidence: float = 0.0,
        threshold: float | None = None,
    ) -> None:
        """Move the model to a device.

        Args:
            classifier: The classifier.
            device: The device to compute on.
            attention: Whether to return attention weights.
            min_confidence: Below this probability there is no answer.
            threshold: The threshold of all labels; None: those of the run.

        Raises:
            ConfigError: Attention weights were requested of a model without attention;
                or a threshold for a run with one label a text.
        """
        has_attention = classifier.model.has_attention
        check_attention(is_requested=attention, has_attention=has_attention)
        self.classifier = classifier
        self.model = classifier.model.to(device)
        self.device = device
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
        """Yield the predictions for all texts in their order, one window at a time.

        Within a window the texts are batched by length; later windows are tokenised in
        the meantime.
        """
        section, vocab = self.classifier.text, self.classifier.vocab
        for texts, tokenized in tokenize_windows(chunks, section, vocab):
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
        windows, copies = tee(split_windows(chunks))
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
        windows = split_windows(chunks)
        own_windows = islice(windows, processes.rank, None, processes.world_size)
        section, vocab = self.classifier.text, self.classifier.vocab
        try:
            for _, tokenized in tokenize_windows(own_windows, section, vocab):
                processes.send(self._compute_rows(tokenized))
        except RnnclsError as error:
            processes.send_error(error)
            raise

    def _compute_rows(self, tokenized: TokenizedTexts) -> torch.Tensor:
        """Return the probabilities, the token counts and the fits of the texts.

        Returns:
            [N, C + 3] float32 on the CPU; the counts are those of `count_tokens`. If
            the run can tell whether a text fits, a column of 1 and 0 follows.
        """
        encoded = encode_pieces(tokenized, self.classifier.vocab)
        with borrow_thread(self.device):
            logits = compute_logits(self.model, encoded)  # [N, C]
            probs = self.model.compute_probs(logits)  # [N, C]
        counts = count_tokens(tokenized, encoded)  # [N, 3]
        columns = [probs, torch.from_numpy(counts).float()]
        classifier = self.classifier
        fits = decide_fits(
            logits.numpy(),
            counts,
            classifier.scope_rule,
            reads_unknown=classifier.reads_unknown,
        )
        if fits is not None:
            columns.append(torch.tensor(fits, dtype=torch.float32)[:, None])
        return torch.cat(columns, dim=1)

    def _label(self, texts: list[str], rows: torch.Tensor) -> list[Prediction]:
        """Return predictions from the result of `_compute_rows`."""
        if len(texts) != len(rows):
            raise DataError(
                f"one process was given {len(texts)} texts, another {len(rows)} in"
                " their place"
            )
        labels = self.classifier.label_names
        end_of_counts = len(labels) + 3
        all_probs = rows[:, : len(labels)].tolist()
        all_counts = rows[:, len(labels) : end_of_counts].long().tolist()
        fits = None
        if self.classifier.scope_rule is not None:
            fits = rows[:, end_of_counts].bool().tolist()
        return label_texts(
            texts,
            all_probs,
            all_counts,
            labels,
            self.min_confidence,
            self.thresholds,
            fits,
        )

    def _predict(self, texts: list[str], tokenized: TokenizedTexts) -> list[Prediction]:
        """Return the predictions for texts and their tokens."""
        probs = self._compute_rows(tokenized)
        predictions = self._label(texts, probs)
        if not self.attention:
            return predictions
        encoded = encode_pieces(tokenized, self.classifier.vocab)
        with borrow_thread(self.device):
            weights = compute_attention(self.model, encoded)
        return add_attention(predictions, tokenized, weights, self.classifier.text)
