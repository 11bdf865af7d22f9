"""Texts into predictions, with the four files of a run.

Shapes: N texts, C classes.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice

import torch

from rnncls.batching import encode_texts
from rnncls.checkpoint import Run
from rnncls.errors import ConfigError
from rnncls.evaluator import compute_logits, find_attention
from rnncls.tokenizer import TokenizedTexts, join_texts, tokenize_stream, tokenize_texts

PIECES_A_WINDOW = 4
"""Pieces of 4,096 texts in one window: in a larger one texts are closer in length, but results come later."""


@dataclass(frozen=True)
class Prediction:
    """What the model says of one text.

    Attributes:
        text: The text as it was given.
        probs: Label → probability, in the order of the run's labels; they sum to 1.
        attention: Each token that was read, and how much of it attention pooling took in; None: not asked.
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
        """The most probable label; None where it is less probable than `min_confidence`."""
        return self.label if self.prob >= self.min_confidence else None

    def top(self, k: int) -> list[tuple[str, float]]:
        """Return the `k` most probable labels and their probabilities, the most probable first."""
        return sorted(self.probs.items(), key=lambda item: -item[1])[:k]


class Predictor:
    """A run, ready to read texts."""

    def __init__(self, run: Run, device: torch.device, *, attention: bool = False, min_confidence: float = 0.0) -> None:
        """Move the run's model to a device.

        Args:
            run: The run.
            device: Where to compute.
            attention: Whether to say what the model attended to.
            min_confidence: Below this probability there is no answer.

        Raises:
            ConfigError: That was asked of a model without attention.
        """
        if attention and not run.model.has_attention:
            raise ConfigError(
                f"{run.path}: has no attention to show: train one with --set 'model.pooling=[last,max,attention]'"
            )
        self.run = run
        self.model = run.model.to(device)
        self.attention = attention
        self.min_confidence = min_confidence

    def predict(self, texts: list[str]) -> list[Prediction]:
        """Return one prediction a text, in the order of the texts."""
        return self._judge(texts, tokenize_texts(texts, self.run.config.text))

    def stream(self, chunks: Iterable[list[str]]) -> Iterator[list[Prediction]]:
        """Yield the predictions of all texts in their order, a window at a time.

        Within a window texts are read in the order of their length; the next windows are tokenised meanwhile.
        """
        texts: deque[str] = deque()

        def noted() -> Iterator[list[str]]:
            for chunk in chunks:
                texts.extend(chunk)
                yield chunk

        parts = tokenize_stream(noted(), self.run.config.text)
        while window := list(islice(parts, PIECES_A_WINDOW)):
            tokenized = join_texts(window)
            yield self._judge([texts.popleft() for _ in tokenized.lengths], tokenized)

    def _judge(self, texts: list[str], tokenized: TokenizedTexts) -> list[Prediction]:
        encoded = encode_texts(tokenized, self.run.vocab)
        probs = compute_logits(self.model, encoded).softmax(dim=1).tolist()  # [N, C]
        labelled = [dict(zip(self.run.label_names, row, strict=True)) for row in probs]
        say = partial(Prediction, min_confidence=self.min_confidence)
        if not self.attention:
            return list(map(say, texts, labelled))
        tokens = (tokenized.types[number] for number in tokenized.type_ids)
        attention = [[(next(tokens), weight) for weight in own] for own in find_attention(self.model, encoded)]
        return list(map(say, texts, labelled, attention))
