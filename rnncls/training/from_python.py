"""Training for a Python program: see `rnncls.train`."""

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from rnncls import ConfigError
from rnncls.config.arguments import check_optional_path, check_probability
from rnncls.config.loading import build_config
from rnncls.config.sections import Config
from rnncls.machine.processes import torchrun_id
from rnncls.machine.threads import compute_as_worker
from rnncls.runs.earlier_run import name_earlier_run
from rnncls.runs.folder import RunFolder, find_launched, release_if_empty
from rnncls.runs.overrides import load_with_kept_values
from rnncls.runs.unfinished import choose_run_dir
from rnncls.training.resume import ResumeOptions
from rnncls.training.run import train


@dataclass(frozen=True)
class TrainedRun(os.PathLike[str]):
    """The result of a training. It can be used wherever the path of a run can.

    Attributes:
        path: The run folder.
        summary: What the run's summary.json holds: the validation scores of the best
            epoch (`valid`), the number of epochs and parameters, the data, versions.
    """

    path: Path
    summary: dict[str, Any]

    def __fspath__(self) -> str:
        """Return the run folder."""
        return str(self.path)

    @property
    def scores(self) -> dict[str, Any]:
        """The validation scores of the best epoch: accuracy with interval, macro-F1."""
        scores: dict[str, Any] = self.summary["valid"]
        return scores


def train_from_python(  # noqa: PLR0913 - as `rnncls.train`
    config: str | os.PathLike[str] | Mapping[str, Any],
    overrides: Mapping[str, Any] | None,
    out: str | os.PathLike[str] | None,
    *,
    resume: bool,
    use_cache: bool,
    from_run: str | os.PathLike[str] | None = None,
    replay: float | None = None,
) -> TrainedRun:
    """Train a classifier; for the arguments and errors see `rnncls.train`."""
    start = _choose_earlier_run(from_run, replay, resume=resume)
    folder = check_optional_path("out", out, "the path of a run folder")
    given = overrides or {}

    def load(kept: Mapping[str, Any]) -> Config:
        is_mapping = isinstance(given, Mapping)  # if not, it is an error
        changes = {**kept, **given, **start} if is_mapping else given
        return build_config(config, changes)

    checked = load_with_kept_values(folder if resume else None, load)
    if folder is not None and not resume:
        _check_is_free(folder)
    stem = "run" if isinstance(config, Mapping) else Path(config).stem
    settings = checked.model_dump()
    path, is_resumed = choose_run_dir(stem, settings, folder, resume=resume)
    options = ResumeOptions(resume=is_resumed, overridden=[*given, *start])
    try:
        with keep_torch_settings():
            summary = train(checked, path, options, use_cache=use_cache)
    except BaseException:
        if folder is None:
            release_if_empty(path)
        raise
    return TrainedRun(path, summary)


def _choose_earlier_run(
    from_run: str | os.PathLike[str] | None, replay: float | None, *, resume: bool
) -> dict[str, str | float]:
    """Return the keys of the config, with their values, for a run to continue.

    Raises:
        ConfigError: `replay` is given without `from_run`, or `from_run` with `resume`;
            or `replay` is no number from 0 to 1.
        RunError: There is no such run.
    """
    earlier = check_optional_path("from_run", from_run, "the path of a run folder")
    if earlier is None:
        if replay is not None:
            raise ConfigError("replay is only allowed with from_run")
        return {}
    if resume:
        raise ConfigError(
            "from_run starts a new run and resume continues one in its folder: use only"
            " one of them"
        )
    if replay is not None:
        check_probability("replay", replay)
    return name_earlier_run(earlier, replay)


def _check_is_free(path: Path) -> None:
    """Check that a folder has no run yet, unless torchrun has restarted this program.

    Raises:
        ConfigError: The path is a file, or a folder that is not empty.
    """
    if find_launched(torchrun_id(), path) is not None:
        return
    RunFolder(path).check_is_free(
        "choose another folder for out, or continue the run in it with resume=True"
    )


def train_in_folder(settings: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """Train a classifier on a file that is read once; return its summary.

    Neither the cache nor `runs/latest` is changed.

    Args:
        settings: The values of the config, by section and key.
        path: The run folder, which must not exist.

    Raises:
        RnnclsError: The config, the data or the device is wrong.
        Interrupted: The user stopped the run.
    """
    config = build_config(settings, {})
    with keep_torch_settings():
        return train(config, path, use_cache=False, becomes_latest=False)


@contextlib.contextmanager
def keep_torch_settings() -> Iterator[None]:
    """Restore the caller's torch settings after a training.

    These are the state of the global random generators, the number of threads and the
    treatment of denormal numbers.
    """
    cpu = torch.device("cpu")
    # To read a state of CUDA would initialise it, after which a process cannot fork.
    is_initialized: Callable[[], bool] = torch.cuda.is_initialized
    num_gpus = torch.cuda.device_count() if is_initialized() else 0
    with torch.random.fork_rng(range(num_gpus)), compute_as_worker(cpu):
        yield
