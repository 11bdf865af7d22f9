"""Train and evaluate configs in turn, and print the table of measured results.

python scripts/measure.py configs/quickstart.yaml configs/ag_news.yaml
configs/lesson/*.yaml --set data.root=FOLDER
"""

import argparse
import tempfile
from pathlib import Path

from rnncls.config.loading import load_config
from rnncls.evaluation.run_evaluation import evaluate_run
from rnncls.training.run import train

HEAD = (
    "| config | training rows | parameters | epochs | s an epoch | test rows | test"
    " accuracy (95% interval) |"
)


def main() -> None:
    """Print the table, a row as soon as it is measured."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("configs", nargs="+", type=Path)
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY.PATH=VALUE",
        help="for every config",
    )
    arguments = parser.parse_args()
    print(HEAD, "|---|--:|--:|--:|--:|--:|--:|", sep="\n")
    with tempfile.TemporaryDirectory() as folder:
        for number, path in enumerate(arguments.configs):
            print(measure(path, arguments.set, Path(folder) / str(number)), flush=True)


def measure(path: Path, overrides: list[str], run: Path) -> str:
    """Train a config into the folder `run`, evaluate it, and return its row."""
    config = load_config(path)
    own = [
        override
        for override in overrides
        if config.data.name == "ag_news" or "data." not in override
    ]
    summary = train(load_config(path, own), run)
    scores = evaluate_run(run).scores()
    low, high = scores.accuracy_interval
    cells = [
        f"`{path}`",
        f"{summary['data']['num_train_rows']:,}",
        f"{summary['num_parameters']:,}",
        str(summary["num_epochs"]),
        f"{summary['train_s'] / summary['num_epochs']:.1f}",
        f"{scores.num_rows:,}",
        f"{scores.accuracy:.2%} ({low:.2%} to {high:.2%})",
    ]
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    main()
