"""Choose the folder of a training: a new one, or the run to resume."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rnncls import ConfigError, RunError
from rnncls.config.loading import load_config
from rnncls.machine.processes import init_process_group, torchrun_id
from rnncls.runs.folder import (
    RUNS_DIR,
    RunFolder,
    claim_new_folder,
    find_launched,
)


def choose_run_dir(
    stem: str, settings: Mapping[str, Any], out: Path | None, *, resume: bool
) -> tuple[Path, bool]:
    """Return the run folder, and whether to resume the run in it.

    The folder of a new run is created, so that no other training gets the same one.
    After a restart by torchrun, it is the run that the same call of torchrun started.
    All processes get the folder of the main process.

    Args:
        stem: The start of a new folder's name.
        settings: The values of the config, by section and key.
        out: The folder, if the user has chosen it.
        resume: Whether the user wants to resume a run.

    Raises:
        RunError: There is no run to resume.
    """

    def choose() -> tuple[str, bool]:
        launched = find_launched(torchrun_id(), out)
        if launched is not None:
            return str(launched), True
        if out is not None:
            return str(out), resume
        if resume:
            return str(find_unfinished(settings)), True
        return str(claim_new_folder(stem, RUNS_DIR)), False

    name, is_resumed = init_process_group().broadcast_from_main(choose)
    return Path(name), is_resumed


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
            f"no unfinished run of this config in {RUNS_DIR}/ to resume; name one",
            {"out": "FOLDER"},
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
