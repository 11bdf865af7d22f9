"""The scripts of the page, started once."""

from collections.abc import Iterator

import pytest

from tests.inference.export.page.scripts import NODE, Scripts


@pytest.fixture(scope="package")
def scripts() -> Iterator[Scripts]:
    """The scripts of the page in node."""
    if NODE is None:
        pytest.skip("node is not installed")
    with Scripts() as scripts:
        yield scripts
