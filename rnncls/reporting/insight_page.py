"""Explanations and trajectories as parts of a page."""

from markupsafe import Markup

from rnncls.inference.insight.explanation import Explanation
from rnncls.inference.insight.trajectory import Trajectory
from rnncls.reporting import html
from rnncls.reporting.display import percent
from rnncls.reporting.insight_tables import (
    contribution_marks,
    contribution_rows,
    legend,
    mark_colors,
    occlusion_agreement,
    probs_line,
    token_name,
)
from rnncls.text.display import printable, shorten

_TITLE_LENGTH = 60


def explanation_parts(explanation: Explanation) -> list[Markup]:
    """Return an explanation as parts of a page."""
    all_indices = range(len(explanation.tokens))
    header, rows = contribution_rows(explanation, all_indices)
    label = printable(explanation.label)
    heading = _title(label, explanation.text)
    question = f"Why {label}?"
    summary = f"{explanation.meaning()} {occlusion_agreement(explanation)}"
    return [
        html.heading(heading),
        html.paragraph(probs_line(explanation.probs)),
        html.paragraph(f"{question} {legend(has_colors=True)}"),
        _coloured_tokens(explanation),
        html.paragraph(printable(summary)),
        html.table(f"Contributions to the logit of {label}", header, rows),
    ]


def _coloured_tokens(explanation: Explanation) -> Markup:
    """Return the tokens on backgrounds that show their contributions."""
    marks = contribution_marks(explanation)
    spans = []
    for token, mark in zip(explanation.tokens, marks, strict=True):
        colors = mark_colors(mark)
        style = f"background:{colors[0]};color:{colors[1]}" if colors else ""
        name = token_name(token)
        spans.append(Markup('<span style="{}">{}</span>').format(style, name))
    return Markup('<p class="tokens">{}</p>').format(Markup(" ").join(spans))


def trajectory_parts(trajectory: Trajectory, png: bytes) -> list[Markup]:
    """Return a trajectory as parts of a page.

    Args:
        trajectory: The trajectory.
        png: Its plot.
    """
    rows = [
        [printable(token), index + 1, *map(percent, trajectory.probs[index])]
        for index, token in enumerate(trajectory.tokens)
    ]
    header = ["token", "position", *map(printable, trajectory.labels)]
    caption = "Probability of each class after each token"
    alt = f"{caption}; the table below has the values."
    prediction = printable(trajectory.predictions[-1])
    return [
        html.heading(_title(prediction, trajectory.text)),
        html.picture(png, printable(trajectory.meaning()), alt),
        html.table(caption, header, rows),
    ]


def _title(label: str, text: str) -> str:
    line = " ".join(text.split())
    return f"{label}: {shorten(line, _TITLE_LENGTH)}"
