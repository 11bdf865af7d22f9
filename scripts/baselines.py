"""Compare rnncls with TF-IDF + logistic regression, fastText and spaCy on AG News.

Every system gets the same training file and predicts the same test rows. rnncls
keeps 2% of the training rows for validation and spaCy 5%; the other two train on all of
them. A time is that of the whole training process, from its start to the trained model,
with an empty cache. Needs the extras `bench` and `glove`:

    python scripts/baselines.py --data data [--only tfidf fasttext spacy ag_news]
"""

import argparse
import csv
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench_packages import require

from rnncls.evaluation.metrics import wilson_interval

TRAINED = "trained"
"""What a worker prints once its model is trained; the next line has its labels."""
HEAD = "| system | test accuracy (95% interval) | training time |\n|---|--:|--:|"
TFIDF_C = 10.0
SPACY_SETTINGS = ("--components.textcat.model.ngram_size", "2")
Rows = list[tuple[str, str]]
"""Texts with their labels."""


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "--data", type=Path, default=Path("data"), help="folder that holds ag_news/"
    )
    parser.add_argument(
        "--only",
        nargs="+",
        choices=[*RNNCLS, *OTHERS],
        default=[*RNNCLS, *OTHERS],
        help="systems to measure",
    )
    parser.add_argument("--worker", choices=OTHERS, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        run_worker(arguments.worker, arguments.data)
        return
    require(parser, *sorted({"fasttext", "spacy"}.intersection(arguments.only)))
    print(HEAD, flush=True)
    for name in arguments.only:
        measure = measure_rnncls if name in RNNCLS else measure_other
        accuracy, num_rows, elapsed_s = measure(name, arguments.data.resolve())
        title = RNNCLS.get(name) or OTHERS[name][0]
        print(format_row(title, accuracy, num_rows, elapsed_s), flush=True)


def format_row(title: str, accuracy: float, num_rows: int, elapsed_s: float) -> str:
    low, high = wilson_interval(round(accuracy * num_rows), num_rows)
    score = f"{accuracy:.2%} ({low:.2%} to {high:.2%})"
    return f"| {title} | {score} | {elapsed_s:.0f} s |"


def measure_rnncls(name: str, data: Path) -> tuple[float, int, float]:
    """Train and evaluate a config of this project through its own commands."""
    program = [sys.executable, "-m", "rnncls"]
    with tempfile.TemporaryDirectory() as folder:
        run = str(Path(folder) / "run")
        environment = {**os.environ, "RNNCLS_CACHE": str(Path(folder) / "cache")}
        train = [*program, "train", "--config", f"configs/{name}.yaml", "--out", run]
        start = time.perf_counter()
        subprocess.run(
            [*train, "--set", f"data.root={data}"],
            check=True,
            capture_output=True,
            env=environment,
        )
        elapsed_s = time.perf_counter() - start
        scores = subprocess.run(
            [*program, "eval", run, "--json"], check=True, capture_output=True
        )
    result = json.loads(scores.stdout)
    return result["accuracy"], result["num_rows"], elapsed_s


def measure_other(name: str, data: Path) -> tuple[float, int, float]:
    """Train another system in a process of its own, and score its labels."""
    command = [sys.executable, __file__, "--worker", name, "--data", str(data)]
    start = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == TRAINED:
                elapsed_s = time.perf_counter() - start
                predicted = json.loads(process.stdout.readline())
                break
    if process.returncode:
        raise SystemExit(f"{name} failed with exit code {process.returncode}")
    expected = [label for _, label in read_rows(data, "test")]
    num_correct = sum(
        label == wanted for label, wanted in zip(predicted, expected, strict=True)
    )
    return num_correct / len(expected), len(expected), elapsed_s


def run_worker(name: str, data: Path) -> None:
    """Train one system, report when it is done, and print its test labels."""
    test_texts = [text for text, _ in read_rows(data, "test")]
    with tempfile.TemporaryDirectory() as folder:
        predict = OTHERS[name][1](read_rows(data, "train"), Path(folder))
        print(TRAINED, flush=True)
        print(json.dumps(predict(test_texts)), flush=True)


def read_rows(data: Path, split: str) -> Rows:
    """Return title and description as one text, and the class, of each row."""
    path = data / "ag_news" / f"{split}.csv"
    with path.open(encoding="utf-8", newline="") as stream:
        return [
            (f"{title} {description}", label)
            for label, title, description in csv.reader(stream)
        ]


Predict = Callable[[list[str]], list[str]]


def train_tfidf(rows: Rows, folder: Path) -> Predict:
    """Train logistic regression on word 1-2-grams and character 2-5-grams."""
    del folder
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    letters = TfidfVectorizer(
        analyzer="char_wb", ngram_range=(2, 5), min_df=2, sublinear_tf=True
    )
    classifier = LogisticRegression(C=TFIDF_C, max_iter=1000)
    pipeline = make_pipeline(make_union(words, letters), classifier)
    pipeline.fit([text for text, _ in rows], [label for _, label in rows])
    return lambda texts: list(map(str, pipeline.predict(texts)))


def train_fasttext(rows: Rows, folder: Path) -> Predict:
    """Train fastText with word bigrams, as its authors do for AG News."""
    import fasttext

    from rnncls.config.sections import TextSection
    from rnncls.text.tokenizer import build_tokenizer

    tokenize = build_tokenizer(TextSection())

    def join_tokens(text: str) -> str:
        return " ".join(tokenize(text))

    file = folder / "train.txt"
    with file.open("w", encoding="utf-8") as stream:
        for text, label in rows:
            stream.write(f"__label__{label} {join_tokens(text)}\n")
    model = fasttext.train_supervised(
        str(file), dim=10, lr=0.25, epoch=5, wordNgrams=2, minCount=1, verbose=0
    )

    def predict(texts: list[str]) -> list[str]:
        labels, _ = model.predict([join_tokens(text) for text in texts])
        return [label[0].removeprefix("__label__") for label in labels]

    return predict


def train_spacy(rows: Rows, folder: Path) -> Predict:
    """Train the `textcat` of spaCy, a bag of words and bigrams, by `spacy train`."""
    import spacy
    from spacy.tokens import DocBin

    shuffled = random.Random(0).sample(rows, len(rows))
    num_valid = len(rows) // 20
    nlp = spacy.blank("en")
    categories = sorted({label for _, label in rows})
    parts = {"dev": shuffled[:num_valid], "train": shuffled[num_valid:]}
    for part, part_rows in parts.items():
        documents = DocBin(store_user_data=True)
        for text, label in part_rows:
            document = nlp.make_doc(text)
            document.cats = {name: float(name == label) for name in categories}
            documents.add(document)
        documents.to_disk(folder / f"{part}.spacy")
    run_spacy("init", "config", str(folder / "config.cfg"), "--pipeline", "textcat")
    run_spacy(
        *("train", str(folder / "config.cfg"), "--output", str(folder)),
        *("--paths.train", str(folder / "train.spacy")),
        *("--paths.dev", str(folder / "dev.spacy")),
        *SPACY_SETTINGS,
    )
    model = spacy.load(folder / "model-best")

    def predict(texts: list[str]) -> list[str]:
        return [best_category(document.cats) for document in model.pipe(texts)]

    return predict


def run_spacy(*arguments: str) -> None:
    command = [sys.executable, "-m", "spacy", *arguments]
    subprocess.run(command, check=True, stdout=sys.stderr)


def best_category(categories: dict[str, float]) -> str:
    return max(categories, key=lambda name: categories[name])


RNNCLS = {
    "ag_news": "rnncls, `configs/ag_news.yaml`",
    "ag_news_fast": "rnncls, `configs/ag_news_fast.yaml`",
}
OTHERS: dict[str, tuple[str, Callable[[Rows, Path], Predict]]] = {
    "tfidf": ("TF-IDF + logistic regression (scikit-learn)", train_tfidf),
    "fasttext": ("fastText, word bigrams", train_fasttext),
    "spacy": ("spaCy `textcat`, bag of words and bigrams", train_spacy),
}

if __name__ == "__main__":
    main()
