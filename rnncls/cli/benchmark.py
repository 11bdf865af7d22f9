"""`rnncls benchmark`: measure the speed of training, prediction and start-up."""

import json
from typing import Annotated, Any

import typer

from rnncls.cli.eval import DataOption, SplitOption, check_source
from rnncls.cli.options import (
    ConfigArgument,
    ConfigOption,
    JsonOption,
    RunArgument,
    RunOption,
    SetOption,
    choose_config,
    choose_run,
)
from rnncls.cli.screen import print_tables
from rnncls.machine.imports import fast_imports

DeviceOption = Annotated[
    str, typer.Option(help="Measure on auto, cpu, cuda, cuda:N or mps.")
]

ALL_DIGITS_FROM = 100
"""From this value on, all digits before the decimal point are shown."""

app = typer.Typer(
    help="Measure the speed of training, prediction and start-up.", no_args_is_help=True
)


@app.command("train")
def train_command(
    config_file: ConfigArgument = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    device: DeviceOption = "cpu",
    json_: JsonOption = False,
) -> None:
    """Compare training steps with a plain nn.RNN, nn.LSTM or nn.GRU."""
    from rnncls.config.loading import load_config
    from rnncls.config.yaml_format import dump_config

    config = choose_config(config_file, config)
    with fast_imports():
        from rnncls.cli.reporting.benchmark.training import benchmark_training
        from rnncls.machine.device import resolve_device

    checked = load_config(config, set_ or [])
    _announce("training steps", json_=json_)
    result = benchmark_training(
        checked.data_settings,
        checked.model,
        checked.train,
        dump_config(checked),
        resolve_device(device),
    )
    _show(result, json_=json_)


@app.command("predict")
def predict_command(
    config_file: ConfigArgument = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    device: DeviceOption = "cpu",
    json_: JsonOption = False,
) -> None:
    """Compare prediction with a plain nn.RNN, nn.LSTM or nn.GRU."""
    from rnncls.config.loading import load_config

    config = choose_config(config_file, config)
    with fast_imports():
        from rnncls.cli.reporting.benchmark.prediction import benchmark_prediction
        from rnncls.machine.device import resolve_device

    checked = load_config(config, set_ or [])
    _announce("prediction", json_=json_)
    result = benchmark_prediction(
        checked.data_settings, checked.model, resolve_device(device)
    )
    _show(result, json_=json_)


@app.command("startup")
def startup_command(
    config_file: ConfigArgument = None,
    config: ConfigOption = None,
    set_: SetOption = None,
    json_: JsonOption = False,
) -> None:
    """Compare the time of short commands with that of the imports they need."""
    from rnncls.config.loading import load_config
    from rnncls.config.yaml_format import dump_config

    config = choose_config(config_file, config)
    with fast_imports():
        from rnncls.cli.reporting.benchmark.startup import benchmark_startup

    checked = load_config(config, set_ or [])
    _announce("the start of commands", json_=json_)
    result = benchmark_startup(
        config, dump_config(checked), checked.data_settings, checked.model
    )
    _show(result, json_=json_)


@app.command("formats")
def formats_command(
    run_folder: RunArgument = None,
    run: RunOption = None,
    split: SplitOption = None,
    data: DataOption = None,
    texts: Annotated[
        int | None,
        typer.Option(
            min=1, help="Classify that many rows only, the first ones.", metavar="N"
        ),
    ] = None,
    json_: JsonOption = False,
) -> None:
    """Compare a run in torch and NumPy with its exports: size, speed and accuracy."""
    with fast_imports():
        from rnncls.cli.reporting.benchmark.formats import (
            benchmark_formats,
            tabulate_formats,
        )

    check_source(split, data)
    path = choose_run(run_folder, run)
    _announce("the run and its exports", json_=json_)
    result = benchmark_formats(path, split=split or "test", data=data, max_texts=texts)
    if json_:
        typer.echo(json.dumps(result))
    else:
        print_tables([], [tabulate_formats(result)])


def _announce(what: str, *, json_: bool) -> None:
    """Say what is being measured, as nothing else is printed until the end."""
    if not json_:
        typer.echo(f"measuring {what}: this can take a minute or more", err=True)


def _show(result: dict[str, Any], *, json_: bool) -> None:
    if json_:
        typer.echo(json.dumps(result))
        return
    for key, value in result.items():
        typer.echo(f"{key:<24}{format_figure(value)}")


def format_figure(value: object) -> str:
    """Return a figure with three significant digits, a range as its two ends."""
    if isinstance(value, list | tuple):
        return " to ".join(map(format_figure, value))
    if not isinstance(value, float):
        return str(value)
    if value >= ALL_DIGITS_FROM:
        return f"{value:,.0f}"
    return f"{value:.3g}"
