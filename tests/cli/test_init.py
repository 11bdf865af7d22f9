"""`rnncls init`: two commands from a stranger's file to scores."""

import json
import shlex
from pathlib import Path

import pytest

from rnncls.cli.init import default_path
from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("workplace")
FILMS = (
    "meinung;film\n" + "gut;ein guter Film, sehr gut\nschlecht;kein guter Film\n" * 30
)


@pytest.fixture
def films() -> str:
    Path("films.csv").write_text(FILMS, encoding="cp1252")
    return "films.csv"


def test_a_config_is_written_that_trains_with_no_edit_and_can_be_evaluated(
    cli: Cli, films: str
) -> None:
    exit_code, stdout, stderr = cli("init", films)
    assert (exit_code, stdout) == (
        0,
        (
            "class: guessed 'meinung', from its values: if it is another column, choose"
            " it with --label COLUMN\n"
            "films.yaml: 60 rows, 2 classes; now: rnncls train --config films.yaml "
            "(or look first: rnncls inspect films.yaml)\n"
        ),
    )
    assert stderr.startswith(
        "text: 'film'; class: 'meinung' (to choose others: rnncls init --text,"
        " --label)\n"
    )
    assert (
        cli(
            "train",
            "--config",
            "films.yaml",
            "--set",
            "train.max_epochs=1",
            "--out",
            "run",
        ).exit_code
        == 0
    )
    result = json.loads(cli("eval", "run", "--json").stdout)
    assert (result["num_rows"], result["data"]["split"], result["data"]["path"]) == (
        12,
        "test",
        "films.csv",
    )
    assert (
        json.loads(cli("eval", "run", "--split", "valid", "--json").stdout)["num_rows"]
        == 10
    )


def test_a_config_that_is_there_is_not_overwritten_unasked(
    cli: Cli, films: str
) -> None:
    Path("films.yaml").write_text("mine")
    exit_code, stdout, stderr = cli("init", films)
    assert (exit_code, stdout) == (2, "")
    assert stderr.startswith(
        "error: films.yaml: already exists: choose another name for the config with"
        " --out"
    )
    assert Path("films.yaml").read_text() == "mine"
    assert cli("init", films, "--overwrite").exit_code == 0
    assert Path("films.yaml").read_text() != "mine"


def test_json_tells_all_that_was_found(cli: Cli, films: str) -> None:
    found = json.loads(
        cli(
            "init",
            films,
            "--json",
            "--out",
            "own.yaml",
            "--text",
            "film",
            "--label",
            "meinung",
        ).stdout
    )
    assert (found["config"], found["num_rows"], found["classes"]) == (
        "own.yaml",
        60,
        {"gut": 30, "schlecht": 30},
    )
    assert found["data"]["delimiter"] == "semicolon"


def test_a_column_that_is_not_there_is_an_error_of_the_command_line(
    cli: Cli, films: str
) -> None:
    exit_code, _, stderr = cli("init", films, "--label", "class")
    assert (exit_code, stderr) == (
        2,
        "error: films.csv: no column 'class': it has 'meinung', 'film'\n",
    )


def test_a_test_file_that_has_changed_since_is_not_cut_again(
    cli: Cli, films: str
) -> None:
    cli("init", films)
    cli(
        "train", "--config", "films.yaml", "--set", "train.max_epochs=1", "--out", "run"
    )
    Path(films).write_text(FILMS + "gut;neu\n", encoding="cp1252")
    exit_code, _, stderr = cli("eval", "run")
    assert exit_code == 3
    assert "films.csv: the file has changed since run was trained" in stderr


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("data/films.csv", "films.yaml"),
        ("news", "news.yaml"),
        ("hf:stanfordnlp/imdb", "imdb.yaml"),
        ("hf:glue#sst2", "glue.yaml"),
    ],
)
def test_a_config_is_called_as_its_data(source: str, name: str) -> None:
    assert default_path(source) == Path(name)


def test_a_config_is_no_data(cli: Cli) -> None:
    done = cli("init", "toy.yaml")
    assert (done.exit_code, done.stdout) == (2, "")
    assert "toy.yaml: is a config (YAML), not data" in done.stderr
    assert "rnncls train --config toy.yaml" in done.stderr


def test_too_few_rows_are_said_before_training(cli: Cli) -> None:
    Path("tiny.csv").write_text("text,label\ngood,pos\nbad,neg\nfine,pos\n")
    done = cli("init", "tiny.csv")
    assert done.exit_code == 0
    assert "expected at least one class with 3 rows" in done.stderr
    assert "the largest class has 2" in done.stderr
    assert "rnncls train" not in done.stdout
    assert cli("train", "--config", "tiny.yaml").exit_code == 3
    assert (
        json.loads(cli("init", "tiny.csv", "--overwrite", "--json").stdout)["can_train"]
        is False
    )


def test_the_advised_cross_validation_of_a_few_rows_works(cli: Cli) -> None:
    rows = [
        f"{word} {number},{word[0]}" for number in range(3) for word in ("ax", "by")
    ]
    Path("few.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    done = cli("init", "few.csv")
    (line,) = [line for line in done.stderr.splitlines() if "crossval" in line]
    command = line.partition("better: rnncls ")[2].partition(", which")[0]
    quick = ["--set", "train.max_epochs=1", "--out", "scored"]
    assert cli(*shlex.split(command), *quick).exit_code == 0
    assert "see `rnncls crossval`" in Path("few.yaml").read_text()


# Files for validation and testing, and the guess of the class


def write_tickets(name: str, separator: str = ",", labels: str = "ab") -> str:
    rows = [
        f"{label} word{n} of it{separator}{label}" for n in range(8) for label in labels
    ]
    Path(name).write_text("\n".join([f"body{separator}team", *rows]) + "\n")
    return name


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_validation_and_a_test_file_can_be_named(cli: Cli, separator: str) -> None:
    train = write_tickets("mine.csv")
    valid, test = write_tickets("v.csv", separator), write_tickets("t.csv", separator)
    done = cli("init", train, "--valid", valid, "--test", test, "--json")
    assert (done.exit_code, done.stderr) == (0, "")
    data = json.loads(done.stdout)["data"]
    expected = {",": ("mine.csv", "v.csv", "t.csv")}.get(
        separator, ("mine-train.csv", "mine-valid.csv", "mine-test.csv")
    )
    assert (data["train"], data["valid"], data["test"]) == expected
    assert data["test_fraction"] is None
    trained = cli("train", "mine.yaml", "--set", "train.max_epochs=1", "--out", "run")
    assert trained.exit_code == 0
    assert json.loads(cli("eval", "run", "--json").stdout)["num_rows"] == 16


@pytest.mark.parametrize(
    ("text", "exit_code", "message"),
    [
        (
            "text,team\nx,a\n",
            2,
            "--test: t.csv: no column 'body', found 'text', 'team': expected the"
            " columns of mine.csv",
        ),
        ("body,team\n", 3, "--test: t.csv: has no rows"),
        (
            "body,team\nx,a\ny,\n",
            3,
            "t.csv: row 2: the label (column 'team') is missing",
        ),
        (None, 3, "t.csv: no such file"),
    ],
    ids=["column", "rows", "label", "file"],
)
def test_a_named_file_is_checked_like_the_training_file(
    cli: Cli, text: str | None, exit_code: int, message: str
) -> None:
    train = write_tickets("mine.csv")
    if text is not None:
        Path("t.csv").write_text(text)
    done = cli("init", train, "--test", "t.csv")
    assert (done.exit_code, done.stdout) == (exit_code, "")
    assert done.stderr.startswith(f"error: {message}")
    assert not Path("mine.yaml").exists()


def test_a_named_file_is_another_than_the_training_file(cli: Cli) -> None:
    train = write_tickets("mine.csv")
    done = cli("init", train, "--valid", "./mine.csv")
    assert done.exit_code == 2
    assert "--valid: mine.csv is the train file too" in done.stderr


def test_labels_of_a_named_file_that_no_training_row_has_are_noted(cli: Cli) -> None:
    train, test = write_tickets("mine.csv"), write_tickets("t.csv", labels="abc")
    done = cli("init", train, "--test", test)
    assert done.exit_code == 0
    assert (
        "test: t.csv: 8 rows have a label that no row of the training file has: 'c'"
        in done.stderr
    )


def test_a_guess_among_several_columns_is_on_stdout(cli: Cli) -> None:
    rows = [f"t{n},{'ab'[n % 2]},{'xyz'[n % 3]},some words of {n}" for n in range(40)]
    Path("mine.csv").write_text("\n".join(["id,queue,status,body", *rows]) + "\n")
    lines = cli("init", "mine.csv").stdout.splitlines()
    assert lines[0] == (
        "class: guessed 'queue'; it could also be 'status': choose with --label COLUMN"
    )
    assert (
        len(
            cli(
                "init", "mine.csv", "--label", "queue", "--overwrite"
            ).stdout.splitlines()
        )
        == 1
    )


@pytest.mark.parametrize(
    "columns",
    [["--text", "film", "--label", "film"], ["--text", "film", "--text", "film"]],
    ids=["text and label", "text twice"],
)
def test_a_column_can_be_named_once(cli: Cli, films: str, columns: list[str]) -> None:
    done = cli("init", films, *columns, "--out", "z.yaml")
    assert (done.exit_code, done.stderr) == (
        2,
        "error: --text and --label must name different columns, each once\n",
    )
    assert not Path("z.yaml").exists()


def test_a_config_has_its_own_ending(cli: Cli, films: str) -> None:
    done = cli("init", films, "--out", "own.txt")
    assert (done.exit_code, done.stderr) == (
        2,
        "error: --out: own.txt: expected .yaml, .yml, found .txt\n",
    )
    assert not Path("own.txt").exists()


@pytest.mark.parametrize("options", [[], ["--overwrite"]], ids=["new", "overwrite"])
@pytest.mark.parametrize("is_link", [False, True], ids=["file", "link"])
def test_a_conversion_never_replaces_the_data(
    cli: Cli, options: list[str], *, is_link: bool
) -> None:
    content = "text,label\n" + "good film,pos\nbad film,neg\n" * 20
    data = Path("notes-train.csv")
    data.write_bytes(content.encode("utf-16"))
    if is_link:
        Path("in.csv").symlink_to(data)
        data = Path("in.csv")
    before = data.read_bytes()
    done = cli("init", str(data), "--out", "notes.yaml", *options)
    assert done.exit_code == 2
    assert "notes-train.csv: is the data that is read" in done.stderr
    assert data.read_bytes() == before
    assert not Path("notes.yaml").exists()
