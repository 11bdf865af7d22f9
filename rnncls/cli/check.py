"""`rnncls check`: verify that batching, padding and hardware change no prediction."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rnncls import ConfigError, DataError
from rnncls.cli.eval import SplitName
from rnncls.cli.options import (
    JsonOption,
    NoCacheOption,
    NumTextsOption,
    RunArgument,
    RunOption,
    choose_run,
)
from rnncls.cli.text_arguments import STDIN
from rnncls.cli.text_columns import read_texts
from rnncls.machine.imports import fast_imports

if TYPE_CHECKING:
    from rnncls.runs.run import Run
    from rnncls.text.encoded_texts import EncodedTexts


def check_command(
    run_folder: RunArgument = None,
    run: RunOption = None,
    split: Annotated[SplitName, typer.Option(help="Split of the run's data.")] = "test",
    input_: Annotated[
        str | None,
        typer.Option(
            "--input",
            help=(
                "Check the texts of this file instead, of any format that 'rnncls"
                " predict' reads; - reads stdin."
            ),
            metavar="FILE",
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            help=(
                "Column of the text in --input; may be repeated. Default: the columns"
                " that the run was trained on."
            ),
            metavar="COLUMN",
            show_default=False,
        ),
    ] = None,
    num_texts: NumTextsOption = 256,
    json_: JsonOption = False,
    no_cache: NoCacheOption = False,
) -> None:
    """Verify that padding, batching and threads do not affect results.

    Other devices and dtypes are tested too. The exit code is 1 if a check fails.
    """
    from rich.console import Console

    with fast_imports():
        from rnncls.cli.reporting.insight_tables import check_table, print_sentence
        from rnncls.inference.insight.invariance import (
            check_invariance,
            describe_checks,
        )
        from rnncls.text.batch_plans import evenly_spaced

    if text and input_ is None:
        raise ConfigError("--text: only allowed with --input FILE")
    loaded, texts, source = open_texts(
        choose_run(run_folder, run), split, input_, text or [], use_cache=not no_cache
    )
    chosen = texts.select(evenly_spaced(len(texts), num_texts))
    classifier = loaded.classifier
    checks = check_invariance(classifier.model, chosen, classifier.thresholds)
    meaning = describe_checks(checks, len(chosen))
    holds = all(check.holds for check in checks)
    if json_:
        rows = [check.to_dict() for check in checks]
        typer.echo(
            json.dumps(
                {
                    "holds": holds,
                    "checks": rows,
                    "data": source,
                    "num_texts": len(chosen),
                    "meaning": meaning,
                }
            )
        )
    else:
        console = Console(highlight=False)
        console.print(
            check_table(
                checks, f"{loaded.path.name} on {len(chosen):,} texts of {source}"
            )
        )
        print_sentence(console, meaning)
    if not holds:
        raise typer.Exit(1)


def open_texts(
    path: Path,
    split: SplitName,
    input_: str | None,
    text_columns: list[str],
    *,
    use_cache: bool,
) -> "tuple[Run, EncodedTexts, str]":
    """Return a run on the CPU, encoded texts, and the name of their source.

    Raises:
        RnnclsError: The run or the texts are invalid, or there are no texts.
    """
    from rnncls.runs.run import load_run
    from rnncls.text.encoded_texts import encode_texts
    from rnncls.text.tokenizer import tokenize_texts

    if input_ is None:
        from rnncls.evaluation.loading import load_run_and_split

        run, rows, origin = load_run_and_split(
            path, split=split, device="cpu", use_cache=use_cache
        )
        return run, rows.texts, origin["path"]
    run = load_run(path)
    chunks = read_texts(input_, run.config.data, text_columns)
    texts = [text for chunk in chunks for text in chunk]
    if not texts:
        raise DataError(f"{input_}: found no text, expected at least one")
    return (
        run,
        encode_texts(tokenize_texts(texts, run.config.text), run.classifier.vocab),
        "stdin" if input_ == STDIN else input_,
    )
