"""Requests that Schemathesis makes up from the OpenAPI page."""

from typing import Any

import pytest
from hypothesis import given, settings

from rnncls.inference.serve.app import create_app
from rnncls.inference.serve.limits import Limits
from rnncls.inference.serve.model import ServedModel
from rnncls.inference.serve.reload import ModelHolder

pytestmark = pytest.mark.slow
CASES = [
    ("POST", "/predict", "positive"),
    ("POST", "/predict", "negative"),
    ("POST", "/explain", "positive"),
    ("POST", "/explain", "negative"),
    ("POST", "/v2/models/{name}/infer", "positive"),
    ("POST", "/v2/models/{name}/infer", "negative"),
    ("GET", "/v2/models/{name}", "positive"),
    ("GET", "/v2/models/{name}/ready", "positive"),
    ("GET", "/v2/health/ready", "positive"),
    ("GET", "/metrics", "positive"),
]
"""A route, and whether the requests fit its schema."""


@pytest.fixture(scope="module")
def schema(model: ServedModel) -> Any:
    # Imported here: it takes seconds, and pytest imports this file for quick tests too.
    import schemathesis

    limits = Limits(max_texts=3, max_characters=30, max_body=300)
    app = create_app(ModelHolder(model), limits)
    return schemathesis.openapi.from_asgi("/openapi.json", app)


@pytest.mark.parametrize(("method", "path", "mode"), CASES)
def test_no_request_gets_an_error_or_an_undocumented_answer(
    method: str, path: str, mode: str, schema: Any
) -> None:
    from schemathesis import GenerationMode
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi import checks

    kinds = [
        not_a_server_error,
        checks.status_code_conformance,
        checks.content_type_conformance,
        checks.response_schema_conformance,
    ]
    strategy = schema[path][method].as_strategy(generation_mode=GenerationMode(mode))
    statuses = set()

    @settings(max_examples=500)
    @given(case=strategy)
    def send(case: Any) -> None:
        if method == "POST" and case.path_parameters:
            case.path_parameters["name"] = "teams"
        statuses.add(case.call_and_validate(checks=kinds).status_code)

    send()
    is_unknown = method == "GET" and "{name}" in path
    expected = {"negative": 422, "positive": 404 if is_unknown else 200}
    assert expected[mode] in statuses
