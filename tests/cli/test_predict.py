"""`rnncls predict`: texts from anywhere into labels, in their order."""

import csv
import json
import os
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest

from rnncls.cli.predict import read_texts
from rnncls.config.sections import Config, DataSection
from rnncls.training.run import train
from tests.cli.conftest import Cli

pytestmark = pytest.mark.usefixtures("run_path")

TITLES = [
    "rovers meet oslo",
    "oslo meet rovers",
    "united meet lima",
    "lima meet united",
    "city meet cairo",
]
LABELS = ["sport", "world", "sport", "world", "sport"]
DESCRIPTION = "the crowd waits"


def write_csv(path: Path, delimiter: str = ",") -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream, delimiter=delimiter).writerows(
            [["title", "description"], *([title, DESCRIPTION] for title in TITLES)]
        )


def write_jsonl(path: Path) -> None:
    rows = ({"description": DESCRIPTION, "title": title} for title in TITLES)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


def write_parquet(path: Path) -> None:
    columns = {"title": TITLES, "description": [DESCRIPTION] * len(TITLES)}
    pyarrow.parquet.write_table(pyarrow.table(columns), path)


def write_lines(path: Path) -> None:
    path.write_text(
        "".join(f"{title} {DESCRIPTION}\n" for title in TITLES), encoding="utf-8"
    )


WRITERS: dict[str, Callable[[Path], None]] = {
    "in.csv": write_csv,
    "in.tsv": lambda path: write_csv(path, "\t"),
    "in.jsonl": write_jsonl,
    "in.parquet": write_parquet,
    "in.txt": write_lines,
    "no-ending": write_lines,
}


def predict(cli: Cli, *arguments: str, stdin: bytes = b"") -> list[dict[str, Any]]:
    """Return what `rnncls predict --json` prints."""
    exit_code, stdout, stderr = cli("predict", *arguments, "--json", stdin=stdin)
    assert (exit_code, stderr) == (0, "")
    return [json.loads(line) for line in stdout.splitlines()]


# Texts from the command line


def test_a_text_gets_a_line_with_its_label_and_probability(cli: Cli) -> None:
    exit_code, stdout, stderr = cli("predict", "rovers meet oslo")
    label, prob, text = stdout.removesuffix("\n").split("\t")
    assert (exit_code, stderr, label, text) == (0, "", "sport", "rovers meet oslo")
    assert 0.5 < float(prob) <= 1


def test_several_texts_get_lines_in_their_order(cli: Cli) -> None:
    lines = cli("predict", *TITLES).stdout.splitlines()
    assert [(line.split("\t")[0], line.split("\t")[2]) for line in lines] == list(
        zip(LABELS, TITLES, strict=True)
    )


def test_top_k_prints_more_labels_the_most_probable_first(cli: Cli) -> None:
    first, prob, second, rest, text = cli(
        "predict", "oslo meet rovers", "--top-k", "2"
    ).stdout.split("\t")
    assert (first, second, text) == ("world", "sport", "oslo meet rovers\n")
    assert float(prob) + float(rest) == pytest.approx(1, abs=2e-4)


def test_json_says_label_prob_probs_and_text(cli: Cli) -> None:
    (row,) = predict(cli, "rovers meet oslo")
    assert (row["label"], row["text"], row["probs"].keys()) == (
        "sport",
        "rovers meet oslo",
        {"sport", "world"},
    )
    assert row["prob"] == max(row["probs"].values())
    assert sum(row["probs"].values()) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\U0001f468\u200d\U0001f469",
        "\u202e\u05d0",
        "bad \udcff byte",
        "two\nlines\tand a tab",
        "w " * 100_000,
    ],
    ids=["empty", "emoji", "right to left", "no UTF-8", "lines", "long"],
)
def test_an_odd_text_is_one_line_of_json_that_holds_it(cli: Cli, text: str) -> None:
    assert [row["text"] for row in predict(cli, text, "oslo")] == [text, "oslo"]


def test_attention_needs_a_model_that_has_it(cli: Cli) -> None:
    done = cli("predict", "--attention", "rovers meet oslo")
    assert done.exit_code == 2
    assert "has no attention to show" in done.stderr
    assert (
        cli("predict", "--attention", "--input", "a.txt", "--output", "b.csv").exit_code
        == 2
    )


def test_attention_is_in_the_json(
    cli: Cli, make_config: Callable[..., Config], tmp_path: Path
) -> None:
    train(make_config("model.pooling=[attention]"), tmp_path / "attentive")
    done = cli(
        "predict",
        "--attention",
        "--json",
        "rovers meet oslo",
        "--run",
        str(tmp_path / "attentive"),
    )
    assert [token for token, _ in json.loads(done.stdout)["attention"]] == [
        "rovers",
        "meet",
        "oslo",
    ]


def test_a_text_of_several_lines_is_one_plain_line(cli: Cli) -> None:
    assert (
        cli("predict", "rovers\nmeet\toslo").stdout.split("\t")[2]
        == "rovers meet oslo\n"
    )


def test_a_byte_that_is_no_utf8_can_be_printed(cli: Cli) -> None:
    assert cli("predict", "bad \udcff").stdout.endswith("\tbad ?\n")


def test_the_run_can_be_named(cli: Cli) -> None:
    Path("runs/latest").unlink()
    assert cli("predict", "oslo", "--run", "runs/toy").exit_code == 0


def test_without_a_run_it_says_how_to_get_one(cli: Cli) -> None:
    Path("runs/latest").unlink()
    exit_code, stdout, stderr = cli("predict", "oslo")
    assert (exit_code, stdout) == (4, "")
    assert stderr.startswith(
        "error: no finished run at runs/latest: train one with 'rnncls train"
        " --config …'"
    )


# Texts from stdin and from files


@pytest.mark.parametrize("arguments", [["-"], ["--input", "-"]], ids=" ".join)
def test_a_dash_reads_a_text_a_line_from_stdin(cli: Cli, arguments: list[str]) -> None:
    rows = predict(
        cli, *arguments, stdin=b"rovers meet oslo\r\noslo meet rovers\n\nno line end"
    )
    assert [row["text"] for row in rows] == [
        "rovers meet oslo",
        "oslo meet rovers",
        "",
        "no line end",
    ]


def test_an_empty_stdin_gets_no_lines(cli: Cli) -> None:
    assert cli("predict", "-") == (0, "", "")


def test_a_line_of_stdin_that_is_no_utf8_leaves_with_3(cli: Cli) -> None:
    exit_code, _, stderr = cli("predict", "-", stdin=b"fine\n\xff\n")
    assert exit_code == 3
    assert stderr.startswith("error: stdin: row 2: not UTF-8")


@pytest.mark.parametrize("name", WRITERS)
def test_a_file_of_each_form_is_read_in_its_order(cli: Cli, name: str) -> None:
    WRITERS[name](Path(name))
    rows = predict(cli, "--input", name)
    assert [row["text"] for row in rows] == [
        f"{title} {DESCRIPTION}" for title in TITLES
    ]
    assert [row["label"] for row in rows] == LABELS


def test_a_file_gets_the_predictions_that_its_texts_get_alone(cli: Cli) -> None:
    write_lines(Path("in.txt"))
    alone = [predict(cli, f"{title} {DESCRIPTION}")[0]["prob"] for title in TITLES]
    assert [row["prob"] for row in predict(cli, "--input", "in.txt")] == pytest.approx(
        alone, abs=1e-6
    )


def test_a_long_file_is_read_in_pieces() -> None:
    Path("long.txt").write_text("oslo\n" * 20_000)
    section = DataSection(train="toy.csv")
    sizes = [len(texts) for texts in read_texts("long.txt", section)]
    assert sum(sizes) == 20_000
    assert max(sizes) < 10_000


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("missing.txt", None, "missing.txt: no such file"),
        ("in.csv", "title,body\na,b\n", "in.csv: no column 'description'"),
        ("in.jsonl", '{"title": "a"}\n', "in.jsonl: row 1: no column 'description'"),
        ("in.parquet", "no parquet", "in.parquet: not a readable Parquet file"),
    ],
)
def test_a_wrong_file_leaves_with_3_and_is_named(
    cli: Cli, name: str, text: str | None, message: str
) -> None:
    if text is not None:
        Path(name).write_text(text)
    exit_code, stdout, stderr = cli("predict", "--input", name)
    assert (exit_code, stdout) == (3, "")
    assert stderr.startswith(f"error: {message}")


# Output to files


def read_csv_labels(path: Path, delimiter: str = ",") -> list[str]:
    with path.open(encoding="utf-8", newline="") as stream:
        return [row["label"] for row in csv.DictReader(stream, delimiter=delimiter)]


READERS: dict[str, Callable[[Path], list[str]]] = {
    "out.csv": read_csv_labels,
    "out.tsv": lambda path: read_csv_labels(path, "\t"),
    "out.jsonl": lambda path: [
        json.loads(line)["label"] for line in path.read_text().splitlines()
    ],
    "out.parquet": lambda path: list(
        pyarrow.parquet.read_table(path)["label"].to_pylist()
    ),
    "out.txt": lambda path: [
        line.split("\t")[0] for line in path.read_text().splitlines()
    ],
}


@pytest.mark.parametrize("name", READERS)
def test_output_goes_to_a_file_of_the_form_that_it_names(cli: Cli, name: str) -> None:
    assert cli("predict", *TITLES, "--output", name) == (
        0,
        f"{name}: 5 predictions\n",
        "",
    )
    assert READERS[name](Path(name)) == LABELS


def test_a_wrong_row_leaves_the_old_output_as_it_was(cli: Cli) -> None:
    Path("out.csv").write_text("old")
    Path("in.txt").write_bytes(b"oslo\n" * 10_000 + b"\xff\n")
    assert cli("predict", "--input", "in.txt", "--output", "out.csv").exit_code == 3
    assert Path("out.csv").read_text() == "old"


def test_an_output_that_cannot_be_written_leaves_with_3(cli: Cli) -> None:
    expected = (
        3,
        "",
        "error: missing/out.csv: cannot be written: No such file or directory\n",
    )
    assert cli("predict", "oslo", "--output", "missing/out.csv") == expected


def _link(path: Path) -> None:
    path.symlink_to("in.txt")


def _hard_link(path: Path) -> None:
    path.hardlink_to("in.txt")


@pytest.mark.parametrize(
    ("output", "make"),
    [
        ("in.txt", lambda _: None),
        ("./sub/../in.txt", lambda _: None),
        ("link.txt", _link),
        ("hard.txt", _hard_link),
    ],
    ids=["same name", "other spelling", "link", "hard link"],
)
def test_an_output_never_replaces_the_input(
    cli: Cli, output: str, make: Callable[[Path], None]
) -> None:
    write_lines(Path("in.txt"))
    Path("sub").mkdir()
    make(Path(output))
    before = Path("in.txt").read_bytes()
    done = cli("predict", "--input", "in.txt", "--output", output)
    assert done.exit_code == 2
    assert "is the same file as in.txt, which is read" in done.stderr
    assert Path("in.txt").read_bytes() == before


@pytest.mark.parametrize(
    "output",
    [
        "toy.csv",
        "runs/toy/vocab.txt",
        "runs/latest/vocab.txt",
        "runs/toy/metrics.jsonl",
        "runs/toy/last/lock",
    ],
)
def test_an_output_never_replaces_training_data_or_a_file_of_a_run(
    cli: Cli, output: str
) -> None:
    path = Path(output)
    before = path.read_bytes() if path.exists() else None
    done = cli("predict", "oslo", "--output", output)
    assert done.exit_code == 2
    assert f"--output: {output} is " in done.stderr
    assert (path.read_bytes() if path.exists() else None) == before


def test_an_output_never_replaces_a_file_of_a_pattern(cli: Cli) -> None:
    Path("parts").mkdir()
    for name in ("one.txt", "two.txt"):
        write_lines(Path("parts", name))
    done = cli("predict", "--input", "parts/*.txt", "--output", "parts/two.txt")
    assert done.exit_code == 2
    assert "parts/two.txt, which is read" in done.stderr
    done = cli("predict", "--input", "parts/*.txt", "--output", "runs/toy/own.csv")
    assert done.exit_code == 0


def test_stdout_that_is_the_input_is_refused() -> None:
    write_lines(Path("in.txt"))
    before = Path("in.txt").read_bytes()
    with Path("in.txt").open("ab") as stream:
        command = [sys.executable, "-m", "rnncls", "predict", "--input", "in.txt"]
        done = subprocess.run(command, stdout=stream, check=False)
    assert done.returncode == 2
    assert Path("in.txt").read_bytes() == before


@pytest.mark.parametrize("name", ["out.xlsx", "out.json", "out.csv.gz", "out.pdf"])
def test_an_ending_that_is_no_form_is_refused(cli: Cli, name: str) -> None:
    done = cli("predict", "oslo", "--output", name)
    assert done.exit_code == 2
    assert "expected .csv, .tsv, .jsonl, .ndjson, .parquet, .txt" in done.stderr
    assert not Path(name).exists()


# Wrong usage


@pytest.mark.parametrize(
    "arguments", [[], ["a", "--input", "in.txt"], ["-", "--input", "-"]], ids=str
)
def test_texts_come_from_one_place(cli: Cli, arguments: list[str]) -> None:
    expected = (
        'error: give texts, or --input FILE, and not both: rnncls predict "some text"\n'
    )
    assert cli("predict", *arguments) == (2, "", expected)


def test_json_and_output_together_are_refused(cli: Cli) -> None:
    outcome = cli("predict", "--input", "toy.csv", "--output", "out.csv", "--json")
    assert outcome.exit_code == 2
    assert "the ending of --output names its form" in outcome.stderr


@pytest.mark.parametrize(
    "arguments", [["--json"], ["--output", "out.csv"], ["--output", "out.jsonl"]]
)
def test_top_k_is_refused_where_it_would_do_nothing(
    cli: Cli, arguments: list[str]
) -> None:
    outcome = cli("predict", "--input", "toy.csv", "--top-k", "2", *arguments)
    assert outcome.exit_code == 2
    assert "--top-k is for plain lines" in outcome.stderr


def test_a_dash_among_texts_is_refused(cli: Cli) -> None:
    outcome = cli("predict", "-", "a text")
    assert outcome.exit_code == 2
    assert "give it alone" in outcome.stderr


def test_output_goes_through_a_link_and_leaves_it_one(cli: Cli) -> None:
    Path("there.csv").symlink_to("real.csv")
    assert cli("predict", "--input", "toy.csv", "--output", "there.csv").exit_code == 0
    assert Path("there.csv").is_symlink()
    assert len(Path("real.csv").read_text(encoding="utf-8").splitlines()) == 97


def test_a_pipe_is_written_to_and_not_replaced(cli: Cli) -> None:
    os.mkfifo("pipe")
    reader = os.open("pipe", os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert cli("predict", "--input", "toy.csv", "--output", "pipe").exit_code == 0
        assert len(os.read(reader, 1 << 16).splitlines()) == 96
    finally:
        os.close(reader)
    assert stat.S_ISFIFO(Path("pipe").stat().st_mode)


def test_what_is_not_sure_enough_has_no_label(cli: Cli) -> None:
    texts = ["rovers meet oslo", "meet"]
    plain = [
        json.loads(line)
        for line in cli("predict", *texts, "--json").stdout.splitlines()
    ]
    between = str(sum(row["prob"] for row in plain) / 2)
    rows = [
        json.loads(line)
        for line in cli(
            "predict", *texts, "--json", "--min-confidence", between
        ).stdout.splitlines()
    ]
    assert [row["label"] for row in rows] == [plain[0]["label"], None]
    assert [row["prob"] for row in rows] == [row["prob"] for row in plain]
    lines = cli("predict", *texts, "--min-confidence", between).stdout.splitlines()
    assert lines == [
        f"{plain[0]['label']}\t{plain[0]['prob']:.4f}\t{texts[0]}",
        f"\t{plain[1]['prob']:.4f}\t{texts[1]}",
    ]


@pytest.mark.parametrize("name", ["out.csv", "out.parquet"])
def test_a_table_has_no_label_either(cli: Cli, name: str) -> None:
    assert (
        cli("predict", "meet", "--min-confidence", "1", "--output", name).exit_code == 0
    )
    if name.endswith("csv"):
        assert Path(name).read_text().splitlines()[1].startswith(",0.")
    else:
        assert pyarrow.parquet.read_table(name)["label"].to_pylist() == [None]


def test_top_k_has_no_room_for_a_threshold(cli: Cli) -> None:
    outcome = cli("predict", "meet", "--min-confidence", "0.9", "--top-k", "2")
    assert outcome.exit_code == 2
    assert "--min-confidence" in outcome.stderr
