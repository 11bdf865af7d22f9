"""Texts into predictions, with the four files of a run.

Shapes: N texts, C classes.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
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
"""Pieces of 4,096 texts in one window: in a larger one texts are closer in length, but
results come later."""


@dataclass(frozen=True)
class Prediction:
    """What the model says of one text.

    Attributes:
        text: The text as it was given.
        probs: Label → probability, in the order of the run's labels; they sum to 1.
        attention: Each token that was read, and how much of it attention pooling took
            in; None: not asked.
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
        """Its probability."""
        return self.probs[self.label]

    @property
    def answer(self) -> str | None:
        """The most probable label; None where it is less probable than
        `min_confidence`.
        """
        return self.label if self.prob >= self.min_confidence else None

    def top(self, k: int) -> list[tuple[str, float]]:
        """Return the `k` most probable labels and their probabilities, the most
        probable first.
        """
        return sorted(self.probs.items(), key=lambda item: -item[1])[:k]


class Predictor:
    """A classifier on a device, with the options for its predictions."""

    def __init__(
        self,
        classifier: Classifier,
        device: torch.device,
        *,
        attention: bool = False,
        min_confidence: float = 0.0,
    ) -> None:
        """Move the classifier's model to a device.

        Args:
            classifier: The classifier.
            device: Where to compute.
            attention: Whether to say what the model attended to.
            min_confidence: Below this probability there is no answer.

        Raises:
            ConfigError: That was asked of a model without attention.
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
        """Return one prediction a text, in the order of the texts."""
        return self._judge(texts, tokenize_texts(texts, self.classifier.text))

    def stream(self, chunks: Iterable[list[str]]) -> Iterator[list[Prediction]]:
        """Yield the predictions of all texts in their order, a window at a time.

        Within a window texts are read in the order of their length; the next windows
        are tokenised meanwhile.
        """
        for texts, tokenized in self._tokenize(chunks):
            yield self._judge(texts, tokenized)

    def stream_together(
        self, chunks: Iterable[list[str]], processes: ProcessGroup
    ) -> Iterator[list[Prediction]]:
        """Yield what `stream` does, in the first of several processes, while the others
        `read_along`.

        They take turns at the windows; each is given all texts.

        Raises:
            DataError: They were not given the same texts.
        """
        if processes.world_size == 1:
            yield from self.stream(chunks)
            return
        windows, ahead = tee(rebatch(chunks, PIECES_A_WINDOW * TEXTS_A_PIECE))
        own = self.stream(islice(ahead, 0, None, processes.world_size))
        for number, texts in enumerate(windows):
            sender = number % processes.world_size
            yield self._label(texts, processes.receive(sender)) if sender else next(own)

    def read_along(self, chunks: Iterable[list[str]], processes: ProcessGroup) -> None:
        """Read this process's windows for `stream_together` of the first one, which
        gets an error of this one too.
        """
        windows = rebatch(chunks, PIECES_A_WINDOW * TEXTS_A_PIECE)
        try:
            for _, tokenized in self._tokenize(
                islice(windows, processes.rank, None, processes.world_size)
            ):
                processes.send(self._find_probs(tokenized))
        except RnnclsError as error:
            processes.send_error(error)
            raise

    def _tokenize(
        self, chunks: Iterable[list[str]]
    ) -> Iterator[tuple[list[str], TokenizedTexts]]:
        """Yield the texts of each window, and the same tokenised."""
        texts: deque[str] = deque()

        def noted() -> Iterator[list[str]]:
            for chunk in chunks:
                texts.extend(chunk)
                yield chunk

        parts = tokenize_stream(noted(), self.classifier.text)
        while window := list(islice(parts, PIECES_A_WINDOW)):
            tokenized = join_texts(window)
            yield [texts.popleft() for _ in tokenized.lengths], tokenized

    def _find_probs(self, tokenized: TokenizedTexts) -> torch.Tensor:
        """Return the probabilities of the classes. [N, C] float32 on the CPU."""
        return compute_logits(
            self.model, encode_texts(tokenized, self.classifier.vocab)
        ).softmax(dim=1)

    def _label(self, texts: list[str], probs: torch.Tensor) -> list[Prediction]:
        if len(texts) != len(probs):
            raise DataError(
                f"one process was given {len(texts)} texts, another {len(probs)} in"
                " their place"
            )
        labelled = (
            dict(zip(self.classifier.label_names, row, strict=True))
            for row in probs.tolist()
        )
        return list(
            map(
                partial(Prediction, min_confidence=self.min_confidence), texts, labelled
            )
        )

    def _judge(self, texts: list[str], tokenized: TokenizedTexts) -> list[Prediction]:
        predictions = self._label(texts, self._find_probs(tokenized))
        if not self.attention:
            return predictions
        tokens = (tokenized.words[number] for number in tokenized.word_ids)
        found = compute_attention(
            self.model, encode_texts(tokenized, self.classifier.vocab)
        )
        attention = [[(next(tokens), weight) for weight in own] for own in found]
        return [
            replace(prediction, attention=own)
            for prediction, own in zip(predictions, attention, strict=True)
        ]
