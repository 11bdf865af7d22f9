"""`rnncls gates`: states, cells and gates of a layer at each token."""

from typing import Annotated

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
from rnncls.cli.replaced_pages import check_picture
from rnncls.cli.screen import save_plot
from rnncls.cli.text_arguments import check_texts
from rnncls.cli.text_source import (
    ROW_ADVICE,
    RowChoice,
    check_row_options,
    load_texts,
    print_json,
    print_source,
)
from rnncls.machine.imports import fast_imports


def gates_command(
    context: typer.Context,
    texts: Annotated[
        list[str] | None,
        typer.Argument(
            help="The text. The run folder may precede it.",
            metavar="[TEXT]",
            show_default=False,
        ),
    ] = None,
    run: TextRunOption = None,
    data: RowFileOption = None,
    row: RowOption = None,
    id_: RowIdOption = None,
    text: TextColumnOption = None,
    layer: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Layer number, 1 is the first recurrent layer; default: the last.",
            show_default=False,
        ),
    ] = None,
    plot: PlotOption = None,
    json_: JsonOption = False,
    device: DeviceOption = None,
) -> None:
    """Print state, cell and gate activity of an rnn, lstm or gru at each token."""
    from rich.console import Console

    texts, run = split_run(texts, run, context, has_file=data is not None)
    choice = RowChoice(data, row, id_, text or [])
    check_row_options(texts, choice, "gates")
    if len(texts) > 1:
        raise ConfigError(f"expected one text, found {len(texts)} arguments")
    check_texts(texts, context, advice=ROW_ADVICE)
    check_picture("--plot", plot, "gates")

    with fast_imports():
        from rnncls.cli.reporting.insight_tables import print_sentence, trace_tables
        from rnncls.inference.insight.gates import trace_gates
        from rnncls.machine.device import resolve_run_device
        from rnncls.runs.run import load_run

    path = find_run_or_newest(run)
    loaded = load_run(path)
    (source,) = load_texts(texts, choice, loaded.config.data)
    loaded.classifier.model.to(resolve_run_device(device, loaded.config.device))
    trace = trace_gates(loaded.classifier, source.text, layer)
    if plot is not None:
        from rnncls.cli.reporting.insight_plots import plot_trace

        save_plot(plot, plot_trace(trace), "gates")
    if json_:
        print_json(source, trace.to_dict())
    else:
        print_source(source)
        console = Console(highlight=False)
        console.print(*trace_tables(trace), sep="\n")
        print_sentence(console, trace.meaning())
