"""A result of `rnncls drift`, for tests of how it is shown."""

from pathlib import Path

from rnncls.evaluation.drift_labels import LabelShift
from rnncls.evaluation.drift_result import (
    Aspect,
    AspectDrift,
    DriftBounds,
    DriftResult,
    Quantiles,
    UnlikeText,
)
from rnncls.evaluation.drift_sample import TextSample
from rnncls.evaluation.drift_words import WordShift

NASTY = "<script>alert(1)</script>\x1b[31m [bold]"


def build_aspect(
    aspect: Aspect,
    measure: str,
    effect: float,
    p: float,
    medians: tuple[float, float] | tuple[None, None] = (None, None),
    auroc: float | None = None,
) -> AspectDrift:
    return AspectDrift(
        aspect=aspect,
        test="a test",
        measure=measure,
        effect=effect,
        p=p / 3,
        p_adjusted=p,
        is_significant=p < 0.01,
        has_drifted=p < 0.01,
        reference=medians[0],
        file=medians[1],
        auroc=auroc,
    )


def build_result(name: str = NASTY) -> DriftResult:
    """Return a result in which labels, words and texts have this name."""
    states = build_aspect("states", "2 AUROC - 1", effect=0.5, p=0.0, auroc=0.75)
    length = build_aspect("length", "KS distance", 0.04, 0.5, medians=(43.0, 1044.0))
    unknown = build_aspect(
        "unknown_words", "Cramér's V", effect=0.2, p=0.003, medians=(0.01, 0.09)
    )
    return DriftResult(
        run_path=Path("runs/first"),
        device="cpu",
        reference=TextSample("valid.csv", 50, ["a"] * 50, [], [], split="valid"),
        file=TextSample(name, 9_000, ["a"] * 20, [], [], used_for="training"),
        bounds=DriftBounds(),
        aspects=[length, unknown, states],
        predicted_labels=[LabelShift(name, 0.5, 0.25)],
        true_labels=[LabelShift(name, 0.0, 0.125, is_known=False)],
        words=[
            WordShift(name, 0.01, 0.2, 1e-9, is_known=False),
            WordShift("oil", 0.3, 0.1, 1e-7, is_known=True),
        ],
        unlike_texts=[UnlikeText(1234, 0.99, [name], f"{name}\nsecond line")],
        distributions=[
            Quantiles("length", [0.0, 10.0, 20.0], [1.0, 100.0, 900.0]),
            Quantiles("confidence", [0.2, 0.5, 1.0], [0.1, 0.2, 0.3]),
        ],
    )
