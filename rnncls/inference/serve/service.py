"""What all routes share: the classifier, the limits, the threads that compute."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from fastapi import Request, Response
from pydantic import ValidationError
from pydantic_core import to_json

from rnncls.inference.prediction import Prediction
from rnncls.inference.serve.errors import JSON
from rnncls.inference.serve.limits import Limits, WaitingRoom, check_texts
from rnncls.inference.serve.metrics import Metrics
from rnncls.inference.serve.model import ServedModel
from rnncls.inference.serve.refusals import InvalidRequest
from rnncls.inference.serve.reload import ModelHolder
from rnncls.inference.serve.schemas import INPUTS_TAG, TEXTS_TAG

MAX_THREADS = 4
_MAX_NAMED = 10
"""Wrong fields of a request that its answer names."""
LOG_FIELDS = "rnncls"
"""The key of the ASGI scope with what the log says of a request."""

Result = TypeVar("Result")


class Service:
    """The parts of a server.

    Attributes:
        models: The classifier that answers.
        limits: How much a request may ask for.
        metrics: What Prometheus collects.
    """

    def __init__(
        self, models: ModelHolder, limits: Limits, num_threads: int | None = None
    ) -> None:
        """Start the threads; None: one a core, at most `MAX_THREADS`."""
        num_threads = num_threads or min(MAX_THREADS, count_cores())
        self.models = models
        self.limits = limits
        self.metrics = Metrics()
        self._waiting_room = WaitingRoom(num_threads, limits.max_waiting)
        self._threads = ThreadPoolExecutor(num_threads, "rnncls")

    async def predict(
        self, request: Request, texts: list[str]
    ) -> tuple[ServedModel, list[Prediction]]:
        """Return the predictions of texts, and the classifier that made them.

        Raises:
            LimitError: There are too many texts or requests, or a text is too long.
        """
        check_texts(texts, self.limits)
        model = self.models.model
        predictions = await self.compute(lambda: model.predict(texts))
        self.metrics.count_predictions(predictions)
        num_tokens = sum(item.num_tokens or 0 for item in predictions)
        note(request, texts=len(texts), tokens=num_tokens, version=model.version)
        return model, predictions

    async def compute(self, function: Callable[[], Result]) -> Result:
        """Call a function in a thread.

        Raises:
            LimitError: Too many requests are waiting.
        """
        with self._waiting_room.enter():
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._threads, function)

    def close(self) -> None:
        """End the threads when they have finished."""
        self._threads.shutdown(wait=False)


def note(request: Request, **fields: object) -> None:
    """Add fields to what the log says of a request."""
    request.scope.setdefault(LOG_FIELDS, {}).update(fields)


def write_answer(body: object) -> Response:
    """Return JSON that is sent as it is: checking it would take half of the time."""
    return Response(to_json(body), media_type=JSON)


async def read_body(request: Request, validate: Callable[[bytes], Result]) -> Result:
    """Return the body of a request.

    Args:
        request: The request.
        validate: `model_validate_json` of its pydantic model.

    Raises:
        InvalidRequest: It is not JSON, or not what the model describes.
    """
    body = await request.body()
    try:
        return validate(body)
    except ValidationError as error:
        # Neither the input nor the address of a help page belongs into the answer.
        details = error.errors(
            include_url=False, include_context=False, include_input=False
        )
        fields = [_name_error(detail) for detail in details[:_MAX_NAMED]]
        raise InvalidRequest(fields) from error


def _name_error(detail: Any) -> tuple[str, str]:
    """Return the field of an error of pydantic, and what is wrong with it."""
    path = [str(part) for part in detail["loc"] if part not in {TEXTS_TAG, INPUTS_TAG}]
    return ".".join(path), detail["msg"]


def count_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
