"""Texts are escaped on a page, and every token has its row."""

from pathlib import Path

from rnncls.cli.reporting.html import save_page
from rnncls.cli.reporting.insight_page import explanation_parts, trajectory_parts
from rnncls.inference.insight.trajectory import Trajectory
from rnncls.text.traced_text import Span
from tests.cli.reporting.test_insight_tables import NASTY, explain


def test_a_text_stays_a_text_on_a_page(tmp_path: Path) -> None:
    explanation = explain(1.0, -0.4, token=NASTY)
    spans = [Span(0, len(NASTY))]
    trajectory = Trajectory(
        NASTY, ["<b>", "b"], [NASTY], spans, [[0.4, 0.6]], is_reread=False
    )
    save_page(
        tmp_path / "page.html",
        "why",
        [*explanation_parts(explanation), *trajectory_parts(trajectory, b"png")],
    )
    text = (tmp_path / "page.html").read_text()
    assert "<script" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "\x1b" not in text
    assert "<b>" not in text


def test_a_page_has_every_token_s_figures() -> None:
    text = "".join(explanation_parts(explain(*(0.5 + place for place in range(12)))))
    assert text.count("<tr>") == 13
    assert "+11.5000" in text
