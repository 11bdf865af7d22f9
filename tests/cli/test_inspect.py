"""`rnncls inspect`: tables, JSON and a page, of a config or of a bare file."""

import csv
import json
import tempfile
from pathlib import Path

import pytest

from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("workplace")


def test_a_config_is_inspected_in_80_columns(cli: Cli) -> None:
    exit_code, stdout, _ = cli("inspect", "toy.yaml")
    assert exit_code == 0
    assert "96 of 96 (100.00%): test rows also occur in the training rows" not in stdout
    assert "rows also occur in the training rows" in stdout
    assert max(map(len, stdout.splitlines())) <= 80


def test_json_is_one_object_with_the_counts_of_the_file(cli: Cli) -> None:
    found = json.loads(cli("inspect", "toy.yaml", "--json").stdout)
    assert found["classes"]["test"] == {"sport": 48, "world": 48}
    assert (
        sum(sum(found["classes"][split].values()) for split in ("train", "valid")) == 96
    )
    lines = Path("toy.csv").read_text().splitlines()[1:]
    longest = max(len(line.replace(",", " ").split()) - 1 for line in lines)
    assert found["lengths"]["test"]["longest"] == longest


def test_a_key_can_be_changed(cli: Cli) -> None:
    found = json.loads(
        cli("inspect", "toy.yaml", "--json", "--set", "text.max_tokens=3").stdout
    )
    assert (found["max_tokens"], found["lengths"]["test"]["num_cut"]) == (3, 96)


def test_a_bare_file_is_inspected_and_leaves_nothing(cli: Cli) -> None:
    before = sorted(map(str, Path().iterdir()))
    exit_code, stdout, stderr = cli("inspect", "toy.csv", "--json", "--no-cache")
    assert exit_code == 0
    assert sum(json.loads(stdout)["classes"]["train"].values()) > 50
    assert "to choose others" in stderr
    assert sorted(map(str, Path().iterdir())) == before


def test_a_page_is_written_beside_what_is_printed(cli: Cli) -> None:
    _, stdout, stderr = cli("inspect", "toy.yaml", "--html", "toy.html")
    assert stdout
    assert stderr.endswith("toy.html: written\n")
    assert Path("toy.html").read_text(encoding="utf-8").startswith("<!doctype html>")


def test_the_help_says_that_test_rows_are_read_and_select_nothing(cli: Cli) -> None:
    words = " ".join(cli("inspect", "--help").stdout.replace("│", " ").split())
    assert "The test rows are read too" in words
    assert "They select neither a model nor a setting" in words


def test_a_wrong_file_leaves_with_3(cli: Cli) -> None:
    exit_code, stdout, stderr = cli("inspect", "none.csv")
    assert (exit_code, stdout, stderr) == (
        3,
        "",
        "error: none.csv: no such file or folder; looked in"
        f" {Path.cwd()}, the folder in which the command runs\n",
    )


def write_findings(name: str = "own.csv") -> None:
    lines = ["key,text,label"]
    lines += [f"k{row},same text here,{'ab'[row % 2]}" for row in range(10)]
    lines += [f"n{row},text number {row},{'ab'[row % 2]}" for row in range(20)]
    Path(name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    Path("own.yaml").write_text(
        f"data: {{train: {name}, text: [text], label: label, split: texts}}\n",
        encoding="utf-8",
    )


def test_all_rows_of_a_finding_are_written_with_the_column_that_names_them(
    cli: Cli,
) -> None:
    write_findings()
    options = ["--csv", "all.csv", "--id", "key", "--json"]
    exit_code, stdout, stderr = cli("inspect", "own.yaml", *options)
    assert (exit_code, stderr) == (0, "all.csv: written\n")
    with Path("all.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    conflicts = [row for row in rows if row["finding"] == "conflicting_labels"]
    assert {row["group"] for row in conflicts} == {"1"}
    assert sorted(row["key"] for row in conflicts) == [f"k{row}" for row in range(10)]
    assert {row["text"] for row in conflicts} == {"same text here"}
    assert all(row["key"] == f"k{int(row['row']) - 1}" for row in conflicts)
    found = {item["kind"]: item for item in json.loads(stdout)["findings"]}
    (group,) = found["conflicting_labels"]["rows"]
    assert sorted(row["id"] for row in group) == [f"k{row}" for row in range(10)]
    assert found["conflicting_labels"]["examples"][0][0]["text"] == "same text here"


def test_without_a_column_the_rows_are_numbered(cli: Cli) -> None:
    write_findings()
    assert cli("inspect", "own.csv", "--csv", "all.csv").exit_code == 0
    header, first, *_ = Path("all.csv").read_text(encoding="utf-8").splitlines()
    assert header == "finding,group,split,row,label,text"
    assert first.endswith(",same text here")


def test_a_column_that_the_file_lacks_is_named(cli: Cli) -> None:
    write_findings()
    exit_code, _, stderr = cli("inspect", "own.yaml", "--id", "keys")
    assert exit_code == 3
    assert "own.csv: no column 'keys', found" in stderr
    assert "did you mean 'key'?" in stderr


@pytest.mark.parametrize(
    ("option", "path", "message"),
    [
        ("--html", "page.pdf", "--html: page.pdf: expected .html, .htm, found .pdf"),
        ("--html", "page", "--html: page: expected .html, .htm, found no ending"),
        ("--csv", "all.xlsx", "--csv: all.xlsx: expected .csv, found .xlsx"),
        ("--csv", "own.csv", "--csv: own.csv is also the input"),
    ],
)
def test_an_output_of_another_form_or_over_an_input_is_refused(
    cli: Cli, option: str, path: str, message: str
) -> None:
    write_findings()
    before = Path("own.csv").read_bytes()
    for source in ("own.yaml", "own.csv"):
        exit_code, _, stderr = cli("inspect", source, option, path)
        assert (exit_code, message in stderr) == (2, True)
    assert Path("own.csv").read_bytes() == before
    assert path == "own.csv" or not Path(path).exists()


def test_the_screen_says_how_to_get_all_rows(cli: Cli) -> None:
    write_findings()
    assert "--csv FILE writes all rows" in cli("inspect", "own.yaml").stdout


@pytest.mark.parametrize(
    "content",
    [
        "text,label\n" + "bye bad,neg\nhello nice,pos\n" * 9,
        'id,text,label\n1,"hello there,a\n' + "2,hello,b\n3,bye now,a\n" * 9,
        "sep=;\ntext;label\n" + "bye bad;neg\nhello nice;pos\n" * 9,
    ],
    ids=["few", "quote", "converted"],
)
def test_no_temporary_file_is_named(cli: Cli, content: str) -> None:
    Path("few.csv").write_text(content)
    done = cli("inspect", "few.csv", "--no-cache")
    assert done.exit_code == 0
    shown = done.stdout + done.stderr
    assert tempfile.gettempdir() not in shown.replace(str(Path.cwd()), "")
    assert "config.yaml" not in shown
    assert "few.csv" in done.stdout


@pytest.mark.parametrize("split", ["train", "valid", "test"])
def test_classes_that_look_alike_are_named_on_the_screen_and_in_json(
    cli: Cli, split: str
) -> None:
    lines = [f"{'ab'[row % 2] * 5},words {row} here" for row in range(20)]
    for name in ("train", "valid", "test"):
        rows = [*lines, "AAAAA,other words here"] if name == split else lines
        Path(f"{name}.csv").write_text("\n".join(["label,text", *rows]) + "\n")
    Path("own.yaml").write_text(
        "data: {train: train.csv, valid: valid.csv, test: test.csv, text: [text]}\n"
    )
    screen = " ".join(cli("inspect", "own.yaml").stdout.split())
    note = "one class or several? 'aaaaa', 'AAAAA' differ in case"
    assert screen.index(note) < screen.index("relative to the largest")
    expected = "rows are of classes that look alike: 'aaaaa', 'AAAAA' differ in case"
    assert f"31 of 61 (50.82%): {expected}" in screen
    assert f"{split} row 21 [AAAAA]: other words here" in screen
    result = json.loads(cli("inspect", "own.yaml", "--json").stdout)
    assert note in result["notes"]
    [finding] = [
        item for item in result["findings"] if item["kind"] == "similar_classes"
    ]
    assert finding["what"] == expected
    place = {"split": split, "row": 21, "label": "AAAAA"}
    assert finding["rows"][1] == [place]
