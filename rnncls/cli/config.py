"""`rnncls config`: show, check and describe configs, without loading torch."""

import json
from pathlib import Path

import typer

from rnncls.cli.options import ConfigArgument, ConfigOption, SetOption, choose_config

app = typer.Typer(
    help="Check and print configs, and list all config keys.", no_args_is_help=True
)


@app.command("validate")
def validate_command(
    config_file: ConfigArgument = None,
    config: ConfigOption = None,
    set_: SetOption = None,
) -> None:
    """Check a config and report all errors, with line numbers and similar keys.

    Notes name files that are missing or lack a column. Only the first rows of each file
    are read; 'rnncls inspect' reads all.
    """
    from rnncls.config.loading import load_config
    from rnncls.data.named_files import find_file_problems

    config = choose_config(config_file, config)
    checked = load_config(config, set_ or [])
    runs = [("train.teachers", teacher) for teacher in checked.train.teachers]
    if checked.model.pretrained is not None:
        runs.append(("model.pretrained", checked.model.pretrained))
    problems = find_file_problems(checked.data)
    for key, run in runs:
        if not Path(run).is_dir():
            problems.append(f"{key}: {run}: no such run folder")
    for problem in problems:
        typer.echo(f"note: {problem}", err=True)
    end = ", but see the notes on its files" if problems else ""
    typer.echo(f"{config}: valid{end}")


@app.command("show")
def show_command(
    config_file: ConfigArgument = None,
    config: ConfigOption = None,
    set_: SetOption = None,
) -> None:
    """Print a config with a value for every key."""
    from rnncls.config.loading import load_config
    from rnncls.config.yaml_format import dump_config

    config = choose_config(config_file, config)
    typer.echo(dump_config(load_config(config, set_ or [])), nl=False)


@app.command("schema")
def schema_command(
    markdown: bool = typer.Option(
        False, "--markdown", help="Print a Markdown table of the keys instead."
    ),
) -> None:
    """Print the JSON schema of the config, for editors."""
    from rnncls.config.describe import build_json_schema, keys_as_markdown

    typer.echo(
        keys_as_markdown() if markdown else json.dumps(build_json_schema(), indent=2)
    )
