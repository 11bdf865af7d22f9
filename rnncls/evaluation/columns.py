"""The columns of another file on which a run is evaluated."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rnncls import ConfigError
from rnncls.runs.run import Run


def name_columns(
    run: Run, data: Path | None, text: Sequence[str], label: str | None, prefix: str
) -> Run:
    """Return a run whose config names the columns of another file.

    Args:
        run: The run.
        data: The file; None: rows of the run's own data.
        text: The columns of the text; empty: those of the run.
        label: The column of the label; None: that of the run.
        prefix: What precedes the names of these arguments in messages.

    Raises:
        ConfigError: The columns are not those of a file, or not different ones.
    """
    if not text and label is None:
        return run
    names = f"{prefix}text and {prefix}label"
    if data is None:
        raise ConfigError(
            f"{names} name columns of another file: only allowed with {prefix}data"
        )
    section = run.config.data
    if label is not None and len(section.label_columns) > 1:
        raise ConfigError(
            f"{prefix}label: the run has a column for each label: rename those of the"
            " file"
        )
    texts = list(text) or section.text
    labels = section.label_columns if label is None else (label,)
    if len({*texts, *labels}) < len(texts) + len(labels):
        raise ConfigError(f"{names} must name different columns, each once")
    changes = {"text": texts, "label": labels[0]}
    if not isinstance(section.label, str):
        changes["label"] = list(labels)
    config = run.config.replace(data=section.replace(**changes))
    return replace(run, config=config)
