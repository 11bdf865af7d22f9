"""The last step of a training: the temperature, and the n-gram part if there is one.

Both are fitted beside the best weights, which do not change.

Shapes: N validation texts, C classes.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F

from rnncls.config.sections import ModelSection, TrainSection
from rnncls.data.loading import TrainingData
from rnncls.evaluation.calibration import fit_temperature
from rnncls.evaluation.evaluator import (
    PartLogits,
    compute_logits,
    compute_part_logits,
)
from rnncls.evaluation.joining import fit_join
from rnncls.evaluation.label_sets import score_label_sets
from rnncls.evaluation.metrics import accuracy_of, count_confusion, macro_f1_of
from rnncls.evaluation.parts import (
    LabelPartScore,
    PartScore,
    score_label_parts,
    score_parts,
)
from rnncls.evaluation.scope import fit_scope_rule
from rnncls.evaluation.thresholds import choose_label_thresholds, fit_label_temperature
from rnncls.machine.threads import share_kernels
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.decisions import decide
from rnncls.nn.ngrams import NgramClassifier
from rnncls.nn.scope import ScopeRule
from rnncls.runs.run import load_uncalibrated
from rnncls.text.ngram_table import unpack_table
from rnncls.training.ngram_fit import NgramFit, fit_ngrams, with_scale
from rnncls.training.trainer import Trainer


@dataclass(frozen=True)
class Calibration:
    """What is fitted on the validation rows at the end of a training.

    Attributes:
        temperature: The network's logits are divided by it.
        ngrams: The packed n-gram part; None: there is none.
        ngrams_summary: What the run's summary says of the n-gram part; None: there is
            none.
        valid: The validation scores of the classifier with the n-gram part, joined by
            factors of other rows; None: there is none.
        thresholds: [C], from which probability on a text has a label; None: a text has
            one label.
        scope_rule: By which a text fits one of the classes, or none (see
            `rnncls.nn.scope`); None: a text may have several labels.
        logits: [N, C], those that the validation scores are about, whatever their
            temperature; None: they were not needed.
    """

    temperature: float
    ngrams: dict[str, npt.NDArray[Any]] | None = None
    ngrams_summary: dict[str, Any] | None = None
    valid: dict[str, float] | None = None
    thresholds: npt.NDArray[np.float64] | None = None
    scope_rule: ScopeRule | None = None
    logits: torch.Tensor | None = None


def calibrate(
    trainer: Trainer[Any], section: ModelSection, train: TrainSection, path: Path
) -> Calibration:
    """Fit the n-gram part, and the numbers that join and calibrate the parts.

    Args:
        trainer: A trainer at the end of its training.
        section: Its network.
        train: Gives `calibrate`, and the weights of the classes.
        path: The run folder with the best weights.

    Raises:
        RunError: The best weights are missing or damaged.
    """
    needs_thresholds = section.has_several_labels
    data = trainer.data
    model = load_uncalibrated(path).classifier.model.to(trainer.device)
    if section.ngrams is None and needs_thresholds:
        return _choose_thresholds(model, data, is_calibrated=train.calibrate)
    if section.ngrams is None:
        return _fit_temperature(model, data, is_calibrated=train.calibrate)
    return _fit_and_join(model, train, data)


def _fit_temperature(
    model: TextClassifier, data: TrainingData, *, is_calibrated: bool
) -> Calibration:
    """Fit the temperature of a network, and the threshold of the texts that fit."""
    logits = compute_logits(model, data.valid.texts)  # [N, C]
    temperature = 1.0
    if is_calibrated:
        temperature = fit_temperature(logits, torch.from_numpy(data.valid.labels))
    rule = fit_scope_rule((logits / temperature).numpy(), data.valid.texts)
    return Calibration(temperature, scope_rule=rule, logits=logits)


def complete_network(
    model: TextClassifier, train: TrainSection, data: TrainingData
) -> npt.NDArray[np.float64] | None:
    """Add the n-gram part to a trained network, and choose the thresholds of labels.

    A network for several labels a text is calibrated even without n-grams. For one
    label a text, it stays as it is.

    Args:
        model: The network with its best weights, on its device; it is changed.
        train: Gives `calibrate`, and the weights of the classes.
        data: What it was trained on.

    Returns:
        The threshold of each label, [C]; None: a text has one label.
    """
    if model.section.ngrams is not None:
        calibration = _fit_and_join(model, train, data)
        _set_ngrams(model, calibration, data)
    elif model.section.has_several_labels:
        calibration = _choose_thresholds(model, data, is_calibrated=train.calibrate)
    else:
        return None
    model.temperature = calibration.temperature
    return calibration.thresholds


def _set_ngrams(
    model: TextClassifier, calibration: Calibration, data: TrainingData
) -> None:
    """Give a network the fitted n-gram part."""
    table = unpack_table(calibration.ngrams or {})
    ngrams = NgramClassifier(table, data.vocab.num_rows)
    model.ngrams = ngrams.to(model.linear.weight.device)


def score_with_ngrams(
    model: TextClassifier, train: TrainSection, data: TrainingData
) -> dict[str, float]:
    """Return the validation scores of a trained network with its n-gram part.

    They are those in the summary of a run.

    Args:
        model: The network with its best weights, on its device; its section has an
            n-gram part, and the fitted one is added to it.
        train: Gives `calibrate`, and the weights of the classes.
        data: What it was trained on.
    """
    scores = _fit_and_join(model, train, data).valid
    assert scores is not None
    return scores


def _fit_and_join(
    model: TextClassifier, train: TrainSection, data: TrainingData
) -> Calibration:
    """Fit the n-gram part of a trained network, and join it to the network."""
    max_size = model.section.ngrams if isinstance(model.section.ngrams, int) else None
    with share_kernels(model.linear.weight.device):
        fit = fit_ngrams(data, max_size, train)
    return _join(fit, model, data, train)


def _choose_thresholds(
    model: TextClassifier, data: TrainingData, *, is_calibrated: bool
) -> Calibration:
    """Fit the temperature for several labels a text, and choose their thresholds."""
    valid = data.valid
    logits = compute_logits(model, valid.texts)  # [N, C]
    temperature = 1.0
    if is_calibrated:
        temperature = fit_label_temperature(logits, torch.from_numpy(valid.labels))
    calibrated = (logits / temperature).numpy()  # [N, C]
    thresholds = choose_label_thresholds(valid.labels, calibrated)  # [C]
    return Calibration(temperature, thresholds=thresholds, logits=logits)


def _join(
    fit: NgramFit, model: TextClassifier, data: TrainingData, train: TrainSection
) -> Calibration:
    """Return the n-gram part with the factor that joins it to the network.

    The biases of the classes are part of its bias. They are fitted for all that is
    joined, so the n-grams alone are scored without them.
    """
    valid, has_network = data.valid, model.section.has_network
    labels = torch.from_numpy(valid.labels)  # [N], or [N, C]
    ngrams = fit.build(data.vocab.num_rows)
    model.ngrams = ngrams.to(model.linear.weight.device)
    parts = compute_part_logits(model, valid.texts)
    network = parts.network if has_network else None
    may_add_biases = has_network and labels.ndim == 1 and not _has_weights(train)
    join = fit_join(network, parts.ngrams, labels, may_add_biases=may_add_biases)
    scale = join.ngram_factor
    biases: torch.Tensor | None = None  # [C]
    if join.biases is not None:
        biases = join.biases / scale  # [C]
        fit = fit.add_to_bias(biases.numpy())
    is_network_used = join.network_factor is not None
    temperature = 1 / (join.network_factor or 1.0)
    if not train.calibrate:  # the same classes, with a temperature of 1
        scale = scale * temperature if is_network_used else 1.0
        temperature = 1.0
    logits = parts.ngrams if biases is None else parts.ngrams + biases  # [N, C]
    logits = logits * scale
    if is_network_used:
        logits = logits + parts.network / temperature
    thresholds, scope_rule = None, None
    if labels.ndim > 1:
        thresholds = choose_label_thresholds(valid.labels, logits.numpy())  # [C]
    else:
        scope_rule = fit_scope_rule(logits.numpy(), valid.texts)
    scores = _score_parts(parts, join.valid_logits, labels) if has_network else []
    summary = {
        "num_ngrams": len(fit.arrays["ngrams.keys"]),
        "max_size": int(fit.arrays["ngrams.max_size"]),
        "num_bytes": sum(array.nbytes for array in fit.arrays.values()),
        "inverse_strength": fit.inverse_strength,
        "scale": scale,
        "is_network_used": is_network_used,
        "class_biases": _round_biases(biases),
        "fit_s": round(fit.seconds, 3),
        "valid": scores,
    }
    return Calibration(
        temperature,
        with_scale(fit.arrays, scale, is_alone=not is_network_used),
        summary,
        _score(join.valid_logits, labels, len(data.label_names)),
        thresholds,
        scope_rule,
        join.valid_logits,
    )


def _round_biases(biases: torch.Tensor | None) -> list[float]:
    """Return the biases of the classes for the summary; empty if there are none."""
    return [] if biases is None else [round(bias, 6) for bias in biases.tolist()]


def _has_weights(train: TrainSection) -> bool:
    """Return whether some classes shall be predicted more often than they occur."""
    return train.class_weights is not None or train.sampling == "balanced"


def _score_parts(
    parts: PartLogits, together: torch.Tensor, labels: torch.Tensor
) -> list[dict[str, Any]]:
    """Return the scores of the network, of the n-grams, and of both together.

    Args:
        parts: The logits of the parts.
        together: [N, C], the logits of both together.
        labels: [N] int64, or [N, C] bool.
    """
    scores: Sequence[PartScore | LabelPartScore]
    if labels.ndim > 1:
        scores = score_label_parts(parts.network, parts.ngrams, together, labels)
    else:
        scores = score_parts(parts.network, parts.ngrams, together, labels.numpy())
    return [score.to_dict() for score in scores]


def _score(
    logits: torch.Tensor, labels: torch.Tensor, num_classes: int
) -> dict[str, float]:
    """Return the scores that `train.monitor` may name, of logits [N, C]."""
    if labels.ndim > 1:
        return score_label_sets(logits, labels)
    predictions = decide(logits).numpy()
    confusion = count_confusion(labels.numpy(), predictions, num_classes)  # [C, C]
    return {
        "accuracy": accuracy_of(confusion),
        "macro_f1": macro_f1_of(confusion),
        "loss": F.cross_entropy(logits.double(), labels).item(),
    }
