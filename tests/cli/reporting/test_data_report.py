"""What was found, as tables, lines and a page."""

from dataclasses import replace
from pathlib import Path

import pytest

from rnncls.cli.reporting.data_report import (
    class_rows,
    class_table,
    finding_lines,
    length_rows,
    save_data_report,
    summary_lines,
)
from rnncls.data.all_rows import Row
from rnncls.data.inspection import Inspection, Lengths, VocabCoverage
from rnncls.data.label_set_stats import LabelSetStats
from rnncls.data.quality import Finding


def inspection(*findings: Finding, num_classes: int = 2) -> Inspection:
    classes = {f"class{number}": num_classes - number for number in range(num_classes)}
    lengths = Lengths(4, 9, 30, 1, 0.5, [1, 5, 9], [3, 2, 1])
    return Inspection(
        paths={"train": "a.csv", "valid": "a.csv", "test": "b.csv"},
        classes={"train": classes, "valid": classes},
        lengths={"train": lengths, "valid": lengths},
        coverage={
            "train": VocabCoverage(10, 0.1, {}, None),
            "valid": VocabCoverage(10, 0.25, {"<b>": 3}, 0.5),
        },
        vocab_size=12,
        max_tokens=8,
        findings=list(findings),
    )


EVIL = Finding(
    "same",
    "rows <b>",
    1,
    4,
    [[Row("train", 7, "<i>", "<script>alert(1)</script>\x07")]],
    "look",
)


@pytest.mark.parametrize(
    ("label_sets", "title", "total"),
    [
        (None, "Rows", "all"),
        (LabelSetStats({2: 1}, [], []), "Rows of each label", "all labels"),
    ],
)
def test_the_table_of_classes_names_what_it_counts(
    label_sets: LabelSetStats | None, title: str, total: str
) -> None:
    table = class_table(replace(inspection(), label_sets=label_sets), is_ascii=True)
    assert str(table.title) == title
    assert list(map(str, table.columns[0].cells))[-1] == total


@pytest.mark.parametrize(
    ("num_classes", "last"),
    [(23, ("3 more", [6, 6], 0.0)), (21, ("1 more", [1, 1], 0.0))],
)
def test_many_classes_are_summed_up(
    num_classes: int, last: tuple[str, list[int], float]
) -> None:
    rows = list(class_rows(inspection(num_classes=num_classes)))
    assert len(rows) == 21
    assert rows[-1] == last
    assert rows[0] == ("class0", [num_classes, num_classes], 1.0)


def test_bins_are_named_by_the_lengths_that_they_hold() -> None:
    assert list(length_rows(inspection().lengths["train"])) == [
        ("1-4", 3),
        ("5-8", 2),
        ("9 or more", 1),
    ]


def test_splits_of_one_file_share_a_line() -> None:
    assert summary_lines(inspection())[:2] == ["train, valid: a.csv", "test: b.csv"]


def test_words_of_a_file_of_vectors_are_counted_apart() -> None:
    line = "vocabulary: 12 words from the training rows"
    assert f"{line}; max_tokens: 8" in summary_lines(inspection())
    with_vectors = replace(inspection(), num_vector_words=3000)
    expected = f"{line} and 3,000 from text.vectors; max_tokens: 8"
    assert expected in summary_lines(with_vectors)


def test_a_finding_has_its_count_its_advice_and_its_examples() -> None:
    lines = [text for _, text in finding_lines(inspection(EVIL))]
    assert lines[:2] == ["1 of 4 (25.00%): rows <b>", "What to do: look."]
    assert lines[3] == "train row 7 [<i>]: <script>alert(1)</script>\\x07"


def test_findings_with_the_same_advice_have_it_once() -> None:
    other = replace(EVIL, kind="same_valid", what="validation rows", advice="wait")
    last = replace(EVIL, kind="same_test", what="test rows")
    found = inspection(EVIL, other, last)
    lines = [text for _, text in finding_lines(found)]
    assert lines[:3] == [
        "1 of 4 (25.00%): rows <b>",
        "1 of 4 (25.00%): test rows",
        "What to do about all of these: look.",
    ]
    assert sum(line.startswith("What to do") for line in lines) == 2
    assert sum(line.startswith("train row 7") for line in lines) == 3
    save_data_report(Path("a.html"), found, "title")
    page = Path("a.html").read_text(encoding="utf-8")
    assert page.count("What to do about all of these: look.") == 1
    assert page.count("What to do: wait.") == 1


def test_without_findings_it_says_what_was_looked_for() -> None:
    assert next(iter(finding_lines(inspection())))[1].startswith(
        "No problems found. Checked for: duplicates"
    )


def test_the_page_is_whole_and_escapes_what_it_shows() -> None:
    save_data_report(Path("a.html"), inspection(EVIL), "The data of <me>")
    text = Path("a.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "The data of &lt;me&gt;" in text
    assert "http" not in text.replace("http-equiv", "")
    assert text.count("data:image/png;base64,") == 2
    assert "25.00%" in text
