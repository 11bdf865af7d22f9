"""The program: `rnncls …` and `python -m rnncls …`."""

from rnncls.cli import run


def main() -> None:
    """Run the command line and leave with its exit code."""
    run()


if __name__ == "__main__":
    main()
