"""The export of a run folder: written, read back and compared with the run."""

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rnncls import RunError
from rnncls.inference.export.onnx_export import export_onnx
from rnncls.inference.export.quantization import EmbeddingType
from rnncls.machine.files import read_bytes, write_atomic
from rnncls.runs.folder import RunFolder
from rnncls.runs.portable import load_portable

if TYPE_CHECKING:
    from rnncls.inference.export.verification import Comparison


class ExportedFile(NamedTuple):
    """An ONNX file that was compared with its run.

    Attributes:
        path: The file.
        size: Its bytes.
        comparison: What the comparison found.
        tokenizer: The `tokenizer.json` beside it; None if the run has none.
    """

    path: Path
    size: int
    comparison: "Comparison"
    tokenizer: Path | None


def export_run(
    run_path: Path,
    output: Path,
    *,
    embedding: EmbeddingType = "float32",
    is_single: bool = False,
) -> ExportedFile:
    """Write a run as an ONNX file, read it back and compare it with the run.

    Args:
        run_path: The run folder.
        output: The file.
        embedding: The type in which the word vectors are stored.
        is_single: Whether the file reads one text at a time.

    Raises:
        ConfigError: A package is missing.
        RunError: The run is damaged or cannot be exported, the file cannot be written,
            or its probabilities are not those of the run.
    """
    classifier = load_portable(run_path)
    export_onnx(classifier, output, embedding=embedding, is_single=is_single)
    # Imported here: a missing package has its own message above.
    from rnncls.inference.export.verification import TOLERANCE, compare_with_run

    comparison = compare_with_run(output, run_path)
    difference = comparison.largest_difference
    if embedding == "float32" and not difference <= TOLERANCE:
        output.unlink()
        raise RunError(
            f"{output}: deleted: a probability differs by {difference:.2g} from that of"
            f" the run {run_path}; expected at most {TOLERANCE:g}"
        )
    tokenizer = _copy_tokenizer(run_path, output)
    return ExportedFile(output, output.stat().st_size, comparison, tokenizer)


def _copy_tokenizer(run_path: Path, output: Path) -> Path | None:
    """Write the `tokenizer.json` of a run beside its file."""
    source = RunFolder(run_path).tokenizer
    if not source.exists():
        return None
    target = output.with_name(f"{output.stem}.tokenizer.json")
    write_atomic(target, read_bytes(source))
    return target
