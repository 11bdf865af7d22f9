"""Every refused request says why."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.inference.serve.conftest import LIMITS


@pytest.mark.parametrize(
    ("path", "body", "limit", "found"),
    [
        ("/predict", {"texts": ["oslo"] * 9}, "max_texts", 9),
        ("/predict", {"inputs": ["oslo"] * 9}, "max_texts", 9),
        ("/predict", {"texts": ["oslo", "o" * 3001]}, "max_characters", 3001),
        ("/explain", {"text": "o" * 3001}, "max_characters", 3001),
        ("/explain", {"text": "a " * 401}, "max_explained_tokens", 401),
        ("/predict", {"texts": ["o" * 25_000]}, "max_body", 25_014),
    ],
)
def test_a_limit_is_named(
    path: str, body: dict[str, Any], limit: str, found: int, client: TestClient
) -> None:
    response = client.post(path, json=body)
    assert response.status_code == 413
    answer = response.json()
    assert (answer["limit"], answer["found"]) == (limit, found)
    assert str(answer["allowed"]) in answer["error"]


def test_a_body_of_unknown_size_is_limited(client: TestClient) -> None:
    parts = (b"o" * 1000 for _ in range(1000))  # without a Content-Length
    response = client.post("/predict", content=parts)
    answer = response.json()
    assert (response.status_code, answer["limit"]) == (413, "max_body")
    assert answer["found"] > answer["allowed"] == LIMITS.max_body


@pytest.mark.parametrize(
    ("path", "content", "field", "message"),
    [
        ("/predict", b'{"texts": [3]}', "texts.0", "valid string"),
        ("/predict", b'{"text": "oslo"}', "texts", "required"),
        ("/predict", b'{"inputs": 3}', "inputs.str", "valid string"),
        ("/predict", b'{"texts": [], "top_k": 0}', "top_k", "greater than"),
        ("/predict", b'{"texts": ["\xff"]}', "", "Invalid JSON"),
        ("/predict", b'{"texts": ["\\ud800"]}', "", "Invalid JSON"),
        ("/predict", b"[" * 5000, "", "Invalid JSON"),
        ("/predict", b"", "", "Invalid JSON"),
        ("/predict", b"3", "", "object"),
        ("/explain", b'{"text": "a", "label": "oslo"}', "label", "sport, world"),
    ],
)
def test_a_wrong_field_is_named(
    path: str, content: bytes, field: str, message: str, client: TestClient
) -> None:
    response = client.post(path, content=content)
    assert response.status_code == 422
    answer = response.json()
    assert answer["fields"][0]["field"] == field
    assert message in answer["fields"][0]["message"]
    assert message in answer["error"]


def test_an_answer_does_not_list_a_thousand_errors(client: TestClient) -> None:
    response = client.post("/predict", json={"texts": [3] * 1000})
    assert len(response.json()["fields"]) == 10


@pytest.mark.parametrize(("method", "path"), [("GET", "/predict"), ("GET", "/none")])
def test_a_wrong_address_gets_json(method: str, path: str, client: TestClient) -> None:
    response = client.request(method, path)
    assert response.status_code in {404, 405}
    assert list(response.json()) == ["error"]


def test_a_flood_is_refused_at_once(client: TestClient) -> None:
    """One thread computes, and `LIMITS.max_waiting` requests may wait for it."""
    body = {"texts": ["oslo " * 450] * 8}

    def post(_: int) -> tuple[int, str | None]:
        response = client.post("/predict", json=body)
        return response.status_code, response.headers.get("Retry-After")

    with ThreadPoolExecutor(24) as threads:
        answers = list(threads.map(post, range(48)))
    statuses = {status for status, _ in answers}
    assert statuses == {200, 429}
    assert {seconds for status, seconds in answers if status == 429} == {"1"}
