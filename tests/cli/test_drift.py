"""`rnncls drift`: today's texts beside those that a run was validated on."""

import json
import shutil
from pathlib import Path

import pytest

from rnncls.cli.reporting.html import save_page
from tests.builders import train_label_sets
from tests.cli.conftest import NEWEST, Cli
from tests.cli.reporting.test_html import Reader
from tests.cli.test_json_reference import read_documented_keys

OTHER = "other.csv"


@pytest.fixture(autouse=True)
def _other(run_path: Path) -> None:  # noqa: ARG001 - in its folder
    """Write a file whose texts the run has never seen the like of."""
    lines = ["label,title,description"]
    lines += [f"weather,rain and wind number {row},all day" for row in range(60)]
    Path(OTHER).write_text("\n".join(lines) + "\n", encoding="utf-8")


def test_the_data_of_the_run_has_not_drifted(cli: Cli) -> None:
    done = cli("drift", "runs/toy", "toy.csv", "--fail-on-drift")
    assert (done.exit_code, done.stderr) == (0, "")
    text = " ".join(done.stdout.split())
    assert "No drift: nothing differs with p < 0.01 and an effect of at least 0.1" in (
        text
    )
    assert "The run was trained on rows of the file (toy.csv)" in text


def test_other_texts_have_drifted(cli: Cli) -> None:
    exit_code, stdout, _ = cli("drift", "runs/toy", OTHER)
    assert exit_code == 0
    assert max(map(len, stdout.splitlines())) <= 80
    for part in ("Drift in", "unknown words", "AUROC", "rain *", "weather *", "yes"):
        assert part in stdout
    assert cli("drift", OTHER, "--fail-on-drift") == (1, stdout, NEWEST)


def test_the_level_decides_what_is_drift(cli: Cli) -> None:
    done = cli("drift", OTHER, "--fail-on-drift", "--alpha", "0")
    assert (done.exit_code, "No drift" in done.stdout) == (0, True)


def test_every_key_is_documented(cli: Cli) -> None:
    values = json.loads(cli("drift", "runs/toy", OTHER, "--json").stdout)
    assert set(values) <= read_documented_keys("drift")
    assert values["has_drifted"] is True
    assert values["file"] == {
        "path": OTHER,
        "earlier_paths": [],
        "split": None,
        "num_rows": 60,
        "num_compared": 60,
        "used_for": None,
    }
    assert values["reference"]["split"] == "valid"
    aspects = [aspect["aspect"] for aspect in values["aspects"]]
    assert aspects[-1] == "true_labels"
    assert values["unlike_texts"][0]["text"].startswith("rain and wind")


@pytest.mark.parametrize(
    ("form", "start"),
    [("lines", ""), ("csv", "description,title\n"), ("jsonl", "")],
)
def test_stdin_is_read_as_predict_reads_it(cli: Cli, form: str, start: str) -> None:
    lines = {
        "lines": "rain {} all day",
        "csv": "all day,rain {}",
        "jsonl": '{{"title": "rain {}", "description": "all day"}}',
    }
    rows = [lines[form].format(row) for row in range(20)]
    stdin = (start + "\n".join(rows)).encode()
    done = cli("drift", "runs/toy", "-", "--format", form, "--json", stdin=stdin)
    values = json.loads(done.stdout)
    assert (values["file"]["path"], values["file"]["num_rows"]) == ("stdin", 20)
    assert values["true_labels"] == []


def test_stdin_has_labels_if_they_are_named(cli: Cli) -> None:
    rows = ["title,description,kind", *["rain,all day,weather"] * 20]
    arguments = ["drift", "-", "--format", "csv", "--label", "kind", "--json"]
    values = json.loads(cli(*arguments, stdin="\n".join(rows).encode()).stdout)
    labels = {shift["label"]: shift["file"] for shift in values["true_labels"]}
    assert labels == {"sport": 0, "world": 0, "weather": 1}


@pytest.mark.parametrize("form", ["lines", "csv"])
def test_a_label_that_stdin_lacks_is_named_without_other_options(
    cli: Cli, form: str
) -> None:
    stdin = "title,description\n" + "rain,all day\n" * 20
    arguments = ["drift", "-", "--format", form, "--label", "kind"]
    done = cli(*arguments, stdin=stdin.encode())
    assert done.exit_code == 3
    assert "no column 'kind'" in done.stderr
    assert "--keep" not in done.stderr


def test_the_columns_of_the_file_can_be_named(cli: Cli) -> None:
    text = Path(OTHER).read_text(encoding="utf-8")
    renamed = text.replace("label,title,description", "kind,head,body")
    Path("renamed.csv").write_text(renamed, encoding="utf-8")
    columns = ["--text", "head", "--text", "body", "--label", "kind"]
    named = json.loads(cli("drift", "renamed.csv", *columns, "--json").stdout)
    values = json.loads(cli("drift", OTHER, "--json").stdout)
    assert named["aspects"] == values["aspects"]


def test_rows_without_a_label_are_texts(cli: Cli) -> None:
    text = Path(OTHER).read_text(encoding="utf-8")
    Path(OTHER).write_text(text.replace("weather", "", 5), encoding="utf-8")
    values = json.loads(cli("drift", OTHER, "--json").stdout)
    assert values["file"]["num_rows"] == 60
    assert values["true_labels"][0]["file"] == 1


def test_another_file_can_be_the_reference(cli: Cli) -> None:
    Path("toy.csv").unlink()
    done = cli("drift", "runs/toy", OTHER)
    assert done.exit_code == 3
    assert "the validation rows, which the texts are compared with" in done.stderr
    assert "cannot be read: toy.csv: no such file" in done.stderr
    assert "or compare with another file (--reference FILE)" in done.stderr
    shutil.copy(OTHER, "last-month.csv")
    done = cli("drift", "runs/toy", OTHER, "--reference", "last-month.csv")
    assert (done.exit_code, "No drift" in done.stdout) == (0, True)


def test_an_empty_stream_is_an_error(cli: Cli) -> None:
    done = cli("drift", "runs/toy", "-")
    message = (
        "error: stdin: found 0 rows, expected at least 10, as fewer texts cannot show a"
        " difference\n"
    )
    assert done == (3, "", message)


def test_texts_without_words_have_no_unknown_ones(cli: Cli) -> None:
    Path(OTHER).write_text("title,description\n" + ",\n" * 30, encoding="utf-8")
    values = json.loads(cli("drift", "runs/toy", OTHER, "--json").stdout)
    drifted = {aspect["aspect"]: aspect for aspect in values["aspects"]}
    assert drifted["length"]["has_drifted"]
    unknown = drifted["unknown_words"]
    assert (unknown["has_drifted"], unknown["file"]) == (False, None)


def test_a_sample_is_drawn_from_many_rows(cli: Cli) -> None:
    done = cli("drift", "runs/toy", OTHER, "--max-rows", "15")
    text = " ".join(done.stdout.split())
    assert "other.csv (15 of 60 rows, drawn with a fixed seed)" in text


def test_a_page_replaces_only_a_page_of_its_kind(cli: Cli) -> None:
    arguments = ["drift", "runs/toy", OTHER, "--html"]
    save_page(Path("drift.html"), "Drift of last-month.csv", [])
    done = cli(*arguments, "drift.html")
    assert (done.exit_code, done.stderr) == (0, "drift.html: written\n")
    reader = Reader(Path("drift.html").read_text(encoding="utf-8"))
    assert "Drift of other.csv" in reader.text
    Path("mine.html").write_text("<title>my page</title> of mine", encoding="utf-8")
    for name in ("toy.csv", "mine.html"):
        done = cli(*arguments, name)
        assert (done.exit_code, "--html" in done.stderr) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        ([], 2, "no file: expected one after the run"),
        (["runs/toy"], 2, "no file: expected one after the run"),
        (["runs/toy", "none.csv"], 3, "none.csv"),
        ([OTHER, "--reference", "-"], 2, "--reference: expected a file"),
        (["other.onnx", OTHER], 4, "other.onnx"),
        (["runs/toy", "short.csv"], 3, "short.csv: found 2 rows, expected at least 10"),
        (["runs/none", OTHER], 4, "runs/none"),
        ([OTHER, "--label", "title"], 2, "must name different columns"),
        ([OTHER, "--label", "kind"], 3, "no column 'kind'"),
        (
            [OTHER, "--text", "head"],
            3,
            "name columns of the file with --text and --label",
        ),
        ([OTHER, "--run", "runs/toy", "--alpha", "5"], 2, "give 80% as 0.8"),
    ],
)
def test_wrong_input_is_a_clear_error(
    cli: Cli, arguments: list[str], exit_code: int, message: str
) -> None:
    Path("short.csv").write_text("title,description\na,b\nc,d\n", encoding="utf-8")
    done = cli("drift", *arguments)
    assert done.exit_code == exit_code
    assert message in " ".join(done.stderr.replace("│", " ").split())


def test_several_labels_are_read_and_compared(cli: Cli, tmp_path: Path) -> None:
    run = str(train_label_sets(tmp_path, "train.max_epochs=1"))
    Path("angry.jsonl").write_text(
        '{"text": "the day was angry indeed", "labels": ["anger"]}\n' * 30,
        encoding="utf-8",
    )
    values = json.loads(cli("drift", run, "angry.jsonl", "--json").stdout)
    shifts = {shift["label"]: shift["file"] for shift in values["true_labels"]}
    assert shifts == {"joy": 0, "anger": 1, "fear": 0, "(no label)": 0}
    assert cli("drift", run, "angry.jsonl").exit_code == 0
