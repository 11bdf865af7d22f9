"""The Python code of the guide to engines runs, each block in a program of its own."""

import re
import shutil
from pathlib import Path

import pytest

from rnncls.inference.export.onnx_export import export_onnx
from tests.inference.engines.models import needs, run_program
from tests.inference.light.networks import build_networks

GUIDE = Path(__file__).parents[2] / "docs/guides/engines.md"
BLOCKS: list[str] = re.findall(
    r"```python\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL
)


@pytest.fixture(autouse=True)
def _files() -> None:
    export_onnx(build_networks().numpy, Path("reviews.onnx"))
    rows = "label,text\n" + "good,a good film\nbad,not good at all\n" * 20
    Path("more-reviews.csv").write_text(rows, encoding="utf-8")


def find_block(start: str) -> str:
    """Return the block that imports a package first."""
    (block,) = [block for block in BLOCKS if block.startswith(start)]
    return block


def test_pandas() -> None:
    assert "input_label" in run_program(find_block("import pandas"))


@pytest.mark.slow
@needs("ray")
def test_ray_data() -> None:
    assert "'input_label': 'good'" in run_program(find_block("import ray"))
    assert list(Path("labelled").glob("*.parquet"))


@pytest.mark.slow
@needs("ray")
def test_ray_serve() -> None:
    assert "'predictions': [{'label':" in run_program(find_block("import httpx2"))


@pytest.mark.slow
@needs("pyspark")
@pytest.mark.skipif(shutil.which("java") is None, reason="Spark needs Java")
def test_spark() -> None:
    assert "|input_label|" in run_program(find_block("from pyspark"))
    assert list(Path("labelled").glob("*.parquet"))


@pytest.mark.slow
@needs("mlflow")
def test_mlflow() -> None:
    assert "['sport', 'world', 'weather']" in run_program(find_block("import mlflow"))


def test_each_block_has_its_test() -> None:
    assert len(BLOCKS) == 5
