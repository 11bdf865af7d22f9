"""`rnncls suggest` chooses texts to label, and writes a file that training reads."""

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from rnncls.cli.main import run
from rnncls.config.loading import load_config
from rnncls.training.run import train
from tests.builders import train_label_sets
from tests.cli.conftest import Cli

RUN = "runs/toy"


@pytest.fixture
def pool(run_path: Path) -> Path:
    """Eight texts in the columns of the run: one is labelled already, one a copy."""
    rows = [
        ("1", "rovers meet oslo", "the crowd waits "),
        ("2", "lima talks", "rovers win"),
        ("3", "Lima  talks", "rovers win"),
        ("4", "wolves and cairo", "a long day"),
        ("5", "united", "quito"),
        ("6", "", ""),
        ("7", "city beat city", "again"),
        ("8", "oslo oslo", "again again"),
    ]
    with Path("pool.csv").open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(["key", "title", "description"])
        writer.writerows(rows)
    return run_path


def read_sheet(path: str) -> list[dict[str, str]]:
    with Path(path).open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def read_json(text: str) -> dict[str, Any]:
    values = json.loads(text)
    assert isinstance(values, dict)
    return values


@pytest.mark.usefixtures("pool")
def test_the_file_has_the_columns_of_the_data_and_an_empty_label(cli: Cli) -> None:
    outcome = cli("suggest", RUN, "pool.csv", "--rows", "3", "--output", "next.csv")
    assert outcome.exit_code == 0
    assert "next.csv: 3 texts: fill in the column 'label'" in outcome.stdout
    assert (
        "8 rows, left out: 1 labelled or in --exclude, 1 copies, 1 empty"
        in outcome.stderr
    )
    rows = read_sheet("next.csv")
    names = ["row", "title", "description", "label", "suggested", "confidence"]
    assert list(rows[0]) == names
    originals = read_sheet("pool.csv")
    for row in rows:
        original = originals[int(row["row"]) - 1]
        assert row["title"] == original["title"]
        assert row["description"] == original["description"]
        assert row["label"] == ""
        assert row["suggested"] in {"sport", "world"}
        assert 0.5 <= float(row["confidence"]) <= 1


@pytest.mark.usefixtures("pool")
def test_the_filled_file_is_training_data_and_its_texts_are_not_suggested_again(
    cli: Cli,
) -> None:
    cli("suggest", RUN, "pool.csv", "--rows", "4", "--output", "next.csv")
    text = Path("next.csv").read_text(encoding="utf-8")
    Path("labels").mkdir()
    shutil.copy("toy.csv", "labels/first.csv")
    unfilled = Path("labels/next.csv")
    unfilled.write_text(text, encoding="utf-8")
    arguments = ["--set", "data.train=labels", "--set", "train.max_epochs=1"]
    refused = cli("train", "--config", "toy.yaml", "--out", "runs/two", *arguments)
    assert refused.exit_code == 3
    assert "row 1: the label (column 'label') is missing" in refused.stderr
    rows = read_sheet("labels/next.csv")
    with unfilled.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"label": "sport"} for row in rows)
    trained = cli("train", "--config", "toy.yaml", "--out", "runs/two", *arguments)
    assert trained.exit_code == 0
    again = cli("suggest", "runs/two", "pool.csv", "--json")
    # The four, the one before, and the copy of one of them.
    assert read_json(again.stdout)["num_labelled"] == 6
    chosen = {row["row"] for row in read_json(again.stdout)["rows"]}
    assert not chosen & {int(row["row"]) for row in rows}


@pytest.mark.usefixtures("pool")
def test_json_has_counts_and_rows_with_kept_columns(cli: Cli) -> None:
    outcome = cli("suggest", "pool.csv", "--rows", "2", "--keep", "key", "--json")
    values = read_json(outcome.stdout)
    assert (values["pool"], values["by"]) == ("pool.csv", "margin")
    assert (values["num_rows"], values["num_labelled"]) == (8, 1)
    assert (values["num_copies"], values["num_empty"]) == (1, 1)
    assert len(values["rows"]) == 2
    for row in values["rows"]:
        assert row["kept"] == {"key": str(row["row"])}
        assert set(row) == {"row", "text", "suggested", "confidence", "kept"}


@pytest.mark.usefixtures("pool")
def test_without_output_a_table_is_printed(cli: Cli) -> None:
    outcome = cli("suggest", RUN, "pool.csv", "--rows", "2", "--by", "random")
    header, *rows = outcome.stdout.strip().splitlines()
    assert header.split() == ["row", "suggested", "confidence", "text"]
    assert len(rows) == 2


@pytest.mark.usefixtures("pool")
def test_the_predicted_label_can_be_left_out(cli: Cli) -> None:
    cli("suggest", RUN, "pool.csv", "--blind", "--output", "next.csv")
    assert list(read_sheet("next.csv")[0]) == ["row", "title", "description", "label"]


def test_lines_of_text_fill_the_first_column_of_the_text(
    run_path: Path, cli: Cli
) -> None:
    lines = ["rovers meet lima again", "cairo waits", "cairo waits"]
    Path("pool.txt").write_text("\n".join(lines), encoding="utf-8")
    cli("suggest", str(run_path), "pool.txt", "--output", "next.csv")
    rows = read_sheet("next.csv")
    assert sorted(row["title"] for row in rows) == sorted(set(lines))
    assert {row["description"] for row in rows} == {""}
    text = "\n".join(lines).encode()
    outcome = cli("suggest", str(run_path), "-", "--json", stdin=text)
    assert len(read_json(outcome.stdout)["rows"]) == 2


@pytest.mark.usefixtures("run_path")
def test_columns_with_other_names_are_named(cli: Cli) -> None:
    Path("other.csv").write_text("head,body\nlima talks,rovers win\n")
    refused = cli("suggest", RUN, "other.csv")
    assert refused.exit_code == 3
    assert "name the columns of the text in the pool with --text" in refused.stderr
    names = ["--text", "head", "--text", "body"]
    cli("suggest", RUN, "other.csv", *names, "--output", "next.csv")
    (row,) = read_sheet("next.csv")
    assert (row["title"], row["description"]) == ("lima talks", "rovers win")
    cli("suggest", RUN, "other.csv", "--text", "body", "--output", "short.csv")
    (row,) = read_sheet("short.csv")
    assert (row["title"], row["description"]) == ("rovers win", "")


@pytest.mark.usefixtures("pool")
def test_texts_of_further_files_are_left_out(cli: Cli) -> None:
    cli("suggest", RUN, "pool.csv", "--rows", "2", "--output", "next.csv")
    outcome = cli("suggest", RUN, "pool.csv", "--exclude", "next.csv", "--json")
    values = read_json(outcome.stdout)
    assert (values["num_labelled"], len(values["rows"])) == (3, 3)


@pytest.mark.usefixtures("pool")
def test_a_file_that_may_hold_labels_is_not_replaced(cli: Cli) -> None:
    arguments = ["suggest", RUN, "pool.csv", "--output", "next.csv"]
    assert cli(*arguments).exit_code == 0
    refused = cli(*arguments)
    assert refused.exit_code == 2
    assert "next.csv already exists, and may hold labels" in refused.stderr
    assert "is also the input" in cli(*arguments[:3], "--output", "pool.csv").stderr
    assert "a data file of the run" in cli(*arguments[:3], "--output", "toy.csv").stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([RUN, "empty.csv"], "empty.csv: expected unlabelled texts, found no rows"),
        ([RUN, "pool.csv", "--by", "random", "--candidates", "2"], "--candidates is"),
        (["model.onnx", "pool.csv"], "is an exported file"),
        ([RUN, "pool.csv", "--exclude", "other.csv"], "; --exclude: the run was"),
        ([RUN], "no pool: expected a file of unlabelled texts after the run"),
        ([RUN, "pool.csv", "--run", "runs/b"], "give only one of them"),
        ([RUN, "pool.csv", "--keep", "title"], "has a column 'title' anyway"),
        ([RUN, "pool.csv", "--output", "next.txt"], "expected .csv, found .txt"),
        ([RUN, "toy.csv"], "expected unlabelled texts, found 96 rows, of which 96"),
        ([RUN, "nope.csv"], "nope.csv: no such file"),
    ],
)
@pytest.mark.usefixtures("pool")
def test_a_mistake_is_explained(cli: Cli, arguments: list[str], message: str) -> None:
    Path("empty.csv").write_text("title,description\n")
    Path("other.csv").write_text("head,body\nlima talks,rovers win\n")
    Path("model.onnx").write_bytes(b"")
    outcome = cli("suggest", *arguments)
    assert outcome.exit_code in (2, 3, 4)
    assert message in " ".join(outcome.stderr.split())


@pytest.mark.usefixtures("run_path")
def test_rows_that_have_a_label_are_left_out(cli: Cli) -> None:
    rows = ["world,a,b", ",c,d", "sport,e,f", ",E,f"]
    Path("part.csv").write_text("\n".join(["label,title,description", *rows]) + "\n")
    outcome = cli("suggest", RUN, "part.csv", "--output", "next.csv")
    assert (
        "4 rows, left out: 3 labelled or in --exclude; fewer than 50" in outcome.stderr
    )
    assert [row["title"] for row in read_sheet("next.csv")] == ["c"]


@pytest.mark.usefixtures("run_path")
def test_rows_of_json_may_lack_the_label(cli: Cli) -> None:
    fields: list[dict[str, Any]] = [{"label": "world"}, {"label": None}, {}]
    fields += [{"label": []}, {"label": " "}]
    lines = [
        json.dumps({"title": f"text {row}", "description": "", **values})
        for row, values in enumerate(fields)
    ]
    Path("part.jsonl").write_text("\n".join(lines) + "\n")
    values = read_json(cli("suggest", RUN, "part.jsonl", "--json").stdout)
    assert (values["num_rows"], values["num_labelled"]) == (5, 1)


@pytest.mark.usefixtures("pool")
def test_without_the_data_of_the_run_a_note_names_the_file(cli: Cli) -> None:
    Path("toy.csv").unlink()
    outcome = cli("suggest", RUN, "pool.csv", "--json")
    assert "toy.csv: no such file: the run was trained with it" in outcome.stderr
    assert read_json(outcome.stdout)["num_labelled"] == 0


def test_the_texts_of_an_earlier_run_are_left_out(pool: Path, cli: Cli) -> None:
    lines = ["label,title,description", "sport,lima talks,rovers win"]
    lines += [f"{'sport' if row % 2 else 'world'},new {row},x" for row in range(20)]
    Path("more.csv").write_text("\n".join(lines) + "\n")
    train = ["train", "--config", "toy.yaml", "--from", str(pool), "--out", "runs/two"]
    changes = ["data.train=more.csv", "train.max_epochs=1"]
    cli(*train, "--set", changes[0], "--set", changes[1])
    outcome = cli("suggest", "runs/two", "pool.csv", "--json")
    # Row 1 is in toy.csv, rows 2 and 3 are in more.csv.
    assert read_json(outcome.stdout)["num_labelled"] == 3


def test_several_labels_are_suggested_together(tmp_path: Path, cli: Cli) -> None:
    path = str(train_label_sets(tmp_path, "train.max_epochs=1"))
    Path("pool.txt").write_text("happy and afraid\nnothing at all\nangry\n")
    outcome = cli("suggest", path, "pool.txt", "--json", "--output", "next.csv")
    by_row = {row["row"]: row for row in read_json(outcome.stdout)["rows"]}
    assert set(by_row) == {1, 2, 3}
    assert all(isinstance(row["suggested"], list) for row in by_row.values())
    for row in read_sheet("next.csv"):
        suggested = by_row[int(row["row"])]["suggested"]
        assert row["suggested"] == "|".join(suggested)
        assert row["labels"] == ""


def test_names_of_columns_do_not_collide(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [f"{'ab'[number % 2]},word{number % 2} {number}" for number in range(40)]
    Path("own.csv").write_text("row,suggested\n" + "\n".join(lines) + "\n")
    Path("own.yaml").write_text(
        "data: {train: own.csv, text: [suggested], label: row}\n"
        "model: {embedding_dim: 4, hidden_size: 4}\ntrain: {max_epochs: 1}\n"
    )
    train(load_config("own.yaml"), tmp_path / "run")
    Path("pool.txt").write_text("word1 here\n")
    words = ["rnncls", "suggest", "run", "pool.txt", "--output", "next.csv"]
    monkeypatch.setattr("sys.argv", words)
    with pytest.raises(SystemExit):
        run()
    names = ["pool_row", "suggested", "row", "pool_suggested", "confidence"]
    assert list(read_sheet("next.csv")[0]) == names
