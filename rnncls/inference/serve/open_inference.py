"""The Open Inference Protocol, version 2, which KServe, Triton and others share.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v2-protocol
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from fastapi import APIRouter, Request, Response

from rnncls import __version__
from rnncls.inference.prediction import Prediction
from rnncls.inference.serve.documentation import describe_errors, describe_request
from rnncls.inference.serve.model import ServedModel
from rnncls.inference.serve.refusals import InvalidRequest, UnknownModel
from rnncls.inference.serve.schemas import (
    InferInput,
    InferRequest,
    InferResponse,
    Liveness,
    ModelMetadata,
    Readiness,
    ServerMetadata,
)
from rnncls.inference.serve.service import (
    Service,
    read_body,
    write_answer,
)

Json = dict[str, Any]
LABEL, PROBS, HAS_LABEL, FITS = "label", "probs", "has_label", "fits"
_TAG = "Open Inference Protocol"


class OpenInference:
    """The routes of the protocol."""

    def __init__(self, service: Service) -> None:
        """Take what all routes share."""
        self._service = service

    def build_router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter(prefix="/v2", tags=[_TAG])
        router.add_api_route("", self.describe_server, response_model=ServerMetadata)
        router.add_api_route(
            "/health/live", self.report_liveness, response_model=Liveness
        )
        router.add_api_route(
            "/health/ready",
            self.report_readiness,
            response_model=Readiness,
            responses={503: {"model": Readiness, "description": "The server stops."}},
        )
        router.add_api_route(
            "/models/{name}",
            self.describe_model,
            response_model=ModelMetadata,
            responses=describe_errors(404),
        )
        router.add_api_route(
            "/models/{name}/ready",
            self.report_model_readiness,
            response_model=Readiness,
            responses={
                **describe_errors(404),
                503: {"model": Readiness, "description": "The server stops."},
            },
        )
        router.add_api_route(
            "/models/{name}/infer",
            self.infer,
            methods=["POST"],
            response_model=InferResponse,
            responses=describe_errors(404, 413, 422, 429),
            openapi_extra=describe_request("InferRequest"),
        )
        return router

    async def describe_server(self) -> Response:
        """Name the server."""
        names = {"name": "rnncls", "version": __version__, "extensions": []}
        return write_answer(names)

    async def report_liveness(self) -> Response:
        """Say that the process answers."""
        return write_answer({"live": True})

    async def report_readiness(self) -> Response:
        """Say whether new requests are welcome; 503 once the server stops."""
        is_ready = self._service.models.is_ready
        response = write_answer({"ready": is_ready})
        response.status_code = 200 if is_ready else 503
        return response

    async def describe_model(self, name: str) -> Response:
        """Describe what the classifier reads and returns."""
        return write_answer(describe_metadata(self._find(name)))

    async def report_model_readiness(self, name: str) -> Response:
        """Say whether the classifier is ready."""
        self._find(name)
        return await self.report_readiness()

    async def infer(self, name: str, request: Request) -> Response:
        """Classify the texts of the tensor `text`."""
        self._find(name)
        body = await read_body(request, InferRequest.model_validate_json)
        names = None
        if body.outputs is not None:
            names = [output.name for output in body.outputs]
        check_outputs(names, self._service.models.model)
        texts = read_texts(body.inputs[0])
        model, predictions = await self._service.predict(request, texts)
        answer: Json = {
            "model_name": model.name,
            "model_version": model.version,
            "outputs": build_outputs(model, predictions, names),
        }
        if body.id is not None:
            answer["id"] = body.id
        return write_answer(answer)

    def _find(self, name: str) -> ServedModel:
        """Return the classifier with a name.

        Raises:
            UnknownModel: It has another one.
        """
        model = self._service.models.model
        if name != model.name:
            raise UnknownModel(f"no model {name!r}: this server has {model.name!r}")
        return model


def describe_metadata(model: ServedModel) -> Json:
    """Return a `ModelMetadata`."""
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": f"rnncls_{model.runtime}",
        "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1]}],
        "outputs": _list_outputs(model),
        "parameters": {"labels": model.label_names},
    }


def _list_outputs(model: ServedModel) -> list[Json]:
    num_labels = len(model.label_names)
    outputs = [
        {"name": LABEL, "datatype": "BYTES", "shape": [-1]},
        {"name": PROBS, "datatype": "FP32", "shape": [-1, num_labels]},
    ]
    if model.thresholds is not None:
        has_label = {"name": HAS_LABEL, "datatype": "BOOL", "shape": [-1, num_labels]}
        outputs.append(has_label)
    if model.scope_rule is not None:
        outputs.append({"name": FITS, "datatype": "BOOL", "shape": [-1]})
    return outputs


def read_texts(tensor: InferInput) -> list[str]:
    """Return the texts of a tensor of the shape [N] or [N, 1].

    Raises:
        InvalidRequest: The shape is another one, or does not fit the data.
    """
    texts: list[str] = []
    for item in tensor.data:
        texts += [item] if isinstance(item, str) else item
    num_texts = len(texts)
    if tensor.shape not in ([num_texts], [num_texts, 1]):
        message = (
            f"expected [{num_texts}] or [{num_texts}, 1] for {num_texts} texts, found"
            f" {tensor.shape}"
        )
        raise InvalidRequest([("inputs.0.shape", message)])
    return texts


def check_outputs(names: Sequence[str] | None, model: ServedModel) -> None:
    """Check the outputs that a client asks for.

    Raises:
        InvalidRequest: The classifier has no such output.
    """
    known = [output["name"] for output in _list_outputs(model)]
    for index, name in enumerate(names or []):
        if name not in known:
            message = f"expected one of {', '.join(known)}, found {name!r}"
            raise InvalidRequest([(f"outputs.{index}.name", message)])


def build_outputs(
    model: ServedModel, predictions: Sequence[Prediction], names: Sequence[str] | None
) -> list[Json]:
    """Return the tensors of the answer, their values row by row.

    Args:
        model: The classifier.
        predictions: One per text.
        names: The outputs to return; None: all.
    """
    outputs = []
    for output in _list_outputs(model):
        if names is not None and output["name"] not in names:
            continue
        shape = [len(predictions), *output["shape"][1:]]
        data = _list_values(output["name"], predictions)
        outputs.append({**output, "shape": shape, "data": data})
    return outputs


def _list_values(name: str, predictions: Sequence[Prediction]) -> list[Any]:
    """Return the values of an output, row by row."""
    if name == LABEL:
        return [prediction.label for prediction in predictions]
    if name == FITS:
        return [prediction.fits for prediction in predictions]
    rows = [list(prediction.probs.values()) for prediction in predictions]
    if name == PROBS or not predictions:
        return [prob for row in rows for prob in row]
    thresholds = list((predictions[0].thresholds or {}).values())
    has_label = np.array(rows) >= np.array(thresholds)
    values: list[bool] = has_label.ravel().tolist()
    return values
