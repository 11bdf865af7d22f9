"""Why a path that was given as a run folder is none, and what to do."""

import shlex
from pathlib import Path

from rnncls import RunError
from rnncls.config.loading import CONFIG_ENDINGS, has_data_ending

_PLAIN_TEXT, _ONNX_ENDING, _PAGE_ENDINGS = ".txt", ".onnx", {".html", ".htm"}


def build_no_run_error(path: Path) -> RunError:
    """Return the error that says why a path that is no folder is no run."""
    suggestions = {"data": "FILE", "input": "FILE"} if _is_data_file(path) else {}
    return RunError(f"{path}: {_explain_no_run(path)}", suggestions)


def _is_data_file(path: Path) -> bool:
    has_ending = has_data_ending(path) or path.suffix.lower() == _PLAIN_TEXT
    return has_ending and path.is_file()


def _explain_no_run(path: Path) -> str:
    """Return why a path that is no folder is no run, and what to do."""
    advice = "name an existing one, or omit the run to use the newest"
    if not path.is_file():
        return f"no such run folder: {advice}"
    if path.suffix.lower() in CONFIG_ENDINGS:
        quoted = shlex.quote(str(path))
        return (
            f"is a config, not a run folder: 'rnncls train {quoted}' trains a run with"
            " it; name the folder of that run, or omit the run to use the newest"
        )
    if _is_data_file(path):
        return (
            f"is a data file, not a run folder: {advice}; a data file is given"
            " separately"
        )
    if path.suffix.lower() in _PAGE_ENDINGS:
        return (
            "is a page, not a run folder: open it in a browser; name the run folder"
            " that it was exported from, or an .onnx file where one is allowed"
        )
    if path.suffix.lower() == _ONNX_ENDING:
        return (
            "is an exported file, which holds no data and no scores: name the run"
            " folder that it was exported from"
        )
    return f"is a file, not a run folder: {advice}"
