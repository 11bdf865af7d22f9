"""`rnncls suggest`: which texts to label next."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from rnncls import ConfigError, DataError
from rnncls.cli.input_options import InputFormOption, InputTextOption
from rnncls.cli.options import (
    DeviceOption,
    JsonOption,
    TextRunOption,
    find_run_or_newest,
)
from rnncls.cli.outputs import (
    check_output,
    check_target,
    find_data,
    find_files,
)
from rnncls.cli.replaced_files import has_content
from rnncls.cli.screen import print_tables
from rnncls.cli.text_arguments import STDIN
from rnncls.machine.imports import fast_imports
from rnncls.text.display import format_count, printable_lines

if TYPE_CHECKING:
    from rnncls.cli.reporting.suggestions import SheetColumns
    from rnncls.config.sections import DataSection
    from rnncls.inference.active_learning.pool import Pool, PoolCounts
    from rnncls.inference.active_learning.selection import SelectionOptions, Suggestion
    from rnncls.runs.run import Run


def suggest_command(
    run_folder: Annotated[
        str,
        typer.Argument(
            help=(
                "The run folder. With one argument, it is the pool, and the run is the"
                " newest finished one or that of --run."
            ),
            metavar="RUN",
            show_default=False,
        ),
    ],
    pool: Annotated[
        str | None,
        typer.Argument(
            help=(
                "The unlabelled texts: a .csv, .tsv, .jsonl or .parquet file, or a file"
                " of one text per line; - reads stdin."
            ),
            metavar="POOL",
            show_default=False,
        ),
    ] = None,
    run: TextRunOption = None,
    rows: Annotated[int, typer.Option(min=1, help="How many texts to choose.")] = 50,
    by: Annotated[
        Literal["margin", "entropy", "dropout", "gradients", "centres", "random"],
        typer.Option(
            help=(
                "What is chosen. margin: texts with two labels that are almost equally"
                " probable; entropy: texts with uncertain predictions; dropout: texts"
                " that dropout masks disagree on (BALD); gradients: texts that would"
                " change the last layer most (BADGE); centres: texts unlike the"
                " labelled ones; random: any."
            ),
        ),
    ] = "margin",
    candidates: Annotated[
        int,
        typer.Option(
            min=1,
            help=(
                "For margin, entropy and dropout: choose texts that are unlike each"
                " other among this many times --rows of the most uncertain ones, at"
                " most half of the pool. 1: the most uncertain ones."
            ),
        ),
    ] = 1,
    exclude: Annotated[
        list[Path] | None,
        typer.Option(
            help=(
                "A file of texts that are not suggested, such as those that are being"
                " labelled. The run's own data never are. May be repeated."
            ),
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            help=(
                "Write a .csv file with an empty column for the label, which rnncls"
                " train reads once it is filled in."
            ),
            metavar="FILE",
            show_default=False,
        ),
    ] = None,
    blind: Annotated[
        bool,
        typer.Option(
            "--blind",
            help=(
                "Leave the predicted label out of --output, so that it influences"
                " nobody."
            ),
        ),
    ] = False,
    form: InputFormOption = None,
    text: InputTextOption = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            help=(
                "Also write this column of the pool, such as an id. May be repeated."
            ),
            metavar="COLUMN",
            show_default=False,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(help="Seed of what is random.", min=0)] = 0,
    json_: JsonOption = False,
    device: DeviceOption = None,
) -> None:
    """Suggest which texts of a pool to label next: those the run is uncertain about.

    They can also be unlike each other (--candidates, --by gradients). Texts of the
    run's own data, rows that have a label, copies and empty texts are left out. Row 1
    is the first row after the header; a quoted text of several lines belongs to one
    row.
    """
    run, source = split_arguments(run_folder, pool, run)
    check_target("--output", output, (".csv",))
    check_candidates(candidates, by)
    with fast_imports():
        from rnncls.cli.pool_input import open_pool
        from rnncls.inference.active_learning.selection import SelectionOptions
        from rnncls.runs.run import load_run

    path = find_run_or_newest(run)
    loaded = load_run(path)
    section = loaded.config.data
    check_sheet(output, [source, *map(str, exclude or [])], section)
    columns = build_columns(section, keep or [], has_predictions=not blind)
    texts = open_pool(source, loaded, form, columns.kept, text or [], exclude or [])
    options = SelectionOptions(rows, by, candidates, seed)
    suggestions = suggest_with_run(loaded, texts, options, device)
    name = "stdin" if source == STDIN else source
    check_not_empty(name, texts.counts)
    note_pool(name, texts.counts, rows)
    if output is not None:
        save_sheet(output, suggestions, columns, is_note=json_)
    if json_:
        origin = {"run": str(path), "pool": source, "by": by}
        print_json(origin, texts.counts, suggestions, columns)
    elif output is None:
        print_suggestions(suggestions, columns)


def split_arguments(
    first: str, second: str | None, run: Path | None
) -> tuple[Path | None, str]:
    """Return the run, and the pool.

    Args:
        first: The first argument: the run, or the pool if it is the only argument.
        second: The second argument: the pool.
        run: The value of --run.

    Raises:
        ConfigError: There are two runs, or there is no pool.
    """
    from rnncls.runs.folder import RunFolder

    if second is None:
        if RunFolder(Path(first)).is_run():
            raise ConfigError(
                f"no pool: expected a file of unlabelled texts after the run {first},"
                f" as in rnncls suggest {first} texts.csv"
            )
        return run, first
    if run is not None and run.resolve() != Path(first).resolve():
        raise ConfigError(
            f"--run: found {run}, and {first} as an argument: give only one of them"
        )
    return Path(first), second


def check_candidates(candidates: int, by: str) -> None:
    """Check that --candidates is used only where texts are ranked by uncertainty.

    Raises:
        ConfigError: They are chosen in another way.
    """
    if candidates > 1 and by in {"gradients", "centres", "random"}:
        raise ConfigError(
            "--candidates is only for --by margin, entropy and dropout: leave it out"
        )


def check_sheet(
    output: Path | None, sources: Sequence[str], section: "DataSection"
) -> None:
    """Check that the file to fill in replaces no file: it may hold labels.

    Args:
        output: The file; None: none is written.
        sources: The files that are read, or `-` for stdin.
        section: The data section of the run's config.

    Raises:
        ConfigError: The file exists.
    """
    if output is None:
        return
    files = find_files([source for source in sources if source != STDIN])
    check_output("--output", output, files, find_data(section))
    if has_content(output):
        raise ConfigError(
            f"--output: {output} already exists, and may hold labels: choose another"
            " name, or delete the file first"
        )


def build_columns(
    section: "DataSection", keep: Sequence[str], *, has_predictions: bool
) -> "SheetColumns":
    """Return the columns of the output.

    Args:
        section: The data section of the run's config.
        keep: Further columns of the pool.
        has_predictions: Whether there are columns for the predicted label.

    Raises:
        ConfigError: A kept column has the name of another column of the output.
    """
    from rnncls.cli.reporting.suggestions import SheetColumns
    from rnncls.data.rows import ROW_NUMBER

    for name in keep:
        if name in {ROW_NUMBER, *section.text, *section.label_columns}:
            raise ConfigError(
                f"--keep: the output has a column '{name}' anyway: leave it out"
            )
    return SheetColumns(
        list(section.text),
        list(section.label_columns),
        list(dict.fromkeys(keep)),
        has_predictions=has_predictions,
        label_separator=section.label_separator,
    )


def suggest_with_run(
    run: "Run", pool: "Pool", options: "SelectionOptions", device: str | None
) -> "list[Suggestion]":
    """Read a pool, and return its texts to label next, by the model of a run.

    Args:
        run: The run.
        pool: The pool.
        options: How many texts are chosen, and how.
        device: The device of the model; None: the config's.

    Raises:
        RnnclsError: The device is missing, the model has no dropout, or the pool or the
            data of the run is wrong.
    """
    from rnncls.data.loading import load_split
    from rnncls.inference.active_learning.selection import suggest_texts
    from rnncls.machine.device import resolve_run_device

    classifier = run.classifier
    classifier.model.to(resolve_run_device(device, run.config.device))
    train_texts = None
    if options.measure == "centres":
        settings, names = run.data_settings, classifier.label_names
        train_split, _ = load_split(settings, "train", classifier.vocab, names)
        train_texts = train_split.texts
    return suggest_texts(classifier, pool.read_blocks(), options, train_texts)


def check_not_empty(source: str, counts: "PoolCounts") -> None:
    """Check that a pool has texts that can be labelled.

    Args:
        source: The pool, for the message.
        counts: Its rows.

    Raises:
        DataError: Every text is left out, or there is none.
    """
    if not counts.num_rows:
        raise DataError(f"{source}: expected unlabelled texts, found no rows")
    if not counts.num_unlabelled:
        raise DataError(
            f"{source}: expected unlabelled texts, found {counts.num_rows:,} rows, of"
            f" which {counts.num_labelled:,} are labelled (in their own label column,"
            " in the data of the run or in --exclude), and"
            f" {counts.num_empty:,} are empty"
        )


def note_pool(source: str, counts: "PoolCounts", num_wanted: int) -> None:
    """Note on stderr what is in a pool and what of it can be labelled.

    Args:
        source: The pool.
        counts: Its rows.
        num_wanted: How many texts should be suggested.
    """
    from rnncls.cli.reporting.suggestions import describe_pool

    note = describe_pool(source, counts, num_wanted)
    typer.echo(printable_lines(note), err=True)


def save_sheet(
    path: Path,
    suggestions: "Sequence[Suggestion]",
    columns: "SheetColumns",
    *,
    is_note: bool,
) -> None:
    """Write the file to fill in, and print what to do with it.

    Args:
        path: The file.
        suggestions: The texts to label.
        columns: The columns of the file.
        is_note: Whether to print on stderr, because stdout is JSON.

    Raises:
        RunError: The file cannot be written.
    """
    from rnncls.cli.reporting.suggestions import save_suggestions

    save_suggestions(path, suggestions, columns)
    typer.echo(describe_sheet(path, len(suggestions), columns), err=is_note)


def describe_sheet(output: Path, num_rows: int, columns: "SheetColumns") -> str:
    """Return what was written and what to do with it."""
    if len(columns.label) > 1:
        todo = f"write 1 or 0 in the columns {', '.join(columns.label)}"
    else:
        todo = f"fill in the column '{columns.label[0]}'"
    return printable_lines(
        f"{output}: {format_count(num_rows, 'text')}: {todo}, and delete the rows that"
        " you skip"
    )


def print_json(
    origin: dict[str, str],
    counts: "PoolCounts",
    suggestions: "Sequence[Suggestion]",
    columns: "SheetColumns",
) -> None:
    """Print the texts to label as JSON.

    Args:
        origin: The run, the pool and how the texts were chosen.
        counts: The rows of the pool.
        suggestions: The texts.
        columns: Names the kept columns.
    """
    from rnncls.cli.reporting.suggestions import suggestions_to_dict

    result = {**origin, **suggestions_to_dict(counts, suggestions, columns)}
    typer.echo(json.dumps(result))


def print_suggestions(
    suggestions: "Sequence[Suggestion]", columns: "SheetColumns"
) -> None:
    """Print the texts to label as a table."""
    from rnncls.cli.reporting.suggestions import suggestion_table

    print_tables([], [suggestion_table(suggestions, columns)], fit=True)
