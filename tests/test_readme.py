"""The README and the guides: every command runs, and every link leads somewhere."""

import itertools
import json
import re
import runpy
import shlex
import shutil
import sys
from pathlib import Path

import pytest
from typer.core import TyperCommand

from rnncls.cli.main import run
from rnncls.cli.reporting.benchmark import formats, latency, training_step
from tests.builders import write_ag_news

ROOT = Path(__file__).parents[1]
GUIDES = [
    "docs/guides/your-data.md",
    "docs/guides/training.md",
    "docs/guides/evaluating.md",
    "docs/guides/predicting.md",
    "docs/guides/drift.md",
    "docs/guides/exporting.md",
    "docs/guides/engines.md",
    "docs/guides/pretraining.md",
    "docs/guides/looking-inside.md",
    "docs/guides/other-languages.md",
]
"""In the order in which they are read: a later guide uses the runs of earlier ones."""
SLOW_GUIDES = [
    GUIDES,
    ["docs/guides/several-labels.md"],
    ["docs/guides/labelling.md"],
]
"""Their commands have fast tests of their own in the other rooms."""
GROUPS = [
    ["README.md"],
    ["docs/install.md"],
    ["docs/first-classifier.md"],
    ["docs/results/accuracy.md"],
    ["docs/guides/new-rows.md"],
    *(pytest.param(pages, marks=pytest.mark.slow) for pages in SLOW_GUIDES),
]
"""Pages whose commands run in one folder."""


def read_blocks(page: str, language: str) -> list[str]:
    """Return the code blocks of a page that are in a language."""
    text = (ROOT / page).read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def read_commands(page: str) -> list[str]:
    lines = "\n".join(read_blocks(page, "sh")).splitlines()
    return [line.split("  #")[0].strip() for line in lines if line]


def find_links(page: str) -> list[str]:
    """Return the files that a page links to."""
    text = (ROOT / page).read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)]+)\)", text)
    return [target for target in targets if not target.startswith("http")]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder that looks like a checkout with little data in it."""
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    write_ag_news(tmp_path / "data")
    (tmp_path / "data" / "quickstart").mkdir()
    for split in ("train", "test"):
        lines = (
            (ROOT / "data" / "quickstart" / f"{split}.csv")
            .read_text(encoding="utf-8")
            .splitlines()
        )
        (tmp_path / "data" / "quickstart" / f"{split}.csv").write_text(
            "\n".join(lines[:120]) + "\n", encoding="utf-8"
        )
    examples = ROOT / "data" / "quickstart" / "examples.txt"
    shutil.copy(examples, tmp_path / "data" / "quickstart")
    reviews = "label,text\n" + "good,a good film\nbad,not good at all\n" * 40
    (tmp_path / "reviews.csv").write_text(reviews, encoding="utf-8")
    other = "label,text\n" + "gut,很好吃 😀\nschlecht,太难吃了…\n" * 40
    (tmp_path / "kritiken.csv").write_text(other, encoding="utf-8")
    (tmp_path / "more-reviews.csv").write_text(reviews, encoding="utf-8")
    others = "text\n" + "xqzt vlrp\n" * 10
    (tmp_path / "other-texts.csv").write_text(others, encoding="utf-8")
    write_new_tickets(tmp_path)
    comments = write_comments()
    (tmp_path / "comments.jsonl").write_text(comments, encoding="utf-8")
    more = comments.replace("praise", "Praise")
    (tmp_path / "more-comments.jsonl").write_text(more, encoding="utf-8")
    write_tickets(tmp_path)
    (yaml,) = read_blocks("docs/guides/your-data.md", "yaml")
    (tmp_path / "by-hand.yaml").write_text(yaml, encoding="utf-8")
    return tmp_path


def write_tickets(folder: Path) -> None:
    """Write a file of labelled texts, all of them different, and one without labels."""
    lines = []
    for number in range(120):
        label, word = [("billing", "invoice"), ("delivery", "parcel")][number % 2]
        lines.append(f"{label},the {word} of order {number}")
    (folder / "tickets.csv").write_text("label,text\n" + "\n".join(lines) + "\n")
    texts = [
        f"my {word} {number}" for word in ("invoice", "box") for number in range(40)
    ]
    (folder / "unlabelled.csv").write_text("text\n" + "\n".join(texts) + "\n")


def write_new_tickets(folder: Path) -> None:
    """Write labelled texts of a class of `write_tickets` and of a new one."""
    words = {"billing": "invoice", "access": "login"}
    lines = [
        f"the {word} number {number} is wrong,{label}"
        for label, word in words.items()
        for number in range(40)
    ]
    (folder / "new-tickets.csv").write_text("text,label\n" + "\n".join(lines) + "\n")


def write_comments() -> str:
    """Return JSON lines of comments with several labels each."""
    lines = []
    for number in range(120):
        labels = [
            name for bit, name in enumerate(("thanks", "praise")) if number >> bit & 1
        ]
        text = " ".join(["comment", str(number % 5), *labels])
        lines.append(json.dumps({"text": text, "labels": labels}))
    return "\n".join(lines)


@pytest.mark.parametrize("pages", GROUPS, ids=lambda pages: Path(pages[0]).stem)
def test_every_command_runs(
    pages: list[str],
    checkout: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(checkout)
    # fewer measurements than the command's own
    monkeypatch.setattr(training_step, "NUM_PAIRS", 2)
    monkeypatch.setattr(training_step, "STEPS_PER_PAIR", 2)
    monkeypatch.setattr(formats, "_time_start", len)
    monkeypatch.setattr(latency, "NUM_TIMED", 5)
    for page in pages:
        commands = read_commands(page)
        assert commands, f"{page} shows no command"
        for command in commands:
            run_command(f"{page}: {command}", shlex.split(command), monkeypatch, capsys)


def run_command(
    place: str,
    words: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Run a command in this process; a shell script only has to be executable."""
    if words[0] == "rnncls":
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as left:
            run()
        assert left.value.code in (0, None), f"{place}: {capsys.readouterr().err}"
        assert capsys.readouterr().out, place
    elif words[0] == "python":
        expanded = [
            sorted(map(str, Path().glob(word))) if "*" in word else [word]
            for word in words[1:]
        ]
        monkeypatch.setattr(sys, "argv", list(itertools.chain(*expanded)))
        runpy.run_path(str(ROOT / words[1]), run_name="__main__")
        assert "configs/lesson/gru.yaml" in capsys.readouterr().out
    else:
        assert (ROOT / words[0]).stat().st_mode & 0o100, f"{words[0]} cannot be run"


@pytest.mark.parametrize(
    "page", list(itertools.chain(*SLOW_GUIDES)), ids=lambda page: Path(page).stem
)
def test_every_command_of_a_slow_guide_is_understood(
    page: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # The command line is read and checked, but the command does not run.
    monkeypatch.setattr(TyperCommand, "invoke", lambda *_: None)
    for command in read_commands(page):
        words = shlex.split(command)
        assert words[0] == "rnncls"
        monkeypatch.setattr(sys, "argv", words)
        with pytest.raises(SystemExit) as left:
            run()
        assert left.value.code in (0, None), f"{command}: {capsys.readouterr().err}"


def test_the_readme_fits_on_a_page() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(readme.splitlines()) <= 150


@pytest.mark.parametrize("target", sorted(set(find_links("README.md"))))
def test_the_links_of_the_readme_lead_somewhere(target: str) -> None:
    path, _, anchor = target.partition("#")
    text = (ROOT / path).read_bytes()
    if anchor:
        headings = re.findall(r"^#+ (.*)$", text.decode(), re.MULTILINE)
        names = {re.sub(r"[^a-z0-9]+", "-", title.lower()) for title in headings}
        assert anchor in names
