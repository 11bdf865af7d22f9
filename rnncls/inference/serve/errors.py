"""The answers to requests that are refused: a status, and a body that says why."""

from typing import Any

from fastapi import FastAPI, Request, Response
from pydantic_core import to_json
from starlette.exceptions import HTTPException

from rnncls.inference.serve.refusals import (
    RETRY_AFTER_S,
    InvalidRequest,
    LimitError,
    UnknownModel,
)

JSON = "application/json"


def describe_limit(error: LimitError) -> Response:
    """Return the answer to a request that exceeds a limit."""
    body = {
        "error": str(error),
        "limit": error.limit,
        "found": error.found,
        "allowed": error.allowed,
    }
    response = Response(to_json(body), error.status, media_type=JSON)
    if error.status == 429:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def add_error_handlers(app: FastAPI) -> None:
    """Let an application answer requests that are refused, and unknown paths."""
    app.add_exception_handler(LimitError, _answer_limit)
    app.add_exception_handler(InvalidRequest, _answer_invalid)
    app.add_exception_handler(UnknownModel, _answer_unknown)
    app.add_exception_handler(HTTPException, _answer_http)


def _answer_limit(_: Request, error: Exception) -> Response:
    assert isinstance(error, LimitError)
    return describe_limit(error)


def _answer_invalid(_: Request, error: Exception) -> Response:
    assert isinstance(error, InvalidRequest)
    fields = [{"field": name, "message": message} for name, message in error.fields]
    body: dict[str, Any] = {"error": str(error), "fields": fields}
    return Response(to_json(body), 422, media_type=JSON)


def _answer_unknown(_: Request, error: Exception) -> Response:
    return Response(to_json({"error": str(error)}), 404, media_type=JSON)


def _answer_http(_: Request, error: Exception) -> Response:
    """Answer a path or a method that does not exist."""
    assert isinstance(error, HTTPException)
    body = to_json({"error": error.detail})
    return Response(body, error.status_code, error.headers, media_type=JSON)
