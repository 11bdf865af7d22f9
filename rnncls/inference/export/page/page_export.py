"""The export of a run folder as a page."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rnncls import ConfigError
from rnncls.data.headers import check_first_text
from rnncls.data.rows import Columns
from rnncls.inference.export.page.card import describe_run
from rnncls.inference.export.page.comparison import LabelChanges, count_label_changes
from rnncls.inference.export.page.document import write_page
from rnncls.inference.export.page.mixed_rows import VectorFormat, choose_format
from rnncls.inference.export.page.size import (
    BYTES_A_MEGABYTE,
    PageContent,
    choose_content,
)
from rnncls.inference.export.page.support import check_support
from rnncls.inference.export.page.template import Fact
from rnncls.inference.export.page.weights import limit_words, round_weights
from rnncls.inference.export.quantization import EmbeddingType
from rnncls.runs.companions import load_run_config
from rnncls.runs.continuation import load_chosen_rows
from rnncls.runs.portable import PortableClassifier, load_portable

_MARGIN_BYTES = 1000
"""For the lines of the card that are known only after the words are chosen."""


@dataclass(frozen=True)
class PageOptions:
    """How a page is made.

    Attributes:
        embedding: The type of the word vectors.
        max_size_mb: The largest page, in megabytes of 10^6 bytes; None: all words.
        examples: Texts that the page offers.
    """

    embedding: EmbeddingType = "int8"
    max_size_mb: float | None = None
    examples: Sequence[str] = ()


@dataclass(frozen=True)
class ExportedPage:
    """A page that was written.

    Attributes:
        path: The file.
        size: Its bytes.
        num_words: The words that it has.
        num_dropped: The words of the run that it lacks.
        changes: The texts for which it chooses another class than the run; None if
            the validation texts of the run cannot be read any more.
    """

    path: Path
    size: int
    num_words: int
    num_dropped: int
    changes: LabelChanges | None


def export_page(
    run_path: Path, output: Path, options: PageOptions | None = None
) -> ExportedPage:
    """Write a run as one HTML file that classifies texts in a browser, offline.

    Args:
        run_path: The run folder.
        output: The HTML file.
        options: The options; None: the defaults.

    Raises:
        ConfigError: The run has a setting that the page does not know, or does not fit
            the size.
        RunError: The run is damaged, or the file cannot be written.
    """
    options = options or PageOptions()
    config = load_run_config(run_path)
    check_support(config.text, config.model)
    run = load_portable(run_path)
    facts = describe_run(run_path, run)
    content = _choose_content(run, options, facts)
    page = limit_words(run, content.num_words)
    num_dropped = len(run.vocab) - len(page.vocab)
    rounded = round_weights(page, content.vectors)
    chosen_rows = load_chosen_rows(run_path)
    settings = replace(config.data_settings, chosen_rows=chosen_rows)
    changes = count_label_changes(run, rounded, settings)
    noun = "labels" if run.has_several_labels else "class"
    facts += _describe_page(content.vectors, num_dropped, changes, noun)
    size = write_page(
        page,
        output,
        name=run_path.resolve().name,
        facts=facts,
        examples=options.examples,
        vectors=content.vectors,
    )
    return ExportedPage(output, size, len(page.vocab), num_dropped, changes)


def _choose_content(
    run: PortableClassifier, options: PageOptions, facts: Sequence[Fact]
) -> PageContent:
    """Return how many words the page has, and how their vectors are stored."""
    if options.max_size_mb is None:
        num_words = len(run.vocab)
        return PageContent(num_words, choose_format(options.embedding, num_words))
    texts = [*options.examples, *(value for fact in facts for value in fact)]
    num_other_bytes = _MARGIN_BYTES + sum(len(text.encode()) for text in texts)
    max_bytes = int(options.max_size_mb * BYTES_A_MEGABYTE)
    return choose_content(run, max_bytes, num_other_bytes, options.embedding)


def _describe_page(
    vectors: VectorFormat, num_dropped: int, changes: LabelChanges | None, noun: str
) -> list[Fact]:
    """Return the facts about the page; the noun is that of what is chosen."""
    names = {
        "int8": "8-bit integers with a scale a word",
        "float16": "16-bit floats",
        "float32": "32-bit floats",
    }
    words = f"word vectors as {names[vectors.embedding]}"
    if vectors.num_fine:
        words += f", 12-bit integers for the {vectors.num_fine:,} most frequent ones"
    if num_dropped:
        words += f"; the {num_dropped:,} rarest words of the vocabulary were left out"
    facts = [("This page", words)]
    if changes is not None:
        share = f"{changes.num_changed:,} of {changes.num_texts:,} validation texts"
        facts.append((f"Other {noun} than the run", share))
    return facts


def read_examples(path: Path, columns: Columns) -> list[str]:
    """Read the texts that a page offers, one a line.

    Raises:
        ConfigError: The file cannot be read or has no text.
        DataError: The file is a table with these columns.
    """
    try:
        lines = path.read_text("utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--examples: {path}: not readable: {error}") from error
    if lines:
        check_first_text(lines[0], f"--examples: {path}", columns)
    examples = [line.strip() for line in lines if line.strip()]
    if not examples:
        raise ConfigError(
            f"--examples: {path}: expected one text a line, found no text"
        )
    return examples
