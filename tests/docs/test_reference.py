"""The generated pages are what scripts/make_reference.py writes now."""

from pathlib import Path

import pytest
from make_reference import build_pages

from rnncls.cli.app import PANELS

DOCS = Path(__file__).parents[2] / "docs"
PAGES = build_pages()


@pytest.mark.parametrize("name", PAGES)
def test_a_generated_page_is_current(name: str) -> None:
    committed = (DOCS / name).read_text(encoding="utf-8")
    assert committed == PAGES[name], "run scripts/docs and commit what it writes"


@pytest.mark.parametrize("name", [name for names in PANELS.values() for name in names])
def test_every_command_has_a_section(name: str) -> None:
    assert f"\n## rnncls {name}\n" in PAGES["reference/commands.md"]
