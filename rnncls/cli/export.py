"""`rnncls export`: write a run as a file that needs neither torch nor rnncls."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rnncls import ConfigError
from rnncls.cli.options import RunArgument, RunOption, choose_run
from rnncls.cli.outputs import check_output, check_target, is_special
from rnncls.cli.replaced_pages import CLASSIFIER, check_onnx, check_page
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.inference.export.page.page_export import ExportedPage
    from rnncls.inference.export.quantization import EmbeddingType
    from rnncls.inference.export.run_export import ExportedFile

ONNX = (".onnx",)
PAGE = (".html", ".htm")
MAX_CHANGED_SHARE, MAX_DIFFERENCE = 0.01, 0.1
"""A warning is shown above this share of changed labels or change of a probability."""


def export_command(
    run_folder: RunArgument = None,
    run: RunOption = None,
    to: Annotated[
        Literal["onnx", "folder", "page"] | None,
        typer.Option(
            help="What to write: one ONNX file; a folder with the file and a program"
            " that needs only NumPy and ONNX Runtime; or one HTML file that classifies"
            " texts in a browser, offline. Default: page if --output ends in .html,"
            " else onnx.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help="The file or folder to write; default: the name of the run, as in"
            " reviews.onnx.",
            show_default=False,
        ),
    ] = None,
    embedding: Annotated[
        Literal["float32", "float16", "int8"] | None,
        typer.Option(
            help="The type in which the word vectors are stored; default: float32 for"
            " onnx and folder, int8 for page.",
            show_default=False,
        ),
    ] = None,
    single: Annotated[
        bool,
        typer.Option(
            "--single",
            help="Read one text at a time, for runtimes that know no lengths.",
        ),
    ] = False,
    max_size_mb: Annotated[
        float | None,
        typer.Option(
            "--max-size-mb",
            help="For page: the largest file, in megabytes; the rarest words are left"
            " out.",
            min=0.001,
            show_default=False,
        ),
    ] = None,
    examples: Annotated[
        Path | None,
        typer.Option(
            help="For page: a file with texts that it offers, one a line.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write a run as a file that needs no torch, and compare the file with the run."""
    path = choose_run(run_folder, run)
    name = path.resolve().name
    if to is None:
        to = _choose_kind(output)
    if to == "page":
        _refuse(to, {"--single": single})
        target = output or Path(f"{name}.html")
        _export_page(path, target, embedding or "int8", max_size_mb, examples)
        return
    _refuse(
        to,
        {"--max-size-mb": max_size_mb is not None, "--examples": examples is not None},
    )
    if to == "folder":
        target = output or Path(f"{name}-onnx")
        _export_folder(path, target, embedding or "float32", is_single=single)
        return
    target = output or Path(f"{name}.onnx")
    _export_onnx(path, target, embedding or "float32", is_single=single)


def _choose_kind(output: Path | None) -> Literal["onnx", "page"]:
    """Return what the ending of the output stands for, as `rnncls.export` does.

    Raises:
        ConfigError: It has another ending, or none.
    """
    if output is None or is_special(output) or output.suffix.lower() in ONNX:
        return "onnx"
    if output.suffix.lower() in PAGE:
        return "page"
    found = output.suffix or "no ending"
    raise ConfigError(
        f"--output: {output}: expected .onnx, or .html for a page, found {found}; for"
        " a folder add --to folder"
    )


def _refuse(to: str, options: dict[str, bool]) -> None:
    """Reject options that this kind of file does not have, if they are given."""
    for option, is_given in options.items():
        if is_given:
            raise ConfigError(f"{option}: not possible with --to {to}")


def _export_page(
    run: Path,
    target: Path,
    embedding: "EmbeddingType",
    max_size_mb: float | None,
    examples: Path | None,
) -> None:
    """Write the page and print its size and how many labels it changes."""
    from rnncls.cli.text_columns import find_text_columns
    from rnncls.inference.export.page.page_export import (
        PageOptions,
        export_page,
        read_examples,
    )
    from rnncls.runs.companions import load_run_config

    check_target("--output", target, PAGE)
    check_output("--output", target, [] if examples is None else [examples])
    check_page("--output", target, CLASSIFIER, PAGE)
    texts = []
    if examples is not None:
        columns = find_text_columns(load_run_config(run).data, [])
        texts = read_examples(examples, columns)
    options = PageOptions(embedding, max_size_mb, texts)
    page = export_page(run, target, options)
    _show_page(page)
    advice = _advise_rounding(embedding)
    if page.num_dropped:
        advice = "use a larger --max-size-mb, which leaves out fewer words"
    changes = page.changes
    if changes is not None:
        _warn_of_changes(
            advice, changes.num_changed, changes.num_texts, changes.largest_difference
        )


def _show_page(page: "ExportedPage") -> None:
    typer.echo(f"{page.path}: {page.size / 1e6:.2f} MB, {page.num_words:,} words")
    if page.num_dropped:
        typer.echo(f"  words left out  {page.num_dropped:,}")
    changed = "not measured: the validation texts cannot be read"
    if page.changes is not None:
        changes = page.changes
        changed = f"{changes.num_changed:,} of {changes.num_texts:,} validation texts;"
        changed += f" a probability differs by up to {changes.largest_difference:.2g}"
    typer.echo(f"  labels changed  {changed}")


def _export_onnx(
    run: Path, target: Path, embedding: "EmbeddingType", *, is_single: bool
) -> None:
    """Write the ONNX file and print the comparison with the run."""
    with fast_imports():
        from rnncls.inference.export.run_export import export_run
        from rnncls.runs.folder import RunFolder

    check_target("--output", target, ONNX)
    check_output("--output", target, [])
    tokenizer = RunFolder(run).tokenizer
    check_onnx("--output", target, tokenizer if tokenizer.is_file() else None)
    exported = export_run(run, target, embedding=embedding, is_single=is_single)
    _show_export(run, exported, is_single=is_single)
    _warn_of_rounding(embedding, exported)


def _export_folder(
    run: Path, target: Path, embedding: "EmbeddingType", *, is_single: bool
) -> None:
    """Write the folder and print the comparison with the run."""
    with fast_imports():
        from rnncls.inference.export.folder import export_folder

    ending = target.suffix.lower()
    if ending in (*ONNX, *PAGE):
        kind = "page" if ending in PAGE else "onnx"
        raise ConfigError(
            f"--output: {target}: expected the name of a folder, found {ending}: choose"
            f" another name, or use --to {kind}"
        )
    check_output("--output", target / "model.onnx", [])
    check_onnx("--output", target / "model.onnx", None)
    exported = export_folder(run, target, embedding=embedding, is_single=is_single)
    _show_export(run, exported, is_single=is_single)
    typer.echo(f'{target}: python {target / "predict.py"} "a text"')
    _warn_of_rounding(embedding, exported)


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


def _warn_of_rounding(embedding: "EmbeddingType", exported: "ExportedFile") -> None:
    comparison = exported.comparison
    _warn_of_changes(
        _advise_rounding(embedding),
        comparison.num_changed_labels,
        comparison.num_texts,
        comparison.largest_difference,
    )


def _advise_rounding(embedding: "EmbeddingType") -> str:
    """Return how to get a file closer to the run; empty if its weights are exact."""
    less_rounded = {"int8": "float16", "float16": "float32"}.get(embedding)
    if less_rounded is None:
        return ""
    return f"use --embedding {less_rounded}, which rounds the word vectors less"


def _warn_of_changes(
    advice: str, num_changed: int, num_texts: int, difference: float
) -> None:
    """Warn if a file gives other labels or probabilities than its run.

    Args:
        advice: What to do; empty: nothing can be done, so that there is no warning.
        num_changed: The texts that get another label.
        num_texts: The texts that were compared.
        difference: The largest difference of a probability.
    """
    is_small = num_changed <= MAX_CHANGED_SHARE * num_texts
    if not advice or (is_small and difference <= MAX_DIFFERENCE):
        return
    shown = f"{num_changed:,} of {num_texts:,}"
    typer.echo(
        f"warning: {shown} texts get another label than from the run, and a probability"
        f" differs by up to {difference:.2f}: {advice}",
        err=True,
    )
