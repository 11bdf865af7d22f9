"""What was seen inside a network, as a person reads it: tokens with signed marks,
tables,
and parts of a page.

Colours are blue for a class and orange against it, which the colour-blind tell apart;
each carries the colour of its letters too, so that neither a dark nor a light screen
swallows it. Where there are no colours, plus and minus signs say the same.
"""

from collections.abc import Sequence

from markupsafe import Markup
from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnncls.inference.insight.explanation import Explanation, TokenOpinion
from rnncls.inference.insight.flags import Flag
from rnncls.inference.insight.gates import STATES, Trace
from rnncls.inference.insight.invariance import Check
from rnncls.inference.insight.trajectory import AnytimePoint, Trajectory
from rnncls.reporting import html as page

LEVELS = (0.1, 0.35, 0.7)
"""The shares of the strongest contribution from which a token has one, two or three
marks."""
FOR = (("#c6dbef", "#000000"), ("#6baed6", "#000000"), ("#2171b5", "#ffffff"))
AGAINST = (("#fdd0a2", "#000000"), ("#fd8d3c", "#000000"), ("#b83c00", "#ffffff"))
"""Background and letters of a token with one, two or three marks."""
SHOWN_TOKENS = 10
_SAME = 5
_BAR_WIDTH = 20


def shown(token: str) -> str:
    """Return a token without signs that a terminal would obey, or that cannot be seen."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in token)


def signed(value: float) -> str:
    """Return a number with its sign, and zero with a plus."""
    return f"{round(value, 4) + 0.0:+.4f}"


def marks_of(explanation: Explanation) -> list[int]:
    """Return how strongly each token speaks for the class, 0 to 3, or against it, 0 to
    -3.
    """
    shares = [each.contribution for each in explanation.tokens]
    top = max(map(abs, shares)) or 1.0
    return [
        (1 if share > 0 else -1) * sum(abs(share) / top >= level for level in LEVELS)
        for share in shares
    ]


def coloured_tokens(explanation: Explanation) -> Text:
    """Return the tokens on backgrounds that say what they contribute."""
    text = Text()
    for each, mark in zip(explanation.tokens, marks_of(explanation), strict=True):
        letters = _name(each)
        if mark:
            background, ink = (FOR if mark > 0 else AGAINST)[abs(mark) - 1]
            text.append(letters, style=f"{ink} on {background}")
        else:
            text.append(letters)
        text.append(" ")
    return text


def marked_tokens(explanation: Explanation) -> Text:
    """Return the tokens with plus or minus signs that say the same."""
    pairs = zip(explanation.tokens, marks_of(explanation), strict=True)
    return Text(
        " ".join(
            _name(each) + (f"[{'+' * mark}{'-' * -mark}]" if mark else "")
            for each, mark in pairs
        )
    )


def print_sentence(console: Console, sentence: str) -> None:
    """Print a sentence that may hold words from anywhere."""
    console.print(Text(shown(sentence)))


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Print the probabilities, the tokens, the strongest of them with their figures,
    and what it means.
    """
    has_colors = console.color_system in {"256", "truecolor"} and not console.no_color
    console.print(Text(probs_line(explanation.probs)), soft_wrap=True)
    console.print()
    print_sentence(console, f"Why {explanation.label}? {legend(has_colors=has_colors)}")
    console.print()
    console.print((coloured_tokens if has_colors else marked_tokens)(explanation))
    console.print()
    console.print(opinion_table(explanation))
    print_sentence(console, f"{explanation.meaning()} {second_opinion(explanation)}")


def probs_line(probs: dict[str, float]) -> str:
    """Return all classes with their probabilities, the most probable first."""
    ranked = sorted(probs.items(), key=lambda item: -item[1])
    return ", ".join(f"{shown(label)} {prob:.2%}" for label, prob in ranked)


def legend(*, has_colors: bool) -> str:
    """Return what the marks stand for."""
    how = (
        "Blue speaks for it, orange against it"
        if has_colors
        else "[+] to [+++] speak for it, [-] to [---] against it"
    )
    return f"{how}; a word with ? is not in the vocabulary."


def second_opinion(explanation: Explanation) -> str:
    """Return in a sentence how far occlusion agrees."""
    count = min(_SAME, len(explanation.tokens))
    by_loss = sorted(
        range(len(explanation.tokens)),
        key=lambda place: -abs(explanation.tokens[place].occlusion),
    )
    same = len(set(by_loss[:count]) & set(explanation.strongest(count)))
    return (
        f"Occlusion has {same} of these {count} strongest tokens among its own {count}."
    )


def opinion_rows(
    explanation: Explanation, places: Sequence[int]
) -> tuple[list[str], list[list[str]]]:
    """Return the header and a row for each of these tokens."""
    has_attention = any(each.attention is not None for each in explanation.tokens)
    header = [
        "token",
        "place",
        "contribution",
        "occlusion",
        *(["attention"] if has_attention else []),
    ]
    rows = []
    for place in places:
        each = explanation.tokens[place]
        row = [
            _name(each),
            f"{place + 1}",
            signed(each.contribution),
            signed(each.occlusion),
        ]
        rows.append(row + ([] if each.attention is None else [f"{each.attention:.4f}"]))
    return header, rows


def opinion_table(explanation: Explanation) -> Table:
    """Return what the strongest tokens do to the logit."""
    header, rows = opinion_rows(explanation, explanation.strongest(SHOWN_TOKENS))
    return _text_table(
        f"The strongest of {len(explanation.tokens)} tokens", header, rows
    )


def explanation_parts(explanation: Explanation) -> list[Markup]:
    """Return an explanation as parts of a page."""
    header, rows = opinion_rows(explanation, range(len(explanation.tokens)))
    spans = []
    for each, mark in zip(explanation.tokens, marks_of(explanation), strict=True):
        colors = (FOR if mark > 0 else AGAINST)[abs(mark) - 1] if mark else None
        style = f"background:{colors[0]};color:{colors[1]}" if colors else ""
        spans.append(Markup('<span style="{}">{}</span>').format(style, _name(each)))
    return [
        page.heading(f"{shown(explanation.label)}: {_shortened(explanation.text)}"),
        page.paragraph(probs_line(explanation.probs)),
        page.paragraph(f"Why {explanation.label}? {legend(has_colors=True)}"),
        Markup('<p class="tokens">{}</p>').format(Markup(" ").join(spans)),
        page.paragraph(shown(f"{explanation.meaning()} {second_opinion(explanation)}")),
        page.table(
            f"What each token does to the logit of {explanation.label}", header, rows
        ),
    ]


def trajectory_table(trajectory: Trajectory) -> Table:
    """Return the verdict after each token, a row each, and at which it was decided."""
    header = ["token", "place", "verdict", "probability", ""]
    rows = []
    for place, (token, label, probs) in enumerate(
        zip(trajectory.tokens, trajectory.verdicts, trajectory.probs, strict=True)
    ):
        bar = "=" * round(_BAR_WIDTH * max(probs))
        decides = "  decides" if place == trajectory.decided_at else ""
        rows.append(
            [
                shown(token),
                f"{place + 1}",
                shown(label),
                f"{max(probs):.2%}",
                f"{bar:{_BAR_WIDTH}}{decides}",
            ]
        )
    table = _text_table("The verdict after each token", header, rows)
    table.columns[2].justify = table.columns[4].justify = "left"
    return table


def trajectory_parts(trajectory: Trajectory, png: bytes) -> list[Markup]:
    """Return a trajectory as parts of a page: its picture and its figures."""
    rows = [
        [shown(token), place + 1, *(f"{prob:.2%}" for prob in probs)]
        for place, (token, probs) in enumerate(
            zip(trajectory.tokens, trajectory.probs, strict=True)
        )
    ]
    return [
        page.heading(
            f"{shown(trajectory.verdicts[-1])}: {_shortened(trajectory.text)}"
        ),
        page.picture(
            png,
            shown(trajectory.meaning()),
            "The probability of each class after each token; figures below.",
        ),
        page.table(
            "Probability of each class after each token",
            ["token", "place", *trajectory.labels],
            rows,
        ),
    ]


def anytime_table(points: Sequence[AnytimePoint], title: str) -> Table:
    """Return the accuracy by the tokens read of each text, a row each."""
    rows = []
    for point in points:
        low, high = point.accuracy_interval
        interval = f"{low:.2%} to {high:.2%}"
        rows.append(
            [
                f"{point.num_tokens:,}",
                f"{point.accuracy:.2%}",
                interval,
                f"{point.share_whole:.0%}",
            ]
        )
    table = _text_table(
        title, ["tokens read", "accuracy", "95 % interval", "texts read whole"], rows
    )
    table.columns[0].justify = "right"
    return table


def trace_tables(trace: Trace) -> list[Table]:
    """Return what each token does to the memory and the gates of a layer, a table a
    direction.
    """
    tables = []
    for way in trace.directions:
        means = trace.means(way)
        header = [
            "token",
            "place",
            "change",
            *(f"|{name}|" if name in STATES else name for name in means),
        ]
        columns = [
            [f"{value:.3f}" for value in values]
            for values in (trace.jumps(way), *means.values())
        ]
        rows = [
            [shown(token), f"{place}", *figures]
            for place, (token, *figures) in enumerate(
                zip(trace.tokens, *columns, strict=True), start=1
            )
        ]
        tables.append(
            _text_table(
                f"Layer {trace.layer}, reading {way}: means over its units",
                header,
                rows,
            )
        )
    return tables


def flag_table(flags: Sequence[Flag], title: str) -> Table:
    """Return the flags, the best first."""
    header = ["unit", "score", "texts", "kept", "on at the end of", "switched on by"]
    rows = []
    for flag in flags:
        unit = f"{flag.direction} {flag.unit} {'+' if flag.side > 0 else '-'}"
        label = (
            f"{flag.share_of_label:.0%} {shown(flag.label)}, {flag.share_of_others:.0%}"
            " others"
        )
        words = " ".join(shown(each.word) for each in flag.words)
        rows.append(
            [
                unit,
                f"{flag.score:.2f}",
                f"{flag.share_texts:.0%}",
                f"{flag.kept:.0%}",
                label,
                words,
            ]
        )
    table = _text_table(title, header, rows)
    table.columns[4].justify = table.columns[5].justify = "left"
    return table


def check_table(checks: Sequence[Check], title: str) -> Table:
    """Return what each change does to the logits, a row each."""
    rows = []
    for check in checks:
        if check.difference is None:
            found, relabelled, verdict = "-", "-", "not tried"
        else:
            verdict = (
                "reported"
                if check.limit is None
                else "holds"
                if check.holds
                else "FAILS"
            )
            found, relabelled = f"{check.difference:.1e}", f"{check.num_relabelled:,}"
        limit = "none" if check.limit is None else f"{check.limit:.0e}"
        rows.append([check.name, check.change, found, limit, relabelled, verdict])
    header = ["changed", "from and to", "largest", "limit", "relabelled", ""]
    table = _text_table(title, header, rows)
    table.columns[1].justify = table.columns[5].justify = "left"
    return table


def _name(opinion: TokenOpinion) -> str:
    return shown(opinion.token) + ("" if opinion.is_known else "?")


def _shortened(text: str, limit: int = 60) -> str:
    line = shown(" ".join(text.split()))
    return line if len(line) <= limit else f"{line[: limit - 1]}…"


def _text_table(
    title: str, header: Sequence[str], rows: Sequence[Sequence[str]]
) -> Table:
    """Return a table of plain text, in which only the first column is no number."""
    table = Table(
        title=Text(shown(title)), title_justify="left", box=None, padding=(0, 2, 0, 0)
    )
    for place, name in enumerate(header):
        table.add_column(name, justify="right" if place else "left", overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table
