"""Why a path that was given as a run folder is none, and what to do."""

import shlex
from pathlib import Path

from rnncls.config.loading import CONFIG_ENDINGS, has_data_ending

_PLAIN_TEXT = ".txt"


def explain_no_run(path: Path) -> str:
    """Return why a path that is no folder is no run, and what to do."""
    advice = "name an existing one, or none for the newest"
    if not path.is_file():
        return f"no such run folder: {advice}"
    if path.suffix.lower() in CONFIG_ENDINGS:
        quoted = shlex.quote(str(path))
        return (
            f"is a config, not a run folder: 'rnncls train {quoted}' trains a run with"
            " it; name the folder of that run, or none for the newest"
        )
    if has_data_ending(path) or path.suffix.lower() == _PLAIN_TEXT:
        return (
            f"is a data file, not a run folder: {advice}; data is given with --data"
            " (eval, report, compare, explain) or --input (predict, check)"
        )
    return f"is a file, not a run folder: {advice}"
