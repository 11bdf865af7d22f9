"""What surrounds every route: the size of the body, measurement and log."""

import logging
from collections.abc import MutableMapping
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rnncls.inference.serve.errors import describe_limit
from rnncls.inference.serve.logs import log
from rnncls.inference.serve.refusals import LimitError
from rnncls.inference.serve.service import LOG_FIELDS, Service

logger = logging.getLogger(__name__)

_DISCARDED = 16
"""How many times the largest body is read and discarded, so that a client which is
still sending gets its answer."""
UNKNOWN_ROUTE = "unknown"


class BodyLimit:
    """Reads the body of a request before its route does, up to a limit."""

    def __init__(self, app: ASGIApp, max_body: int) -> None:
        """Take the application, and the largest body in bytes."""
        self._app = app
        self._max_body = max_body

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer 413 if the body is too large."""
        if scope["type"] != "http" or scope["method"] in {"GET", "HEAD"}:
            await self._app(scope, receive, send)
            return
        body, size = await self._read(receive)
        if size > self._max_body:
            error = LimitError(
                413,
                "max_body",
                size,
                self._max_body,
                f"the body has {size} bytes or more: at most {self._max_body} are"
                " allowed: send several requests",
            )
            await describe_limit(error)(scope, receive, send)
            return
        await self._app(scope, _replay(body, receive), send)

    async def _read(self, receive: Receive) -> tuple[bytes, int]:
        """Return the body, and its size as far as it was read."""
        body = bytearray()
        size = 0
        while size <= _DISCARDED * self._max_body:
            message = await receive()
            if message["type"] != "http.request":
                break
            part = message.get("body", b"")
            size += len(part)
            if size <= self._max_body:
                body += part
            if not message.get("more_body", False):
                break
        return bytes(body), size


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a function that returns a body once, and then what follows it."""
    is_read = False

    async def receive_body() -> Message:
        nonlocal is_read
        if is_read:
            return await receive()
        is_read = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive_body


class Observation:
    """Measures and logs requests."""

    def __init__(self, app: ASGIApp, service: Service) -> None:
        """Take the application, and what all routes share."""
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = perf_counter()
        status = 500  # if the application raises an error

        async def send_observed(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_observed)
        finally:
            self._record(scope, status, perf_counter() - start)

    def _record(
        self, scope: MutableMapping[str, Any], status: int, elapsed_s: float
    ) -> None:
        """Count and log a request that has been answered."""
        route = getattr(scope.get("route"), "path", UNKNOWN_ROUTE)
        self._service.metrics.count_request(route, status, elapsed_s)
        log(
            logger,
            logging.INFO,
            "request",
            method=scope["method"],
            route=route,
            status=status,
            ms=round(1000 * elapsed_s, 3),
            **scope.get(LOG_FIELDS, {}),
        )
