"""The prediction for one text. Does not import torch."""

import math
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

    It also has the properties `label`, `prob` and `answer`, and for a run with several
    labels a text `labels`; they are computed from these attributes.

    Attributes:
        text: The text.
        probs: Label → probability, in the order of the run's labels; they sum to 1 if a
            text has one label.
        attention: Each token and its attention weight; None if not requested.
        min_confidence: Below this probability, for several labels a text below this
            `confidence`, there is no answer.
        num_tokens: The number of tokens that the model read; None if not counted.
        num_unknown: How many of these the vocabulary lacks.
        num_cut: How many further tokens were cut off, because of `max_tokens`.
        attention_spans: Where each token of `attention` is in the text.
        thresholds: Label → from which probability on the text has it, for a run with
            several labels a text, whose `probs` do not sum to 1; None: a text has one
            label.
        fits: Whether the text fits one of the labels (see `rnncls.nn.scope`); None: the
            run cannot tell, as it has several labels a text or is of an earlier
            version.
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
    fits: bool | None = None

    def __repr__(self) -> str:
        """Return the label, its probability, the start of the text and a note."""
        result = f"label={self.label!r}, prob={self.prob:.4f}"
        if self.thresholds is not None:
            result = f"labels={self.labels!r}"
        text = shorten(self.text, _SHOWN_CHARACTERS)
        note = reading_note(self)
        shown_note = f", note={note!r}" if note else ""
        return f"Prediction({result}, text={text!r}{shown_note})"

    def __str__(self) -> str:
        """Return label, probability, start of the text and a note, for people."""
        note = reading_note(self)
        text = shorten(self.text, _SHOWN_CHARACTERS) + (f" ({note})" if note else "")
        if self.thresholds is not None:
            names = [f"{name} ({self.probs[name]:.1%})" for name in self.labels]
            nothing = "no answer" if self.is_rejected else "no label"
            return f"{', '.join(names) or nothing}: {text}"
        return f"{self.label} ({self.prob:.1%}): {text}"

    @property
    def label(self) -> str:
        """The most probable label."""
        return decide_label(self.probs)

    @property
    def labels(self) -> list[str]:
        """The labels of the text, the most probable first; perhaps none.

        There are none if there is no `answer`. For a run with one label a text, it is
        the answer.
        """
        return [] if self.is_rejected else self.reached

    @property
    def reached(self) -> list[str]:
        """The labels that reach their threshold, the most probable first.

        For a run with one label a text, it is the most probable one.
        """
        if self.thresholds is None:
            return [self.label]
        thresholds = self.thresholds
        ranked = self.top(len(self.probs))
        return [name for name, prob in ranked if prob >= thresholds[name]]

    @property
    def prob(self) -> float:
        """The probability of the most probable label."""
        return self.probs[self.label]

    @property
    def confidence(self) -> float:
        """The probability that the prediction is right.

        For several labels a text, it is the probability that all of them are right, as
        if they were independent given the text: the product of the probability of each
        label that reaches its threshold, and of 1 minus that of each other one. See
        `rnncls.evaluation.label_coverage`.
        """
        if self.thresholds is None:
            return self.prob
        thresholds = self.thresholds
        return math.prod(
            prob if prob >= thresholds[name] else 1 - prob
            for name, prob in self.probs.items()
        )

    @property
    def answer(self) -> str | None:
        """The most probable label; None if `confidence` is below `min_confidence`.

        With a `min_confidence`, a text without a known word has no answer either.
        """
        return None if self.is_rejected else self.label

    @property
    def is_rejected(self) -> bool:
        """Whether there is no answer, because of `min_confidence`."""
        if not self.min_confidence and self.thresholds is not None:
            return False
        if self.min_confidence and self.has_no_known_word:
            return True
        # Not `<`: a probability that is not a number is no answer either.
        return not self.confidence >= self.min_confidence

    @property
    def has_no_known_word(self) -> bool:
        """Whether no token of the text is in the vocabulary."""
        return self.num_tokens is not None and self.num_tokens == self.num_unknown

    def top(self, k: int) -> list[tuple[str, float]]:
        """Return the `k` most probable labels with their probabilities, sorted.

        If the run has fewer than `k` labels, all of them are returned.

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


def reading_note(prediction: Prediction) -> str:
    """Return what the model could not read, or that the text fits no class, if so."""
    notes = []
    if prediction.has_no_known_word:
        notes.append("no known word")
    elif prediction.fits is False:
        notes.append("fits none of the classes")
    if prediction.num_cut:
        num_all = (prediction.num_tokens or 0) + prediction.num_cut
        notes.append(f"cut: {prediction.num_tokens:,} of {num_all:,} tokens read")
    return "; ".join(notes)
