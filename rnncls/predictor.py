"""Texts into predictions, with the four files of a run.

Shapes: N texts, C classes.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

from rnncls.batching import encode_texts
from rnncls.checkpoint import Run
from rnncls.evaluator import compute_logits
from rnncls.tokenizer import build_tokenizer, tokenize_texts


@dataclass(frozen=True)
class Prediction:
    """What the model says of one text.

    Attributes:
        text: The text as it was given.
        probs: Label → probability, in the order of the run's labels; they sum to 1.
    """

    text: str
    probs: dict[str, float]

    @property
    def label(self) -> str:
        """The most probable label."""
        return max(self.probs, key=self.probs.__getitem__)

    @property
    def prob(self) -> float:
        """Its probability."""
        return self.probs[self.label]

    def top(self, k: int) -> list[tuple[str, float]]:
        """Return the `k` most probable labels and their probabilities, the most probable first."""
        return sorted(self.probs.items(), key=lambda item: -item[1])[:k]


class Predictor:
    """A run, ready to read texts."""

    def __init__(self, run: Run, device: torch.device) -> None:
        """Move the run's model to a device."""
        self.run = run
        self.model = run.model.to(device)
        self.tokenize = build_tokenizer(run.config.text)

    def predict(self, texts: list[str]) -> list[Prediction]:
        """Return one prediction a text, in the order of the texts."""
        encoded = encode_texts(tokenize_texts([texts], self.tokenize), self.run.vocab)
        probs = compute_logits(self.model, encoded).softmax(dim=1).tolist()  # [N, C]
        names = self.run.label_names
        return [Prediction(text, dict(zip(names, row, strict=True))) for text, row in zip(texts, probs, strict=True)]

    def stream(self, chunks: Iterable[list[str]]) -> Iterator[list[Prediction]]:
        """Yield the predictions of each chunk of texts; holds one chunk at a time."""
        for texts in chunks:
            yield self.predict(texts)
