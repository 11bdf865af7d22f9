"""The inspection of a data set, as tables for the terminal and as a page."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from markupsafe import Markup
from rich.table import Table

from rnncls.cli.reporting import html
from rnncls.cli.reporting.display import bar, percent
from rnncls.cli.reporting.tables import grid_table
from rnncls.data.all_rows import Row
from rnncls.data.inspection import METHOD, Inspection, Lengths
from rnncls.data.quality import Finding
from rnncls.data.splits import Split
from rnncls.text.display import printable, shorten

MAX_CLASSES = 20
"""Number of classes in a table, the largest first; the others are summed up."""
_BAR_WIDTH = 24
_TEXT_LENGTH, _PAGE_TEXT_LENGTH = 160, 400
"""Characters of a text in the terminal and on the page."""
CHECKED = (
    "duplicates within and across splits, near-duplicates, texts with two labels,"
    " classes without training rows, imbalance, empty texts, texts without tokens,"
    " unusual characters"
)
SPLIT_HEADER = (
    "split",
    "rows",
    "median",
    "99%",
    "longest",
    "cut",
    "lost",
    "unknown",
    "vectors",
)
SPLIT_NOTE = (
    "median, 99%, longest: tokens per text. cut: texts longer than text.max_tokens."
    " lost: their tokens beyond it. unknown: tokens outside the vocabulary of the"
    " training rows. vectors: tokens with a pretrained vector, every"
    " occurrence counted."
)

CSV_NOTE = (
    "At most three examples of each finding are shown: --csv FILE writes all rows, and"
    " --id COLUMN adds a column of your file that names them."
)


def class_rows(inspection: Inspection) -> Iterator[tuple[str, list[int], float]]:
    """Yield each class, its row count in each split, and its relative size.

    The relative size is the number of its training rows divided by that of the largest
    class.
    """
    train_counts = inspection.classes["train"]
    names = list(train_counts)
    largest = max(train_counts.values())
    for name in names[:MAX_CLASSES]:
        counts = _sum_by_split(inspection, [name])
        yield name, counts, train_counts[name] / largest
    other_names = names[MAX_CLASSES:]
    if other_names:
        yield f"{len(other_names)} more", _sum_by_split(inspection, other_names), 0.0


def _sum_by_split(inspection: Inspection, names: Sequence[str]) -> list[int]:
    """Return how many rows of these classes each split has."""
    return [
        sum(counts[name] for name in names) for counts in inspection.classes.values()
    ]


def class_table(inspection: Inspection, *, is_ascii: bool) -> Table:
    """Return the rows of each class in each split."""
    header = ["class", *inspection.classes, "relative to the largest (train)"]
    rows = [
        [
            name,
            *map("{:,}".format, counts),
            bar(share, _BAR_WIDTH, is_ascii=is_ascii),
        ]
        for name, counts, share in class_rows(inspection)
    ]
    has_several_labels = inspection.label_sets is not None
    title = "Rows of each label" if has_several_labels else "Rows"
    table = grid_table(title, header, rows)
    _keep_bars(table)
    table.add_section()
    total_name = "all labels" if has_several_labels else "all"
    table.add_row(total_name, *_totals(inspection), "")
    return table


def _totals(inspection: Inspection) -> list[str]:
    """Return the number of labels of each split; if a row has one, that of its rows."""
    return [f"{sum(counts.values()):,}" for counts in inspection.classes.values()]


def length_table(lengths: Lengths, *, is_ascii: bool) -> Table:
    """Return the histogram of the text lengths of a split."""
    largest = max(lengths.counts)
    rows = [
        [
            name,
            f"{count:,}",
            bar(count / largest, _BAR_WIDTH, is_ascii=is_ascii),
        ]
        for name, count in length_rows(lengths)
    ]
    header = ["tokens", "texts", ""]
    table = grid_table("Tokens per text (train)", header, rows, num_texts=0)
    _keep_bars(table)
    return table


def _keep_bars(table: Table) -> None:
    """Align the last column to the left and never break its bars."""
    table.columns[-1].justify = "left"
    table.columns[-1].no_wrap = True


def length_rows(lengths: Lengths) -> Iterator[tuple[str, int]]:
    """Yield each bin of the histogram as "from-to", and its count."""
    names = list(map(_bin_name, lengths.edges, lengths.edges[1:]))
    names.append(f"{lengths.edges[-1]} or more")
    yield from zip(names, lengths.counts, strict=True)


def _bin_name(start: int, next_start: int) -> str:
    last = next_start - 1
    return str(start) if last == start else f"{start}-{last}"


def split_rows(inspection: Inspection) -> Iterator[list[str]]:
    """Yield text lengths, unknown words and vectors of each split, as cells."""
    for split, lengths in inspection.lengths.items():
        coverage = inspection.coverage[split]
        counts = [
            sum(inspection.lengths[split].counts),
            lengths.median,
            lengths.p99,
            lengths.longest,
            lengths.num_cut,
        ]
        vectors_share = coverage.vectors_share
        yield [
            split,
            *map("{:,}".format, counts),
            percent(lengths.share_cut),
            percent(coverage.unknown_share),
            "-" if vectors_share is None else percent(vectors_share),
        ]


def split_table(inspection: Inspection) -> Table:
    """Return text lengths, unknown words and vectors of each split."""
    return grid_table("Texts", SPLIT_HEADER, list(split_rows(inspection)))


def summary_lines(inspection: Inspection) -> list[str]:
    """Return the lines that precede the tables."""
    splits_by_path: dict[str, list[str]] = {}
    for split, path in inspection.paths.items():
        splits_by_path.setdefault(path, []).append(split)
    lines = [f"{', '.join(splits)}: {path}" for path, splits in splits_by_path.items()]
    vocabulary = f"vocabulary: {inspection.vocab_size:,} words from the training rows"
    if inspection.num_vector_words:
        vocabulary += f" and {inspection.num_vector_words:,} from text.vectors"
    lines.append(f"{vocabulary}; max_tokens: {inspection.max_tokens:,}")
    return lines + inspection.notes


def finding_lines(inspection: Inspection) -> Iterator[tuple[int, str]]:
    """Yield the findings with advice and examples: paragraphs and their indentation."""
    if not inspection.findings:
        yield 0, _nothing_found()
    for findings in _group_by_advice(inspection.findings):
        for finding in findings:
            yield 0, finding_title(finding)
        yield 2, _advice(findings)
        for finding in findings:
            yield from _example_lines(finding)
        yield 0, ""
    yield 0, METHOD


def _group_by_advice(findings: Sequence[Finding]) -> list[list[Finding]]:
    """Return the findings in groups with the same advice, often one per split."""
    groups: dict[str, list[Finding]] = {}
    for finding in findings:
        groups.setdefault(finding.advice, []).append(finding)
    return list(groups.values())


def _example_lines(finding: Finding) -> Iterator[tuple[int, str]]:
    for example in finding.examples:
        yield 0, ""
        for row in example:
            yield 4, f"{row_name(row)}: {shorten(row.text, _TEXT_LENGTH)}"


def _nothing_found() -> str:
    return f"No problems found. Checked for: {CHECKED}."


def _advice(findings: Sequence[Finding]) -> str:
    """Return the advice that findings share."""
    which = " about all of these" if len(findings) > 1 else ""
    return f"What to do{which}: {findings[0].advice}."


def finding_title(finding: Finding) -> str:
    """Return a finding as a line, with its count."""
    share = percent(finding.count / finding.total)
    return f"{finding.count:,} of {finding.total:,} ({share}): {finding.what}"


def row_name(row: Row) -> str:
    """Return split, number and class of a row."""
    return f"{row.split} row {row.row:,} [{printable(row.label)}]"


def save_data_report(path: Path, inspection: Inspection, title: str) -> None:
    """Write the inspection as a page.

    Raises:
        RunError: The file cannot be written.
    """
    text_rows = list(split_rows(inspection))
    other_splits = list(inspection.classes)[1:]
    parts = [
        *map(html.paragraph, summary_lines(inspection)),
        html.heading("Findings"),
        *_finding_parts(inspection.findings),
        html.paragraph(CSV_NOTE),
        html.paragraph(METHOD),
        html.heading("Rows and classes"),
        *_class_parts(inspection),
        html.heading("Texts"),
        html.table("Texts of each split", SPLIT_HEADER, text_rows),
        html.paragraph(SPLIT_NOTE),
        *_length_parts(inspection),
        *_unknown_word_tables(inspection, other_splits),
    ]
    html.save_page(path, title, parts)


def _finding_parts(findings: Sequence[Finding]) -> Iterator[Markup]:
    if not findings:
        yield html.paragraph(_nothing_found())
    for group in _group_by_advice(findings):
        for finding in group:
            yield html.subheading(finding_title(finding))
        yield html.paragraph(_advice(group))
        examples = [example for finding in group for example in finding.examples]
        rows = [
            [row_name(row), shorten(row.text, _PAGE_TEXT_LENGTH)]
            for example in examples
            for row in example
        ]
        if rows:
            yield html.table("Examples", ["row", "text"], rows, num_texts=2)


def _class_parts(inspection: Inspection) -> Iterator[Markup]:
    names_and_counts = [(name, counts) for name, counts, _ in class_rows(inspection)]
    yield _class_picture(names_and_counts)
    header = ["class", *inspection.classes]
    rows = [[name, *map("{:,}".format, counts)] for name, counts in names_and_counts]
    yield html.table("Rows per class", header, rows)


def _class_picture(names_and_counts: Sequence[tuple[str, list[int]]]) -> Markup:
    from rnncls.cli.reporting.data_plots import plot_class_sizes
    from rnncls.cli.reporting.plotting import to_png

    names = [name for name, _ in names_and_counts]
    train_counts = [counts[0] for _, counts in names_and_counts]
    figure = plot_class_sizes(names, train_counts)
    return html.picture(
        to_png(figure),
        "Training rows per class",
        "Bars: the training rows of each class; table below",
    )


def _length_parts(inspection: Inspection) -> Iterator[Markup]:
    from rnncls.cli.reporting.data_plots import plot_lengths
    from rnncls.cli.reporting.plotting import to_png

    lengths = inspection.lengths["train"]
    yield html.picture(
        to_png(plot_lengths(lengths, inspection.max_tokens)),
        "Tokens per text",
        "Histogram of the tokens per text; table below",
    )
    rows = [(name, f"{count:,}") for name, count in length_rows(lengths)]
    yield html.table("Tokens per text (train)", ["tokens", "texts"], rows)


def _unknown_word_tables(
    inspection: Inspection, splits: Sequence[Split]
) -> Iterator[Markup]:
    for split in splits:
        words = inspection.coverage[split].unknown_words
        if words:
            caption = f"Most frequent unknown words ({split})"
            rows = [[printable(word), f"{count:,}"] for word, count in words.items()]
            yield html.table(caption, ["word", "count"], rows)
