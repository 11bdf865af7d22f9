"""`rnncls.export`: the ending decides what is written."""

from pathlib import Path
from typing import Any

import pytest

import rnncls
from rnncls import ConfigError, RunError
from tests.builders import write_run


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run folder."""
    path = tmp_path / "run"
    write_run(path, labels=["sport", "world"], words=["oslo", "rovers"])
    return path


def test_an_onnx_file_is_written_and_compared(run: Path) -> None:
    exported = rnncls.export(run, "rovers.onnx")
    assert exported.path == Path("rovers.onnx")
    assert exported.size == exported.path.stat().st_size
    assert rnncls.load(exported.path)("oslo").label == rnncls.load(run)("oslo").label


def test_a_page_is_written(run: Path) -> None:
    page = rnncls.export(run, "rovers.html", max_size_mb=2.0, examples=["oslo again"])
    text = page.path.read_text(encoding="utf-8")
    assert page.size == page.path.stat().st_size
    assert "oslo again" in text


def test_without_an_ending_a_folder_is_written(run: Path) -> None:
    exported = rnncls.export(run, "rovers", embedding="int8")
    assert exported.path == Path("rovers/model.onnx")
    assert Path("rovers/predict.py").is_file()


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("a.pt", {}, r"ends in \.onnx or \.html, or a folder .* found a\.pt"),
        (
            "nothing/a.onnx",
            {},
            "^output: nothing/a.onnx: the folder nothing does not exist: create it",
        ),
        ("a.html", {"single": True}, r"single: not possible with a\.html"),
        ("a.onnx", {"max_size_mb": 2.0}, r"max_size_mb: not possible with a\.onnx"),
        ("a.onnx", {"examples": ["oslo"]}, r"examples: not possible with a\.onnx"),
    ],
)
def test_what_a_kind_of_file_lacks_is_refused(
    run: Path, output: str, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError, match=message):
        rnncls.export(run, output, **options)
    assert not Path(output).exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"embedding": "FLOAT32"},
            "embedding: expected 'float32', 'float16' or 'int8', found 'FLOAT32'",
        ),
        ({"max_size_mb": 0}, "max_size_mb: expected a number above 0, found 0"),
        (
            {"examples": "one text"},
            "examples: expected a list of texts, found 'one text'",
        ),
        ({"output": 5}, "output: expected the path of a file or folder, found 5"),
    ],
    ids=str,
)
def test_wrong_arguments_are_reported(
    run: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        rnncls.export(run, **{"output": "page.html", **options})
    assert str(caught.value) == message
    assert not Path("page.html").exists()


def test_too_small_a_size_is_named(run: Path) -> None:
    with pytest.raises(ConfigError, match=r"^a limit of 0\.01 MB: the page needs"):
        rnncls.export(run, "a.html", max_size_mb=0.01)


def test_a_missing_run_is_reported() -> None:
    with pytest.raises(RunError, match="no such run folder"):
        rnncls.export("nothing", "a.onnx")
