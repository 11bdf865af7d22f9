"""Train the lesson's networks and write docs/understand/lesson.md.

This script measures every figure in it.

Finished runs are kept in the work folder, so that a second start continues where the
first one stopped.

    scripts/lesson DATA_ROOT [--work runs/lesson] [--out docs] [--rows N]
"""

import argparse
import contextlib
import time
from pathlib import Path

from lesson_page import Findings, write_page
from lesson_runs import ROOT, Result, list_experiments, run_all, write_files

from rnncls.cli.gradient import measure_runs
from rnncls.data.loading import load_split
from rnncls.inference.insight.gradients import Measured, choose_rows, measure_network
from rnncls.inference.insight.word_order import WordOrderResult, compare_with_bag
from rnncls.nn.encoder import Encoder
from rnncls.runs.run import load_run
from rnncls.training.bag_of_words import train_or_load_bag
from rnncls.training.initialization import initial_model_of

GRADIENT_ROWS = 1_000
GRADIENTS = ("rnn_last", "lstm_packed", "gru")
"""The networks of one direction that classify by their last state."""
AUDITED = {
    "quickstart": "quickstart",
    "reviews": "movie reviews",
    "bidirectional": "AG News",
}
"""Whose first run shows what order is worth on which data."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "root",
        type=Path,
        help="the folder that holds ag_news/, and perhaps movie_reviews/",
    )
    parser.add_argument(
        "--work",
        type=Path,
        default=ROOT / "runs" / "lesson",
        help="where the runs are kept",
    )
    parser.add_argument(
        "--out",
        type=Path,
        default=ROOT / "docs" / "understand",
        help="where lesson.md and lesson/*.png go",
    )
    parser.add_argument(
        "--rows",
        type=int,
        help="training rows of AG News for the lesson's networks; default: all",
    )
    arguments = parser.parse_args()
    root, work, out = (
        path.resolve() for path in (arguments.root, arguments.work, arguments.out)
    )
    start = time.monotonic()
    work.mkdir(parents=True, exist_ok=True)
    with contextlib.chdir(
        work
    ):  # runs/latest is the user's: the one of these runs goes into the work folder
        print(f"writing the data files into {work}", flush=True)
        write_files(root, work, arguments.rows)
        results = run_all(list_experiments(work), work)
        print("measuring gradients and orders", flush=True)
        command = "scripts/lesson DATA_ROOT" + (
            f" --rows {arguments.rows}" if arguments.rows else ""
        )
        findings = Findings(
            results,
            find_curves(results),
            find_torchs_curve(results),
            find_orders(results),
            command,
        )
    write_page(findings, out)
    print(f"{out / 'lesson.md'} written, {time.monotonic() - start:.0f} s in all")


def find_curves(results: dict[str, list[Result]]) -> list[Measured]:
    """Return the gradients through time of three cells, untrained and trained."""
    return measure_runs(
        [results[name][0].path for name in GRADIENTS], "test", GRADIENT_ROWS
    )[0]


def find_torchs_curve(results: dict[str, list[Result]]) -> list[Measured]:
    """Return the gradients of the same three with torch's default recurrent weights."""
    measured = []
    for name in GRADIENTS:
        run = load_run(results[name][0].path)
        split, _ = load_split(
            run.config.data_settings,
            "test",
            run.classifier.vocab,
            run.classifier.label_names,
        )
        model = initial_model_of(run)
        assert isinstance(model.encoder, Encoder)
        model.encoder.rnn.reset_parameters()
        measured += measure_network(
            run.path.name, "first", model, choose_rows(split, GRADIENT_ROWS, seed=0)
        )
    return measured


def find_orders(results: dict[str, list[Result]]) -> dict[str, list[WordOrderResult]]:
    """Return the accuracy of runs in each word order, beside a bag of words.

    The keys are the names of the data.
    """
    found = {}
    for name, data in AUDITED.items():
        if name in results:
            run = load_run(results[name][0].path)
            section = run.config.train
            lr = 0.01 if name == "quickstart" else section.lr
            bag = train_or_load_bag(
                run, [f"train.batch_size={section.batch_size}", f"train.lr={lr}"]
            )
            found[data] = compare_with_bag(run, bag, "test", draws=5)[0]
    return found


if __name__ == "__main__":
    main()
