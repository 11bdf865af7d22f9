"""A page is timed in Node.js, where it predicts what it does in a browser."""

import json
import subprocess
from pathlib import Path

import pytest

from rnncls.cli.reporting.benchmark import latency
from rnncls.cli.reporting.benchmark.page_speed import (
    measure_durations,
    write_page_command,
)
from rnncls.inference.export.page.document import write_page
from rnncls.inference.export.page.mixed_rows import VectorFormat
from rnncls.inference.export.page.weights import round_weights
from rnncls.inference.light.predictor import LightPredictor
from tests.inference.export.page.scripts import needs_node
from tests.inference.light.networks import add_ngrams, build_networks

PAGE = Path("page.html")
VECTORS = VectorFormat("float32")
CLASSIFIER = add_ngrams(build_networks(temperature=1.7)).numpy


def write_command() -> list[str]:
    name = 'a name with id="weights">'
    write_page(CLASSIFIER, PAGE, name=name, vectors=VECTORS)
    command = write_page_command(PAGE, Path())
    assert command is not None
    return command


@needs_node
def test_the_program_prints_the_probabilities_of_the_run() -> None:
    command = [*write_command(), "rovers meet zanzibar"]
    done = subprocess.run(command, capture_output=True, check=True)
    light = LightPredictor(round_weights(CLASSIFIER, VECTORS))
    (expected,) = light.predict("rovers meet zanzibar")
    assert json.loads(done.stdout) == pytest.approx(
        list(expected.probs.values()), abs=1e-5
    )


@needs_node
def test_each_text_is_timed_after_the_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "NUM_WARM_UP", 3)
    monkeypatch.setattr(latency, "NUM_TIMED", 5)
    durations = measure_durations(write_command(), ["oslo", "\ud83d", ""])
    assert len(durations) == 5
    assert all(0 < seconds < 1 for seconds in durations)


def test_without_node_a_page_is_not_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert write_page_command(PAGE, Path()) is None
