"""An exported model for the tests of engines, and programs that use it."""

import json
import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

import rnncls
from rnncls.inference.export.onnx_export import export_onnx
from rnncls.inference.loaded_classifier import LoadedClassifier
from tests.inference.light.networks import add_scope, build_networks

TEXTS = ["rovers meet oslo", "", "Again again &amp; zanzibar"] * 4
PATH = Path("model.onnx")
_SETTINGS = {
    # These packages report their use to their makers.
    "RAY_USAGE_STATS_ENABLED": "0",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "PYSPARK_PYTHON": sys.executable,
}


def load_networks(*, tells_fits: bool = False, **settings: Any) -> LoadedClassifier:
    """Export a small network to `PATH` and load the file.

    Args:
        tells_fits: Whether it tells which texts fit a class; some of `TEXTS` do.
        settings: Those of `build_networks`.
    """
    networks = build_networks(**settings)
    if tells_fits:
        networks = add_scope(networks, TEXTS)
    export_onnx(networks.numpy, PATH)
    return rnncls.load(PATH)


def run_program(code: str, *arguments: str) -> str:
    """Return what a program prints."""
    program = [sys.executable, "-c", code, *arguments]
    environment = {**os.environ, **_SETTINGS}
    return subprocess.run(
        program, check=True, stdout=subprocess.PIPE, text=True, env=environment
    ).stdout


def run_json_program(code: str, *arguments: str) -> Any:
    """Return the JSON that a program prints, among messages of its engine."""
    lines = run_program(code, *arguments).splitlines()
    (printed,) = [line for line in lines if line.startswith(("{", "[{", "[["))]
    return json.loads(printed)


def needs(package: str) -> pytest.MarkDecorator:
    """Return the mark of a slow test that needs a package."""
    return pytest.mark.skipif(
        find_spec(package) is None,
        reason=f"needs {package}, which scripts/test-slow installs",
    )
