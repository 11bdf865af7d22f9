"""Explanations, trajectories, gates and checks as text and tables for the terminal.

Blue marks tokens for a class and orange tokens against it, which the colour-blind can
tell apart. Each background comes with a text colour, so that the text is readable on
dark and light screens. Without colours, plus and minus signs mark the same tokens.
"""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from rnncls.cli.reporting.display import INTERVAL, bar, percent, percent_range, signed
from rnncls.cli.reporting.tables import plain_table
from rnncls.cli.reporting.written_text import divide_text, name_tokens
from rnncls.inference.insight.anytime import AnytimePoint
from rnncls.inference.insight.explanation import Explanation, TokenOpinion
from rnncls.inference.insight.flags import ON, Flag
from rnncls.inference.insight.gates import STATES, Trace
from rnncls.inference.insight.invariance import Check
from rnncls.inference.insight.trajectory import Trajectory
from rnncls.text.display import printable

LEVELS = (0.1, 0.35, 0.7)
"""Shares of the strongest contribution from which a token has 1, 2 or 3 marks."""
FOR = (("#c6dbef", "#000000"), ("#6baed6", "#000000"), ("#2171b5", "#ffffff"))
AGAINST = (("#fdd0a2", "#000000"), ("#fd8d3c", "#000000"), ("#b83c00", "#ffffff"))
"""Background and text colour of a token with 1, 2 or 3 marks."""
FLAG_LEGEND = (
    f"A flag unit is on where its value is at least {ON} (+) or at most -{ON} (-)."
    " texts: share p of the texts in which it switches on; kept: share of the later"
    " tokens at which it is still on; score: kept * sharpness * 4p(1 - p), where"
    f" sharpness is its mean jump at the switch, divided by {ON} and at most 1."
)
NUM_TOKENS = 10
"""Number of tokens in the table of contributions."""
_NUM_COMPARED = 5
_SHOWN_DECIMALS = 4
_CLASSES_SHOWN = 10
_BAR_WIDTH = 20


def contribution_marks(explanation: Explanation) -> list[int]:
    """Return the marks of each token: 1 to 3 for the class, -1 to -3 against it."""
    contributions = [token.contribution for token in explanation.tokens]
    strongest = max(map(abs, contributions)) or 1.0
    marks = []
    for contribution in contributions:
        share = abs(contribution) / strongest
        num_marks = sum(share >= level for level in LEVELS)
        marks.append(num_marks if contribution > 0 else -num_marks)
    return marks


def mark_colors(mark: int) -> tuple[str, str] | None:
    """Return background and text colour of a mark; None for 0."""
    if mark == 0:
        return None
    return (FOR if mark > 0 else AGAINST)[abs(mark) - 1]


def unknown_mark(token: TokenOpinion) -> str:
    """Return the mark of a token that the vocabulary lacks, or nothing."""
    return "" if token.is_known else "[?]"


def coloured_text(explanation: Explanation) -> Text:
    """Return the text as written, on backgrounds that show the contributions."""
    text = Text()
    marks = contribution_marks(explanation)
    for segment, index in divide_text(explanation.text, explanation.spans):
        if index is None:
            text.append(segment)
            continue
        colors = mark_colors(marks[index])
        style = f"{colors[1]} on {colors[0]}" if colors else ""
        token = explanation.tokens[index]
        text.append(segment + unknown_mark(token), style=style)
    return text


def marked_text(explanation: Explanation) -> Text:
    """Return the text as written, with plus or minus signs after the tokens."""
    marks = contribution_marks(explanation)
    text = Text()
    for segment, index in divide_text(explanation.text, explanation.spans):
        text.append(segment)
        if index is None:
            continue
        text.append(unknown_mark(explanation.tokens[index]))
        signs = "+" * marks[index] + "-" * -marks[index]
        text.append(f"[{signs}]" if signs else "")
    return text


def print_sentence(console: Console, sentence: str) -> None:
    """Print a sentence, which may contain words from a text."""
    console.print(Text(printable(sentence)))


def print_explanation(console: Console, explanation: Explanation) -> None:
    """Print probabilities, marked tokens, a table of the strongest, and a summary."""
    has_colors = console.color_system in {"256", "truecolor"} and not console.no_color
    mark_text = coloured_text if has_colors else marked_text
    question = f"Why {explanation.label}?"
    console.print(Text(labels_line(explanation)), soft_wrap=True)
    console.print()
    print_sentence(console, f"{question} {legend(has_colors=has_colors)}")
    console.print()
    console.print(mark_text(explanation))
    console.print()
    console.print(contribution_table(explanation))
    print_sentence(console, explanation.meaning())
    agreement = occlusion_agreement(explanation)
    if agreement:
        print_sentence(console, agreement)


def print_explanations(console: Console, explanations: Sequence[Explanation]) -> None:
    """Print the explanations of the labels of a text, with a line between them."""
    for index, explanation in enumerate(explanations):
        if index:
            console.print()
        print_explanation(console, explanation)


def labels_line(explanation: Explanation) -> str:
    """Return the probabilities; before them the labels, if a text may have several."""
    if explanation.thresholds is None:
        return probs_line(explanation.probs)
    labels = ", ".join(map(printable, explanation.labels)) or "none"
    probs = probs_line(explanation.probs, noun="labels")
    return f"Labels: {labels}. Probabilities: {probs}"


def probs_line(probs: dict[str, float], noun: str = "classes") -> str:
    """Return the most probable classes with their probabilities, and how many more."""
    ranked = sorted(probs.items(), key=lambda item: -item[1])
    items = []
    for label, prob in ranked[:_CLASSES_SHOWN]:
        items.append(f"{printable(label)} {percent(prob)}")
    num_more = len(ranked) - len(items)
    if num_more:
        items.append(f"and {num_more:,} more {noun}")
    return ", ".join(items)


def legend(*, has_colors: bool) -> str:
    """Return what the marks mean."""
    meaning = (
        "Blue tokens support this label, orange tokens oppose it"
        if has_colors
        else "Tokens with [+] to [+++] support this label, with [-] to [---] oppose it"
    )
    return f"{meaning}; a token with [?] is not in the vocabulary."


def occlusion_agreement(explanation: Explanation) -> str:
    """Return a sentence on how far occlusion agrees with the contributions.

    It is empty for a single token, and if all contributions are shown as 0.
    """
    tokens = explanation.tokens
    count = min(_NUM_COMPARED, len(tokens))
    shown = [round(token.contribution, _SHOWN_DECIMALS) for token in tokens]
    if count == 1 or not any(shown):
        return ""
    by_occlusion = sorted(
        range(len(tokens)), key=lambda index: -abs(tokens[index].occlusion)
    )
    shared = set(by_occlusion[:count]) & set(explanation.strongest(count))
    num_agreeing = sum(_has_same_sign(tokens[index]) for index in shared)
    return (
        "A second method, which hides one word at a time (occlusion), agrees on"
        f" {num_agreeing} of the {count} most important words and on their signs."
    )


def _has_same_sign(token: TokenOpinion) -> bool:
    """Return whether both methods give a token the same sign as shown, and not 0."""
    contribution = round(token.contribution, _SHOWN_DECIMALS)
    occlusion = round(token.occlusion, _SHOWN_DECIMALS)
    return contribution * occlusion > 0


def contribution_rows(
    explanation: Explanation, indices: Sequence[int]
) -> tuple[list[str], list[list[str]]]:
    """Return the header and a row for each token at these indices."""
    tokens = explanation.tokens
    names = name_tokens(
        explanation.text, [token.token for token in tokens], explanation.spans
    )
    has_attention = any(token.attention is not None for token in tokens)
    header = ["token", "position", "contribution", "occlusion"]
    if has_attention:
        header.append("attention")
    rows = [_contribution_row(tokens[index], names[index], index) for index in indices]
    return header, rows


def _contribution_row(token: TokenOpinion, name: str, index: int) -> list[str]:
    row = [
        name + unknown_mark(token),
        f"{index + 1}",
        signed(token.contribution),
        signed(token.occlusion),
    ]
    if token.attention is not None:
        row.append(f"{token.attention:.4f}")
    return row


def contribution_table(explanation: Explanation) -> Table:
    """Return the contributions of the strongest tokens to the logit.

    The words that the summary names are there too, even if they are weaker.
    """
    indices = explanation.strongest(NUM_TOKENS)
    named = {**explanation.named(sign=1), **explanation.named(sign=-1)}
    indices += [index for index in named.values() if index not in indices]
    header, rows = contribution_rows(explanation, indices)
    num_tokens = len(explanation.tokens)
    title = (
        "Contribution of the only token"
        if num_tokens == 1
        else f"Strongest contributions of {num_tokens} tokens"
    )
    return plain_table(title, header, rows)


def trajectory_table(trajectory: Trajectory) -> Table:
    """Return the prediction after each token, and after which one it was decided."""
    header = ["token", "position", "prediction", "probability", ""]
    predictions = trajectory.predictions
    names = name_tokens(trajectory.text, trajectory.tokens, trajectory.spans)
    rows = [
        [name, f"{index + 1}", predictions[index], *_prob_cells(trajectory, index)]
        for index, name in enumerate(names)
    ]
    table = plain_table("Prediction after each token", header, rows)
    table.columns[2].justify = table.columns[4].justify = "left"
    return table


def _prob_cells(trajectory: Trajectory, index: int) -> tuple[str, str]:
    """Return the highest probability after a token, and its bar with a note."""
    prob = max(trajectory.probs[index])
    prob_bar = bar(prob, _BAR_WIDTH, is_ascii=True)
    note = "  decided" if index == trajectory.decided_at else ""
    return percent(prob), f"{prob_bar:{_BAR_WIDTH}}{note}"


def anytime_table(points: Sequence[AnytimePoint], title: str) -> Table:
    """Return the accuracy by number of tokens read."""
    header = ["tokens read", "accuracy", INTERVAL, "complete texts"]
    rows = [
        [
            f"{point.num_tokens:,}",
            percent(point.accuracy),
            percent_range(point.accuracy_interval),
            percent(point.share_whole, 0),
        ]
        for point in points
    ]
    if points[0].micro_f1 is not None:
        header += ["micro-F1", "macro-F1"]
        for row, point in zip(rows, points, strict=True):
            row += [percent(point.micro_f1 or 0.0), percent(point.macro_f1 or 0.0)]
    return plain_table(title, header, rows, num_texts=0)


def trace_tables(trace: Trace) -> list[Table]:
    """Return how each token changes a layer's states and gates, for each direction."""
    return [_trace_table(trace, direction) for direction in trace.directions]


def _trace_table(trace: Trace, direction: str) -> Table:
    means = trace.means(direction)
    names = [f"|{name}|" if name in STATES else name for name in means]
    values_by_token = zip(trace.jumps(direction), *means.values(), strict=True)
    rows: list[list[str]] = []
    names_of_tokens = name_tokens(trace.text, trace.tokens, trace.spans)
    for name, values in zip(names_of_tokens, values_by_token, strict=True):
        position = len(rows) + 1
        rows.append([name, f"{position}", *map("{:.3f}".format, values)])
    title = (
        f"Layer {trace.layer}, {direction} direction (change: distance that the"
        f" {trace.memory} vector moved; others: mean over units)"
    )
    return plain_table(title, ["token", "position", "change", *names], rows)


def flag_table(flags: Sequence[Flag], title: str) -> Table:
    """Return the units that act as switches, the best first."""
    header = ["unit", "score", "texts", "kept", "on at the end of", "switched on by"]
    table = plain_table(title, header, list(map(_flag_row, flags)))
    table.columns[4].justify = table.columns[5].justify = "left"
    return table


def _flag_row(flag: Flag) -> list[str]:
    sign = "+" if flag.side > 0 else "-"
    words = [word.name for word in flag.words]
    return [
        f"{flag.direction} {flag.unit} {sign}",
        f"{flag.score:.2f}",
        percent(flag.share_texts, 0),
        percent(flag.kept, 0),
        _class_shares(flag),
        " ".join(words),
    ]


def _class_shares(flag: Flag) -> str:
    """Return at the end of how many texts of a class, and of others, a unit is on."""
    label_share = percent(flag.share_of_label, 0)
    other_share = percent(flag.share_of_others, 0)
    return f"{label_share} {flag.label}, {other_share} others"


def check_table(checks: Sequence[Check], title: str) -> Table:
    """Return how far each change moves the logits."""
    header = ["changed", "from and to", "max diff", "limit", "relabelled", ""]
    rows = [_check_row(check) for check in checks]
    table = plain_table(title, header, rows)
    table.columns[1].justify = table.columns[5].justify = "left"
    return table


def _check_row(check: Check) -> list[str]:
    limit = "none" if check.limit is None else f"{check.limit:.0e}"
    if check.difference is None:
        return [check.name, check.change, "-", limit, "-", "not tried"]
    status = "holds" if check.holds else "FAILS"
    return [
        check.name,
        check.change,
        f"{check.difference:.1e}",
        limit,
        f"{check.num_relabelled:,}",
        "reported" if check.limit is None else status,
    ]
