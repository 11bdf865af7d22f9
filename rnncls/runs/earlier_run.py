"""The run that a new run continues, as keys of the new run's config. No torch."""

from pathlib import Path

from rnncls.runs.folder import find_run


def name_earlier_run(path: Path, replay: float | None) -> dict[str, str | float]:
    """Return the keys of a config, with their values, that continue a run.

    Args:
        path: The folder of the run, or the link to the newest one.
        replay: The share of its training rows to train on again; None: that of the
            config.

    Raises:
        RunError: There is no such run.
    """
    run = find_run(path)
    # The link runs/latest will point to another run once the new one is finished.
    keys: dict[str, str | float] = {
        "model.pretrained": str(run.resolve() if run.is_symlink() else run)
    }
    if replay is not None:
        keys["train.replay"] = float(replay)
    return keys
