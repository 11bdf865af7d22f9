"""The tables of `rnncls drift`."""

from rich.console import Console
from rich.table import Table

from rnncls.cli.reporting.drift_tables import (
    drift_rows,
    drift_table,
    drift_title,
    format_small_p,
    note_lines,
    share_tables,
    unlike_table,
    word_shares,
)
from tests.cli.reporting.drift_results import build_result

RESULT = build_result("virus")


def render(*tables: Table) -> str:
    console = Console(width=80, no_color=True)
    with console.capture() as capture:
        console.print(*tables)
    return capture.get()


def test_each_aspect_has_its_numbers() -> None:
    assert drift_rows(RESULT.aspects) == [
        ["length", "no", "43", "1,044", "KS distance 0.040", "0.5000"],
        ["unknown words", "yes", "1.00%", "9.00%", "Cramér's V 0.200", "0.0030"],
        ["pooled states", "yes", "", "", "AUROC 0.750", "<0.0001"],
    ]


def test_the_smallest_p_is_not_zero() -> None:
    assert format_small_p(0.0001) == "0.0001"
    assert format_small_p(1e-9) == "<0.0001"


def test_the_title_says_what_was_drawn() -> None:
    assert drift_title(RESULT) == (
        "virus (20 of 9,000 rows, drawn with a fixed seed) compared with valid.csv (50"
        " validation rows)"
    )


def test_a_note_names_rows_of_the_training() -> None:
    legend, note = note_lines(RESULT)
    assert "Holm" in legend
    assert note.startswith("The run was trained on rows of the file (virus)")
    assert "more confident there, and knows more of the words" in note


def test_unknown_labels_and_words_have_a_star() -> None:
    tables = share_tables(RESULT, 5)
    assert list(tables) == [
        "Predicted labels, the largest changes first",
        "True labels, the largest changes first (*: the run lacks it)",
        "Words in more texts than before (*: the vocabulary lacks it)",
        "Words in fewer texts than before",
    ]
    text = render(*tables.values())
    assert "virus *      0.00%  12.50%  +12.50" in text
    assert "virus *      1.00%  20.00%  +19.00" in text
    assert "oil      30.00%  10.00%  -20.00" in text


def test_each_side_has_a_limit_of_words() -> None:
    words = [*RESULT.words, *RESULT.words]
    assert [len(table.rows) for table in word_shares(words, 1)] == [1, 1]
    assert word_shares(words[:1], 5)[0].title == "Words in more texts than before"
    assert word_shares([], 5) == []


def test_no_table_is_wider_than_the_screen() -> None:
    text = render(drift_table(RESULT), unlike_table(build_result(), 5))
    assert max(map(len, text.splitlines())) <= 80
    assert "\x1b" not in text
