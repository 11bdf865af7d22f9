"""`rnncls explain`: which words support a label, and after which token it is final."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnncls import ConfigError
from rnncls.cli.options import (
    DeviceOption,
    JsonOption,
    PlotOption,
    RowFileOption,
    RowIdOption,
    RowOption,
    TextColumnOption,
    TextRunOption,
    find_run_or_newest,
    split_run,
)
from rnncls.cli.outputs import HTML, PNG, check_output
from rnncls.cli.replaced_pages import EXPLANATION, check_page, check_picture
from rnncls.cli.screen import save_plot
from rnncls.cli.text_arguments import STDIN, check_texts
from rnncls.cli.text_columns import read_texts
from rnncls.cli.text_source import (
    ROW_ADVICE,
    RowChoice,
    SourceText,
    check_row_options,
    load_texts,
    print_json,
    print_source,
)
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rich.console import Console

    from rnncls.config.sections import DataSection
    from rnncls.runs.run import Run


def explain_command(
    context: typer.Context,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            help=(
                "The texts; - reads one per line from stdin. The run folder may precede"
                " them."
            ),
            show_default=False,
        ),
    ] = None,
    run: TextRunOption = None,
    data: RowFileOption = None,
    row: RowOption = None,
    id_: RowIdOption = None,
    text: TextColumnOption = None,
    label: Annotated[
        str | None,
        typer.Option(
            help="Label to explain; default: the predicted one, or each of several.",
            show_default=False,
        ),
    ] = None,
    trajectory: Annotated[
        bool,
        typer.Option(
            "--trajectory",
            help="Show the prediction after each token instead; --plot needs it.",
        ),
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option(
            help="Also write the result to this HTML file.",
            show_default=False,
            metavar="FILE",
        ),
    ] = None,
    plot: PlotOption = None,
    json_: JsonOption = False,
    device: DeviceOption = None,
) -> None:
    """Show what each word contributes to a prediction.

    Methods: Integrated Gradients and occlusion. --plot needs --trajectory.
    """
    texts, run = split_run(texts, run, context, has_file=data is not None)
    choice = RowChoice(data, row, id_, text or [])
    check_row_options(texts, choice, "explain")
    check_texts(texts, context, advice=ROW_ADVICE)
    if trajectory and label is not None:
        raise ConfigError(
            "--label: --trajectory shows all classes: use only one of the two"
        )
    if plot is not None and (not trajectory or len(texts) > 1 or texts == [STDIN]):
        raise ConfigError(
            "--plot: needs --trajectory and a single text: rnncls explain"
            " --trajectory --plot FILE TEXT"
        )
    inputs = [] if data is None else [data]
    if html is not None:
        check_output("--html", html, inputs)
    if plot is not None:
        check_output("--plot", plot, inputs)
    check_page("--html", html, EXPLANATION, HTML)
    check_picture("--plot", plot, "trajectory", PNG)

    with fast_imports():
        from rnncls.machine.device import resolve_run_device
        from rnncls.runs.run import load_run

    path = find_run_or_newest(run)
    loaded = load_run(path)
    if texts == [STDIN]:
        texts = read_stdin(loaded.config.data)
    sources = load_texts(texts, choice, loaded.config.data)
    loaded.classifier.model.to(resolve_run_device(device, loaded.config.device))
    if trajectory:
        show_trajectories(loaded, sources, html=html, plot=plot, json_=json_)
    else:
        show_explanations(loaded, sources, label, html=html, json_=json_)


def read_stdin(section: "DataSection") -> list[str]:
    """Return the lines of stdin as texts; a note says if there are none.

    Args:
        section: The data section of the run's config.

    Raises:
        DataError: A line is not UTF-8.
    """
    texts = [text for chunk in read_texts(STDIN, section) for text in chunk]
    if not texts:
        typer.echo("stdin: has no rows: there is nothing to explain", err=True)
    return texts


def show_explanations(
    run: "Run",
    sources: list[SourceText],
    label: str | None,
    *,
    html: Path | None,
    json_: bool,
) -> None:
    """Print why each text gets a label, and write an HTML page if requested."""
    from rich.console import Console

    from rnncls.cli.reporting.html import paragraph, save_page
    from rnncls.cli.reporting.insight_page import explanation_parts
    from rnncls.cli.reporting.insight_tables import print_explanations
    from rnncls.inference.insight.explanation import explain, explain_labels
    from rnncls.inference.insight.reading import describe_reading

    console, parts = Console(highlight=False), []
    for source in sources:
        if label is None:
            explanations = explain_labels(run.classifier, source.text)
        else:
            explanations = [explain(run.classifier, source.text, label)]
        note = describe_reading(run.classifier, source.text)
        if json_:
            for explanation in explanations:
                print_json(source, explanation.to_dict() | {"note": note})
        else:
            print_source(source)
            print_explanations(console, explanations)
            print_note(console, note)
        for explanation in explanations:
            parts += explanation_parts(explanation)
        parts += map(paragraph, filter(None, (source.describe(), note)))
    if html is not None:
        save_page(html, f"Explanations by {run.path.name}", parts)
        typer.echo(f"{html}: written", err=True)


def print_note(console: "Console", note: str) -> None:
    """Print what the model could not read of a text, if there is anything."""
    from rnncls.cli.reporting.insight_tables import print_sentence

    if note:
        print_sentence(console, note)


def show_trajectories(
    run: "Run",
    sources: list[SourceText],
    *,
    html: Path | None,
    plot: Path | None,
    json_: bool,
) -> None:
    """Print the prediction after each token; plot it and write a page if requested."""
    from rich.console import Console

    from rnncls.cli.reporting.insight_page import trajectory_parts
    from rnncls.cli.reporting.insight_tables import print_sentence, trajectory_table
    from rnncls.inference.insight.reading import describe_reading
    from rnncls.inference.insight.trajectory import trace_predictions

    console, parts = Console(highlight=False), []
    for source in sources:
        trajectory = trace_predictions(run.classifier, source.text)
        note = describe_reading(run.classifier, source.text)
        if plot is not None or html is not None:
            from rnncls.cli.reporting.html import paragraph
            from rnncls.cli.reporting.insight_plots import plot_trajectory
            from rnncls.cli.reporting.plotting import to_png

            figure = plot_trajectory(trajectory)
            parts += trajectory_parts(trajectory, to_png(figure))
            parts += map(paragraph, filter(None, (source.describe(), note)))
            if plot is not None:
                save_plot(plot, figure, "trajectory")
        if json_:
            print_json(source, trajectory.to_dict() | {"note": note})
        else:
            print_source(source)
            console.print(trajectory_table(trajectory))
            print_sentence(console, trajectory.meaning())
            print_note(console, note)
    if html is not None:
        from rnncls.cli.reporting.html import save_page

        save_page(html, f"Predictions of {run.path.name} after each token", parts)
        typer.echo(f"{html}: written", err=True)
