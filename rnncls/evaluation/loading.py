"""Load a run together with the labelled rows that it is evaluated on."""

from pathlib import Path
from typing import Any

from rnncls.data.loading import EncodedSplit, load_labelled_split
from rnncls.data.splits import Split
from rnncls.data.unknown_labels import UnknownLabels
from rnncls.machine.device import resolve_run_device
from rnncls.runs.data_check import check_file_is_unchanged, find_use
from rnncls.runs.run import Run, load_run


def load_run_and_split(
    path: Path,
    *,
    split: Split = "test",
    data: Path | None = None,
    unknown_labels: UnknownLabels = "error",
    device: str | None = None,
    use_cache: bool = True,
) -> tuple[Run, EncodedSplit, dict[str, Any]]:
    """Load a run and labelled rows that are encoded for it.

    Args:
        path: The run folder.
        split: Which split of the run's own data to load.
        data: A labelled file to load instead.
        unknown_labels: What to do with rows whose label is not a class of the run.
        device: The device of the model; default: the config's.
        use_cache: Whether to read and write the cache of tokenised files.

    Returns:
        The run with its model on the device, the rows, and where the rows come from:
        the file, its checksum, the split, the number of rows, and what the run used
        them for (see `find_use`).

    Raises:
        RnnclsError: The run, the data or the device is wrong.
    """
    run = load_run(path)
    rows, origin = load_rows(
        run,
        split=split,
        data=data,
        unknown_labels=unknown_labels,
        device=device,
        use_cache=use_cache,
    )
    return run, rows, origin


def load_rows(
    run: Run,
    *,
    split: Split,
    data: Path | None,
    unknown_labels: UnknownLabels,
    device: str | None,
    use_cache: bool,
) -> tuple[EncodedSplit, dict[str, Any]]:
    """Move a run to its device and load labelled rows that are encoded for it.

    Arguments, result and errors are those of `load_run_and_split`.
    """
    classifier = run.classifier
    classifier.model.to(resolve_run_device(device, run.config.device))
    rows, origin = load_labelled_split(
        run.config.data_settings,
        data or split,
        classifier.vocab,
        classifier.label_names,
        unknown_labels,
        use_cache=use_cache,
    )
    is_drawn = split != "test" or run.config.data.test_fraction is not None
    if data is None and is_drawn:
        check_file_is_unchanged(run.path, origin)
    origin["used_for"] = find_use(run.path, run.config.data, origin)
    return rows, origin
