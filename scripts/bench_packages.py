"""Whether the packages of the extra `bench` are installed."""

import argparse
import importlib.util


def require(parser: argparse.ArgumentParser, *packages: str) -> None:
    """Stop with the command that installs the packages that are missing."""
    missing = [name for name in packages if importlib.util.find_spec(name) is None]
    if missing:
        parser.error(f"needs {' and '.join(missing)}: pip install -e '.[bench]'")
