"""Find the run that `rnncls train --resume` continues."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnncls import ConfigError, RunError
from rnncls.config.loading import load_config
from rnncls.runs.folder import RUNS_DIR, RunFolder


def find_unfinished(settings: Mapping[str, Any]) -> Path:
    """Return the newest unfinished run under `runs/` that was trained with a config.

    Args:
        settings: The values of the config, by section and key.

    Raises:
        RunError: There is no such run.
    """
    unfinished = []
    for path in RUNS_DIR.glob("*/"):
        folder = RunFolder(path)
        is_classifier = folder.config.exists() and folder.labels.exists()
        is_run = is_classifier and not path.is_symlink()
        if is_run and not folder.summary.exists() and _load_settings(path) == settings:
            unfinished.append(path)
    if not unfinished:
        raise RunError(
            f"no unfinished run of this config in {RUNS_DIR}/ to resume; name one with"
            " --out"
        )
    return max(unfinished, key=_saved_at)


def _load_settings(path: Path) -> dict[str, Any] | None:
    """Load the config of a run of any version of rnncls; None: it is invalid."""
    try:
        return load_config(RunFolder(path).config).model_dump()
    except ConfigError:
        return None


def _saved_at(path: Path) -> float:
    """Return when the run was last saved, in seconds."""
    folder = RunFolder(path)
    file = folder.state if folder.state.exists() else folder.config
    return file.stat().st_mtime
