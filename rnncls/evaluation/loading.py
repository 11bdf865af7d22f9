"""Load a run together with the labelled rows that it is evaluated on."""

from pathlib import Path
from typing import Any, Literal

import numpy as np

from rnncls import DataError
from rnncls.data.loading import EncodedSplit, load_labelled_split, load_split
from rnncls.data.splits import Split
from rnncls.data.unknown_labels import UnknownLabels
from rnncls.machine.device import resolve_run_device
from rnncls.runs.companions import load_run_config
from rnncls.runs.data_check import (
    check_file_is_unchanged,
    find_use,
    load_used_files,
)
from rnncls.runs.run import Run, load_run

_USES: tuple[tuple[str, Literal["training", "validation"]], ...] = (
    ("train", "training"),
    ("valid", "validation"),
)


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
        run.data_settings,
        data or split,
        classifier.vocab,
        classifier.label_names,
        unknown_labels,
        use_cache=use_cache,
    )
    is_drawn = split != "test" or run.config.data.test_fraction is not None
    if data is None and is_drawn:
        check_file_is_unchanged(run.path, origin)
    use = find_use(run.path, run.config.data, origin)
    if data is not None and use is None:
        use = find_use_of_copy(run, rows, use_cache=use_cache)
    origin["used_for"] = use
    return rows, origin


def find_use_of_copy(
    run: Run, rows: EncodedSplit, *, use_cache: bool
) -> Literal["training", "validation"] | None:
    """Return what a run used a file for that has the texts of an evaluated file.

    `rnncls init` converts files that training cannot read, such as workbooks. The
    original has the texts of the converted file, in the same order, but neither its
    path nor its checksum.

    Args:
        run: The run.
        rows: All rows of the evaluated file.
        use_cache: Whether to use the cache of tokenised files.

    Returns:
        As `find_use`; None also if a file of the run no longer exists.
    """
    files = load_used_files(run.path, load_run_config(run.path).data)
    for split, use in _USES:
        file = files.get(split, {})
        may_be_copy = file.get("num_rows") == len(rows.labels)
        if not may_be_copy:
            continue
        path = Path(str(file["path"]))
        if _has_texts(run, path, rows, use_cache=use_cache):
            return use
    return None


def _has_texts(run: Run, path: Path, rows: EncodedSplit, *, use_cache: bool) -> bool:
    """Return whether a file of a run has the texts of these rows, in their order."""
    classifier, settings = run.classifier, load_run_config(run.path).data_settings
    try:
        own_rows, _ = load_split(
            settings,
            "train",
            classifier.vocab,
            classifier.label_names,
            path,
            use_cache=use_cache,
        )
    except DataError:  # it was deleted or changed, and cannot be compared
        return False
    texts, own_texts = rows.texts, own_rows.texts
    has_same_lengths = np.array_equal(texts.lengths, own_texts.lengths)
    return has_same_lengths and np.array_equal(texts.token_ids, own_texts.token_ids)
