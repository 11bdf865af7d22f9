"""The scripts of the page, and a browser, each started once."""

from collections.abc import Iterator

import pytest

from tests.browser import CHROMIUM, Browser
from tests.inference.export.page.scripts import NODE, Scripts


@pytest.fixture(scope="package")
def scripts() -> Iterator[Scripts]:
    """The scripts of the page in node."""
    if NODE is None:
        pytest.skip("node is not installed")
    with Scripts() as scripts:
        yield scripts


@pytest.fixture(scope="package")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser."""
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with Browser(tmp_path_factory.mktemp("browser") / "profile") as browser:
        yield browser
