"""Train on data sets of several languages and compare with a linear classifier.

    scripts/languages DATA [--only SET ...] [--seeds 3] [--jobs 16]

A data set is a folder in DATA with `train.csv`, `test.csv` and perhaps `valid.csv`, or
with `all.csv`, of which every fifth row becomes a test row. Two systems learn from the
training file and are scored on the test rows:

- rnncls, with the config that `rnncls init` writes, without edits, once with each seed;
- the baseline: TF-IDF of the sequences of 1 to 4 characters and a linear SVM, by
  scikit-learn. It is deterministic and does not use validation rows.

Each training has one core and its own cache. A finished training is reported on stderr
at once, and the table comes at the end. Nothing is downloaded.
"""

import argparse
import csv
import json
import math
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, NamedTuple

from rnncls.config.loading import load_config
from rnncls.config.sections import DataSection
from rnncls.data.datasets import columns_of
from rnncls.data.readers import read_rows

LANGUAGES = {
    "ja-counterfactual": "Japanese",
    "zh-thucnews-titles": "Chinese",
    "th-wisesight": "Thai",
    "ko-nsmc-50k": "Korean",
    "ar-arsarcasm-sentiment": "Arabic",
    "clinc150": "English",
    "movie_reviews": "English",
}
"""The data sets that are measured unless --only names others."""
OUT_OF_SCOPE = "oos"
"""The class of clinc150 without which its accuracy is usually published."""
TEST_EVERY = 5
"""Of `all.csv`, one row in so many is a test row."""
COLUMNS = (
    "data set",
    "language",
    "training / test rows, classes",
    "tokenizer",
    "rnncls: accuracy",
    "macro-F1",
    "baseline: accuracy",
    "macro-F1",
    "training, s",
)
NUM_TEXT_COLUMNS = 4
CsvRows = list[list[str]]


class DataSet(NamedTuple):
    """A data set that is ready for training.

    Attributes:
        name: The name of its folder.
        config: What `rnncls init` wrote.
        num_train: The number of training rows.
        num_test: The number of test rows.
        num_classes: The number of classes of the training rows.
        tokenizer: The tokenizer of the config.
    """

    name: str
    config: Path
    num_train: int
    num_test: int
    num_classes: int
    tokenizer: str


class Result(NamedTuple):
    """The scores of one training on the test rows.

    Attributes:
        name: The name of the data set.
        system: `rnncls` or `baseline`.
        accuracy: The share of the test rows that are classified correctly.
        macro_f1: The mean F1 of the classes.
        in_scope: The accuracy without the rows of the class `oos`; None: there is no
            such class.
        elapsed_s: The time from the start of the training to the trained model.
    """

    name: str
    system: str
    accuracy: float
    macro_f1: float
    in_scope: float | None
    elapsed_s: float


def main() -> None:
    """Measure and print the table; exit with 1 if a training failed."""
    arguments = parse_arguments()
    os.environ["OMP_NUM_THREADS"] = "1"
    with tempfile.TemporaryDirectory() as temporary:
        work = (arguments.out or Path(temporary)).resolve()
        data_sets = [
            prepare(arguments.data.resolve() / name, work / name, arguments.max_rows)
            for name in arguments.only or find_known(arguments.data)
        ]
        seeds = [] if arguments.baseline_only else range(1, arguments.seeds + 1)
        results, num_failed = measure(
            data_sets, seeds, arguments.device, arguments.jobs
        )
    print_table(data_sets, results)
    sys.exit(1 if num_failed else 0)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("data", type=Path, help="folder that holds the data sets")
    parser.add_argument(
        "--only", nargs="+", metavar="SET", help="folders of the data sets to measure"
    )
    parser.add_argument("--seeds", type=int, default=3, help="trainings per data set")
    parser.add_argument("--jobs", type=int, default=1, help="trainings at a time")
    parser.add_argument("--baseline-only", action="store_true")
    parser.add_argument("--device", default="cpu", help="where rnncls trains")
    parser.add_argument(
        "--max-rows", type=int, help="for a quick try: rows of each file to use"
    )
    parser.add_argument("--out", type=Path, help="folder in which to keep the runs")
    return parser.parse_args()


def find_known(data: Path) -> list[str]:
    """Return the known data sets that the folder has."""
    names = [name for name in LANGUAGES if (data / name).is_dir()]
    if not names:
        sys.exit(f"{data}: expected folders such as {', '.join(LANGUAGES)}")
    return names


def prepare(source: Path, work: Path, max_rows: int | None) -> DataSet:
    """Copy the files of a data set and let `rnncls init` write a config for them."""
    work.mkdir(parents=True)
    copy_files(source, work, max_rows)
    config = work / "config.yaml"
    run_rnncls("init", str(find_train(work)), "--out", str(config), work=work)
    section = load_config(config)
    train_labels = read_labelled(section.data, "train")[1]
    test_labels = read_labelled(section.data, "test")[1]
    return DataSet(
        source.name,
        config,
        len(train_labels),
        len(test_labels),
        len(set(train_labels)),
        section.text.tokenizer,
    )


def copy_files(source: Path, work: Path, max_rows: int | None) -> None:
    """Copy the data files; divide `all.csv` into training and test rows."""
    if (source / "all.csv").exists():
        header, rows = read_csv(source / "all.csv", max_rows)
        is_test = [number % TEST_EVERY == 0 for number in range(len(rows))]
        pairs = list(zip(rows, is_test, strict=True))
        write_csv(work / "train.csv", header, [row for row, test in pairs if not test])
        write_csv(work / "test.csv", header, [row for row, test in pairs if test])
        return
    for split in ("train", "valid", "test"):
        for file in source.glob(f"{split}.*"):
            if max_rows is not None and file.suffix == ".csv":
                write_csv(work / file.name, *read_csv(file, max_rows))
            else:
                shutil.copyfile(file, work / file.name)


def read_csv(file: Path, max_rows: int | None) -> tuple[list[str], CsvRows]:
    """Return the header and at most `max_rows` rows, from all parts of the file."""
    with file.open(encoding="utf-8", newline="") as stream:
        header, *rows = csv.reader(stream)
    step = math.ceil(len(rows) / max_rows) if max_rows else 1
    return header, rows[:: max(step, 1)]


def write_csv(file: Path, header: list[str], rows: CsvRows) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([header, *rows])


def find_train(folder: Path) -> Path:
    """Return the training file."""
    files = sorted(folder.glob("train.*"))
    if not files:
        sys.exit(f"{folder.name}: expected a file train.csv or all.csv")
    return files[0]


def read_labelled(section: DataSection, split: str) -> tuple[list[str], list[str]]:
    """Return the texts and the labels of a file of the config, as rnncls reads them."""
    texts, labels = list[str](), list[str]()
    for rows in read_rows(Path(getattr(section, split)), columns_of(section)):
        texts += rows.texts
        labels += rows.labels
    return texts, labels


def measure(
    data_sets: Sequence[DataSet], seeds: Sequence[int], device: str, num_jobs: int
) -> tuple[list[Result], int]:
    """Train all systems, the largest data sets first.

    Returns:
        The results, in the order in which they were finished, and the number of
        trainings that failed.
    """
    jobs: dict[Future[Result], str] = {}
    results, num_failed = list[Result](), 0
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(num_jobs, context) as pool:
        for data_set in sorted(data_sets, key=file_size, reverse=True):
            for seed in seeds:
                job = pool.submit(train_rnncls, data_set, seed, device)
                jobs[job] = f"{data_set.name}, rnncls, seed {seed}"
            job = pool.submit(train_baseline, data_set)
            jobs[job] = f"{data_set.name}, baseline"
        for job in as_completed(jobs):
            error = job.exception()
            if error is None:
                results.append(job.result())
                report(jobs[job], format_result(job.result()))
            else:
                num_failed += 1
                report(jobs[job], f"failed: {error}")
    return results, num_failed


def file_size(data_set: DataSet) -> int:
    return find_train(data_set.config.parent).stat().st_size


def report(name: str, message: str) -> None:
    print(f"{name}: {message}", file=sys.stderr, flush=True)


def format_result(result: Result) -> str:
    scores = f"accuracy {result.accuracy:.2%}, macro-F1 {result.macro_f1:.2%}"
    if result.in_scope is not None:
        scores += f", in scope {result.in_scope:.2%}"
    return f"{scores}, {result.elapsed_s:.0f} s"


def train_rnncls(data_set: DataSet, seed: int, device: str) -> Result:
    """Train and evaluate through the commands of this project."""
    work = data_set.config.parent / f"seed-{seed}"
    run = str(work / "run")
    options = ("--set", f"seed={seed}", "--set", f"device={device}")
    train = ("train", "--config", str(data_set.config), "--out", run, *options)
    start = time.perf_counter()
    run_rnncls(*train, work=work)
    elapsed_s = time.perf_counter() - start
    scores = json.loads(run_rnncls("eval", run, "--json", work=work))
    return Result(
        data_set.name,
        "rnncls",
        scores["accuracy"],
        scores["macro_f1"],
        find_in_scope(scores["per_class"]),
        elapsed_s,
    )


def find_in_scope(per_class: list[dict[str, Any]]) -> float | None:
    """Return the accuracy on the rows of all classes but `oos`, if there is one."""
    in_scope = [row for row in per_class if row["label"] != OUT_OF_SCOPE]
    if len(in_scope) == len(per_class):
        return None
    num_correct = sum(row["recall"] * row["support"] for row in in_scope)
    return float(num_correct / sum(row["support"] for row in in_scope))


def run_rnncls(*arguments: str, work: Path) -> str:
    """Run a command of this project and return what it printed.

    Raises:
        RuntimeError: It failed.
    """
    done = subprocess.run(
        [sys.executable, "-m", "rnncls", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "RNNCLS_CACHE": str(work / "cache")},
    )
    if done.returncode:
        raise RuntimeError(f"rnncls {' '.join(arguments)}: {done.stderr[-2000:]}")
    return done.stdout


def train_baseline(data_set: DataSet) -> Result:
    """Train and score TF-IDF of characters 1-4 with a linear SVM."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.metrics import accuracy_score, f1_score
    from sklearn.pipeline import make_pipeline
    from sklearn.svm import LinearSVC

    section = load_config(data_set.config).data
    texts, labels = read_labelled(section, "train")
    test_texts, test_labels = read_labelled(section, "test")
    vectorizer = TfidfVectorizer(
        analyzer="char", ngram_range=(1, 4), min_df=2, sublinear_tf=True
    )
    pipeline = make_pipeline(vectorizer, LinearSVC(C=1.0))
    start = time.perf_counter()
    pipeline.fit(texts, labels)
    elapsed_s = time.perf_counter() - start
    predicted = pipeline.predict(test_texts).tolist()
    pairs = zip(test_labels, predicted, strict=True)
    in_scope = [label == guess for label, guess in pairs if label != OUT_OF_SCOPE]
    has_out_of_scope = len(in_scope) < len(test_labels)
    return Result(
        data_set.name,
        "baseline",
        float(accuracy_score(test_labels, predicted)),
        float(f1_score(test_labels, predicted, average="macro", zero_division=0.0)),
        statistics.mean(in_scope) if has_out_of_scope else None,
        elapsed_s,
    )


def print_table(data_sets: Iterable[DataSet], results: Sequence[Result]) -> None:
    """Print a Markdown table: the mean and standard deviation of all seeds."""
    print(f"| {' | '.join(COLUMNS)} |")
    num_figures = len(COLUMNS) - NUM_TEXT_COLUMNS
    print("|" + "---|" * NUM_TEXT_COLUMNS + "--:|" * num_figures)
    for data_set in data_sets:
        found = [result for result in results if result.name == data_set.name]
        counts = f"{data_set.num_train:,} / {data_set.num_test:,}"
        cells = [
            data_set.name,
            LANGUAGES.get(data_set.name, ""),
            f"{counts}, {data_set.num_classes}",
            data_set.tokenizer,
        ]
        for system in ("rnncls", "baseline"):
            cells.append(summarize(found, system, lambda result: result.accuracy))
            cells.append(summarize(found, system, lambda result: result.macro_f1))
        seconds = [result.elapsed_s for result in found if result.system == "rnncls"]
        cells.append(f"{statistics.mean(seconds):.0f}" if seconds else "")
        print(f"| {' | '.join(cells)} |")
        if any(result.in_scope is not None for result in found):
            print_in_scope(data_set, found)


def print_in_scope(data_set: DataSet, results: Sequence[Result]) -> None:
    """Print the row of a data set without the rows of the class `oos`."""
    cells = [f"{data_set.name} without `{OUT_OF_SCOPE}` rows", "", "", ""]
    for system in ("rnncls", "baseline"):
        cells += [summarize(results, system, lambda result: result.in_scope), ""]
    print(f"| {' | '.join([*cells, ''])} |")


def summarize(
    results: Iterable[Result], system: str, score: Callable[[Result], float | None]
) -> str:
    """Return the mean of a score in percent and, of several seeds, the deviation."""
    scores = [score(result) for result in results if result.system == system]
    values = [100 * value for value in scores if value is not None]
    if not values:
        return ""
    mean = f"{statistics.mean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.1f}"


if __name__ == "__main__":
    main()
