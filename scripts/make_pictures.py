"""Make the pictures of the README from real runs of the commands that they show.

It trains on the built-in data in a temporary folder and takes about a minute:

    python scripts/make_pictures.py [--out docs/images]

The terminal is an SVG that rich exports; it refers to no font or file on the network.
"""

import argparse
import os
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 104
"""Columns of the terminal."""
TEXT = '"Calder Bank sues Harbour United over stadium deal"'
MIRRORED = '"Harbour United sues Calder Bank over stadium deal"'
PASSIVE = '"Calder Bank says it was sued by Harbour United"'
COMMANDS = [
    "rnncls train --config configs/quickstart.yaml --out runs/demo",
    f"rnncls predict {TEXT} {MIRRORED}",
    f"rnncls explain --trajectory {PASSIVE} --plot trajectory.png",
]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--out", type=Path, default=ROOT / "docs" / "images", help="target folder"
    )
    out = parser.parse_args().out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for item in ("configs", "data"):
            (folder / item).symlink_to(ROOT / item)
        outputs = [run_command(command, folder) for command in COMMANDS]
        (out / "terminal.svg").write_text(draw_terminal(outputs), encoding="utf-8")
        (folder / "trajectory.png").replace(out / "trajectory.png")


def run_command(command: str, folder: Path) -> str:
    """Run a command and return what a terminal would show, with its colours."""
    words = [sys.executable, "-m", *shlex.split(command)]
    environment = {
        **os.environ,
        "COLUMNS": str(WIDTH),
        "FORCE_COLOR": "1",
        "PYTHONPATH": str(ROOT),
        "RNNCLS_CACHE": str(folder / "cache"),
    }
    finished = subprocess.run(
        words,
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    return finished.stdout


def draw_terminal(outputs: list[str]) -> str:
    """Return the commands and their outputs as one SVG."""
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        console = Console(record=True, width=WIDTH, file=nowhere)
        for command, output in zip(COMMANDS, outputs, strict=True):
            console.print(Text(f"$ {command}", style="bold green"))
            console.print(Text.from_ansi(output.rstrip().expandtabs()))
            console.print()
        svg = console.export_svg(
            title="rnncls", code_format=remove_web_fonts(CONSOLE_SVG_FORMAT)
        )
    return "\n".join(line.rstrip() for line in svg.splitlines()) + "\n"


def remove_web_fonts(svg_format: str) -> str:
    """Return rich's SVG template without the fonts that it loads from the network."""
    without = re.sub(r"@font-face \{\{.*?\}\}\s*", "", svg_format, flags=re.DOTALL)
    return without.replace("Fira Code, monospace", "monospace")


if __name__ == "__main__":
    main()
