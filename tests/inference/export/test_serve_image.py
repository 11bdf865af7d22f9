"""What the container of `Dockerfile.serve` installs is enough, and small.

Instead of an image, an empty folder gets the packages that pip would install.
"""

import json
import sys
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import rnncls
from rnncls.inference.export.folder import (
    SERVE_DOCKERFILE,
    SERVE_REQUIREMENTS,
    export_folder,
)
from tests.builders import write_run
from tests.inference.serve.server_process import start_command

MAX_SIZE = 400 * 10**6
REPOSITORY = Path(rnncls.__file__).parents[1]
WITHOUT_DEPENDENCIES = ["torchtext"]
PROGRAM = """
import sys
sys.path.insert(0, sys.argv.pop(1))
from importlib.util import find_spec
assert find_spec("torch") is None
from rnncls.cli.main import run
run()
"""


def list_packages() -> list[str]:
    """Return the names of all packages that pip installs for the requirements."""
    waiting = SERVE_REQUIREMENTS.splitlines()
    found: set[str] = set()
    while waiting:
        requirement = Requirement(waiting.pop())
        is_needed = requirement.marker is None or requirement.marker.evaluate(
            {"extra": ""}
        )
        if is_needed and requirement.name not in found:
            found.add(requirement.name)
            waiting += distribution(requirement.name).requires or []
    return [*sorted(found), *WITHOUT_DEPENDENCIES]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with links to the files of these packages only."""
    folder = tmp_path_factory.mktemp("site")
    for name in list_packages():
        package = distribution(name)
        tops = {file.parts[0] for file in package.files or []} - {"..", "__pycache__"}
        for top in tops:
            link = folder / top
            if not link.exists():
                link.symlink_to(str(package.locate_file(top)))
    (folder / "rnncls").symlink_to(REPOSITORY / "rnncls")
    return folder


def test_the_packages_are_small_and_without_torch() -> None:
    names = list_packages()
    assert "torch" not in names
    sizes = [
        file.size or 0 for name in names for file in distribution(name).files or []
    ]
    assert sum(sizes) < MAX_SIZE


def test_the_image_installs_the_requirements() -> None:
    assert "-r requirements-serve.txt" in SERVE_DOCKERFILE
    assert "--no-deps torchtext==0.6.0 rnncls-*.whl" in SERVE_DOCKERFILE


def test_the_server_starts_with_these_packages(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_run(Path("reviews"), labels=["good", "bad"], words=["oslo"])
    export_folder(Path("reviews"), Path("out"))
    monkeypatch.chdir("out")
    program, *arguments = read_entry_point(Path("Dockerfile.serve"))
    assert program == "rnncls"
    command = [sys.executable, "-I", "-S", "-c", PROGRAM, str(site), *arguments]
    with start_command([*command, "--port", "0"]) as server:
        _, metadata = server.request("GET", "/v2/models/reviews")
        assert metadata["platform"] == "rnncls_onnxruntime"
        _, answer = server.request("POST", "/predict", {"texts": ["oslo"]})
        assert set(answer["predictions"][0]["probs"]) == {"good", "bad"}
        status, _ = server.request("POST", "/explain", {"text": "oslo"})
        assert status == 200
        assert server.request("GET", "/metrics")[0] == 200
        assert server.request("GET", "/")[0] == 200


def read_entry_point(dockerfile: Path) -> list[str]:
    """Return the command that a container runs."""
    lines = dockerfile.read_text("utf-8").splitlines()
    (entry,) = (line for line in lines if line.startswith("ENTRYPOINT "))
    command: list[str] = json.loads(entry.removeprefix("ENTRYPOINT "))
    return command
