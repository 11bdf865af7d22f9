"""The prediction for one text. Does not import torch."""

from dataclasses import dataclass
from operator import index

from rnncls import ConfigError
from rnncls.nn.decisions import decide_label
from rnncls.text.display import shorten
from rnncls.text.traced_text import Span

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Prediction:
    """The prediction for one text.

    Attributes:
        text: The text.
        probs: Label → probability, in the order of the run's labels; they sum to 1 if a
            text has one label.
        attention: Each token and its attention weight; None if not requested.
        min_confidence: Below this probability there is no answer.
        num_tokens: The number of tokens that the model read; None if not counted.
        num_unknown: How many of these the vocabulary lacks.
        num_cut: How many further tokens were cut off, because of `max_tokens`.
        attention_spans: Where each token of `attention` is in the text.
        thresholds: Label → from which probability on the text has it, for a run with
            several labels a text, whose `probs` do not sum to 1; None: a text has one
            label.
    """

    text: str
    probs: dict[str, float]
    attention: list[tuple[str, float]] | None = None
    min_confidence: float = 0.0
    num_tokens: int | None = None
    num_unknown: int | None = None
    num_cut: int | None = None
    attention_spans: list[Span] | None = None
    thresholds: dict[str, float] | None = None

    def __repr__(self) -> str:
        """Return the label, its probability and the start of the text."""
        text = shorten(self.text, _SHOWN_CHARACTERS)
        if self.thresholds is not None:
            return f"Prediction(labels={self.labels!r}, text={text!r})"
        return f"Prediction(label={self.label!r}, prob={self.prob:.4f}, text={text!r})"

    def __str__(self) -> str:
        """Return the label, its probability and the start of the text, for people."""
        text = shorten(self.text, _SHOWN_CHARACTERS)
        if self.thresholds is not None:
            names = [f"{name} ({self.probs[name]:.1%})" for name in self.labels]
            return f"{', '.join(names) or 'no label'}: {text}"
        return f"{self.label} ({self.prob:.1%}): {text}"

    @property
    def label(self) -> str:
        """The most probable label."""
        return decide_label(self.probs)

    @property
    def labels(self) -> list[str]:
        """The labels of the text, the most probable first; perhaps none.

        For a run with one label a text, it is the answer, or none.
        """
        if self.thresholds is None:
            return [] if self.answer is None else [self.answer]
        thresholds = self.thresholds
        ranked = self.top(len(self.probs))
        return [label for label, prob in ranked if prob >= thresholds[label]]

    @property
    def prob(self) -> float:
        """The probability of the most probable label."""
        return self.probs[self.label]

    @property
    def answer(self) -> str | None:
        """The most probable label; None if less probable than `min_confidence`.

        With a `min_confidence`, a text without a known word has no answer either.
        """
        if self.min_confidence and self.has_no_known_word:
            return None
        return self.label if self.prob >= self.min_confidence else None

    @property
    def has_no_known_word(self) -> bool:
        """Whether no token of the text is in the vocabulary."""
        return self.num_tokens is not None and self.num_tokens == self.num_unknown

    def top(self, k: int) -> list[tuple[str, float]]:
        """Return the `k` most probable labels with their probabilities, sorted.

        Raises:
            ConfigError: `k` is not a whole number from 1.
        """
        try:
            is_count = index(k) > 0
        except TypeError:
            is_count = False
        if not is_count:
            raise ConfigError(f"k: expected a whole number from 1, found {k!r}")
        return sorted(self.probs.items(), key=lambda item: -item[1])[:k]
