"""The result of a comparison of a file with the texts that a run was validated on."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from rnncls.evaluation.drift_labels import LabelShift
from rnncls.evaluation.drift_sample import TextSample
from rnncls.evaluation.drift_words import WordShift

Aspect = Literal[
    "length",
    "unknown_words",
    "predicted_labels",
    "confidence",
    "states",
    "true_labels",
]
ASPECT_NAMES: dict[Aspect, str] = {
    "length": "length",
    "unknown_words": "unknown words",
    "predicted_labels": "predicted labels",
    "confidence": "confidence",
    "states": "pooled states",
    "true_labels": "true labels",
}


@dataclass(frozen=True)
class DriftBounds:
    """When a difference counts as drift: both bounds must be reached.

    With many texts, a test finds differences that are too small to matter.

    Attributes:
        alpha: Below this adjusted p-value a difference is significant.
        min_effect: From this effect size on it is large enough.
    """

    alpha: float = 0.01
    min_effect: float = 0.1


@dataclass(frozen=True)
class AspectDrift:
    """The difference of two samples in one aspect.

    Attributes:
        aspect: What is compared.
        test: The name of the test.
        measure: The name of the effect size.
        effect: The effect size, from 0 to 1.
        p: The p-value.
        p_adjusted: The p-value that holds for all tests together (Holm).
        is_significant: Whether it is below the bound.
        has_drifted: Whether the effect size reaches its bound, too.
        reference: The median of the reference, or the share of its tokens; None: there
            is no such number.
        file: The same of the file.
        auroc: The area under the ROC curve of a classifier that tells the samples
            apart; None: there is none.
    """

    aspect: Aspect
    test: str
    measure: str
    effect: float
    p: float
    p_adjusted: float
    is_significant: bool
    has_drifted: bool
    reference: float | None = None
    file: float | None = None
    auroc: float | None = None

    @property
    def name(self) -> str:
        """The aspect in words."""
        return ASPECT_NAMES[self.aspect]


@dataclass(frozen=True)
class UnlikeText:
    """A text of the file that is unlike those of the reference.

    Attributes:
        row: Its row in the file, from 1.
        prob: The probability of being a text of the file, by a classifier that was not
            trained on it, if texts of both samples are equally frequent.
        predicted: The labels that the run predicts.
        text: The text.
    """

    row: int
    prob: float
    predicted: list[str]
    text: str


@dataclass(frozen=True)
class Quantiles:
    """The distribution of a number of each text, by its quantiles.

    Attributes:
        aspect: `length` or `confidence`.
        reference: The 0%, 1%, 2%, …, 100% quantiles of the reference.
        file: Those of the file.
    """

    aspect: Aspect
    reference: list[float]
    file: list[float]


@dataclass(frozen=True)
class DriftResult:
    """Everything that `rnncls drift` prints.

    Attributes:
        run_path: The run folder.
        device: The device that read the texts.
        reference: The texts that the file is compared with.
        file: The texts of the file.
        bounds: When a difference counts as drift.
        aspects: The difference in each aspect.
        predicted_labels: The predicted labels whose shares have changed most.
        true_labels: The same of the true labels; empty if a sample has none.
        words: The words whose shares of the texts have changed most.
        unlike_texts: The texts of the file that are most unlike the reference; empty
            if the states do not differ significantly.
        distributions: The lengths and the confidences.
    """

    run_path: Path
    device: str
    reference: TextSample
    file: TextSample
    bounds: DriftBounds
    aspects: list[AspectDrift]
    predicted_labels: list[LabelShift]
    true_labels: list[LabelShift]
    words: list[WordShift]
    unlike_texts: list[UnlikeText]
    distributions: list[Quantiles]

    @property
    def has_drifted(self) -> bool:
        """Whether any aspect has drifted."""
        return any(aspect.has_drifted for aspect in self.aspects)

    def meaning(self) -> str:
        """Summarise the result."""
        bounds = self.bounds
        drifted = [aspect for aspect in self.aspects if aspect.has_drifted]
        criterion = f"p < {bounds.alpha:g} and an effect of at least"
        criterion = f"{criterion} {bounds.min_effect:g}"
        if drifted:
            sentence = f"Drift in {_list_aspects(drifted)}: {criterion}."
        else:
            sentence = f"No drift: nothing differs with {criterion}."
        small = [
            aspect
            for aspect in self.aspects
            if aspect.is_significant and not aspect.has_drifted
        ]
        if small:
            sentence += f" Too small to count: {_list_aspects(small)}."
        return sentence

    def to_dict(self) -> dict[str, Any]:
        """Return all values as plain lists, dictionaries and numbers."""
        return {
            "run": str(self.run_path),
            "device": self.device,
            "reference": self.reference.to_dict(),
            "file": self.file.to_dict(),
            "alpha": self.bounds.alpha,
            "min_effect": self.bounds.min_effect,
            "has_drifted": self.has_drifted,
            "meaning": self.meaning(),
            "aspects": _as_dicts(self.aspects),
            "predicted_labels": _as_dicts(self.predicted_labels),
            "true_labels": _as_dicts(self.true_labels),
            "words": _as_dicts(self.words),
            "unlike_texts": _as_dicts(self.unlike_texts),
            "distributions": _as_dicts(self.distributions),
        }


def _list_aspects(aspects: Sequence[AspectDrift]) -> str:
    return ", ".join(aspect.name for aspect in aspects)


def _as_dicts(rows: Sequence[Any]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]
