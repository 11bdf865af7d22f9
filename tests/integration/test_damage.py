"""Damage to any file of a run or of the cache: it is named, or does not matter; never a
traceback or another result."""

import json
import random
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import torch

from rnncls import RunError
from rnncls.config.loading import parse_config
from rnncls.config.sections import Config
from rnncls.config.yaml_format import dump_config
from rnncls.evaluation.run_evaluation import evaluate_run
from rnncls.inference.predictor import Predictor
from rnncls.machine.files import write_json
from rnncls.machine.tensors import load_tensors, save_tensors
from rnncls.runs.folder import MODEL, RunFolder, find_run
from rnncls.runs.manifest import COMPANIONS, Manifest
from rnncls.runs.metric_rows import read_rows
from rnncls.runs.run import create_run, load_run
from rnncls.text.vocab import Vocab
from rnncls.training.run import train
from tests.builders import RESUME
from tests.conftest import CITIES, TEAMS, toy_yaml

TIMES = {"elapsed_s", "tokens_per_s"}
FILES = (
    "config.yaml",
    "vocab.txt",
    "labels.json",
    "model.safetensors",
    "metrics.jsonl",
    "summary.json",
    "README.md",
    "eval-test.json",
    "last/state.safetensors",
    "last/lock",
    "cache",
)
TEXTS = ["oslo meet rovers", "rovers meet oslo again", "", "nobody knows"]


class Site(NamedTuple):
    """A run of one epoch that is to have two, its cache, another run, and what each
    reader makes of it undamaged."""

    path: Path
    config: Config
    expected: dict[str, Any]


def make_site(path: Path) -> Site:
    """Train two runs in a folder, one with the class names and the words of the other
    in another order."""
    lines = ["label,title,description"]
    for team in TEAMS:
        lines += [f"sport,{team} meet {city},the crowd waits" for city in CITIES]
        lines += [f"world,{city} meet {team},the crowd waits" for city in CITIES]
    (path / "toy.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (path / "other.csv").write_text(
        "\n".join(lines).replace("meet", "greet") + "\n", encoding="utf-8"
    )
    for name, data in (("run", "toy.csv"), ("other", "other.csv")):
        config = parse_config(
            toy_yaml(path / data),
            "toy.yaml",
            ["train.max_epochs=1", "model.hidden_size=4"],
        )
        train(config, path / "pristine" / name)
        write_json(path / "pristine" / name / "eval-test.json", {"accuracy": 0.5})
    shutil.copytree(Path(".cache"), path / "pristine" / "cache")
    config = parse_config(
        toy_yaml(path / "toy.csv"),
        "toy.yaml",
        ["train.max_epochs=2", "model.hidden_size=4"],
    )
    shutil.copytree(path / "pristine" / "run", "run")
    return Site(path, config, {name: read(config) for name, read in READERS.items()})


def resume(config: Config) -> Any:
    """Go on to the second epoch; return the best weights' file and the rows without
    their times."""
    train(config, Path("run"), RESUME)
    rows = [
        {key: value for key, value in row.items() if key not in TIMES}
        for row in read_rows(RunFolder(Path("run")).metrics)
    ]
    return RunFolder(Path("run")).model.read_bytes(), rows


READERS: dict[str, Callable[[Config], Any]] = {
    "predict": (
        lambda _: Predictor(
            load_run(find_run(Path("run"))).classifier, torch.device("cpu")
        ).predict(TEXTS)
    ),
    "eval": lambda _: evaluate_run(Path("run"), split="valid").scores().to_dict(),
    "resume": resume,  # last: it writes
}


def mutations(data: bytes, chance: random.Random) -> Iterator[tuple[str, bytes]]:
    """Yield damaged forms of a file without end: cut, with flipped bits, with zeroes,
    other or more bytes."""
    yield "empty", b""
    yield "longer", data + b"\n"
    while True:
        place, size = (
            chance.randrange(max(1, len(data))),
            chance.choice([1, 4, 64, 512]),
        )
        end = min(len(data), place + size)
        flipped = bytes(
            byte ^ (1 << chance.randrange(8)) for byte in data[place : place + 1]
        )
        yield f"cut at {place}", data[:place]
        yield f"a bit of byte {place}", data[:place] + flipped + data[place + 1 :]
        yield f"zeroes at {place}:{end}", data[:place] + bytes(end - place) + data[end:]
        yield (
            f"noise at {place}:{end}",
            data[:place] + chance.randbytes(size) + data[end:],
        )
        yield f"without {place}:{end}", data[:place] + data[end:]


def damaged_forms(
    site: Site, name: str, number: int
) -> Iterator[tuple[str, Path, bytes]]:
    """Yield so many damaged forms of a file: what was done, where, and the bytes that
    stand there then."""
    folder = site.path / "pristine"
    paths = (
        sorted((folder / "cache").iterdir())
        if name == "cache"
        else [folder / "run" / name]
    )
    swaps = [file for file in sorted(folder.rglob("*")) if file.is_file()]
    chance = random.Random(name)
    forms = [(path, mutations(path.read_bytes(), chance)) for path in paths]
    done = 0
    while done < number:
        path, stream = forms[done % len(forms)]
        other = chance.choice(swaps)
        swapped = f"in its place {other.relative_to(folder)}", other.read_bytes()
        what, data = swapped if done % 6 == 5 else next(stream)
        if data != path.read_bytes():
            yield what, path.relative_to(folder), data
            done += 1


def restore(site: Site) -> None:
    for name, place in (("run", Path("run")), ("cache", Path(".cache"))):
        shutil.rmtree(place, ignore_errors=True)
        shutil.copytree(site.path / "pristine" / name, place)


def attempt(read: Callable[[Config], Any], config: Config) -> tuple[Any, str]:
    """Return what a reader finds, or the one kind of error that it may end with."""
    try:
        return read(config), ""
    except RunError as error:
        return None, str(error)


def sweep(site: Site, name: str, number: int) -> int:
    """Damage one file so many times, and read the run in three ways each time; return
    how many were told of."""
    told = set()
    for count, (what, place, data) in enumerate(damaged_forms(site, name, number)):
        restore(site)
        (Path(".cache") / place.name if name == "cache" else place).write_bytes(data)
        for reader, read in READERS.items():
            found, error = attempt(read, site.config)
            if error:
                assert place.name in error, f"{reader}: {place} {what}: {error}"
                told.add(count)
            else:
                assert found == site.expected[reader], (
                    f"{reader}: {place} {what}: another result"
                )
    return len(told)


@pytest.mark.parametrize("name", FILES)
def test_a_little_damage_is_told_or_does_not_matter(name: str, tmp_path: Path) -> None:
    told = sweep(make_site(tmp_path), name, 6)
    assert (told > 0) == (
        name not in {"README.md", "eval-test.json", "last/lock", "cache"}
    )


@pytest.mark.parametrize(
    "other", ["labels.json", "../other/summary.json", "eval-test.json"]
)
def test_a_sealed_file_of_another_kind_or_run_is_no_summary(
    tmp_path: Path, other: str
) -> None:
    site = make_site(tmp_path)
    shutil.copy(site.path / "pristine" / "run" / other, "run/summary.json")
    with pytest.raises(RunError, match=r"run/summary\.json: damaged"):
        READERS["eval"](site.config)


@pytest.mark.parametrize("number", [2**40, 2**62])
def test_a_header_that_claims_more_than_there_is_takes_no_memory(
    tmp_path: Path, number: int
) -> None:
    path = tmp_path / "model.safetensors"
    header = json.dumps(
        {"a": {"dtype": "F32", "shape": [number], "data_offsets": [0, 4 * number]}}
    ).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + b"data")
    with pytest.raises(RunError, match=r"model\.safetensors: damaged"):
        load_tensors(path)
    path.write_bytes(number.to_bytes(8, "little") + header)
    with pytest.raises(RunError, match=r"model\.safetensors: damaged"):
        load_tensors(path)


@pytest.mark.parametrize(
    "override", ["hidden_size=1000000", "embedding_dim=10000000", "num_layers=1000"]
)
def test_a_config_that_claims_a_huge_network_takes_no_memory(
    tmp_path: Path, override: str
) -> None:
    config = parse_config(
        toy_yaml(tmp_path / "toy.csv"), "toy.yaml", [f"model.{override}"]
    )
    create_run(
        Path("huge"),
        dump_config(config),
        Vocab(["<pad>", "<unk>", "a"]),
        ["sport", "world"],
    )
    save_tensors(
        RunFolder(Path("huge")).model,
        {"a": torch.zeros(3)},
        {"files": Manifest.of(Path("huge"), COMPANIONS[MODEL]).to_metadata()},
    )
    with pytest.raises(
        RunError,
        match=(
            r"model\.safetensors: the weights do not fit the config: expected at"
            r" least [\d,]+ weights"
        ),
    ):
        load_run(Path("huge"))


@pytest.mark.slow
def test_a_thousand_damages_are_told_or_do_not_matter(tmp_path: Path) -> None:
    site, each = make_site(tmp_path), 110
    told = {name: sweep(site, name, each) for name in FILES}
    print(f"{each * len(told):,} mutations, told of: {told}")  # noqa: T201 - shown by -s, for docs/results/reliability.md
    assert each * len(told) >= 1000
    assert all(
        told[name] == each
        for name in ("config.yaml", "vocab.txt", "labels.json", "model.safetensors")
    )
