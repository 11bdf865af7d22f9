"""Error messages for Python programs, with arguments instead of options of a command.

The same errors reach the command line and Python programs. Their messages name options
such as `--unknown-labels`, which a Python program cannot give.
"""

import contextlib
from collections.abc import Iterator

from rnncls import RnnclsError

PYTHON_WORDING = {
    "let eval or report leave these rows out or count them as wrong: --unknown-labels"
    " skip or wrong": (
        "leave these rows out or count them as wrong: unknown_labels='skip' or 'wrong'"
    ),
    "let eval or report leave them out: --unknown-labels skip": (
        "leave them out: unknown_labels='skip'"
    ),
    "(eval, report: --text)": "(rnncls.evaluate: text=)",
    "(eval, report: --label)": "(rnncls.evaluate: label=)",
    "without labels, use rnncls predict": "without labels, use rnncls.load",
    "with --split valid, or in eval, report and compare with --data FILE": (
        "with split='valid', or another file with data="
    ),
    "data is given with --data (eval, report, compare, explain) or --input (predict,"
    " check)": "rnncls.evaluate takes a data file as data=",
    "in eval, report and compare name another one with --data": (
        "name another one with data="
    ),
    "use --device cpu or --device auto": "use device='cpu' or device='auto'",
    "with 'rnncls train --config …'": "with rnncls.train",
    "continue with rnncls train --resume --out ": (
        "continue with rnncls.train, resume=True and out="
    ),
    "--resume --out ": "resume=True and out=",
    "choose another --out": "choose another out",
    "name one with --out": "name one with out",
    "; --with-changes resumes": "; rnncls train --resume --with-changes resumes",
    "(--resume --with-changes)": "(rnncls train --resume --with-changes)",
    "export it with --to page": "export it as a page (.html)",
    "--to page: the run": "output: the run",
    "--max-size-mb ": "max_size_mb ",
    "min_confidence (--min-confidence)": "min_confidence",
    "threshold (--threshold)": "threshold",
}
"""What messages say on the command line → what they say in a Python program."""


@contextlib.contextmanager
def name_python_arguments() -> Iterator[None]:
    """Let errors name the arguments of Python instead of options of a command."""
    try:
        yield
    except RnnclsError as error:
        message = str(error)
        for option, argument in PYTHON_WORDING.items():
            message = message.replace(option, argument)
        error.args = (message,)
        raise
