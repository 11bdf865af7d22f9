"""Predictions and explanations as the JSON objects that `schemas` describes."""

from collections.abc import Sequence
from typing import Any

from rnncls.inference.prediction import Prediction
from rnncls.inference.serve.model import ServedModel
from rnncls.inference.serve.occlusion import Occlusion
from rnncls.inference.serve.refusals import InvalidRequest

Json = dict[str, Any]


def describe_predictions(
    model: ServedModel, predictions: Sequence[Prediction], top_k: int | None
) -> Json:
    """Return a `PredictResponse`."""
    described = [_describe_prediction(item, top_k) for item in predictions]
    return {"predictions": described, "model": describe_model(model)}


def describe_scores(
    predictions: Sequence[Prediction], top_k: int | None
) -> list[list[Json]]:
    """Return a `ScoresResponse`."""
    rows = []
    for prediction in predictions:
        ranked = prediction.top(top_k or len(prediction.probs))
        rows.append([{"label": label, "score": prob} for label, prob in ranked])
    return rows


def describe_model(model: ServedModel) -> Json:
    """Return a `ModelInfo`."""
    return {"name": model.name, "version": model.version}


def describe_explanation(
    model: ServedModel, text: str, found: Occlusion, label: str | None
) -> Json:
    """Return an `ExplainResponse` without the logits of all labels.

    Raises:
        InvalidRequest: The model has no such label.
    """
    names = model.label_names
    probs = dict(zip(names, found.probs.tolist(), strict=True))
    prediction = Prediction(text, probs, thresholds=model.thresholds)
    explained = prediction.label if label is None else label
    if explained not in probs:
        message = f"expected one of {', '.join(names)}, found {explained!r}"
        raise InvalidRequest([("label", message)])
    column = names.index(explained)
    num_read, num_unknown, num_cut = found.counts
    body: Json = {
        "label": explained,
        "logit": float(found.logits[column]),
        "probs": probs,
        "tokens": _describe_tokens(found, column),
        "num_tokens": num_read,
        "num_unknown": num_unknown,
        "num_cut": num_cut,
        "model": describe_model(model),
    }
    if model.thresholds is not None:
        body["labels"] = prediction.labels
    if found.fits is not None:
        body["fits"] = found.fits
    if found.trajectory is not None:
        body["trajectory"] = found.trajectory.tolist()
    return body


def _describe_tokens(found: Occlusion, column: int) -> list[Json]:
    effects = found.logits[column] - found.logits_without[:, column]  # [T]
    columns = zip(
        found.tokens, found.spans, found.is_unknown, effects.tolist(), strict=True
    )
    described = []
    for token, span, is_unknown, effect in columns:
        entry = {
            "token": token,
            "start": span.start,
            "end": span.end,
            "is_known": not is_unknown,
            "occlusion": effect,
        }
        described.append(entry)
    return described


def _describe_prediction(prediction: Prediction, top_k: int | None) -> Json:
    """Return a `PredictionBody`."""
    label = prediction.label
    body: Json = {"label": label, "prob": prediction.probs[label]}
    if prediction.thresholds is not None:
        body["labels"] = prediction.labels
    body["probs"] = prediction.probs if top_k is None else dict(prediction.top(top_k))
    body["num_tokens"] = prediction.num_tokens
    body["num_unknown"] = prediction.num_unknown
    body["num_cut"] = prediction.num_cut
    if prediction.fits is not None:
        body["fits"] = prediction.fits
    return body
