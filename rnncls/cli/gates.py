"""`rnncls gates`: states, cells and gates of a layer at each token."""

import json
from typing import Annotated

import typer

from rnncls.cli.options import DeviceOption, JsonOption, PlotOption, TextRunOption
from rnncls.cli.screen import save_plot
from rnncls.machine.imports import fast_imports


def gates_command(
    text: Annotated[str, typer.Argument(help="The text.", show_default=False)],
    run: TextRunOption = None,
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

    with fast_imports():
        from rnncls.inference.insight.gates import trace_gates
        from rnncls.machine.device import resolve_run_device
        from rnncls.reporting.insight_tables import print_sentence, trace_tables
        from rnncls.runs.folder import find_run
        from rnncls.runs.run import load_run

    loaded = load_run(find_run(run))
    loaded.classifier.model.to(resolve_run_device(device, loaded.config.device))
    trace = trace_gates(loaded.classifier, text, layer)
    if plot is not None:
        from rnncls.reporting.insight_plots import plot_trace

        save_plot(plot, plot_trace(trace))
    if json_:
        typer.echo(json.dumps(trace.to_dict()))
    else:
        console = Console(highlight=False)
        console.print(*trace_tables(trace), sep="\n")
        print_sentence(console, trace.meaning())
