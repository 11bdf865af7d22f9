"""`rnncls order`: a run that knows the order of the words beside a bag of words that
cannot."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rnncls.config.loading import load_config
from rnncls.training import bag_of_words
from rnncls.training.run import train
from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("run_path")


def audit(cli: Cli, *arguments: str) -> dict[str, Any]:
    exit_code, stdout, _ = cli("order", *arguments, "--json")
    assert exit_code == 0
    result: dict[str, Any] = json.loads(stdout)
    return result


def test_the_toy_data_needs_order(cli: Cli) -> None:
    result = audit(cli, "--draws", "3")
    found = {each["name"]: each for each in result["readings"]}
    assert list(found) == [
        "as written",
        "reversed",
        "sorted",
        "shuffled",
        "bag of words",
    ]
    assert (
        found["as written"]["accuracy"]
        == json.loads(cli("eval", "--json").stdout)["accuracy"]
    )
    assert found["as written"]["accuracy"] > 0.9
    assert (
        found["bag of words"]["accuracy"] == 0.5
    )  # each bag is there once in each class
    assert len(found["shuffled"]["draws"]) == 3
    assert "order is worth" in result["meaning"][0]
    assert result["meaning"][1].startswith(
        "The bag of words is 50.0 points below the run"
    )


def test_the_bag_of_words_is_trained_once(cli: Cli) -> None:
    first = audit(cli)
    path = Path("runs/toy/bag-of-words/model.safetensors")
    written = path.stat().st_mtime_ns
    assert audit(cli) == first
    assert path.stat().st_mtime_ns == written
    assert sorted(each.name for each in Path("runs/toy").glob(".bag-*")) == []


def test_the_newest_run_stays_the_newest(cli: Cli) -> None:
    audit(cli)
    assert Path("runs/latest").resolve() == Path("runs/toy").resolve()


def test_set_changes_the_bag_of_words(cli: Cli) -> None:
    audit(cli)
    audit(cli, "--set", "train.lr=0.01")
    config = load_config("runs/toy/bag-of-words/config.yaml")
    assert (config.model.cell, config.train.lr) == ("none", 0.01)


def test_a_bag_of_words_can_be_named(cli: Cli) -> None:
    train(
        load_config("toy.yaml", ["model.cell=none", "train.max_epochs=1"]),
        Path("runs/bag"),
    )
    assert audit(cli, "runs/toy", "--baseline", "runs/bag")["baseline"] == "runs/bag"
    assert not Path("runs/toy/bag-of-words").exists()


def test_people_get_a_table_and_two_sentences(cli: Cli) -> None:
    stdout = cli("order").stdout
    assert stdout.startswith("toy on toy.csv: 96 rows, shuffled 3 times\n")
    assert "order is worth" in stdout
    assert max(map(len, stdout.splitlines()[:10])) <= 80


def test_the_picture_is_written(cli: Cli) -> None:
    assert cli("order", "--plot", "order.png").exit_code == 0
    assert Path("order.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["runs/toy", "--baseline", "runs/toy"],
            "runs/toy: has model.cell: lstm; expected a bag of words",
        ),
        (
            ["--baseline", "runs/toy", "--set", "train.lr=0.1"],
            "--set changes the config of the bag of words",
        ),
    ],
)
def test_a_wrong_baseline_leaves_with_2(
    cli: Cli, arguments: list[str], message: str
) -> None:
    exit_code, stdout, stderr = cli("order", *arguments)
    assert (exit_code, stdout) == (2, "")
    assert message in stderr


def test_a_run_with_ngrams_is_read_in_each_order(cli: Cli) -> None:
    config = load_config("toy.yaml", ["model.ngrams=auto", "train.max_epochs=1"])
    train(config, Path("runs/both"))
    result = audit(cli, "runs/both", "--draws", "1")
    as_written = result["readings"][0]["accuracy"]
    evaluation = json.loads(cli("eval", "runs/both", "--json").stdout)
    assert as_written == evaluation["accuracy"]
    assert load_config("runs/both/bag-of-words/config.yaml").model.ngrams is None


def test_a_bag_of_words_with_ngrams_is_refused(cli: Cli) -> None:
    changes = ["model.cell=none", "model.ngrams=auto", "train.max_epochs=1"]
    train(load_config("toy.yaml", changes), Path("runs/bag"))
    exit_code, _, stderr = cli("order", "runs/toy", "--baseline", "runs/bag")
    assert exit_code == 2
    assert "runs/bag: has model.ngrams: auto, so it depends on word order" in stderr


@pytest.mark.parametrize("of_run", [True, False], ids=["run", "rows"])
def test_bags_of_words_and_runs_do_not_mix(cli: Cli, *, of_run: bool) -> None:
    text = Path("toy.csv").read_text(encoding="utf-8")
    Path("other.csv").write_text(text + "sport,rovers win,again\n", encoding="utf-8")
    train(
        load_config(
            "toy.yaml", ["model.cell=none", "data.test=other.csv", "train.max_epochs=1"]
        ),
        Path("runs/bag"),
    )
    arguments = ["runs/bag"] if of_run else ["runs/toy", "--baseline", "runs/bag"]
    exit_code, _, stderr = cli("order", *arguments)
    assert exit_code == 2
    assert (
        "is a bag of words itself"
        if of_run
        else "has other rows or classes than runs/toy"
    ) in stderr


def test_a_bag_of_many_rows_takes_more_of_them_a_step(
    cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = load_config("runs/toy/config.yaml").train

    def pace(*overrides: str) -> tuple[int, float]:
        audit(cli, *overrides)
        section = load_config("runs/toy/bag-of-words/config.yaml").train
        return section.batch_size, section.lr

    assert pace() == (own.batch_size, own.lr)  # few rows
    monkeypatch.setattr(bag_of_words, "MIN_STEPS", 1)
    assert pace() == (own.batch_size, own.lr)  # the one that is kept
    shutil.rmtree("runs/toy/bag-of-words")
    assert pace() == (4 * own.batch_size, 2 * own.lr)
    assert pace("--set", "train.lr=0.25") == (own.batch_size, 0.25)
    assert pace("--set", f"train.batch_size={own.batch_size}") == (
        own.batch_size,
        own.lr,
    )
