"""The whole program: whatever file or word it is given, it leaves with a documented
code and no traceback."""

import json
from pathlib import Path

import pytest
from hypothesis import strategies as st

from tests.cli.conftest import Cli, Outcome
from tests.fuzz.cases import EXIT_CODES, damaged, fuzz, texts, written

TABLE = (
    b'label,title,description\nsport,rovers meet oslo,the crowd\nworld,"oslo ""meet""'
    b' rovers",the crowd\n'
)
LINES = b'{"label": "sport", "title": "rovers", "description": "meet"}\n' * 2
CONTENT = {
    ".csv": TABLE,
    ".tsv": TABLE.replace(b",", b"\t"),
    ".jsonl": LINES,
    ".txt": b"rovers meet oslo\noslo\n",
}
WORDS = [
    "train",
    "eval",
    "predict",
    "config",
    "validate",
    "show",
    "schema",
    "--config",
    "toy.yaml",
    "--set",
    "seed=1",
]
WORDS += [
    "--json",
    "--input",
    "toy.csv",
    "-",
    "--",
    "--run",
    "runs/toy",
    "--top-k",
    "0",
    "2",
    "--output",
    "x.csv",
    "-h",
]
WORDS += [
    "--debug",
    "--version",
    "--split",
    "test",
    "nothing",
    "--data",
    "--attention",
    "--device",
    "cuda:99",
    "a text",
]
endings = pytest.mark.parametrize("ending", sorted(CONTENT))


def contents(ending: str) -> st.SearchStrategy[bytes]:
    return st.binary(max_size=100) | damaged(st.just(CONTENT[ending]))


def check(outcome: Outcome) -> None:
    """See that the program has left as it says it does."""
    assert outcome.exit_code in EXIT_CODES
    assert "Traceback" not in outcome.stderr
    if outcome.exit_code:
        assert "rror" in outcome.stderr or "Usage:" in outcome.stdout


@fuzz(
    share=0.5,
    content=st.binary(max_size=100)
    | damaged(st.just(b"data: {train: toy.csv}\nmodel: {cell: gru}\n")),
)
def test_any_config_is_valid_or_wrong(cli: Cli, content: bytes) -> None:
    written("fuzz.yaml", content)
    outcome = cli("config", "validate", "--config", "fuzz.yaml")
    check(outcome)
    assert outcome.stdout.startswith("fuzz.yaml: valid") == (outcome.exit_code == 0)
    assert outcome.exit_code == 0 or "fuzz.yaml" in outcome.stderr


@endings
@pytest.mark.usefixtures("run_path")
@fuzz(share=0.25, data=st.data())
def test_any_file_is_predicted_row_by_row_or_named(
    cli: Cli, ending: str, data: st.DataObject
) -> None:
    written(f"data{ending}", data.draw(contents(ending)))
    outcome = cli("predict", "--input", f"data{ending}", "--json")
    check(outcome)
    assert all(
        json.loads(line)["label"] in {"sport", "world"}
        for line in outcome.stdout.splitlines()
    )
    assert outcome.exit_code == 0 or f"data{ending}" in outcome.stderr


@pytest.mark.usefixtures("run_path")
@fuzz(share=0.5, lines=st.lists(texts(without="\r\n"), max_size=5))
def test_lines_of_stdin_are_predicted_in_their_order(
    cli: Cli, lines: list[str]
) -> None:
    outcome = cli(
        "predict", "-", "--json", stdin="".join(f"{line}\n" for line in lines).encode()
    )
    check(outcome)
    mark_is_dropped = [
        line.removeprefix("\ufeff") if number == 0 else line
        for number, line in enumerate(lines)
    ]
    assert [
        json.loads(line)["text"] for line in outcome.stdout.splitlines()
    ] == mark_is_dropped


@pytest.mark.usefixtures("run_path")
@fuzz(
    share=0.5,
    words=st.lists(texts(surrogates=True, without="\0"), min_size=1, max_size=4),
)
def test_any_texts_of_the_command_line_are_predicted_in_their_order(
    cli: Cli, words: list[str]
) -> None:
    outcome = cli("predict", "--json", "--", *words)
    check(outcome)
    if outcome.exit_code == 0:
        assert [
            json.loads(line)["text"] for line in outcome.stdout.splitlines()
        ] == words


@endings
@pytest.mark.usefixtures("run_path")
@fuzz(share=0.125, data=st.data())
def test_any_file_is_evaluated_or_named(
    cli: Cli, ending: str, data: st.DataObject
) -> None:
    written(f"data{ending}", data.draw(contents(ending)))
    outcome = cli("eval", "--data", f"data{ending}", "--json")
    check(outcome)
    assert outcome.exit_code == 0 or f"data{ending}" in outcome.stderr


@pytest.mark.usefixtures("workplace")
@fuzz(
    share=0.1,
    content=damaged(
        st.just(TABLE.split(b"\n", 1)[0] + b"\n" + TABLE.split(b"\n", 1)[1] * 9)
    ),
)
def test_any_file_is_trained_on_or_named(cli: Cli, content: bytes) -> None:
    written("data.csv", content)
    own = [
        "data.train=data.csv",
        "train.max_epochs=1",
        "model.hidden_size=2",
        "model.embedding_dim=2",
    ]
    number = len(list(Path("runs").glob("*")))
    arguments = [
        "train",
        "--config",
        "toy.yaml",
        "--out",
        f"runs/{number}",
        "--no-cache",
    ]
    outcome = cli(*arguments, *(word for key in own for word in ("--set", key)))
    check(outcome)
    assert (
        outcome.exit_code == 0
        or "data.csv" in outcome.stderr
        or "validation" in outcome.stderr
    )


@pytest.mark.usefixtures("run_path")
@fuzz(words=st.lists(st.sampled_from(WORDS) | texts(without="\0"), max_size=6))
def test_any_command_line_is_followed_or_refused(cli: Cli, words: list[str]) -> None:
    if "train" in words:
        words = ["config", *words]  # training takes long
    check(cli(*words))
