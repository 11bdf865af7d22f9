"""Save a run as a model of MLflow; import it as `rnncls.mlflow`.

    rnncls.mlflow.save_model("runs/reviews", "reviews-mlflow")
    mlflow.pyfunc.load_model("reviews-mlflow").predict(table)

MLflow loads and serves the model where neither rnncls nor torch is installed: it needs
NumPy, ONNX Runtime and what MLflow itself needs.
"""

import hashlib
import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rnncls import ConfigError
from rnncls.config.arguments import check_optional_path, check_path
from rnncls.inference.export.folder import REQUIREMENTS
from rnncls.inference.export.onnx_file import OnnxFile, load_onnx
from rnncls.inference.export.run_export import export_run
from rnncls.inference.export.script_source import build_script
from rnncls.machine.files import read_bytes, write_atomic
from rnncls.runs.folder import find_run

_SCRIPTS = Path(__file__).parents[1] / "export"
_CLASSIFIER, _LOADER = "predict_script", "pyfunc_script"


def save_model(
    run: str | os.PathLike[str] | None, path: str | os.PathLike[str]
) -> None:
    """Write a folder that `mlflow.pyfunc.load_model` loads.

    The model takes a table with the column `text` and returns one with `label`, `prob`
    and `probs`, whose order is `labels` in the metadata of the model; with `labels`, a
    list, if a text may have several; and with `fits`, if the model tells whether a text
    fits one of the classes.

    Args:
        run: The run folder, the result of `train`, or an .onnx file that `rnncls
            export` wrote; None: the newest finished run.
        path: The folder to write, which must not exist.

    Raises:
        ConfigError: The folder exists, or MLflow or a package of the export is missing.
        RunError: The run or the file is damaged or cannot be exported.
    """
    source = check_optional_path("run", run, "a run folder or an .onnx file")
    target = check_path("path", path, "the path of a folder")
    if target.exists():
        raise ConfigError(f"path: {target} already exists: choose a new folder")
    try:
        import mlflow.pyfunc
        import pandas as pd
    except ModuleNotFoundError as error:
        raise ConfigError(
            "rnncls.mlflow needs the package mlflow or mlflow-skinny, and pandas: pip"
            " install 'rnncls[mlflow]'"
        ) from error
    with TemporaryDirectory() as name:
        folder = Path(name)
        file = _export(source, folder / "model.onnx")
        code = copy_scripts(folder)
        mlflow.pyfunc.save_model(
            path=os.fspath(target),
            loader_module=f"{code.name}.{_LOADER}",
            data_path=os.fspath(file.path),
            code_paths=[os.fspath(code)],
            pip_requirements=REQUIREMENTS.splitlines(),
            signature=_build_signature(file),
            input_example=pd.DataFrame({"text": ["a text", "another text"]}),
            metadata={"labels": file.metadata.label_names},
        )


def _export(source: Path | None, output: Path) -> OnnxFile:
    """Return the ONNX file of a run; an ONNX file is returned as it is."""
    if source is not None and source.suffix.lower() == ".onnx":
        return load_onnx(source)
    export_run(find_run(source), output)
    return load_onnx(output)


def copy_scripts(folder: Path) -> Path:
    """Write the package that loads the model, and return its folder."""
    loader = read_bytes(_SCRIPTS / f"{_LOADER}.py")
    scripts = {f"{_CLASSIFIER}.py": build_script(), f"{_LOADER}.py": loader}
    digest = hashlib.sha256(b"".join(scripts.values())).hexdigest()
    # Another name for other code: a program may load models of two versions of rnncls.
    package = folder / f"rnncls_model_{digest[:8]}"
    package.mkdir()
    write_atomic(package / "__init__.py", b"")
    for name, content in scripts.items():
        write_atomic(package / name, content)
    return package


def _build_signature(file: OnnxFile) -> Any:
    """Return the columns of the model's input and output, with their types."""
    from mlflow.models import ModelSignature
    from mlflow.types.schema import Array, ColSpec, DataType, Schema

    outputs = [
        ColSpec(DataType.string, "label"),
        ColSpec(DataType.float, "prob"),
        ColSpec(Array(DataType.float), "probs"),
    ]
    if file.metadata.thresholds is not None:
        outputs.append(ColSpec(Array(DataType.string), "labels"))
    if file.metadata.scope_rule is not None:
        outputs.append(ColSpec(DataType.boolean, "fits"))
    inputs = [ColSpec(DataType.string, "text")]
    return ModelSignature(inputs=Schema(inputs), outputs=Schema(outputs))
