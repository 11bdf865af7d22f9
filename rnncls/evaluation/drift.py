"""Drift: how a file differs from the texts that a run was validated on.

Shapes: N texts of a sample, C classes, S width of a state.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from rnncls.evaluation.drift_features import (
    TextFeatures,
    compute_features,
    compute_states,
)
from rnncls.evaluation.drift_labels import LabelMatrices, build_true_labels
from rnncls.evaluation.drift_result import (
    Aspect,
    AspectDrift,
    DriftBounds,
    DriftResult,
    Quantiles,
    UnlikeText,
)
from rnncls.evaluation.drift_sample import TextSample
from rnncls.evaluation.drift_statistics import (
    Effect,
    TwoSampleTest,
    adjust_holm,
    classify_samples,
    compare_distributions,
    compare_label_sets,
    compare_labels,
    compare_shares,
    estimate_share,
)
from rnncls.evaluation.drift_words import find_shifted_words
from rnncls.runs.classifier import Classifier
from rnncls.runs.run import Run

MAX_STATES = 5_000
"""Of more texts in a sample, this many are drawn to compare their states."""
NUM_UNLIKE = 20
"""How many of the most unlike texts are listed."""
_NUM_QUANTILES = 101
_SEED = 0

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]


@dataclass(frozen=True)
class _Comparison:
    """The difference in an aspect, before the p-values are adjusted."""

    aspect: Aspect
    measure: str
    effect: Effect
    reference: float | None = None
    file: float | None = None
    auroc: float | None = None


@dataclass(frozen=True)
class _StateTest:
    """The test of the pooled states.

    Attributes:
        result: Its result.
        indices: The texts of the file whose states were compared.
    """

    result: TwoSampleTest
    indices: Ints


def measure_drift(
    run: Run, reference: TextSample, file: TextSample, bounds: DriftBounds
) -> DriftResult:
    """Compare a file with a reference, as a run sees them.

    Args:
        run: The run, its model on its device.
        reference: The texts to compare with.
        file: The texts of the file.
        bounds: When a difference counts as drift.
    """
    classifier = run.classifier
    file_features = compute_features(classifier, file.texts)
    features = (compute_features(classifier, reference.texts), file_features)
    states = _compare_states(classifier, *features)
    predicted = _predicted_labels(classifier, *features)
    true = build_true_labels(reference.labels, file.labels, classifier.label_names)
    if true is not None and classifier.has_several_labels:
        true = true.with_no_label()
    comparisons = [
        _compare_lengths(*features),
        _compare_unknown_words(*features),
        _compare_labels("predicted_labels", predicted, classifier),
        _compare_confidences(*features),
        _state_comparison(states.result),
    ]
    if true is not None:
        comparisons.append(_compare_labels("true_labels", true, classifier))
    aspects = _judge(comparisons, bounds)
    differs = any(each.aspect == "states" and each.is_significant for each in aspects)
    return DriftResult(
        run_path=run.path,
        device=str(classifier.model.linear.weight.device),
        reference=reference,
        file=file,
        bounds=bounds,
        aspects=aspects,
        predicted_labels=predicted.find_shifts(),
        true_labels=[] if true is None else true.find_shifts(),
        words=find_shifted_words(
            features[0].words,
            features[1].words,
            classifier.vocab,
        ),
        unlike_texts=_unlike_texts(run, file, file_features, states) if differs else [],
        distributions=_compute_distributions(*features),
    )


def _judge(
    comparisons: Sequence[_Comparison], bounds: DriftBounds
) -> list[AspectDrift]:
    """Adjust the p-values and compare the differences with the bounds."""
    adjusted = adjust_holm([comparison.effect.p for comparison in comparisons])
    aspects = []
    for comparison, p_adjusted in zip(comparisons, adjusted, strict=True):
        effect = comparison.effect
        is_significant = p_adjusted < bounds.alpha
        aspect = AspectDrift(
            aspect=comparison.aspect,
            test=effect.test,
            measure=comparison.measure,
            effect=effect.size,
            p=effect.p,
            p_adjusted=p_adjusted,
            is_significant=is_significant,
            has_drifted=is_significant and effect.size >= bounds.min_effect,
            reference=comparison.reference,
            file=comparison.file,
            auroc=comparison.auroc,
        )
        aspects.append(aspect)
    return aspects


def _compare_lengths(reference: TextFeatures, file: TextFeatures) -> _Comparison:
    return _compare_numbers(
        "length",
        reference.num_tokens.astype(np.float64),
        file.num_tokens.astype(np.float64),
    )


def _compare_confidences(reference: TextFeatures, file: TextFeatures) -> _Comparison:
    return _compare_numbers("confidence", reference.confidences, file.confidences)


def _compare_numbers(aspect: Aspect, reference: Floats, file: Floats) -> _Comparison:
    return _Comparison(
        aspect,
        "KS distance",
        compare_distributions(reference, file),
        float(np.median(reference)),
        float(np.median(file)),
    )


def _compare_unknown_words(reference: TextFeatures, file: TextFeatures) -> _Comparison:
    reference_share = estimate_share(reference.num_unknown, reference.num_read)
    file_share = estimate_share(file.num_unknown, file.num_read)
    return _Comparison(
        "unknown_words",
        "Cramér's V",
        compare_shares(reference_share, file_share),
        reference_share.share if reference_share.num_tokens else None,
        file_share.share if file_share.num_tokens else None,
    )


def _predicted_labels(
    classifier: Classifier, reference: TextFeatures, file: TextFeatures
) -> LabelMatrices:
    names = list(classifier.label_names)
    matrices = LabelMatrices(names, reference.predicted, file.predicted, len(names))
    return matrices.with_no_label() if classifier.has_several_labels else matrices


def _compare_labels(
    aspect: Aspect, labels: LabelMatrices, classifier: Classifier
) -> _Comparison:
    if classifier.has_several_labels:
        effect = compare_label_sets(labels.reference, labels.file)
    else:
        effect = compare_labels(labels.reference.sum(axis=0), labels.file.sum(axis=0))
    return _Comparison(aspect, "Cramér's V", effect)


def _compare_states(
    classifier: Classifier, reference: TextFeatures, file: TextFeatures
) -> _StateTest:
    """Train classifiers that tell the states of both samples apart."""
    generator = np.random.default_rng(_SEED)
    reference_indices = _draw_indices(reference, generator)
    indices = _draw_indices(file, generator)
    result = classify_samples(
        compute_states(classifier, reference.encoded.select(reference_indices)),
        compute_states(classifier, file.encoded.select(indices)),
    )
    return _StateTest(result, indices)


def _draw_indices(features: TextFeatures, generator: np.random.Generator) -> Ints:
    """Draw at most `MAX_STATES` texts, in their order."""
    shuffled = generator.permutation(len(features.encoded))
    return np.sort(shuffled[:MAX_STATES])


def _state_comparison(result: TwoSampleTest) -> _Comparison:
    return _Comparison(
        "states",
        "2 AUROC - 1",
        result.effect,
        auroc=result.auroc,
    )


def _unlike_texts(
    run: Run, file: TextSample, features: TextFeatures, states: _StateTest
) -> list[UnlikeText]:
    """Return the texts of the file that its classifier is most certain about."""
    names = run.classifier.label_names
    scores = states.result.scores
    texts = []
    for place in np.argsort(-scores, kind="stable")[:NUM_UNLIKE].tolist():
        index = int(states.indices[place])
        labels = np.flatnonzero(features.predicted[index]).tolist()
        text = UnlikeText(
            row=file.rows[index],
            prob=float(scores[place]),
            predicted=[names[label] for label in labels],
            text=file.texts[index],
        )
        texts.append(text)
    return texts


def _compute_distributions(
    reference: TextFeatures, file: TextFeatures
) -> list[Quantiles]:
    return [
        _quantiles("length", reference.num_tokens, file.num_tokens),
        _quantiles("confidence", reference.confidences, file.confidences),
    ]


def _quantiles(
    aspect: Aspect, reference: Floats | Ints, file: Floats | Ints
) -> Quantiles:
    shares = np.linspace(0, 1, _NUM_QUANTILES)
    return Quantiles(
        aspect,
        np.quantile(reference, shares).tolist(),
        np.quantile(file, shares).tolist(),
    )
