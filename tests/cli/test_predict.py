"""`rnncls predict`: texts from anywhere into labels, in their order."""

import csv
import gzip
import json
import os
import select
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
import pytest
import torch

import rnncls
from rnncls.cli.text_columns import read_texts
from rnncls.config.loading import load_config
from rnncls.config.sections import Config, DataSection
from rnncls.config.yaml_format import dump_config
from rnncls.runs.folder import MODEL, UNFINISHED, RunFolder
from rnncls.runs.run import change_config
from rnncls.training.run import train
from tests.cli.conftest import NEWEST, Cli

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
    assert (exit_code, stderr.removeprefix(NEWEST)) == (0, "")
    return [json.loads(line) for line in stdout.splitlines()]


# Texts from the command line


def test_a_text_gets_a_line_with_its_label_and_probability(cli: Cli) -> None:
    exit_code, stdout, stderr = cli("predict", "rovers meet oslo")
    label, prob, text = stdout.removesuffix("\n").split("\t")
    assert (exit_code, stderr) == (0, NEWEST)
    assert (label, text) == ("sport", "rovers meet oslo")
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
    assert "has no attention weights" in done.stderr
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
    row = json.loads(done.stdout)
    assert [token for token, _ in row["attention"]] == ["rovers", "meet", "oslo"]
    assert row["attention_spans"] == [[0, 6], [7, 11], [12, 16]]


def test_a_text_of_several_lines_is_one_plain_line(cli: Cli) -> None:
    assert (
        cli("predict", "rovers\nmeet\toslo").stdout.split("\t")[2]
        == "rovers meet oslo\n"
    )


def test_a_byte_that_is_no_utf8_can_be_printed(cli: Cli) -> None:
    assert cli("predict", "bad \udcff").stdout.endswith("\tbad ?\t(no known word)\n")


def test_the_run_can_be_named(cli: Cli) -> None:
    Path("runs/latest").unlink()
    assert cli("predict", "oslo", "--run", "runs/toy").exit_code == 0


def test_without_a_run_it_says_how_to_get_one(cli: Cli) -> None:
    Path("runs/latest").unlink()
    exit_code, stdout, stderr = cli("predict", "oslo")
    assert (exit_code, stdout) == (4, "")
    assert stderr.startswith(
        "error: no finished run at runs/latest: train one with 'rnncls train CONFIG'"
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


def test_a_line_of_stdin_with_a_tab_is_one_text_and_noted_once(cli: Cli) -> None:
    done = cli("predict", "-", stdin=b"oslo\nrovers\tmeet\noslo\tmeet\n")
    assert done.exit_code == 0
    assert done.stderr.count("has a tab, and is one text as a whole") == 1
    assert "stdin: line 2 has a tab" in done.stderr
    sure = cli("predict", "-", "--format", "lines", stdin=b"rovers\tmeet\n")
    assert "has a tab" not in sure.stderr


@pytest.mark.parametrize("form", [[], ["--format", "csv"], ["--format", "jsonl"]])
def test_an_empty_stdin_gets_no_lines_but_a_note(cli: Cli, form: list[str]) -> None:
    note = "stdin: has no rows: there is nothing to predict\n"
    assert cli("predict", "-", *form) == (0, "", NEWEST + note)


def test_a_line_of_stdin_that_is_no_utf8_leaves_with_3(cli: Cli) -> None:
    exit_code, _, stderr = cli("predict", "-", stdin=b"fine\n\xff\n")
    assert exit_code == 3
    assert stderr.startswith(f"{NEWEST}error: stdin: row 2: not UTF-8")
    assert "iconv -f cp1252 -t utf-8" in stderr


@pytest.mark.parametrize(
    ("form", "place"),
    [("lines", "row 3"), ("csv", "line 4"), ("jsonl", "row 3")],
)
def test_the_rows_before_a_wrong_line_of_stdin_are_answered(
    cli: Cli, form: str, place: str
) -> None:
    lines = {
        "lines": ["oslo meet rovers"] * 2 + ["caf\u00e9"],
        "csv": ["title,description"] + ["oslo meet,rovers"] * 2 + ["caf\u00e9,a"],
        "jsonl": ['{"title": "oslo meet", "description": "rovers"}'] * 2 + ["\u00e9"],
    }[form]
    stdin = "\n".join(lines).encode("cp1252")
    done = cli("predict", "-", "--format", form, stdin=stdin)
    assert done.exit_code == 3
    assert [line.split("\t")[-1] for line in done.stdout.splitlines()] == [
        "oslo meet rovers"
    ] * 2
    assert f"error: stdin: {place}: not UTF-8: byte 0xe9 at position" in done.stderr


@pytest.mark.parametrize(
    ("stdin", "message"),
    [
        (b"title,description,title\na,b,c\n", "column 'title' appears twice"),
        (
            b'title,description\na,b\n"open,c\nd,e\n',
            "row 2: a quotation mark is never closed",
        ),
    ],
    ids=["column twice", "open quote"],
)
def test_a_csv_stream_that_is_misread_is_an_error(
    cli: Cli, stdin: bytes, message: str
) -> None:
    done = cli("predict", "-", "--format", "csv", stdin=stdin)
    assert done.exit_code == 3
    assert f"error: stdin: {message}" in done.stderr


def test_quotation_marks_in_a_csv_stream_may_stand_for_inches(cli: Cli) -> None:
    stdin = b'title,description\n5" disk,b\n"a ""b""\nc",d\n"x",7" disk\n'
    texts = [row["text"] for row in predict(cli, "-", "--format", "csv", stdin=stdin)]
    assert texts == ['5" disk b', 'a "b"\nc d', 'x 7" disk']


def test_a_file_of_output_is_not_written_if_a_line_of_stdin_is_wrong(cli: Cli) -> None:
    done = cli("predict", "-", "--output", "out.csv", stdin=b"oslo\n\xff\n")
    assert done.exit_code == 3
    assert not Path("out.csv").exists()


def test_stdin_in_utf16_is_refused_without_an_answer(cli: Cli) -> None:
    done = cli("predict", "-", stdin="oslo meet rovers\n".encode("utf-16-le"))
    assert (done.exit_code, done.stdout) == (3, "")
    assert "iconv -f utf-16le -t utf-8" in done.stderr


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
        (
            "in.csv",
            "title,body\na,b\n",
            "in.csv: no column 'description', found 'title', 'body'; the run was"
            " trained on the columns 'title', 'description': rename the columns"
            " of the file, or name them with rnncls predict --text\n",
        ),
        (
            "in.jsonl",
            '{"title": "a"}\n',
            "in.jsonl: row 1: no column 'description', found 'title'; the run was",
        ),
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
    assert stderr.startswith(f"{NEWEST}error: {message}")


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
        NEWEST,
    )
    assert READERS[name](Path(name)) == LABELS


def test_a_wrong_row_leaves_the_old_output_as_it_was(cli: Cli) -> None:
    Path("out.csv").write_text("old")
    Path("in.txt").write_bytes(b"oslo\n" * 10_000 + b"\xff\n")
    assert cli("predict", "--input", "in.txt", "--output", "out.csv").exit_code == 3
    assert Path("out.csv").read_text() == "old"


def test_an_output_that_cannot_be_written_leaves_with_3(cli: Cli) -> None:
    name = "x" * 300 + ".csv"
    done = cli("predict", "oslo", "--output", name)
    assert (done.exit_code, done.stdout) == (3, "")
    assert f"{name}: cannot be written: File name too long" in done.stderr


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
    named = "the same file as the input in.txt" if output != "in.txt" else "also the"
    assert f"{Path(output)} is {named}" in done.stderr
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
    assert "parts/two.txt is also the input" in done.stderr
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
    ("arguments", "message"),
    [
        (
            [],
            'no text: expected one, as in rnncls predict "some text", or --input FILE,'
            " or - to read one text per line from stdin",
        ),
        (
            ["a", "--input", "in.txt"],
            "found the text 'a' and --input in.txt: give only one of them",
        ),
        (
            ["-", "--input", "-"],
            "found - (texts from stdin) and --input -: give only one of them",
        ),
    ],
    ids=str,
)
def test_texts_come_from_one_place(
    cli: Cli, arguments: list[str], message: str
) -> None:
    assert cli("predict", *arguments) == (2, "", f"error: {message}\n")


def test_json_and_output_together_are_refused(cli: Cli) -> None:
    outcome = cli("predict", "--input", "toy.csv", "--output", "out.csv", "--json")
    assert outcome.exit_code == 2
    assert "the ending of --output decides the format" in outcome.stderr


@pytest.mark.parametrize(
    "arguments", [["--json"], ["--output", "out.csv"], ["--output", "out.jsonl"]]
)
def test_top_k_is_refused_where_it_would_do_nothing(
    cli: Cli, arguments: list[str]
) -> None:
    outcome = cli("predict", "--input", "toy.csv", "--top-k", "2", *arguments)
    assert outcome.exit_code == 2
    assert "--top-k is only for plain lines" in outcome.stderr


def test_a_dash_among_texts_is_refused(cli: Cli) -> None:
    outcome = cli("predict", "-", "a text")
    assert outcome.exit_code == 2
    assert "give no other text" in outcome.stderr


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
        f"\t{plain[1]['prob']:.4f}\t{texts[1]}\t(fits none of the classes)",
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


# Rows and kept columns


def read_csv_rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def write_ids(path: Path) -> None:
    rows = [
        f'{number + 7},"{title}",{DESCRIPTION},"a,b"\n'
        for number, title in enumerate(TITLES)
    ]
    path.write_text("id,title,description,label\n" + "".join(rows))


IDS = ["7", "8", "9", "10", "11"]


@pytest.mark.parametrize("source", ["file", "stdin"])
@pytest.mark.parametrize("name", ["out.csv", "out.jsonl", "out.parquet", "out.txt"])
def test_kept_columns_are_in_every_output(cli: Cli, name: str, source: str) -> None:
    write_ids(Path("in.csv"))
    arguments = ["--input", "in.csv"]
    stdin = b""
    if source == "stdin":
        arguments = ["--input", "-", "--format", "csv"]
        stdin = Path("in.csv").read_bytes()
    arguments += ["--keep", "id", "--keep", "label", "--output", name]
    done = cli("predict", *arguments, stdin=stdin)
    counts = "5 predictions (1 text that no class fits)"
    assert done == (0, f"{name}: {counts}\n", NEWEST)
    if name == "out.txt":
        fields = [line.split("\t") for line in Path(name).read_text().splitlines()]
        assert [line[2:4] for line in fields] == [[own, "a,b"] for own in IDS]
        return
    if name == "out.csv":
        rows: list[Any] = read_csv_rows(Path(name))
    elif name == "out.jsonl":
        rows = [json.loads(line) for line in Path(name).read_text().splitlines()]
    else:
        rows = pyarrow.parquet.read_table(name).to_pylist()
    assert [row["id"] for row in rows] == IDS
    assert [str(row["row"]) for row in rows] == ["1", "2", "3", "4", "5"]
    assert {row["input_label"] for row in rows} == {"a,b"}
    assert [row["label"] for row in rows] == LABELS


def test_the_number_of_a_row_can_be_kept(cli: Cli) -> None:
    write_csv(Path("in.csv"))
    done = cli("predict", "--input", "in.csv", "--keep", "row")
    numbers = [line.split("\t")[2] for line in done.stdout.splitlines()]
    assert numbers == ["1", "2", "3", "4", "5"]
    rows = predict(cli, "--input", "in.csv", "--keep", "row")
    assert [row["row"] for row in rows] == [1, 2, 3, 4, 5]


def test_the_run_can_be_the_argument_if_the_texts_are_in_a_file(cli: Cli) -> None:
    write_csv(Path("in.csv"))
    expected = cli("predict", "--input", "in.csv")
    Path("runs/latest").unlink()
    named = cli("predict", "runs/toy", "--input", "in.csv")
    assert named == expected._replace(stderr="")
    assert cli("predict", "no-run", "--input", "in.csv").exit_code == 2
    done = cli("predict", "runs", "--input", "in.csv", "--run", "runs/toy")
    assert done.exit_code == 2
    assert "--run: found runs/toy, and runs as an argument" in done.stderr


def test_a_column_that_is_named_twice_is_kept_once(cli: Cli) -> None:
    Path("in.csv").write_text("id,title,description\n7,oslo,snow\n")
    arguments = ["--input", "in.csv", "--keep", "id", "--keep", "id"]
    assert cli("predict", *arguments, "--output", "out.csv").exit_code == 0
    assert Path("out.csv").read_text().splitlines()[0].split(",").count("id") == 1


@pytest.mark.parametrize("name", ["in.jsonl", "in.parquet", "-"])
def test_a_list_is_kept_as_json(cli: Cli, name: str) -> None:
    row = {"title": "oslo", "description": "snow", "labels": ["a", "é"]}
    line = json.dumps(row) + "\n"
    Path("in.jsonl").write_text(line)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), "in.parquet")
    arguments = ["--input", name, "--keep", "labels", "--json"]
    if name == "-":
        arguments += ["--format", "jsonl"]
    done = cli("predict", *arguments, stdin=line.encode())
    assert json.loads(done.stdout)["input_labels"] == '["a", "é"]'


def test_a_column_to_keep_must_exist(cli: Cli) -> None:
    write_ids(Path("in.csv"))
    done = cli("predict", "--input", "in.csv", "--keep", "ids")
    assert done.exit_code == 3
    assert "in.csv: no column 'ids', found 'id', " in done.stderr
    assert "did you mean 'id'?" in done.stderr
    assert "data.text" not in done.stderr
    assert cli("predict", "oslo", "--keep", "id").exit_code == 2
    done = cli("predict", "-", "--keep", "id", stdin=b"oslo\n")
    assert done.exit_code == 3
    assert "stdin: lines of text have no column 'id'" in done.stderr


OTHER_NAMES = {
    "in.csv": "subject,body\n{}\n".format(
        "\n".join(f"{t},{DESCRIPTION}" for t in TITLES)
    ),
    "in.jsonl": "".join(
        json.dumps({"body": DESCRIPTION, "subject": title}) + "\n" for title in TITLES
    ),
}


@pytest.mark.parametrize("name", OTHER_NAMES)
@pytest.mark.parametrize("is_stream", [False, True])
def test_the_columns_of_the_input_can_be_named(
    cli: Cli, name: str, *, is_stream: bool
) -> None:
    write_csv(Path("same.csv"))
    expected = cli("predict", "--input", "same.csv").stdout
    Path(name).write_text(OTHER_NAMES[name])
    options = ["--input", name, "--text", "subject", "--text", "body"]
    stdin = b""
    if is_stream:
        options[1] = "-"
        options += ["--format", name.removeprefix("in.")]
        stdin = OTHER_NAMES[name].encode()
    assert cli("predict", *options, stdin=stdin).stdout == expected
    options[3] = "nope"
    done = cli("predict", *options, stdin=stdin)
    assert done.exit_code == 3
    assert "no column 'nope', found " in done.stderr
    assert "; name a column of the file with --text" in done.stderr


def test_a_text_column_is_refused_where_there_are_no_columns(cli: Cli) -> None:
    Path("in.txt").write_text("oslo\n")
    done = cli("predict", "--input", "in.txt", "--text", "title")
    assert done.exit_code == 3
    assert "in.txt: has one text per line and no column 'title'" in done.stderr
    done = cli("predict", "-", "--text", "title", stdin=b"oslo\n")
    assert done.exit_code == 3
    assert "stdin: lines of text have no column 'title'" in done.stderr
    assert cli("predict", "oslo", "--text", "title").exit_code == 2


# Streams


@pytest.mark.parametrize(
    ("stdin", "form"),
    [
        (b"title,description\nrovers meet oslo,the crowd\n", "csv"),
        (b"\xef\xbb\xbfid;title;description\n1;rovers;the crowd\n", "csv"),
        (b'{"title": "rovers", "description": "the crowd"}\n', "jsonl"),
    ],
)
def test_a_header_on_stdin_is_no_text(cli: Cli, stdin: bytes, form: str) -> None:
    done = cli("predict", "--input", "-", stdin=stdin)
    assert (done.exit_code, done.stdout) == (3, "")
    assert f"add --format {form}" in done.stderr
    (row,) = predict(cli, "--input", "-", "--format", form, stdin=stdin)
    assert row["text"].endswith("the crowd")
    rows = predict(cli, "-", "--format", "lines", stdin=stdin)
    assert len(rows) == stdin.count(b"\n")


def test_csv_on_stdin_may_hold_line_ends_and_wrong_rows_are_named(cli: Cli) -> None:
    stdin = b'title,description\n"rovers\nmeet",oslo\nlima,meet'
    rows = predict(cli, "-", "--format", "csv", stdin=stdin)
    assert [row["text"] for row in rows] == ["rovers\nmeet oslo", "lima meet"]
    done = cli("predict", "-", "--format", "csv", stdin=b"title,description\na,b,c\n")
    assert done.exit_code == 3
    assert "row 1: expected 2 columns, found 3" in done.stderr


@pytest.mark.parametrize("form", ["lines", "csv", "jsonl"])
def test_each_line_of_a_pipe_is_answered_while_the_pipe_is_open(form: str) -> None:
    lines = {
        "lines": ["rovers meet oslo", "oslo meet rovers"],
        "csv": ["title,description\nrovers meet oslo,", "oslo meet rovers,"],
        "jsonl": [
            '{"title": "rovers meet oslo", "description": ""}',
            '{"title": "oslo meet rovers", "description": ""}',
        ],
    }[form]
    command = [sys.executable, "-m", "rnncls", "predict", "-", "--format", form]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        for line, label in zip(lines, ["sport", "world"], strict=True):
            child.stdin.write(f"{line}\n".encode())
            ready, _, _ = select.select([child.stdout], [], [], 60)
            assert ready
            assert child.stdout.readline().decode().startswith(label)
        child.stdin.close()
        assert child.wait(60) == 0


def test_many_lines_through_a_pipe_come_back_in_order() -> None:
    texts = [f"oslo {number}" for number in range(20_000)]
    command = [sys.executable, "-m", "rnncls", "predict", "-", "--json"]
    done = subprocess.run(
        command, input="\n".join(texts).encode(), capture_output=True, check=True
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert [row["text"] for row in rows] == texts
    assert [row["row"] for row in rows] == list(range(1, 20_001))


# What was read


def test_a_line_says_what_was_not_read(cli: Cli) -> None:
    texts = ["zzqx", "", "oslo " * 300, "rovers meet oslo"]
    lines = cli("predict", *texts).stdout.splitlines()
    notes = [line.split("\t")[3:] for line in lines]
    assert notes[:2] == [["(no known word)"], ["(no known word)"]]
    assert notes[3] == []
    rows = predict(cli, *texts)
    assert [row["num_cut"] > 0 for row in rows] == [
        bool(each) and "cut" in each[0] for each in notes
    ]
    assert [row["num_unknown"] for row in rows] == [1, 0, 0, 0]
    done = cli("predict", *texts, "--output", "read.csv")
    counts = "4 predictions (2 texts without a known word, 1 text cut)"
    assert done.stdout == f"read.csv: {counts}\n"


def test_a_text_that_begins_with_a_dash_goes_behind_two_dashes(cli: Cli) -> None:
    for command in ("predict", "explain"):
        done = cli(command, "-5 degrees")
        assert done.exit_code == 2
        assert "after --" in done.stderr
    assert cli("predict", "--", "-5 degrees").exit_code == 0
    assert "after --" not in cli("eval", "--nope").stderr


def test_a_run_of_a_gpu_predicts_without_one(cli: Cli) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    config = RunFolder(Path("runs/toy")).config
    change_config(
        Path("runs/toy"),
        dump_config(load_config(config, ["device=cuda"])),
        MODEL,
    )
    RunFolder(Path("runs/toy")).delete_results()
    done = cli("predict", "rovers meet oslo")
    assert (done.exit_code, done.stdout[:6]) == (0, "sport\t")
    unfinished, newest, note = done.stderr.splitlines()
    assert unfinished.endswith(UNFINISHED)  # the summary is of the earlier config
    assert newest + "\n" == NEWEST
    assert note == "device: cpu, as the run's cuda is not available here"
    assert cli("eval", "runs/toy", "--split", "train").exit_code == 0
    assert cli("predict", "--device", "cuda", "oslo").exit_code == 5


def test_a_run_is_loaded_from_python() -> None:
    classifier = rnncls.load("runs/toy")
    assert classifier("rovers meet oslo").label == "sport"
    assert [prediction.label for prediction in rnncls.load()(TITLES)] == LABELS


def test_the_file_that_stdin_reads_is_not_replaced() -> None:
    path = Path("piped.txt")
    path.write_text("rovers meet oslo\n")
    with path.open() as stdin:
        done = subprocess.run(
            [sys.executable, "-m", "rnncls", "predict", "-", "--output", "piped.txt"],
            stdin=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert "piped.txt is the file that stdin reads" in done.stderr
    assert path.read_text() == "rovers meet oslo\n"


def test_an_exported_file_predicts_what_its_run_does(
    cli: Cli, run_path: Path, tmp_path: Path
) -> None:
    cli("export", str(run_path), "--output", "a.onnx")
    rows = tmp_path / "rows.csv"
    rows.write_text("title,description\nrovers meet oslo,x\nlima,y\n", encoding="utf-8")
    for arguments in (["oslo meet"], ["--input", str(rows)]):
        expected = cli("predict", "--run", str(run_path), *arguments)
        assert cli("predict", "--run", "a.onnx", *arguments) == expected
    (line,) = cli("predict", "--run", "a.onnx", "oslo", "--json").stdout.splitlines()
    (same,) = cli("predict", "--run", str(run_path), "oslo", "--json").stdout.split(
        "\n"
    )[:-1]
    found, expected_line = json.loads(line), json.loads(same)
    assert found.pop("probs") == pytest.approx(expected_line.pop("probs"), abs=1e-5)
    assert found.pop("prob") == pytest.approx(expected_line.pop("prob"), abs=1e-5)
    assert found == expected_line
    exit_code, _, stderr = cli("predict", "--run", "a.onnx", "oslo", "--attention")
    assert (exit_code, stderr) == (
        2,
        "error: --attention: a.onnx does not return the weights: give the run folder\n",
    )
    exit_code, _, stderr = cli("predict", "--run", "a.onnx", "x y", "--device", "cuda")
    assert exit_code == 2
    assert "--device: a.onnx computes on the CPU, found cuda: " in stderr
    Path("b.onnx").write_bytes(b"no model")
    exit_code, _, stderr = cli("predict", "--run", "b.onnx", "oslo")
    assert exit_code == 4
    assert stderr.startswith("error: b.onnx: damaged, or not an ONNX file: ")


EMPTY_FILES = {"header.csv": "title,description\n", "a.txt": "", "a.jsonl": "", "a": ""}


@pytest.mark.parametrize("name", EMPTY_FILES)
@pytest.mark.parametrize("output", [None, "out.csv", "out.jsonl", "out.parquet"])
def test_a_file_without_rows_is_noted(cli: Cli, name: str, output: str | None) -> None:
    Path(name).write_text(EMPTY_FILES[name], encoding="utf-8")
    arguments = ["predict", "--run", "runs/toy", "--input", name]
    arguments += [] if output is None else ["--output", output]
    exit_code, stdout, stderr = cli(*arguments)
    expected = "" if output is None else f"{output}: no predictions\n"
    assert (exit_code, stdout) == (0, expected)
    assert stderr == f"{name}: has no rows: there is nothing to predict\n"


@pytest.mark.parametrize("name", ["a.csv", "a.tsv", "a.csv.gz"])
@pytest.mark.parametrize("text", ["", "\n\n"], ids=["nothing", "blank lines"])
def test_a_table_without_a_header_is_an_error(cli: Cli, name: str, text: str) -> None:
    content = text.encode()
    if name.endswith(".gz"):
        content = gzip.compress(content)
    Path(name).write_bytes(content)
    exit_code, stdout, stderr = cli("predict", "--run", "runs/toy", "--input", name)
    assert (exit_code, stdout) == (3, "")
    assert stderr == f"error: {name}: is empty: expected rows of delimited text\n"
