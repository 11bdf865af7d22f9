"""`rnncls explain`: the words that support a label, and the token that decides."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from rnncls.config.sections import Config
from rnncls.training.run import train
from tests.cli.conftest import NEWEST, Cli
from tests.cli.test_json_reference import read_documented_keys

pytestmark = pytest.mark.usefixtures("run_path")

TEXT = "rovers meet oslo"


def test_a_text_is_explained_with_its_figures_and_what_they_mean(cli: Cli) -> None:
    exit_code, stdout, stderr = cli("explain", TEXT)
    assert (exit_code, stderr) == (0, NEWEST)
    assert stdout.startswith("sport ")
    assert "Why sport? Tokens with [+] to [+++] support this label" in stdout
    assert "rovers[+++]" in stdout
    assert "Strongest contributions of 3 tokens" in stdout
    assert "Words that support sport most: 'rovers'" in " ".join(stdout.split())
    assert max(map(len, stdout.splitlines())) <= 80


def test_json_is_an_object_a_text_whose_contributions_add_up(cli: Cli) -> None:
    rows = [
        json.loads(line)
        for line in cli(
            "explain", "--json", TEXT, "oslo meet rovers"
        ).stdout.splitlines()
    ]
    assert [row["label"] for row in rows] == ["sport", "world"]
    for row in rows:
        total = sum(each["contribution"] for each in row["tokens"])
        assert total == pytest.approx(row["logit"] - row["baseline_logit"], rel=0.0101)
        assert (row["is_complete"], row["baseline"]) == (True, "<unk>")


def test_a_label_can_be_chosen(cli: Cli) -> None:
    found = json.loads(cli("explain", "--json", "--label", "world", TEXT).stdout)
    assert (found["label"], found["prediction"]) == ("world", "sport")
    assert found["tokens"][0]["contribution"] < 0


def test_texts_can_come_from_stdin(cli: Cli) -> None:
    rows = cli(
        "explain", "--json", "-", stdin=b"rovers meet oslo\noslo meet rovers\n"
    ).stdout.splitlines()
    assert [json.loads(row)["text"] for row in rows] == [
        "rovers meet oslo",
        "oslo meet rovers",
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"label,title,description", "row 1 looks like CSV with the run's columns"),
        (b"caf\xe9", "row 1: not UTF-8: byte 0xe9 at position 4; convert the input"),
    ],
)
def test_a_stdin_that_has_no_texts_leaves_with_3(
    cli: Cli, line: bytes, message: str
) -> None:
    done = cli("explain", "-", stdin=line + b"\nworld,oslo,rovers\n")
    assert (done.exit_code, done.stdout) == (3, "")
    assert f"error: stdin: {message}" in done.stderr


def test_a_page_holds_all_texts_and_no_script_of_theirs(cli: Cli) -> None:
    done = cli("explain", TEXT, "<script>alert(1)</script>", "--html", "page.html")
    assert (done.exit_code, done.stderr) == (0, f"{NEWEST}page.html: written\n")
    page = Path("page.html").read_text()
    assert "<script" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert page.count("<table") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            [TEXT, "--label", "wrold"],
            (
                "--label: the run has no label 'wrold', only sport, world; did you mean"
                " 'world'?"
            ),
        ),
        (
            [TEXT, "--trajectory", "--label", "world"],
            "--label: --trajectory shows all classes",
        ),
        ([TEXT, "--plot", "a.png"], "--plot: needs --trajectory and a single text"),
        (
            [TEXT, "b", "--trajectory", "--plot", "a.png"],
            "--plot: needs --trajectory and a single text",
        ),
    ],
)
def test_wrong_options_leave_with_2(
    cli: Cli, arguments: list[str], message: str
) -> None:
    exit_code, stdout, stderr = cli("explain", *arguments)
    assert (exit_code, stdout) == (2, "")
    assert stderr.removeprefix(NEWEST).startswith(f"error: {message}")


# Rows of a file

ROW_COMMANDS = [["explain"], ["explain", "--trajectory"], ["gates"]]


@pytest.mark.parametrize("command", ROW_COMMANDS, ids=" ".join)
def test_a_row_of_a_file_is_shown_with_its_label(cli: Cli, command: list[str]) -> None:
    Path("rows.csv").write_text(
        'label,title,description\nsport,"not\nthis",one\nworld,oslo meet,rovers\n'
    )
    arguments = ["--data", "rows.csv", "--row", "2"]
    text = "oslo meet rovers"
    done = cli(*command, *arguments)
    assert done.exit_code == 0
    first, _, rest = done.stdout.partition("\n\n")
    assert first == f"rows.csv, row 2, labelled world: {text}"
    assert rest == cli(*command, text).stdout
    found = json.loads(cli(*command, *arguments, "--json").stdout)
    assert (found["data"], found["row"], found["true_label"]) == (
        "rows.csv",
        2,
        "world",
    )
    assert json.loads(cli(*command, text, "--json").stdout).items() < found.items()


@pytest.mark.parametrize("command", ROW_COMMANDS, ids=" ".join)
def test_a_row_can_be_named_by_its_id_and_its_text_by_its_column(
    cli: Cli, command: list[str]
) -> None:
    Path("rows.csv").write_text(
        "ticket,label,body\nT-1,sport,not this\nT-2,world,oslo meet rovers\n"
    )
    arguments = ["--data", "rows.csv", "--id", "ticket", "--row", "T-2"]
    arguments += ["--text", "body"]
    done = cli(*command, *arguments)
    first, _, rest = done.stdout.partition("\n\n")
    assert first == "rows.csv, row 2 (T-2), labelled world: oslo meet rovers"
    assert rest == cli(*command, "oslo meet rovers").stdout
    found = json.loads(cli(*command, *arguments, "--json").stdout)
    assert (found["row"], found["id"]) == (2, "T-2")
    done = cli(*command, *arguments, "--id", "nummer")
    assert done.exit_code == 3
    assert "no column 'nummer'" in done.stderr


@pytest.mark.parametrize("command", ROW_COMMANDS, ids=" ".join)
def test_the_run_can_be_the_argument_if_the_text_is_a_row(
    cli: Cli, command: list[str]
) -> None:
    Path("runs/latest").unlink()
    arguments = ["--data", "toy.csv", "--row", "1"]
    as_argument = cli(*command, "runs/toy", *arguments)
    as_option = cli(*command, "--run", "runs/toy", *arguments)
    assert as_argument == as_option
    assert as_option.exit_code == 0


def test_a_row_without_a_label_says_so_also_on_the_page(cli: Cli) -> None:
    Path("rows.csv").write_text("title,description\noslo meet,<b>rovers</b>\n")
    for options in ([], ["--trajectory"]):
        arguments = ["--data", "rows.csv", "--row", "1", "--html", "page.html"]
        done = cli("explain", *options, *arguments)
        row = "rows.csv, row 1 (its label is not known)"
        shown = f"{row}: oslo meet &lt;b&gt;rovers&lt;/b&gt;"
        assert done.exit_code == 0
        assert shown in Path("page.html").read_text()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--data", "toy.csv"], "--data and --row: give both"),
        (["--row", "1"], "--data and --row: give both"),
        (["--data", "toy.csv", "--row", "97"], "--row: expected 1 to 96"),
        (["--data", "toy.csv", "--row", "0"], "--row: expected the number of a row"),
        (["--data", "toy.csv", "--row", "x"], "--row: expected the number of a row"),
        (
            ["--data", "toy.csv", "--row", "1", "--text", "label"],
            "--text: expected different columns, without the run's column of the label",
        ),
        ([TEXT, "--id", "label"], "--id and --text: only allowed with --data and"),
        (
            ["--data", "toy.csv", "--id", "label", "--row", "none"],
            "--row: no row of toy.csv has 'none' in the column 'label'",
        ),
        (
            ["--data", "toy.csv", "--id", "label", "--row", "world"],
            "--row: 48 rows of toy.csv have 'world' in the column 'label': the rows 4,",
        ),
        (
            ["--data", "toy.csv", "--row", "1", TEXT],
            f"found the text '{TEXT}' and --data toy.csv: give only one of them",
        ),
        ([], "no text: expected one, as in rnncls"),
    ],
)
@pytest.mark.parametrize("command", ["explain", "gates"])
def test_a_row_that_cannot_be_taken_leaves_with_2(
    cli: Cli, command: str, arguments: list[str], message: str
) -> None:
    exit_code, stdout, stderr = cli(command, *arguments)
    assert (exit_code, stdout) == (2, "")
    assert stderr.removeprefix(NEWEST).startswith(f"error: {message}")


def test_the_page_may_not_replace_the_file_that_the_row_is_from(cli: Cli) -> None:
    Path("rows.html").write_text("oslo meet rovers\n")
    done = cli("explain", "--data", "rows.html", "--row", "1", "--html", "rows.html")
    assert done.exit_code == 2
    assert "--html: rows.html is also the input: choose another name" in done.stderr


# Trajectories


def test_a_trajectory_has_a_row_a_token_and_says_which_decided(cli: Cli) -> None:
    exit_code, stdout, _ = cli("explain", "--trajectory", TEXT)
    rows = [line.split() for line in stdout.splitlines()[2:5]]
    assert exit_code == 0
    assert [row[0] for row in rows] == TEXT.split()
    assert sum(row[-1] == "decided" for row in rows) == 1
    assert "on, the label is sport" in " ".join(stdout.split())


def test_each_prediction_is_that_of_predict_for_the_prefix(cli: Cli) -> None:
    found = json.loads(cli("explain", "--trajectory", "--json", TEXT).stdout)
    texts = ["rovers", "rovers meet", TEXT]
    rows = [
        json.loads(line)
        for line in cli("predict", "--json", *texts).stdout.splitlines()
    ]
    assert found["is_reread"]
    assert found["probs"] == [
        pytest.approx(list(row["probs"].values()), abs=1e-5) for row in rows
    ]
    assert found["verdicts"] == [row["label"] for row in rows]


def test_a_trajectory_is_drawn_and_has_a_page(cli: Cli) -> None:
    done = cli(
        "explain", "--trajectory", TEXT, "--plot", "a.png", "--html", "page.html"
    )
    assert done.stderr == f"{NEWEST}a.png: written\npage.html: written\n"
    assert Path("a.png").read_bytes().startswith(b"\x89PNG")
    page = Path("page.html").read_text()
    assert "data:image/png;base64," in page
    assert page.count("<tr>") == 4


# The other commands on a run in one direction


@pytest.fixture
def one_way(make_config: Callable[..., Config], tmp_path: Path) -> str:
    """A run that reads from left to right."""
    path = tmp_path / "one-way"
    train(
        make_config(
            "model.bidirectional=false", "model.pooling=[last,max,mean,attention]"
        ),
        path,
    )
    return str(path)


def test_a_stream_says_as_it_reads_and_ends_with_what_predict_says(
    cli: Cli, one_way: str
) -> None:
    done = cli(
        "stream",
        "--run",
        one_way,
        "--json",
        stdin=b"rovers meet oslo\noslo meet &lt;b&gt;rovers",
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["token"] for row in rows if not row["is_final"]][:3] == [
        "rovers",
        "meet",
        "oslo",
    ]
    assert [(row["row"], row["start"], row["end"]) for row in rows[:3]] == [
        (1, 0, 6),
        (1, 7, 11),
        (1, 12, 16),
    ]
    assert [row["row"] for row in rows if row["is_final"]] == [1, 2]
    assert set(rows[0]) <= read_documented_keys("stream")
    finals = [row["probs"] for row in rows if row["is_final"]]
    predicted = cli(
        "predict", "--run", one_way, "--json", TEXT, "oslo meet &lt;b&gt;rovers"
    ).stdout.splitlines()
    assert finals == [
        pytest.approx(json.loads(row)["probs"], abs=1e-5) for row in predicted
    ]


def test_a_stream_for_people_has_a_line_per_token_and_a_final_one(
    cli: Cli, one_way: str
) -> None:
    stdin = b"Rovers meet OSLO\n\n"
    lines = cli("stream", "--run", one_way, stdin=stdin).stdout.splitlines()
    assert [line.split("%")[1].strip() for line in lines if line] == [
        "Rovers",
        "meet",
        "OSLO",
        "= prediction for line 1",
        "<unk>",
        "= prediction for line 2",
    ]


def test_a_stream_can_leave_a_text_early(cli: Cli, one_way: str) -> None:
    done = cli(
        "stream",
        "--run",
        one_way,
        "--min-confidence",
        "0.0",
        stdin=b"rovers meet oslo\noslo\n",
    )
    lines = [line for line in done.stdout.splitlines() if line]
    assert [line.split()[0] for line in lines] == ["1"] * 4
    assert lines[1].endswith("= prediction for line 1, before the end")


def test_a_stream_refuses_a_run_that_reads_from_both_ends(cli: Cli) -> None:
    exit_code, stdout, stderr = cli("stream", stdin=b"oslo\n")
    assert (exit_code, stdout) == (2, "")
    assert stderr.startswith(
        f"{NEWEST}error: model.bidirectional: this run is bidirectional"
    )


@pytest.mark.parametrize(
    "header", ["label\ttitle\tdescription", '{"title": "a", "description": "b"}']
)
def test_a_stream_of_a_table_leaves_with_3(cli: Cli, one_way: str, header: str) -> None:
    done = cli("stream", "--run", one_way, stdin=f"{header}\noslo\n".encode())
    assert (done.exit_code, done.stdout) == (3, "")
    assert "stdin: row 1 looks like" in done.stderr
    assert cli("stream", "--run", one_way, stdin=b"a title\n").exit_code == 0


def test_a_stream_that_is_no_utf8_leaves_with_3(cli: Cli, one_way: str) -> None:
    done = cli("stream", "--run", one_way, stdin=b"fine\n\xff\n")
    assert done.exit_code == 3
    assert done.stderr.startswith("error: stdin: row 2: not UTF-8")


@pytest.mark.parametrize(
    "options",
    [["--html", "page.pdf"], ["--trajectory", "--plot", "plot.svg"]],
    ids=["html", "plot"],
)
def test_an_ending_that_is_no_form_of_the_output_is_refused(
    cli: Cli, options: list[str]
) -> None:
    done = cli("explain", "rovers meet oslo", *options)
    assert done.exit_code == 2
    assert f"{options[-2]}: {options[-1]}: expected ." in done.stderr
    assert not Path(options[-1]).exists()


@pytest.mark.parametrize("options", [[], ["--trajectory"]], ids=["words", "course"])
def test_what_was_not_read_is_said(cli: Cli, options: list[str]) -> None:
    for text in ("", "zzqx qwrt"):
        done = cli("explain", text, *options)
        assert "No word of the text is in the vocabulary" in " ".join(
            done.stdout.split()
        )
        (line,) = cli("explain", text, "--json", *options).stdout.splitlines()
        assert "No word" in json.loads(line)["note"]
    (line,) = cli("explain", "oslo", "--json", *options).stdout.splitlines()
    assert json.loads(line)["note"] == ""
    long = "oslo " * 300
    (line,) = cli("explain", long, "--json", *options).stdout.splitlines()
    assert " of 300 tokens were read" in json.loads(line)["note"]


def test_an_unknown_word_cannot_be_taken_for_a_question_mark(cli: Cli) -> None:
    stdout = cli("explain", "zzqx oslo").stdout
    assert "zzqx[?]" in stdout
    assert "a token with [?] is not in the vocabulary" in " ".join(stdout.split())
    assert "of these 1 " not in cli("explain", "oslo").stdout
