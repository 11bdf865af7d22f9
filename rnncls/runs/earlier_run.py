"""The run that a new run continues, as keys of the new run's config. No torch."""

from pathlib import Path

from rnncls import RunError
from rnncls.runs.folder import RunFolder, find_run


def check_is_finished(path: Path) -> None:
    """Check that the training of a run has finished.

    Raises:
        RunError: It has not.
    """
    if not RunFolder(path).summary.is_file():
        raise RunError(
            f"{path}: not finished: resume its training first",
            {"resume": "", "out": str(path)},
        )


def name_earlier_run(path: Path, replay: float | None) -> dict[str, str | float]:
    """Return the keys of a config, with their values, that continue a run.

    Args:
        path: The folder of the run, or the link to the newest one.
        replay: The share of its training rows to train on again; None: that of the
            config.

    Raises:
        RunError: There is no such run, or it is not finished.
    """
    if not path.exists():
        raise RunError(f"{path}: no such run: name the folder of a finished run")
    if RunFolder(path).model.is_file():
        check_is_finished(path)
    run = find_run(path)
    # The link runs/latest will point to another run once the new one is finished.
    keys: dict[str, str | float] = {
        "model.pretrained": str(run.resolve() if run.is_symlink() else run)
    }
    if replay is not None:
        keys["train.replay"] = float(replay)
    return keys
