"""Draw the rooms of the package as an SVG, from the import contract in pyproject.toml.

A room's text is the first sentence of its docstring.
"""

import ast
import html
import textwrap
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
WIDTH = 860
HEIGHT = 56
"""Of a floor, in pixels."""
GAP = 10
FONT = "font-family='system-ui, sans-serif'"


def draw_rooms() -> str:
    """Return the SVG: one row of boxes per floor, the highest floor at the top."""
    floors = read_floors()
    height = len(floors) * (HEIGHT + GAP) + GAP
    parts = [
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}'>",
        f"<rect width='{WIDTH}' height='{height}' rx='8' fill='#f5f6fa'/>",
    ]
    for number, rooms in enumerate(floors):
        top = GAP + number * (HEIGHT + GAP)
        width = (WIDTH - GAP * (len(rooms) + 1)) / len(rooms)
        for place, room in enumerate(rooms):
            parts += draw_room(room, GAP + place * (width + GAP), top, width)
    return "\n".join([*parts, "</svg>", ""])


def read_floors() -> list[list[str]]:
    """Return the names of the rooms by floor, the highest floor first."""
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    contracts = tomllib.loads(text)["tool"]["importlinter"]["contracts"]
    layers = next(item["layers"] for item in contracts if item["type"] == "layers")
    floors = [[name.strip() for name in layer.split("|")] for layer in layers]
    return [floor for floor in floors if floor != ["__main__"]]


def draw_room(room: str, left: float, top: float, width: float) -> list[str]:
    file = find_source(room)
    name = f"{room}/" if file.name == "__init__.py" else file.name
    lines = textwrap.wrap(summary_of(file), width=int(width / 5.8))[:2]
    parts = [
        f"<rect x='{left:.0f}' y='{top}' width='{width:.0f}' height='{HEIGHT}' rx='6'"
        " fill='#ffffff' stroke='#3f51b5'/>",
        f"<text x='{left + 12:.0f}' y='{top + 19}' {FONT} font-size='15'"
        f" font-weight='bold' fill='#283593'>{name}</text>",
    ]
    for number, line in enumerate(lines):
        parts.append(
            f"<text x='{left + 12:.0f}' y='{top + 35 + number * 14}' {FONT}"
            f" font-size='12' fill='#222222'>{html.escape(line)}</text>"
        )
    return parts


def find_source(room: str) -> Path:
    """Return the file with the docstring of a room, which may be a single module."""
    module = ROOT / "rnncls" / f"{room}.py"
    return module if module.exists() else ROOT / "rnncls" / room / "__init__.py"


def summary_of(file: Path) -> str:
    """Return the first sentence of the docstring of a room."""
    source = file.read_text(encoding="utf-8")
    docstring = ast.get_docstring(ast.parse(source)) or ""
    paragraph = " ".join(docstring.split("\n\n")[0].split())
    return paragraph.replace("`", "").split(". ")[0].rstrip(".") + "."
