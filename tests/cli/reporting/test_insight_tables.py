"""Marks and colours show the same contributions, and texts are never markup."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from rnncls.cli.reporting.insight_tables import (
    AGAINST,
    FOR,
    NUM_TOKENS,
    anytime_table,
    check_table,
    coloured_text,
    contribution_marks,
    contribution_rows,
    contribution_table,
    flag_table,
    marked_text,
    occlusion_agreement,
    print_explanation,
    probs_line,
    trajectory_table,
)
from rnncls.inference.insight.anytime import AnytimePoint
from rnncls.inference.insight.explanation import Explanation, TokenOpinion
from rnncls.inference.insight.flags import Flag, FlagWord
from rnncls.inference.insight.invariance import Check
from rnncls.inference.insight.trajectory import Trajectory
from rnncls.text.traced_text import Span

NASTY = "<script>alert(1)</script>[red]\x1b[31m"


def explain(
    *shares: float, token: str = "w", attention: float | None = None
) -> Explanation:
    opinions = []
    text = ""
    for place, share in enumerate(shares):
        name = f"{token}{place}"
        opinion = TokenOpinion(
            name,
            start=len(text),
            end=len(text) + len(name),
            is_known=True,
            contribution=share,
            occlusion=share / 2,
            attention=attention,
        )
        opinions.append(opinion)
        text += f"{name} "
    probs = {"sport": 0.75, "world": 0.25}
    return Explanation(text, probs, "sport", sum(shares), 0.0, 0.5, opinions, 64, 0.0)


def printed(explanation: Explanation, *, color: str | None) -> str:
    stream = io.StringIO()
    system = (
        {"color_system": color, "force_terminal": True}
        if color
        else {"color_system": None}
    )
    print_explanation(
        Console(file=stream, width=80, highlight=False, **system), explanation
    )
    return stream.getvalue()


def test_marks_are_shares_of_the_strongest_contribution() -> None:
    marks = contribution_marks(explain(2.0, -1.4, 0.7, -0.2, 0.19, 0.0))
    assert marks == [3, -3, 2, -1, 0, 0]


def test_each_word_that_the_summary_names_is_in_the_table() -> None:
    found = explain(*[1.0 + share / 100 for share in range(12)], -0.02, 0.5, -0.01)
    named = [*found.named(sign=1), *found.named(sign=-1)]
    assert named == ["w11", "w10", "w9", "w12", "w14"]
    assert all(f"'{word}'" in found.meaning() for word in named)
    names = list(map(str, contribution_table(found).columns[0].cells))
    assert set(named) <= set(names)
    assert len(names) == NUM_TOKENS + 2
    assert "w13" not in names


def test_tokens_that_add_nothing_have_no_marks() -> None:
    assert contribution_marks(explain(0.0, 0.0)) == [0, 0]


def test_without_colours_signs_say_what_speaks_for_and_against() -> None:
    text = printed(explain(1.0, -0.5, 0.0), color=None)
    assert "w0[+++] w1[--] w2" in text
    assert "\x1b" not in text


def test_a_text_is_shown_as_written_with_its_marks() -> None:
    found = explain(1.0, -1.0)
    first, second = found.tokens
    tokens = [
        replace(first, token="rome", start=2, end=6),
        replace(second, token="🙂", start=9, end=10, is_known=False),
    ]
    found = replace(found, text='"“Rome,  🙂?', tokens=tokens)
    text = marked_text(found).plain
    assert text == '"“Rome[+++],  🙂[?][---]?'
    assert coloured_text(found).plain == '"“Rome,  🙂[?]?'
    _, rows = contribution_rows(found, [0, 1])
    assert [row[0] for row in rows] == ["Rome", "🙂[?]"]


def test_no_color_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    assert "w0[+++] w1[--] w2" in printed(explain(1.0, -0.5, 0.0), color="truecolor")


def test_colours_bring_that_of_the_letters_along() -> None:
    text = printed(explain(1.0, -1.0), color="truecolor")
    assert "\x1b[38;2;255;255;255;48;2;33;113;181mw0" in text
    assert "\x1b[38;2;255;255;255;48;2;184;60;0mw1" in text


@pytest.mark.parametrize(("background", "ink"), [*FOR, *AGAINST])
def test_letters_stand_out_from_their_background(background: str, ink: str) -> None:
    def luminance(color: str) -> float:
        parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4
            for part in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(background), luminance(ink)))
    assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.1, 1.4.3


def test_control_characters_are_escaped() -> None:
    assert "\x1b" not in printed(explain(1.0, token=NASTY), color=None)


def test_square_brackets_are_no_markup() -> None:
    assert "[red]" in printed(explain(1.0, token="[red]"), color=None)


def test_attention_has_a_column_where_there_is_any() -> None:
    assert "attention" in printed(explain(1.0, attention=0.25), color=None)
    assert "attention" not in printed(explain(1.0), color=None)


def test_occlusion_is_compared_by_its_strongest_tokens() -> None:
    sentence = "hides one word at a time (occlusion), agrees on 2 of the 2 most"
    assert sentence in " ".join(printed(explain(1.0, 0.5), color=None).split())


def test_occlusion_agrees_only_where_the_sign_is_the_same_and_not_zero() -> None:
    explanation = explain(2.0, -1.0, 0.00001)
    first, *others = explanation.tokens
    opposite = replace(first, occlusion=-first.occlusion)
    explanation = replace(explanation, tokens=[opposite, *others])
    assert "agrees on 1 of the 3 most" in occlusion_agreement(explanation)


def test_occlusion_is_not_compared_with_contributions_that_are_all_zero() -> None:
    assert occlusion_agreement(explain(0.0, 0.00001)) == ""


def test_a_trajectory_marks_the_token_that_decides() -> None:
    spans = [Span(0, 1), Span(2, 3)]
    probs = [[0.75, 0.25], [0.1, 0.9]]
    trajectory = Trajectory(
        "x y", ["a", "b"], ["x", "y"], spans, probs, is_reread=False
    )
    text = render(trajectory_table(trajectory))
    first, second = text.splitlines()[-2:]
    assert first.split() == ["x", "1", "a", "75.00%", "#" * 15]
    assert second.split() == ["y", "2", "b", "90.00%", "#" * 18, "decided"]


def test_a_table_of_accuracies_has_a_row_a_point() -> None:
    text = render(anytime_table([AnytimePoint(8, 0.5, (0.25, 0.75), 0.125)], "t"))
    assert text.splitlines()[-1].split() == [
        "8",
        "50.00%",
        "25.00%",
        "to",
        "75.00%",
        "12%",
    ]


def test_a_table_of_flags_names_unit_side_and_words() -> None:
    flag = Flag(
        "forward",
        7,
        -1,
        0.4,
        0.5,
        0.9,
        0.8,
        "sport",
        0.75,
        0.1,
        [FlagWord("cup", 3, 4)],
    )
    row = render(flag_table([flag], "t")).splitlines()[-1].split()
    assert row == [
        "forward",
        "7",
        "-",
        "0.40",
        "50%",
        "90%",
        "75%",
        "sport,",
        "10%",
        "others",
        "cup",
    ]


def test_a_table_of_checks_says_what_fails() -> None:
    checks = [
        Check("order", "x", 1e-4, 1e-6, 0),
        Check("padding", "x", 1e-4, 0.25, 3),
        Check("device", "x", 1e-2, None, 0),
        Check("type", "x", None, 0.5, 1),
    ]
    rows = [line.split() for line in render(check_table(checks, "t")).splitlines()[-4:]]
    assert rows == [
        ["order", "x", "1.0e-06", "1e-04", "0", "holds"],
        ["padding", "x", "2.5e-01", "1e-04", "3", "FAILS"],
        ["device", "x", "-", "1e-02", "-", "not", "tried"],
        ["type", "x", "5.0e-01", "none", "1", "reported"],
    ]


def render(table: object) -> str:
    stream = io.StringIO()
    Console(file=stream, width=80).print(table)
    return "\n".join(line.rstrip() for line in stream.getvalue().splitlines())


def test_of_many_classes_the_most_probable_are_named() -> None:
    probs = {f"c{index}": (index + 1) / 78 for index in range(12)}
    line = probs_line(probs)
    assert line.startswith("c11 15.38%, c10 14.10%, ")
    assert line.endswith(", c2 3.85%, and 2 more classes")
    ten = dict(list(probs.items())[:10])
    assert probs_line(ten).count("%") == 10
    assert "more" not in probs_line(ten)
