"""`rnncls export`."""

from pathlib import Path

import numpy as np
import pytest

from rnncls.inference.export import verification
from rnncls.inference.export.page import page_export
from rnncls.inference.export.page.comparison import LabelChanges
from tests.cli.conftest import Cli


def test_a_run_is_exported_and_compared(cli: Cli, run_path: Path) -> None:
    exit_code, stdout, stderr = cli("export", str(run_path), "--output", "a.onnx")
    assert (exit_code, stderr) == (0, "")
    first, second, difference, changed, tokenizer = stdout.splitlines()
    assert first.startswith("a.onnx: 0.0")
    assert second == (
        f"compared with {run_path} on 256 texts, in batches, alone and shuffled:"
    )
    assert float(difference.split()[-1]) < 1e-5
    assert changed.split() == ["labels", "changed", "0"]
    assert Path("a.onnx").exists()
    assert tokenizer.startswith("a.tokenizer.json: ")
    expected = (run_path / "tokenizer.json").read_bytes()
    assert Path("a.tokenizer.json").read_bytes() == expected


def test_the_file_has_the_name_of_the_run(cli: Cli, run_path: Path) -> None:
    stdout = cli("export", str(run_path), "--single", "--embedding", "int8").stdout
    assert stdout.startswith(f"{run_path.resolve().name}.onnx: ")
    assert " on 256 texts, alone:\n" in stdout


def test_a_file_that_differs_from_the_run_is_deleted(
    cli: Cli, run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compute_other(_: Path, texts: list[list[int]]) -> object:
        return np.full((len(texts), 2), 0.5, np.float32)

    monkeypatch.setattr(verification, "_compute_run", compute_other)
    exit_code, _, stderr = cli("export", str(run_path), "--output", "a.onnx")
    assert exit_code == 4
    assert "a.onnx: deleted: a probability differs by 0." in stderr
    assert "; expected at most 0.0001\n" in stderr
    assert not Path("a.onnx").exists()


def test_another_ending_is_an_error(cli: Cli, run_path: Path) -> None:
    exit_code, _, stderr = cli("export", str(run_path), "--output", "a.csv")
    assert (exit_code, stderr) == (
        2,
        "error: --output: a.csv: expected .onnx, or .html for a page, found .csv; for a"
        " folder add --to folder\n",
    )


def test_the_ending_chooses_a_page(cli: Cli, run_path: Path) -> None:
    exit_code, stdout, stderr = cli("export", str(run_path), "--output", "a.html")
    assert (exit_code, stderr) == (0, "")
    assert stdout.startswith("a.html: 0.")
    assert Path("a.html").read_text("utf-8").startswith("<!doctype html>")


def test_a_run_is_exported_as_a_page(cli: Cli, run_path: Path) -> None:
    Path("examples.txt").write_text("rovers meet oslo\n", "utf-8")
    exit_code, stdout, stderr = cli(
        *("export", str(run_path), "--to", "page", "--examples", "examples.txt")
    )
    assert (exit_code, stderr) == (0, "")
    page, changed = stdout.splitlines()
    name = f"{run_path.resolve().name}.html"
    assert page.startswith(f"{name}: 0.1")
    assert changed.startswith("  labels changed  ")
    assert 0 < float(changed.split()[-1]) < 0.1
    assert "rovers meet oslo" in Path(name).read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--to", "page", "--single"], "--single: not possible with --to page"),
        (["--max-size-mb", "1"], "--max-size-mb: not possible with --to onnx"),
        (["--examples", "a.txt"], "--examples: not possible with --to onnx"),
        (
            ["--to", "page", "--max-size-mb", "0.01"],
            "a limit of 0.01 MB: the page needs 0.1",
        ),
        (
            ["--to", "onnx", "--output", "a.html"],
            "--output: a.html: expected .onnx, found .html",
        ),
        (
            ["--to", "folder", "--output", "b.onnx"],
            "--output: b.onnx: expected the name of a folder, found .onnx: choose"
            " another name, or use --to onnx",
        ),
        (
            ["--output", "b"],
            "--output: b: expected .onnx, or .html for a page, found no ending; for a",
        ),
        (
            ["--to", "page", "--output", "a.onnx"],
            "--output: a.onnx: expected .html, .htm, found .onnx",
        ),
        (
            ["--to", "page", "--examples", "a.html", "--output", "a.html"],
            "--output: a.html is also the input: choose another name",
        ),
    ],
)
def test_options_of_other_kinds_and_impossible_ones_are_errors(
    arguments: list[str], message: str, cli: Cli, run_path: Path
) -> None:
    Path("a.html").write_text("a text", "utf-8")
    exit_code, _, stderr = cli("export", str(run_path), *arguments)
    assert exit_code == 2
    assert stderr.startswith(f"error: {message}")
    if "--max-size-mb" in arguments:
        assert "--max-size-mb" in stderr
    assert not Path("b").exists()
    assert not Path("b.onnx").exists()


def test_a_folder_is_exported(cli: Cli, run_path: Path) -> None:
    arguments = ("export", str(run_path), "--to", "folder", "--output", "out/a")
    exit_code, stdout, stderr = cli(*arguments)
    assert (exit_code, stderr) == (0, "")
    assert stdout.startswith("out/a/model.onnx: 0.0")
    assert stdout.endswith('out/a: python out/a/predict.py "a text"\n')
    readme = Path("out/a/README.md").read_text(encoding="utf-8")
    assert "Validation accuracy " in readme


def change_probs(
    monkeypatch: pytest.MonkeyPatch, num_changed: int, difference: float
) -> None:
    """Let the comparison with the run find these changes of 256 texts."""
    comparison = verification.Comparison(256, difference, 0.0, num_changed)
    monkeypatch.setattr(verification, "compare_with_run", lambda *_: comparison)


@pytest.mark.parametrize("to", ["onnx", "folder"])
@pytest.mark.parametrize(("num_changed", "difference"), [(3, 0.04), (0, 0.12)])
def test_rounding_that_changes_much_is_warned_of(
    cli: Cli,
    run_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    num_changed: int,
    difference: float,
    to: str,
) -> None:
    change_probs(monkeypatch, num_changed, difference)
    arguments = ("export", str(run_path), "--to", to, "--embedding", "int8")
    exit_code, _, stderr = cli(*arguments)
    assert (exit_code, stderr) == (
        0,
        f"warning: {num_changed} of 256 texts get another label than from the run, and"
        f" a probability differs by up to {difference:.2f}: use --embedding float16,"
        " which rounds the word vectors less\n",
    )


def test_small_changes_are_not_warned_of(
    cli: Cli, run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change_probs(monkeypatch, 2, 0.1)
    exit_code, _, stderr = cli("export", str(run_path), "--embedding", "int8")
    assert (exit_code, stderr) == (0, "")


def test_a_page_that_changes_labels_is_warned_of(
    cli: Cli, run_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = LabelChanges(20, 1, 0.0512)
    monkeypatch.setattr(page_export, "count_label_changes", lambda *_: changes)
    arguments = ("export", str(run_path), "--to", "page", "--embedding", "float16")
    exit_code, stdout, stderr = cli(*arguments)
    shown = "1 of 20 validation texts; a probability differs by up to 0.051\n"
    assert stdout.endswith(f"  labels changed  {shown}")
    assert (exit_code, stderr) == (
        0,
        "warning: 1 of 20 texts get another label than from the run, and a probability"
        " differs by up to 0.05: use --embedding float32, which rounds the word vectors"
        " less\n",
    )
