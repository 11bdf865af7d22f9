"""The program: `rnncls …` and `python -m rnncls …`."""

import gc

# What importing makes lives to the end, torch's million objects above all: to look
# through them for garbage again and again is a fifth of the time of a short command. A
# command that goes on for longer calls `runtime.collect_again`.
gc.disable()

from rnncls.cli import run  # noqa: E402


def main() -> None:
    """Run the command line and leave with its exit code."""
    run()


if __name__ == "__main__":
    main()
