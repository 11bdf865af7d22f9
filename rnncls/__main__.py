"""The program: `rnncls …` and `python -m rnncls …`."""

from rnncls.machine.imports import fast_imports

with fast_imports():
    from rnncls.cli.main import run


def main() -> None:
    """Run the command line and exit with its exit code."""
    run()


if __name__ == "__main__":
    main()
