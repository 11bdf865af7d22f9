"""`rnncls export`: write a run as a file that needs neither torch nor rnncls."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rnncls.cli.options import RunArgument, RunOption, choose_run
from rnncls.cli.outputs import check_ending, check_output
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.inference.export.quantization import EmbeddingType
    from rnncls.inference.export.run_export import ExportedFile

ONNX = (".onnx",)


def export_command(
    run_folder: RunArgument = None,
    run: RunOption = None,
    to: Annotated[
        Literal["onnx"],
        typer.Option(help="What to write: one ONNX file."),
    ] = "onnx",
    output: Annotated[
        Path | None,
        typer.Option(
            help="The file to write; default: the name of the run, as in reviews.onnx.",
            show_default=False,
        ),
    ] = None,
    embedding: Annotated[
        Literal["float32", "float16", "int8"],
        typer.Option(help="The type in which the word vectors are stored."),
    ] = "float32",
    single: Annotated[
        bool,
        typer.Option(
            "--single",
            help="Read one text at a time, for runtimes that know no lengths.",
        ),
    ] = False,
) -> None:
    """Write a run as a file that needs no torch, and compare the file with the run."""
    path = choose_run(run_folder, run)
    if to == "onnx":
        target = output or Path(f"{path.resolve().name}.onnx")
        _export_onnx(path, target, embedding, is_single=single)


def _export_onnx(
    run: Path, target: Path, embedding: "EmbeddingType", *, is_single: bool
) -> None:
    """Write the ONNX file and print the comparison with the run."""
    with fast_imports():
        from rnncls.inference.export.run_export import export_run

    check_ending("--output", target, ONNX)
    check_output("--output", target, [])
    exported = export_run(run, target, embedding=embedding, is_single=is_single)
    _show_export(run, exported, is_single=is_single)


def _show_export(run: Path, exported: "ExportedFile", *, is_single: bool) -> None:
    comparison = exported.comparison
    batches = "alone" if is_single else "in batches, alone and shuffled"
    typer.echo(f"{exported.path}: {exported.size / 1e6:.2f} MB")
    typer.echo(f"compared with {run} on {comparison.num_texts} texts, {batches}:")
    typer.echo(
        f"  largest difference of a probability {comparison.largest_difference:.1e}"
    )
    typer.echo(f"  labels changed                      {comparison.num_changed_labels}")
    if exported.tokenizer is not None:
        typer.echo(f"{exported.tokenizer}: the tokenizer, for Hugging Face tokenizers")
