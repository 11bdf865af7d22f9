"""What was found in the data, as tables for a terminal and as a page."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from markupsafe import Markup
from rich.markup import escape
from rich.table import Table

from rnncls.data.all_rows import Row
from rnncls.data.inspection import METHOD, Inspection, Lengths
from rnncls.data.quality import Finding
from rnncls.data.splits import Split
from rnncls.reporting import html as page

NUM_CLASSES = 20
"""How many classes a table shows, the largest first."""
_BAR = 24
_SHOWN = 160
"""Characters of a text that are shown."""
CHECKED = (
    "copies inside and across splits, near copies, a text with two labels, classes that"
    " training lacks, imbalance, empty texts, texts without a token, odd characters"
)


def bar(share: float, *, is_ascii: bool = False, width: int = _BAR) -> str:
    """Return a bar as long as a share of 0 to 1, in eighths of a character where the
    terminal has them.
    """
    eighths = round(share * width * 8)
    if is_ascii:
        return "#" * max(round(eighths / 8), eighths > 0)
    whole, rest = divmod(eighths, 8)
    return "█" * whole + " ▏▎▍▌▋▊▉"[rest].strip()


def class_rows(inspection: Inspection) -> Iterator[tuple[str, list[int], float]]:
    """Yield each class, its rows in each split, and its training rows as a share of the
    largest class's.
    """
    train = inspection.classes["train"]
    names = list(train)
    for name in names[:NUM_CLASSES]:
        counts = [own[name] for own in inspection.classes.values()]
        yield name, counts, train[name] / max(train.values())
    if len(names) > NUM_CLASSES:
        rest = names[NUM_CLASSES:]
        counts = [
            sum(own[name] for name in rest) for own in inspection.classes.values()
        ]
        yield f"{len(rest)} more", counts, 0.0


def class_table(inspection: Inspection, *, is_ascii: bool) -> Table:
    """Return the rows of each class in each split."""
    table = Table("class", title="Rows", title_justify="left")
    for split in inspection.classes:
        table.add_column(split, justify="right")
    table.add_column("of the largest (train)", no_wrap=True)
    for name, counts, share in class_rows(inspection):
        table.add_row(
            escape(_printable(name)),
            *(f"{count:,}" for count in counts),
            bar(share, is_ascii=is_ascii),
        )
    table.add_section()
    table.add_row(
        "all", *(f"{sum(own.values()):,}" for own in inspection.classes.values()), ""
    )
    return table


def length_table(lengths: Lengths, *, is_ascii: bool) -> Table:
    """Return the histogram of the lengths of a split."""
    table = Table(title="Tokens a text (train)", title_justify="left")
    table.add_column("tokens", justify="right")
    table.add_column("texts", justify="right")
    table.add_column("", no_wrap=True)
    for name, count in length_rows(lengths):
        table.add_row(
            name, f"{count:,}", bar(count / max(lengths.counts), is_ascii=is_ascii)
        )
    return table


def length_rows(lengths: Lengths) -> Iterator[tuple[str, int]]:
    """Yield each bin of a histogram as `from-to` and its count."""
    for place, (start, count) in enumerate(
        zip(lengths.edges, lengths.counts, strict=True)
    ):
        is_last = place + 1 == len(lengths.edges)
        end = start if is_last else lengths.edges[place + 1] - 1
        yield (
            (
                f"{start} or more"
                if is_last
                else str(start)
                if end == start
                else f"{start}-{end}"
            ),
            count,
        )


SPLIT_HEADER = (
    "split",
    "rows",
    "median",
    "99 %",
    "longest",
    "cut",
    "lost",
    "unknown",
    "vectors",
)
SPLIT_NOTE = (
    "median, 99 %, longest: tokens a text. cut: texts longer than text.max_tokens;"
    " lost: their tokens after it. unknown: tokens outside the vocabulary of the"
    " training rows. vectors: tokens with a pretrained vector."
)


def split_rows(inspection: Inspection) -> Iterator[list[str]]:
    """Yield what is known of the texts of each split."""
    for split, lengths in inspection.lengths.items():
        own = inspection.coverage[split]
        num_rows = sum(inspection.classes[split].values())
        yield [
            split,
            *(
                f"{count:,}"
                for count in (
                    num_rows,
                    lengths.median,
                    lengths.p99,
                    lengths.longest,
                    lengths.num_cut,
                )
            ),
            f"{lengths.share_cut:.2%}",
            f"{own.unknown_share:.2%}",
            "-" if own.vectors_share is None else f"{own.vectors_share:.2%}",
        ]


def split_table(inspection: Inspection) -> Table:
    """Return lengths and unknown words of each split."""
    table = Table(title="Texts", title_justify="left")
    for place, name in enumerate(SPLIT_HEADER):
        table.add_column(name, justify="right" if place else "left")
    for row in split_rows(inspection):
        table.add_row(*row)
    return table


def summary_lines(inspection: Inspection) -> list[str]:
    """Return what is said before the tables."""
    files: dict[str, list[str]] = {}
    for split, path in inspection.paths.items():
        files.setdefault(path, []).append(split)
    return [
        *(f"{', '.join(splits)}: {path}" for path, splits in files.items()),
        (
            f"vocabulary: {inspection.vocab_size:,} words of the training rows;"
            f" max_tokens: {inspection.max_tokens:,}"
        ),
    ]


def finding_lines(inspection: Inspection) -> Iterator[tuple[int, str]]:
    """Yield the findings with their examples and what to do, each paragraph with the
    width of its margin.
    """
    if not inspection.findings:
        yield 0, f"Nothing found. Looked for: {CHECKED}."
    for finding in inspection.findings:
        yield 0, title_of(finding)
        yield 2, f"What to do: {finding.advice}."
        for example in finding.examples:
            yield 0, ""
            yield from ((4, f"{place_of(row)}: {shorten(row.text)}") for row in example)
        yield 0, ""
    yield 0, METHOD


def title_of(finding: Finding) -> str:
    """Return a finding in a line, with its count."""
    return (
        f"{finding.count:,} of {finding.total:,} ({finding.count / finding.total:.2%}):"
        f" {finding.what}"
    )


def place_of(row: Row) -> str:
    """Return where a row stands, and its class."""
    return f"{row.split} row {row.row} [{_printable(row.label)}]"


def shorten(text: str, limit: int = _SHOWN) -> str:
    """Return the start of a text, what cannot be printed as an escape."""
    text = _printable(" ".join(text.split(" ")))
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _printable(text: str) -> str:
    return "".join(
        (
            character
            if character.isprintable()
            else character.encode("unicode_escape").decode()
        )
        for character in text
    )


def save_datasheet(path: Path, inspection: Inspection, title: str) -> None:
    """Write all of it as one page.

    Raises:
        RunError: The file cannot be written.
    """
    splits = list(inspection.classes)
    rows = [
        [name, *(f"{count:,}" for count in counts)]
        for name, counts, _ in class_rows(inspection)
    ]
    lengths = [
        (name, f"{count:,}") for name, count in length_rows(inspection.lengths["train"])
    ]
    parts = [
        *map(page.paragraph, summary_lines(inspection)),
        page.heading("Findings"),
        *_page_findings(inspection.findings),
        page.paragraph(METHOD),
        page.heading("Rows and classes"),
        _class_picture(inspection),
        page.table("Rows a class", ["class", *splits], rows),
        page.heading("Texts"),
        page.table("Texts of each split", SPLIT_HEADER, list(split_rows(inspection))),
        page.paragraph(SPLIT_NOTE),
        _length_picture(inspection.lengths["train"], inspection.max_tokens),
        page.table("Tokens a text (train)", ["tokens", "texts"], lengths),
        *_unknown_words(inspection, splits[1:]),
    ]
    page.save_page(path, title, parts)


def _unknown_words(inspection: Inspection, splits: Sequence[Split]) -> Iterator[Markup]:
    for split in splits:
        words = inspection.coverage[split].unknown_words
        if words:
            caption = f"Most frequent unknown words ({split})"
            yield page.table(
                caption,
                ["word", "times"],
                [[_printable(word), count] for word, count in words.items()],
            )


def _page_findings(findings: Sequence[Finding]) -> Iterator[Markup]:
    if not findings:
        yield page.paragraph(f"Nothing found. Looked for: {CHECKED}.")
    for finding in findings:
        yield Markup("<h3>{}</h3>").format(title_of(finding))
        yield page.paragraph(f"What to do: {finding.advice}.")
        rows = [
            [place_of(row), shorten(row.text, 400)]
            for example in finding.examples
            for row in example
        ]
        if rows:
            yield page.table("Examples", ["where", "text"], rows, num_texts=2)


def _class_picture(inspection: Inspection) -> Markup:
    from rnncls.reporting.plotting import COLORS, new_figure, to_png

    rows = list(class_rows(inspection))
    figure = new_figure(7.0, 1.0 + 0.28 * len(rows))
    axes = figure.add_subplot()
    names = [shorten(name, 30) for name, *_ in rows]
    axes.barh(range(len(rows)), [counts[0] for _, counts, _ in rows], color=COLORS[0])
    axes.set_yticks(range(len(rows)), names, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("training rows")
    return page.picture(
        to_png(figure),
        "Training rows a class",
        "Bars: the training rows of each class; table below",
    )


def _length_picture(lengths: Lengths, max_tokens: int) -> Markup:
    from rnncls.reporting.plotting import COLORS, new_figure, to_png

    figure = new_figure(7.0, 3.0)
    axes = figure.add_subplot()
    width = lengths.edges[1] - lengths.edges[0]
    axes.bar(
        [edge - 0.5 for edge in lengths.edges],
        lengths.counts,
        width=width * 0.9,
        align="edge",
        color=COLORS[0],
    )
    if max_tokens <= lengths.edges[-1] + width:
        axes.axvline(
            max_tokens + 0.5, color=COLORS[1], label=f"max_tokens: {max_tokens}"
        )
        axes.legend()
    axes.set_xlabel(f"tokens a text; the last bar: {lengths.edges[-1]} or more")
    axes.set_ylabel("training rows")
    return page.picture(
        to_png(figure), "Tokens a text", "Histogram of the tokens a text; table below"
    )
