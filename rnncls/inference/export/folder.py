"""A folder with all that runs a classifier where neither torch nor rnncls is.

It has `model.onnx`, `predict.py`, which needs NumPy and ONNX Runtime only,
`requirements.txt`, a Dockerfile, a README and, if the run has one, `tokenizer.json`.
`Dockerfile.serve` and `requirements-serve.txt` are for `rnncls serve` in a container.
"""

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rnncls import RunError, __version__
from rnncls.config.sections import ModelSection
from rnncls.inference.export.quantization import EmbeddingType
from rnncls.inference.export.script_source import build_script
from rnncls.machine.files import make_folder, read_bytes, read_json, write_atomic
from rnncls.runs.folder import RunFolder
from rnncls.runs.portable import PortableClassifier, load_portable

if TYPE_CHECKING:
    from rnncls.inference.export.run_export import ExportedFile

MODEL, SCRIPT, TOKENIZER = "model.onnx", "predict.py", "tokenizer.json"
_AUTHOR = b"`rnncls export` wrote this file"
"""What the script says of itself; a program of the user does not."""
REQUIREMENTS = "numpy>=1.26\nonnxruntime>=1.20\n"
DOCKERFILE = """FROM python:3.12-slim
WORKDIR /app
COPY requirements.txt .
RUN pip install --no-cache-dir -r requirements.txt
COPY model.onnx predict.py ./
ENTRYPOINT ["python", "predict.py"]
"""
SERVE_REQUIREMENTS = """\
annotated-types>=0.6
fastapi>=0.115
httptools>=0.6.3
jinja2>=3.1
numpy>=1.26
onnxruntime>=1.20
prometheus-client>=0.21
pydantic>=2.7
pyyaml>=6
regex>=2024.5
rich>=13
safetensors>=0.4.3
typer>=0.20
uvicorn>=0.34
"""
"""What `rnncls serve` imports for an ONNX file. rnncls itself, and torchtext, of which
one file is read, are installed without their dependencies: these have torch."""
SERVE_DOCKERFILE = """\
# Needs the wheel of rnncls in this folder: in its repository, run
# pip wheel --no-deps --wheel-dir THIS_FOLDER .
FROM python:3.12-slim
WORKDIR /app
COPY requirements-serve.txt rnncls-*.whl ./
RUN pip install --no-cache-dir -r requirements-serve.txt \\
    && pip install --no-cache-dir --no-deps torchtext==0.6.0 rnncls-*.whl
COPY model.onnx .
USER nobody
EXPOSE 8000
ENTRYPOINT ["rnncls", "serve", "model.onnx", "--host", "0.0.0.0", "--name", {name}]
"""
_README = """# {name}

A text classifier: {parts}. Exported by rnncls {version}.

{classes}.

## Use

    pip install -r requirements.txt
    python predict.py "a text" "another text"
    python predict.py - < texts.txt     # one text a line
    python predict.py --json "a text"   # the probability of every class
    python predict.py --check           # the test vectors inside the model

Python 3.11 or newer. In a container:

    docker build -t {tag} .
    docker run --rm {tag} "a text"

In a program:

    from predict import Classifier
    Classifier("model.onnx").{method}(["a text", "another text"])

## Files

| file | bytes |
|---|---|
{sizes}

{stored} `model.onnx` reads `token_ids`, int64
{shape}, and returns `logits` and `probs`. Words,
labels, the steps of the tokenizer and 20 test vectors are in its metadata.

## Figures

{scores}
- Compared with the run on {num_texts} texts: the largest difference of a probability is
  {difference:.1e}, and {num_changed} labels changed.
"""
_BATCH_SHAPE = "[batch, tokens], 0 after the end of a text"


def export_folder(
    run_path: Path,
    output: Path,
    *,
    embedding: EmbeddingType = "float32",
    is_single: bool = False,
) -> "ExportedFile":
    """Write a folder that classifies texts on its own, and compare it with the run.

    Args:
        run_path: The run folder.
        output: The folder to write.
        embedding: The type in which the word vectors are stored.
        is_single: Whether the model reads one text at a time.

    Raises:
        ConfigError: A package is missing.
        RunError: The run is damaged or cannot be exported, the folder has other files
            or cannot be written, or its probabilities are not those of the run.
    """
    from rnncls.inference.export.run_export import export_run

    _check_folder(output)
    make_folder(output)
    exported = export_run(
        run_path, output / MODEL, embedding=embedding, is_single=is_single
    )
    if exported.tokenizer is not None:
        tokenizer = exported.tokenizer.replace(output / TOKENIZER)
        exported = exported._replace(tokenizer=tokenizer)
    write_atomic(output / SCRIPT, build_script())
    write_atomic(output / "requirements.txt", REQUIREMENTS.encode())
    write_atomic(output / "Dockerfile", DOCKERFILE.encode())
    _write_serve_files(run_path.resolve().name, output)
    readme = _describe_folder(
        run_path, output, exported, embedding, is_single=is_single
    )
    write_atomic(output / "README.md", readme.encode())
    return exported


def _write_serve_files(name: str, output: Path) -> None:
    """Write what builds a container that answers requests."""
    dockerfile = SERVE_DOCKERFILE.format(name=json.dumps(name))
    write_atomic(output / "requirements-serve.txt", SERVE_REQUIREMENTS.encode())
    write_atomic(output / "Dockerfile.serve", dockerfile.encode())


def _check_folder(output: Path) -> None:
    """Check that the folder is new, empty or an earlier export."""
    if output.exists() and not output.is_dir():
        raise RunError(f"{output}: is a file: choose the name of a folder")
    is_used = output.exists() and any(output.iterdir())
    script = output / SCRIPT
    is_earlier_export = script.is_file() and _AUTHOR in read_bytes(script)
    if is_used and not is_earlier_export:
        raise RunError(f"{output}: has other files: choose a new folder")


def _describe_folder(
    run_path: Path,
    output: Path,
    exported: "ExportedFile",
    embedding: str,
    *,
    is_single: bool,
) -> str:
    """Return the README of the folder."""
    name, comparison = run_path.resolve().name, exported.comparison
    classifier = load_portable(run_path)
    kind = "Classes"
    if classifier.has_several_labels:
        kind = "Labels, of which a text may have several, or none"
    files = sorted(path for path in output.iterdir() if path.name != "README.md")
    sizes = [f"| `{path.name}` | {path.stat().st_size:,} |" for path in files]
    return _README.format(
        name=name,
        tag=_choose_tag(name),
        parts=_describe_parts(classifier),
        version=__version__,
        classes=f"{kind}: {', '.join(classifier.label_names)}",
        method="predict_labels" if classifier.has_several_labels else "predict",
        sizes="\n".join(sizes),
        stored=_describe_weights(classifier, embedding),
        shape="[1, tokens]" if is_single else _BATCH_SHAPE,
        scores=_describe_scores(run_path),
        num_texts=comparison.num_texts,
        difference=comparison.largest_difference,
        num_changed=comparison.num_changed_labels,
    )


def _choose_tag(name: str) -> str:
    """Return a name for the image: Docker allows no capitals and few other signs."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") or "classifier"


def _describe_parts(classifier: PortableClassifier) -> str:
    """Return what is computed: by a network, by n-grams, or by both."""
    table = classifier.ngrams
    if table is None:
        return _describe_network(classifier.model)
    size = f"{len(table.keys):,} n-grams of up to {table.max_size} tokens"
    if table.is_alone:
        return f"a linear model of {size}"
    network = _describe_network(classifier.model)
    return f"{network}, and a linear model of {size}"


def _describe_weights(classifier: PortableClassifier, embedding: str) -> str:
    """Return how the numbers are stored, of which there are most."""
    if classifier.ngrams is not None and classifier.ngrams.is_alone:
        return "The weights of the n-grams are 16-bit floats."
    return f"The word vectors are stored as {embedding}."


def _describe_network(model: ModelSection) -> str:
    if model.cell == "none":
        return f"the mean of word vectors of size {model.embedding_dim}"
    directions = "two directions" if model.bidirectional else "one direction"
    network = (
        f"cell `{model.cell}`, embedding {model.embedding_dim}, hidden size"
        f" {model.hidden_size}, {model.num_layers} layer(s), {directions}"
    )
    if model.tokens_per_step > 1:
        network += f", {model.tokens_per_step} tokens per step"
    return network


def _describe_scores(run_path: Path) -> str:
    """Return the validation scores of the run, or that there are none yet."""
    summary = RunFolder(run_path).summary
    if not summary.exists():
        return "- The training has not finished: the model is its best epoch so far."
    valid: dict[str, Any] = read_json(summary)["valid"]
    if "micro_f1" in valid:
        return (
            f"- Validation micro-F1 {valid['micro_f1']:.2%}, macro-F1"
            f" {valid['macro_f1']:.2%};\n  these rows selected the epoch and the"
            " thresholds."
        )
    low, high = valid["accuracy_interval"]
    return (
        f"- Validation accuracy {valid['accuracy']:.2%} (95% interval {low:.2%} to"
        f" {high:.2%}),\n  macro-F1 {valid['macro_f1']:.2%}; these rows selected the"
        " epoch."
    )
