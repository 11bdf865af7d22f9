"""The quick-start data set keeps what data/README.md promises (counted here from the
files alone)."""

import csv
import re
import runpy
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "scripts" / "make_quickstart.py"
DATA = ROOT / "data" / "quickstart"

Row = tuple[str, str, str]
Bag = frozenset[tuple[str, int]]

each_file = pytest.mark.parametrize("name", ["train", "test"])


def read(name: str) -> list[Row]:
    with (DATA / f"{name}.csv").open(encoding="utf-8", newline="") as lines:
        return [
            (section, title, description)
            for section, title, description in csv.reader(lines)
        ]


def bag(text: str) -> Bag:
    return frozenset(Counter(text.split()).items())


def classes_by_bag(name: str) -> dict[tuple[Bag, Bag], list[str]]:
    """Group the classes of rows whose title and description hold the same words, each
    for itself."""
    groups = defaultdict(list)
    for section, title, description in read(name):
        groups[bag(title), bag(description)].append(section)
    return groups


def name_pairs(name: str) -> set[frozenset[str]]:
    """Find who meets whom in the titles that hold two names."""
    names = [
        each
        for names in runpy.run_path(str(SCRIPT))["NAMES"].values()
        for each in names
    ]
    found = (
        frozenset(re.findall("|".join(names), title)) for _, title, _ in read(name)
    )
    return {pair for pair in found if len(pair) == 2}


def run_script(*arguments: str) -> int:
    return subprocess.run(
        [sys.executable, str(SCRIPT), *arguments], check=False
    ).returncode


def test_files_are_what_the_script_generates() -> None:
    assert run_script("--check") == 0


def test_check_fails_when_a_file_was_edited(tmp_path: Path) -> None:
    run_script("--out", str(tmp_path))
    with (tmp_path / "test.csv").open("ab") as file:
        file.write(b'"1","One more","row"\n')
    assert run_script("--check", "--out", str(tmp_path)) == 1


def test_check_fails_when_the_files_are_missing(tmp_path: Path) -> None:
    assert run_script("--check", "--out", str(tmp_path)) == 1


def test_check_fails_for_another_seed() -> None:
    assert run_script("--check", "--seed", "1") == 1


@pytest.mark.parametrize(("name", "rows"), [("train", 6000), ("test", 1000)])
def test_each_class_has_a_quarter_of_the_rows(name: str, rows: int) -> None:
    assert Counter(section for section, _, _ in read(name)) == dict.fromkeys(
        "1234", rows // 4
    )


@each_file
def test_every_line_is_a_row_with_all_three_fields_quoted(name: str) -> None:
    field = '"(?:[^"\n]|"")*"'
    text = (DATA / f"{name}.csv").read_bytes().decode("utf-8")
    assert re.fullmatch(f'(?:"[1-4]",{field},{field}\n)+', text)


@each_file
def test_lines_end_in_lf_alone(name: str) -> None:
    assert b"\r" not in (DATA / f"{name}.csv").read_bytes()


@each_file
def test_titles_have_four_to_twelve_words_or_none(name: str) -> None:
    assert {len(title.split()) for _, title, _ in read(name)} <= {0, *range(4, 13)}


@each_file
def test_a_few_percent_of_titles_are_empty(name: str) -> None:
    rows = read(name)
    assert 0.01 < sum(not title for _, title, _ in rows) / len(rows) < 0.05


@each_file
@pytest.mark.parametrize("remnant", ["#39;", "quot;", "&lt;b&gt;"])
def test_some_descriptions_hold_broken_entities(name: str, remnant: str) -> None:
    assert any(remnant in description for _, _, description in read(name))


@each_file
def test_half_of_the_rows_have_a_mirror_image_of_another_class(name: str) -> None:
    groups = classes_by_bag(name).values()
    mirrored = sum(len(classes) for classes in groups if len(set(classes)) == 2)
    assert mirrored == len(read(name)) / 2


@each_file
def test_mirror_images_come_in_pairs(name: str) -> None:
    assert {len(classes) for classes in classes_by_bag(name).values()} == {1, 2}


@each_file
def test_mirrored_rows_are_balanced_too(name: str) -> None:
    mirrored = [
        classes for classes in classes_by_bag(name).values() if len(classes) == 2
    ]
    assert (
        len(
            set(
                Counter(section for classes in mirrored for section in classes).values()
            )
        )
        == 1
    )


@each_file
def test_no_model_without_word_order_gets_more_than_three_quarters_right(
    name: str,
) -> None:
    best = sum(
        max(Counter(classes).values()) for classes in classes_by_bag(name).values()
    )
    assert best == 0.75 * len(read(name))


@each_file
def test_no_text_occurs_twice(name: str) -> None:
    texts = [f"{title} {description}" for _, title, description in read(name)]
    assert len(set(texts)) == len(texts)


def test_no_text_of_the_test_file_is_in_the_training_file_in_any_word_order() -> None:
    train, test = (
        {bag(f"{title} {description}") for _, title, description in read(name)}
        for name in ("train", "test")
    )
    assert not train & test


def test_some_pairs_of_names_meet_in_the_test_file_only() -> None:
    seen, tested = name_pairs("train"), name_pairs("test")
    assert len(tested - seen) > len(tested) / 4
