"""`rnncls report`: one page that says what `rnncls eval` says, with pictures."""

import json
from pathlib import Path

import pytest

from tests.cli.conftest import NEWEST, Cli
from tests.cli.reporting.test_html import Reader

pytestmark = pytest.mark.usefixtures("run_path")


def read_page(path: Path = Path("runs/toy/report.html")) -> Reader:
    return Reader(path.read_text(encoding="utf-8"))


def test_the_page_has_the_figures_of_eval(cli: Cli) -> None:
    result = json.loads(cli("eval", "--json").stdout)
    outcome = cli("report")
    assert (outcome.exit_code, outcome.stderr) == (0, NEWEST)
    assert outcome.stdout.strip().endswith("runs/toy/report.html")
    text = read_page().text
    expected = [f"{result[name]:.2%}" for name in ("accuracy", "macro_f1")]
    expected += [
        f"{result[name]:.4f}"
        for name in ("loss", "raw_loss", "ece", "raw_ece", "temperature")
    ]
    expected += [
        f"{result[name][0]:.2%} to {result[name][1]:.2%}"
        for name in ("accuracy_interval",)
    ]
    assert result["macro_f1_interval"] == [1.0, 1.0]
    expected.append("no interval: no error in 96 rows")
    expected += [f"{row['min_confidence']:.2f}" for row in result["coverage"]]
    expected += [row["text"] for row in result["mistakes"]]
    assert [figure for figure in expected if figure not in text] == []


def test_the_page_has_five_pictures_with_words_beside_them(cli: Cli) -> None:
    cli("report", "--pictures", "pictures")
    assert len(read_page().all("img")) == 5
    assert all(image["alt"] for image in read_page().all("img"))
    assert sorted(path.name for path in Path("pictures").iterdir()) == [
        f"{name}.png"
        for name in ("confusion", "coverage", "curves", "reliability", "slices")
    ]


def test_a_text_with_markup_stays_text(cli: Cli) -> None:
    text = "<script>rovers</script> meet oslo"  # which is sport
    Path("odd.csv").write_text(
        "label,title,description\n" + f"world,{text},&amp;\n" * 2
    )
    assert cli("report", "--data", "odd.csv", "--output", "odd.html").exit_code == 0
    page = read_page(Path("odd.html"))
    assert not page.all("script")
    assert text in page.text


def test_a_run_without_metrics_or_summary_has_a_report_too(cli: Cli) -> None:
    for name in ("metrics.jsonl", "summary.json"):
        (Path("runs/toy") / name).unlink()
    assert cli("report").exit_code == 0
    assert len(read_page().all("img")) == 4


def test_split_and_data_together_are_refused(cli: Cli) -> None:
    assert cli("report", "--split", "valid", "--data", "toy.csv").exit_code == 2


def test_a_folder_of_pictures_that_cannot_be_made_is_named(cli: Cli) -> None:
    outcome = cli("report", "--pictures", "toy.csv")
    assert outcome.exit_code == 4
    assert "toy.csv: cannot be created" in outcome.stderr


def test_the_page_of_another_split_does_not_replace_that_of_the_test_rows(
    cli: Cli,
) -> None:
    cli("report")
    before = Path("runs/toy/report.html").read_bytes()
    outcome = cli("report", "--split", "valid")
    assert outcome.stdout.strip().endswith("runs/toy/report-valid.html")
    assert Path("runs/toy/report.html").read_bytes() == before
    assert Path("runs/toy/report-valid.html").read_bytes() != before


@pytest.mark.parametrize(
    "command",
    [["report", "--output", "x.pdf"], ["plot", "--output", "x.pdf"]],
    ids=["report", "plot"],
)
def test_an_ending_of_another_format_is_refused(cli: Cli, command: list[str]) -> None:
    exit_code, stdout, stderr = cli(*command)
    assert (exit_code, stdout) == (2, "")
    assert "x.pdf: expected ." in stderr
    assert not Path("x.pdf").exists()
