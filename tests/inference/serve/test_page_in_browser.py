"""The page of a running server, in Chromium."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rnncls.inference.export.onnx_export import export_onnx
from tests.browser import CHROMIUM, Browser
from tests.inference.light.networks import LABELS
from tests.inference.serve.conftest import NETWORKS
from tests.inference.serve.server_process import Server, start

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
TEXT = "Rovers meet zanzibar again"
_WAIT = """new Promise((done) => {
  const look = () => (%s) ? done() : setTimeout(look, 10);
  look();
})"""
_ROWS = """[...document.querySelectorAll('%s tr')].map(
  (row) => [...row.cells].map((cell) => cell.textContent))"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    path = tmp_path / "teams.onnx"
    export_onnx(NETWORKS.numpy, path)
    with start(str(path)) as server:
        yield server


def test_the_page_classifies_and_explains_what_is_typed(
    server: Server, tmp_path: Path
) -> None:
    address = f"http://127.0.0.1:{server.port}/"
    with Browser(tmp_path / "profile") as browser:
        browser.open_address(address)
        check_short_text(browser)
        check_long_text(browser)
        check_stopped_server(browser, server)
        assert {request.rpartition("/")[0] + "/" for request in browser.requests} == {
            address
        }


def type_text(browser: Browser, text: str) -> None:
    browser.evaluate("document.getElementById('clear').click()")
    browser.send("Input.insertText", text=text)


def read_text(browser: Browser, name: str) -> Any:
    return browser.evaluate(f"document.getElementById('{name}').textContent")


def check_short_text(browser: Browser) -> None:
    browser.evaluate("document.getElementById('effects').open = true")
    type_text(browser, TEXT)
    browser.evaluate(_WAIT % "document.querySelector('#effects tbody tr')")
    (expected,) = NETWORKS.predictor().predict(TEXT)
    bars = browser.evaluate(_ROWS % "#bars tbody")
    assert [name for name, _, _ in bars] == LABELS
    for name, _, shown in bars:
        prob = float(shown.rstrip("%")) / 100
        assert prob == pytest.approx(expected.probs[name], abs=0.001)
    effects = browser.evaluate(_ROWS % "#effects tbody")
    assert [token for token, _, _ in effects] == TEXT.lower().split()
    assert [known for _, _, known in effects] == ["known", "known", "unknown", "known"]
    assert effects[2][1] == "+0.00"
    assert read_text(browser, "reading") == "4 tokens, 1 unknown."
    told = browser.evaluate("document.getElementById('position').ariaValueText")
    assert told.startswith(f"After token 4, “again”: {expected.label} ")


def check_long_text(browser: Browser) -> None:
    """A text of over 400 tokens is classified, but not explained."""
    type_text(browser, "meet " * 420)
    browser.evaluate(_WAIT % "document.getElementById('decision').textContent")
    assert "up to 400 tokens" in read_text(browser, "decision")
    assert read_text(browser, "reading") == "420 tokens."
    (expected,) = NETWORKS.predictor().predict("meet " * 420)
    assert read_text(browser, "verdict").startswith(f"{expected.label}, ")


def check_stopped_server(browser: Browser, server: Server) -> None:
    exit_code, _ = server.stop()
    assert exit_code == 0
    type_text(browser, "oslo")
    browser.evaluate(_WAIT % "!document.getElementById('failure').hidden")
    assert read_text(browser, "failure").startswith("No answer from the server")
