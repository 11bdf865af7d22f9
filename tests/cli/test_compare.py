"""`rnncls compare`: tables for people, an object for programs, a page for both."""

import json
from pathlib import Path

import pytest

from rnncls.cli.reporting.comparison_report import (
    describe_significance,
    disagreement_title,
    explain_difference,
)
from rnncls.config.loading import load_config
from rnncls.evaluation.comparison import Difference
from rnncls.training.run import train
from tests.cli.conftest import Cli
from tests.cli.reporting.test_html import Reader


@pytest.fixture
def other_path(run_path: Path) -> Path:  # noqa: ARG001 - beside it
    """Another run on the same rows, which does not know the order of the words."""
    train(
        load_config("toy.yaml", ["model.cell=none", "train.max_epochs=1"]),
        Path("runs/bag [of] words"),
    )
    return Path("runs/bag [of] words")


def test_json_has_all_of_the_comparison(
    cli: Cli, run_path: Path, other_path: Path
) -> None:
    exit_code, stdout, stderr = cli("compare", str(other_path), str(run_path), "--json")
    assert (exit_code, stderr) == (0, "")
    found = json.loads(stdout)
    both = [
        json.loads(cli("eval", str(path), "--json").stdout)
        for path in (other_path, run_path)
    ]
    assert [each["scores"]["accuracy"] for each in found["contenders"]] == [
        each["accuracy"] for each in both
    ]
    (difference,) = found["differences"]
    assert difference["difference"] == pytest.approx(
        both[1]["accuracy"] - both[0]["accuracy"]
    )
    assert found["settings"]["model.cell"] == ["none", "lstm"]


def test_people_get_tables_that_fit_80_columns(
    cli: Cli, run_path: Path, other_path: Path
) -> None:
    stdout = cli("compare", str(other_path), str(run_path)).stdout
    assert max(map(len, stdout.splitlines())) <= 80
    for part in (
        "bag [of] words",
        "95% interval",
        "parameters",
        "tokens/s",
        "gained",
        "model.cell",
        "significantly better than bag [of] words (p = ",
        "disagree",
        "●",
    ):
        assert part in stdout


def test_a_page_has_the_tables_and_a_picture(
    cli: Cli, run_path: Path, other_path: Path
) -> None:
    outcome = cli("compare", str(other_path), str(run_path), "--html", "compare.html")
    assert outcome.exit_code == 0
    found = json.loads(cli("compare", str(other_path), str(run_path), "--json").stdout)
    page = Reader(Path("compare.html").read_text(encoding="utf-8"))
    assert len(page.all("img")) == 1
    for each in found["contenders"]:
        assert f"{each['scores']['accuracy']:.2%}" in page.text
        assert (
            "{:.2%} to {:.2%}".format(*each["scores"]["accuracy_interval"]) in page.text
        )
    (difference,) = found["differences"]
    assert f"{100 * difference['difference']:+.2f}" in page.text
    assert all(each["text"] in page.text for each in found["disagreements"])


def test_a_file_that_trained_the_runs_is_named_before_the_figures(
    cli: Cli, run_path: Path, other_path: Path
) -> None:
    paths = [str(other_path), str(run_path)]
    stdout = cli("compare", *paths, "--data", "toy.csv").stdout
    figures = stdout.index("parameters")
    assert stdout[:figures].count("was trained on rows of this file") == 2
    assert "too optimistic" not in stdout[figures:]


def test_one_run_alone_is_refused(cli: Cli, run_path: Path) -> None:
    outcome = cli("compare", str(run_path))
    assert outcome.exit_code == 2
    assert "two runs or more" in outcome.stderr


def test_a_run_is_as_good_as_itself(cli: Cli, run_path: Path) -> None:
    _, stdout, stderr = cli("compare", str(run_path), str(run_path))
    assert f"note: {run_path} is given 2 times" in stderr
    assert "+0.00" in stdout
    assert "+0.00 to +0.00" not in stdout
    assert "Config keys that differ" not in stdout
    assert stdout.rstrip().endswith("disagree: 0")
    assert "(p = 1.00)" in stdout
    assert "Mean accuracy" not in stdout
    three = cli("compare", *[str(run_path)] * 3).stdout
    assert "Mean accuracy of the runs after the first" in " ".join(three.split())


@pytest.mark.parametrize(
    ("counts", "end"),
    [
        ((0,), "disagree: 0"),
        ((5, 5, 5), "disagree: 5"),
        ((8, 5, 8), "disagree: 8 (5 of 8 shown; all: --html FILE or --json)"),
        ((53, 5, 20), "disagree: 53 (5 of 53 shown; 20: --html FILE or --json)"),
        ((53, 20), "disagree: 53 (20 of 53 shown)"),
    ],
)
def test_it_is_said_how_many_disagreements_are_shown_and_where_the_others_are(
    counts: tuple[int, ...], end: str
) -> None:
    assert disagreement_title(*counts) == f"Rows on which the runs {end}"


@pytest.mark.parametrize(
    ("difference", "p", "expected"),
    [
        (0.01, 0.017, "significantly better than"),
        (-0.01, 0.017, "significantly worse than"),
        (0.01, 0.05, "no significant difference to"),
    ],
)
def test_a_difference_is_significant_below_5_percent(
    difference: float, p: float, expected: str
) -> None:
    assert describe_significance(difference, p) == expected


@pytest.mark.parametrize(
    ("gained", "lost", "p", "expected"),
    [
        (0, 0, 1.0, "both classify the same rows correctly"),
        (
            3,
            2,
            1.0,
            "rows gained: 3, lost: 2; the difference may be due to chance",
        ),
        (
            30,
            2,
            0.001,
            "rows gained: 30, lost: 2; expect +1.00 to +3.00 points",
        ),
    ],
)
def test_a_sentence_says_what_the_difference_means(
    gained: int, lost: int, p: float, expected: str
) -> None:
    found = Difference("b", gained, lost, 0.02, (0.01, 0.03), p)
    assert explain_difference(found) == expected


def test_runs_can_be_compared_on_another_file(
    cli: Cli, run_path: Path, other_path: Path
) -> None:
    lines = Path("toy.csv").read_text().splitlines()
    Path("own.csv").write_text("\n".join(lines[:11]) + "\n")
    command = ("compare", str(other_path), str(run_path), "--data", "own.csv")
    found = json.loads(cli(*command, "--json").stdout)
    assert (found["origin"]["path"], found["origin"]["num_rows"]) == ("own.csv", 10)
    assert "own.csv: 10 rows (a separate file)" in cli(*command).stdout


def test_a_page_with_another_ending_is_refused(
    cli: Cli, run_path: Path, other_path: Path
) -> None:
    outcome = cli("compare", str(other_path), str(run_path), "--html", "page.pdf")
    assert outcome.exit_code == 2
    assert (
        "--html: page.pdf: expected .html, .htm or no ending, found .pdf"
        in outcome.stderr
    )
    assert not Path("page.pdf").exists()


def test_a_file_with_other_columns_is_compared(
    cli: Cli, run_path: Path, other_path: Path
) -> None:
    lines = ["kind,body", "world,oslo meet rovers", "sport,rovers meet oslo"]
    Path("other.csv").write_text("\n".join(lines) + "\n")
    options = ["--data", "other.csv", "--text", "body", "--label", "kind", "--json"]
    done = cli("compare", str(other_path), str(run_path), *options)
    assert done.exit_code == 0
    assert json.loads(done.stdout)["origin"]["num_rows"] == 2
