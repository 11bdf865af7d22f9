"""Explanations and trajectories as parts of a page."""

from markupsafe import Markup, escape

from rnncls.cli.reporting import html
from rnncls.cli.reporting.display import percent
from rnncls.cli.reporting.html import written_text
from rnncls.cli.reporting.insight_tables import (
    contribution_marks,
    contribution_rows,
    labels_line,
    legend,
    mark_colors,
    occlusion_agreement,
    unknown_mark,
)
from rnncls.cli.reporting.written_text import divide_text, name_tokens
from rnncls.inference.insight.explanation import Explanation
from rnncls.inference.insight.trajectory import Trajectory
from rnncls.text.display import printable, shorten

_TITLE_LENGTH = 60


def explanation_parts(explanation: Explanation) -> list[Markup]:
    """Return an explanation as parts of a page."""
    all_indices = range(len(explanation.tokens))
    header, rows = contribution_rows(explanation, all_indices)
    label = printable(explanation.label)
    heading = _title(label, explanation.text)
    question = f"Why {label}?"
    agreement = occlusion_agreement(explanation)
    return [
        html.heading(heading),
        html.paragraph(labels_line(explanation)),
        html.paragraph(f"{question} {legend(has_colors=True)}"),
        _coloured_text(explanation),
        html.paragraph(printable(explanation.meaning())),
        *map(html.paragraph, filter(None, [agreement])),
        html.table(f"Contributions to the score (logit) of {label}", header, rows),
    ]


def _coloured_text(explanation: Explanation) -> Markup:
    """Return the text as written, on backgrounds that show the contributions."""
    marks = contribution_marks(explanation)
    parts = []
    for segment, index in divide_text(explanation.text, explanation.spans):
        if index is None:
            parts.append(escape(segment))
            continue
        colors = mark_colors(marks[index])
        style = f"background:{colors[0]};color:{colors[1]}" if colors else ""
        name = segment + unknown_mark(explanation.tokens[index])
        parts.append(Markup('<span style="{}">{}</span>').format(style, name))
    return written_text(parts)


def _text_with_decision(trajectory: Trajectory) -> Markup:
    """Return the text as written, with a frame around the token that decides."""
    parts = []
    for segment, index in divide_text(trajectory.text, trajectory.spans):
        if index == trajectory.decided_at:
            parts.append(Markup('<span class="framed">{}</span>').format(segment))
        else:
            parts.append(escape(segment))
    return written_text(parts)


def trajectory_parts(trajectory: Trajectory, png: bytes) -> list[Markup]:
    """Return a trajectory as parts of a page.

    Args:
        trajectory: The trajectory.
        png: Its plot.
    """
    names = name_tokens(trajectory.text, trajectory.tokens, trajectory.spans)
    rows = [
        [name, index + 1, *map(percent, trajectory.probs[index])]
        for index, name in enumerate(names)
    ]
    header = ["token", "position", *map(printable, trajectory.labels)]
    caption = "Probability of each class after each token"
    alt = f"{caption}; the table below has the values."
    prediction = printable(trajectory.predictions[-1])
    return [
        html.heading(_title(prediction, trajectory.text)),
        _text_with_decision(trajectory),
        html.picture(png, printable(trajectory.meaning()), alt),
        html.table(caption, header, rows),
    ]


def _title(label: str, text: str) -> Markup:
    line = " ".join(text.split())
    shown = shorten(line, _TITLE_LENGTH)
    return Markup("<bdi>{}</bdi>: <bdi>{}</bdi>").format(label, shown)
