"""Export for a Python program: see `rnncls.export`."""

from collections.abc import Sequence
from pathlib import Path

from rnncls import ConfigError
from rnncls.inference.export.folder import export_folder
from rnncls.inference.export.page.page_export import (
    ExportedPage,
    PageOptions,
    export_page,
)
from rnncls.inference.export.quantization import EmbeddingType
from rnncls.inference.export.run_export import ExportedFile, export_run
from rnncls.runs.folder import find_run

Exported = ExportedFile | ExportedPage
"""What was written."""
_ONNX, _PAGE = {".onnx"}, {".html", ".htm"}


def export_from_python(
    run: Path | None,
    output: Path,
    embedding: EmbeddingType | None,
    *,
    single: bool,
    max_size_mb: float | None,
    examples: Sequence[str],
) -> Exported:
    """Write a run as the ending of the output says.

    For the arguments see `rnncls.export`.

    Raises:
        ConfigError: The ending is another, or this kind of file has no such option.
        RunError: The run is damaged, or the file cannot be written.
    """
    ending = output.suffix.lower()
    if ending in _PAGE:
        _refuse(output, {"single": single})
        options = PageOptions(embedding or "int8", max_size_mb, examples)
        return export_page(find_run(run), output, options)
    if ending and ending not in _ONNX:
        raise ConfigError(
            "output: expected a file that ends in .onnx or .html, or a folder without"
            f" an ending, found {output}"
        )
    _refuse(
        output, {"max_size_mb": max_size_mb is not None, "examples": bool(examples)}
    )
    export = export_run if ending else export_folder
    return export(
        find_run(run), output, embedding=embedding or "float32", is_single=single
    )


def _refuse(output: Path, options: dict[str, bool]) -> None:
    """Reject options that this kind of file does not have, if they are given."""
    for name, is_given in options.items():
        if is_given:
            raise ConfigError(f"{name}: not possible with {output}")
