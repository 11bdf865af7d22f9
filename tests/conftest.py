"""Small data and small runs that many tests share."""

import os
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from rnncls.config.loading import parse_config
from rnncls.config.sections import Config

# Before torch is loaded, and for the programs that tests start too: toy networks gain
# nothing from a second thread, and threads that wait for each other on a busy machine
# make them many times slower.
os.environ["OMP_NUM_THREADS"] = "1"
# What is trained for several tests at once; each test has a cache of its own.
_CACHE = tempfile.TemporaryDirectory()
os.environ["RNNCLS_CACHE"] = _CACHE.name

# So that Hypothesis leaves nothing behind either.
_EXAMPLES = tempfile.TemporaryDirectory()

SHARED = Path(__file__).parents[2] / "shared"
CITIES, TEAMS = (
    ["oslo", "lima", "cairo", "quito"],
    [
        "rovers",
        "united",
        "wolves",
        "city",
    ],
)


def pytest_configure(config: pytest.Config) -> None:
    """Choose how many cases a property of tests/fuzz is checked on: a few, always the
    same, or with `-m slow` many."""
    from hypothesis import HealthCheck, Phase, configuration, settings

    configuration.set_hypothesis_home_dir(_EXAMPLES.name)
    common = settings(
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    common = settings(
        common, phases=set(Phase) - {Phase.explain}
    )  # which takes minutes
    settings.register_profile("short", common, derandomize=True, max_examples=5)
    settings.register_profile("long", common, derandomize=False, max_examples=200)
    settings.load_profile("long" if config.option.markexpr == "slow" else "short")


@pytest.fixture(autouse=True)
def _workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run each test in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RNNCLS_CACHE", str(tmp_path / ".cache"))


@pytest.fixture
def toy_csv(tmp_path: Path) -> Path:
    """The toy file, in the folder of the test."""
    return write_toy_csv(tmp_path / "toy.csv")


def write_toy_csv(path: Path) -> Path:
    """Write a file of 200 rows in two classes: what stands first decides, as in "rovers
    beat oslo"."""
    generator = random.Random(0)
    lines = ["label,title,description"]
    for _ in range(100):
        city, team = generator.choice(CITIES), generator.choice(TEAMS)
        filler = "again " * generator.randrange(6)
        lines.append(f"sport,{team} meet {city},the crowd waits {filler}")
        lines.append(f"world,{city} meet {team},the crowd waits {filler}")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


@pytest.fixture
def make_config(toy_csv: Path) -> Callable[..., Config]:
    """Return a function from overrides to a small config on the toy file."""

    def make(*overrides: str) -> Config:
        return parse_config(toy_yaml(toy_csv), "toy.yaml", overrides)

    return make


def toy_yaml(path: Path) -> str:
    """Return a small config that learns the toy file."""
    return yaml.safe_dump(
        {
            "device": "cpu",
            "data": {"train": str(path), "test": str(path), "valid_fraction": 0.2},
            "text": {"min_freq": 1},
            "model": {
                "embedding_dim": 8,
                "hidden_size": 8,
                "dropout": 0.1,
                "word_dropout": 0.0,
            },
            "train": {"max_epochs": 2, "batch_size": 16, "lr": 0.02},
        }
    )


@pytest.fixture
def toy_run(make_config: Callable[..., Config], tmp_path: Path) -> Path:
    """A finished run on the toy file."""
    from rnncls.training.run import train

    path = tmp_path / "toy-run"
    train(make_config(), path)
    return path
