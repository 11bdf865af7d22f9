"""The web application around a classifier that has been loaded.

`create_app(ModelHolder(load_model(path)), Limits())` is an ASGI application for any
server; `rnncls serve` starts it with uvicorn.
"""

import asyncio
import signal
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from types import FrameType

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from starlette.middleware import Middleware

from rnncls import __version__
from rnncls.inference.export.page.template import render_server_page
from rnncls.inference.serve.answers import (
    describe_explanation,
    describe_predictions,
    describe_scores,
)
from rnncls.inference.serve.documentation import (
    DocumentedApp,
    describe_errors,
    describe_request,
)
from rnncls.inference.serve.errors import add_error_handlers
from rnncls.inference.serve.limits import Limits, check_texts
from rnncls.inference.serve.middleware import BodyLimit, Observation
from rnncls.inference.serve.occlusion import occlude_tokens
from rnncls.inference.serve.open_inference import OpenInference
from rnncls.inference.serve.reload import ModelHolder
from rnncls.inference.serve.schemas import (
    PREDICT_REQUEST,
    ExplainRequest,
    ExplainResponse,
    InputsRequest,
    PredictResponse,
    ScoresResponse,
)
from rnncls.inference.serve.service import Service, note, read_body, write_answer

_Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]
_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_HANGUP = getattr(signal, "SIGHUP", None)
"""Windows has none."""
_DESCRIPTION = (
    "A recurrent text classifier. Texts are neither stored nor logged. Every answer"
    " names the version of the classifier."
)


def create_app(
    models: ModelHolder,
    limits: Limits | None = None,
    *,
    watches: bool = False,
    num_threads: int | None = None,
) -> FastAPI:
    """Return an ASGI application that classifies texts.

    Args:
        models: The classifier.
        limits: How much a request may ask for; None: the defaults.
        watches: Whether to reload the classifier whenever its file has changed.
        num_threads: The requests that are computed at once; None: one a core, at most
            four.
    """
    limits = limits or Limits()
    service = Service(models, limits, num_threads)
    app = DocumentedApp(
        title=f"rnncls: {models.model.name}",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=_build_lifespan(service, watches=watches),
        redoc_url=None,
        middleware=[
            Middleware(Observation, service=service),
            Middleware(BodyLimit, max_body=limits.max_body),
        ],
    )
    add_error_handlers(app)
    app.include_router(Routes(service).build_router())
    app.include_router(OpenInference(service).build_router())
    return app


class Routes:
    """The routes of the project's own interface."""

    def __init__(self, service: Service) -> None:
        """Take what all routes share."""
        self._service = service

    def build_router(self) -> APIRouter:
        """Return the routes."""
        router = APIRouter()
        router.add_api_route(
            "/predict",
            self.predict,
            methods=["POST"],
            response_model=PredictResponse | ScoresResponse,
            responses=describe_errors(413, 422, 429),
            openapi_extra=describe_request("TextsRequest", "InputsRequest"),
        )
        router.add_api_route(
            "/explain",
            self.explain,
            methods=["POST"],
            response_model=ExplainResponse,
            responses=describe_errors(413, 422, 429),
            openapi_extra=describe_request("ExplainRequest"),
        )
        router.add_api_route(
            "/metrics", self.write_metrics, response_class=PlainMetrics
        )
        router.add_api_route(
            "/", self.show_page, response_class=HTMLResponse, include_in_schema=False
        )
        return router

    async def predict(self, request: Request) -> Response:
        """Classify texts.

        `{"texts": ["…"]}` returns `predictions`; `{"inputs": "…"}` returns for each
        text a list of labels and scores, as Hugging Face's text classification does.
        """
        body = await read_body(request, PREDICT_REQUEST.validate_json)
        if isinstance(body, InputsRequest):
            return await self._predict_inputs(request, body)
        model, predictions = await self._service.predict(request, body.texts)
        return write_answer(describe_predictions(model, predictions, body.top_k))

    async def _predict_inputs(self, request: Request, body: InputsRequest) -> Response:
        """Classify texts for a client of Hugging Face."""
        inputs = body.inputs
        texts = [inputs] if isinstance(inputs, str) else inputs
        _, predictions = await self._service.predict(request, texts)
        top_k = body.parameters.top_k if body.parameters else None
        return write_answer(describe_scores(predictions, top_k))

    async def explain(self, request: Request) -> Response:
        """Say what each token of a text adds to the logit of a label (occlusion)."""
        body = await read_body(request, ExplainRequest.model_validate_json)
        check_texts([body.text], self._service.limits)
        model = self._service.models.model
        found = await self._service.compute(
            lambda: occlude_tokens(model, body.text, with_trajectory=body.trajectory)
        )
        answer = describe_explanation(model, body.text, found, body.label)
        if body.all_labels:
            answer["logits"] = found.logits.tolist()
            answer["logits_without"] = found.logits_without.tolist()
        note(request, texts=1, tokens=len(found.tokens), version=model.version)
        return write_answer(answer)

    async def write_metrics(self) -> Response:
        """Return the numbers that Prometheus collects."""
        return PlainMetrics(self._service.metrics.write())

    async def show_page(self) -> Response:
        """Return a page on which texts can be typed."""
        model = self._service.models.model
        thresholds = None if model.thresholds is None else [*model.thresholds.values()]
        page = render_server_page(
            model.name, model.facts, model.label_names, thresholds
        )
        return HTMLResponse(page)


class PlainMetrics(Response):
    """The text format of Prometheus."""

    media_type = "text/plain; version=0.0.4"


def _build_lifespan(service: Service, *, watches: bool) -> _Lifespan:
    """Return what happens before the first request and after the last one."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        tasks = []
        if watches:
            tasks.append(asyncio.create_task(service.models.watch()))
        with _handle_signals(service.models):
            yield
        service.models.stop()
        for task in tasks:
            task.cancel()
        service.close()

    return lifespan


@contextmanager
def _handle_signals(models: ModelHolder) -> Iterator[None]:
    """Reload at SIGHUP, and be no longer ready from SIGTERM or SIGINT on.

    What the server itself does at these signals follows.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python allows no signal handler there
        return
    loop = asyncio.get_running_loop()
    before = {number: signal.getsignal(number) for number in _STOP_SIGNALS}

    def stop(number: int, frame: FrameType | None) -> None:
        models.stop()
        previous = before[signal.Signals(number)]
        if callable(previous):
            previous(number, frame)

    for number in _STOP_SIGNALS:
        signal.signal(number, stop)
    if _HANGUP is not None:
        loop.add_signal_handler(_HANGUP, loop.run_in_executor, None, models.reload)
    try:
        yield
    finally:
        if _HANGUP is not None:
            loop.remove_signal_handler(_HANGUP)
        for number, previous in before.items():
            signal.signal(number, previous)
