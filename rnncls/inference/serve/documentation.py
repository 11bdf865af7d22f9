"""What the OpenAPI page says of requests and errors."""

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from pydantic.json_schema import models_json_schema

from rnncls.inference.serve.schemas import BODIES, ErrorBody

Json = dict[str, Any]
_REFERENCE = "#/components/schemas/{model}"
_ERRORS = {
    404: "There is no such model.",
    413: "The body is too large, or there are too many texts, characters or tokens.",
    422: "The body is not what is expected.",
    429: "Too many requests are waiting: try again after the seconds of Retry-After.",
}


class DocumentedApp(FastAPI):
    """An application whose requests are parsed from their bytes.

    FastAPI does not see the models of such requests, so that they are added here.
    """

    def openapi(self) -> Json:
        """Return the OpenAPI description."""
        if self.openapi_schema is None:
            schema = get_openapi(
                title=self.title,
                version=self.version,
                description=self.description,
                routes=self.routes,
            )
            _, definitions = models_json_schema(
                [(body, "validation") for body in BODIES], ref_template=_REFERENCE
            )
            components = schema.setdefault("components", {})
            schemas = components.setdefault("schemas", {})
            schemas.update(definitions["$defs"])
            self.openapi_schema = schema
        return self.openapi_schema


def describe_request(*names: str) -> Json:
    """Return the part of a route's description with the models of its body."""
    references = [{"$ref": _REFERENCE.format(model=name)} for name in names]
    schema = references[0] if len(references) == 1 else {"anyOf": references}
    content = {"application/json": {"schema": schema}}
    return {"requestBody": {"required": True, "content": content}}


def describe_errors(*statuses: int) -> dict[int | str, Json]:
    """Return the part of a route's description with its errors."""
    return {
        status: {"model": ErrorBody, "description": _ERRORS[status]}
        for status in statuses
    }
