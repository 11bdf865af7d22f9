"""Export for a Python program: see `rnncls.export`."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from rnncls import ConfigError
from rnncls.config.arguments import (
    check_choice,
    check_optional_path,
    check_parent,
    check_path,
    check_positive,
    check_strings,
)
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
    run: str | os.PathLike[str] | None,
    output: str | os.PathLike[str],
    embedding: EmbeddingType | None,
    *,
    single: bool,
    max_size_mb: float | None,
    examples: Sequence[str],
) -> Exported:
    """Write a run as the ending of the output says.

    For the arguments see `rnncls.export`.

    Raises:
        ConfigError: An argument has a wrong value, or this kind of file has no such
            option.
        RunError: The run is damaged, or the file cannot be written.
    """
    run_path = check_optional_path("run", run, "a run folder")
    target = check_path("output", output, "the path of a file or folder")
    if embedding is not None:
        check_choice("embedding", embedding, get_args(EmbeddingType))
    if max_size_mb is not None:
        check_positive("max_size_mb", max_size_mb)
    texts = check_strings("examples", examples, "a list of texts")
    page = PageOptions(embedding or "int8", max_size_mb, texts)
    return _export(run_path, target, embedding or "float32", page, single=single)


def _export(
    run: Path | None,
    output: Path,
    embedding: EmbeddingType,
    page: PageOptions,
    *,
    single: bool,
) -> Exported:
    """Write the kind of file that the ending says.

    Args:
        run: The run folder; None: the newest finished run.
        output: What to write.
        embedding: The type of the word vectors of an ONNX file.
        page: The options of a page.
        single: Whether an ONNX model reads one text at a time.

    Raises:
        ConfigError: The ending is another, or this kind of file has no such option;
            or the folder of the file does not exist.
        RunError: The run is damaged, or the file cannot be written.
    """
    ending = output.suffix.lower()
    if ending:
        check_parent("output", output)
    if ending in _PAGE:
        _refuse(output, {"single": single})
        return export_page(find_run(run), output, page)
    if ending and ending not in _ONNX:
        raise ConfigError(
            "output: expected a file that ends in .onnx or .html, or a folder without"
            f" an ending, found {output}"
        )
    has_size = page.max_size_mb is not None
    _refuse(output, {"max_size_mb": has_size, "examples": bool(page.examples)})
    export = export_run if ending else export_folder
    return export(find_run(run), output, embedding=embedding, is_single=single)


def _refuse(output: Path, options: dict[str, bool]) -> None:
    """Reject options that this kind of file does not have, if they are given."""
    for name, is_given in options.items():
        if is_given:
            raise ConfigError(f"{name}: not possible with {output}")
