"""Classify texts with model.onnx; needs numpy, onnxruntime and Python 3.11 or newer.

    python predict.py "a text" "another text"
    python predict.py - < texts.txt              one text a line
    python predict.py --json "a text"            the probability of every label
    python predict.py --check                    the test vectors of the model

In a program: `Classifier("model.onnx").predict(["a text"])`; `find_fitting` says which
texts fit one of the labels. For a model with several labels a text, `predict_labels`
returns those that reach their threshold, and `--threshold 0.3` is another threshold for
all labels. `--min-confidence 0.8` gives no answer if the prediction is right with a
lower probability. Exit code 2 is for a wrong option, 3 for input that cannot be read, 4
for a model.onnx that is missing or damaged.
`rnncls export` wrote this file; everything about the model is in model.onnx.
"""

import argparse
import hashlib
import io
import json
import math
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from rnncls.inference.export.script_tokenizer import Tokenizer

UNK_ID = 1
FORMATS = ("1", "2")
"""The versions of the metadata that this program reads."""
SEAL_BYTES, CHECKSUM_BYTES = 76, 64
"""The size of the last entry of the metadata, and of the checksum at its end."""
MAX_BATCH = 8
"""Texts computed at once: larger batches hold more padding and are slower."""
WINDOW = 1024
"""Texts sorted by length at once."""
TOLERANCE = 1e-4
"""The largest difference from a probability of the test vectors."""

TokenIds = Sequence[int] | npt.NDArray[np.integer[Any]]
Array = npt.NDArray[np.float32]


class ModelError(Exception):
    """A model.onnx is missing, damaged, or not one that this program reads."""


class InputError(Exception):
    """The input cannot be read."""


def read_model(path: Path) -> bytes:
    """Return the bytes of a model that match the checksum at their end.

    Raises:
        ModelError: The file is missing, damaged, or not from `rnncls export`.
    """
    try:
        model = path.read_bytes()
    except OSError as error:
        reason = error.strerror or error
        raise ModelError(f"{path}: cannot be read: {reason}") from error
    checksum = hashlib.sha256(model[:-SEAL_BYTES]).hexdigest()
    if model[-CHECKSUM_BYTES:] != checksum.encode():
        raise ModelError(
            f"{path}: damaged, or not written by rnncls export: export the run again"
        )
    return model


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """Return a session that computes with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"]
    )


def compute_outputs(
    session: onnxruntime.InferenceSession, texts: Sequence[TokenIds]
) -> tuple[Array, Array]:
    """Return logits and probabilities of N texts, given as token ids. [N, C] each."""
    _, outputs = session.get_outputs()
    num_texts, num_classes = len(texts), outputs.shape[1]
    logits = np.zeros((num_texts, num_classes), np.float32)
    probs = np.zeros((num_texts, num_classes), np.float32)
    for rows in batch_rows(texts, get_max_batch(session)):
        inputs = {"token_ids": pad([texts[row] for row in rows])}
        logits[rows], probs[rows] = session.run(["logits", "probs"], inputs)
    return logits, probs


def compute_probs(
    session: onnxruntime.InferenceSession, texts: Sequence[TokenIds]
) -> Array:
    """Return the probabilities of N texts, given as token ids. [N, C] float32."""
    return compute_outputs(session, texts)[1]


def compute_energies(logits: Array) -> npt.NDArray[np.float64]:
    """Return the logarithm of the summed exponentials of logits. [N, C] -> [N]."""
    wide = logits.astype(np.float64)
    largest = wide.max(axis=1)
    sums = np.exp(wide - largest[:, None]).sum(axis=1)
    energies: npt.NDArray[np.float64] = largest + np.log(sums)
    return energies


def get_max_batch(session: onnxruntime.InferenceSession) -> int:
    """Return how many texts a session may compute at once."""
    (inputs,) = session.get_inputs()
    return 1 if inputs.shape[0] == 1 else MAX_BATCH


def batch_rows(texts: Sequence[TokenIds], max_batch: int) -> Iterator[list[int]]:
    """Yield the rows of each batch, texts of similar length together."""
    lengths = [len(token_ids) for token_ids in texts]
    by_length = sorted(range(len(texts)), key=lengths.__getitem__)
    for first in range(0, len(texts), max_batch):
        yield by_length[first : first + max_batch]


def pad(texts: Sequence[TokenIds]) -> npt.NDArray[np.int64]:
    """Return token ids with 0 after the end of each text. [B, T] int64."""
    token_ids = np.zeros((len(texts), max(map(len, texts))), np.int64)
    for row, ids in zip(token_ids, texts, strict=True):
        row[: len(ids)] = ids
    return token_ids


class Classifier:
    """A model and its tokenizer.

    Attributes:
        labels: The labels, in the order of the probabilities.
        thresholds: From which probability on a text has each label; None: it has one.
        scope_rule: The least score of a text that fits one of the labels, and the
            weight of its unknown tokens; None: the model cannot tell.
        min_confidence: Below this `confidence`, the program gives no answer.
    """

    def __init__(self, path: str | Path) -> None:
        """Load model.onnx.

        Raises:
            ModelError: The file is missing or damaged, or from another version.
        """
        self.session = open_session(read_model(Path(path)))
        self.metadata = self.session.get_modelmeta().custom_metadata_map
        if self.metadata["format"] not in FORMATS:
            raise ModelError(
                f"{path}: has format {self.metadata['format']}, this predict.py reads"
                f" {' and '.join(FORMATS)}: use the predict.py exported with it"
            )
        self.min_confidence = 0.0
        self.labels: list[str] = json.loads(self.metadata["labels"])
        self.thresholds = self.read_thresholds()
        scope_rule = json.loads(self.metadata.get("energy_rule", "null"))
        self.scope_rule: list[float] | None = scope_rule
        words = self.metadata["words"].split("\n")
        self.tokenize = Tokenizer(json.loads(self.metadata["tokenizer"]), set(words))
        self.token_ids = {word: index for index, word in enumerate(words)}
        del self.token_ids["<pad>"]

    def read_thresholds(self) -> list[float] | None:
        """Return from which probability on a text has a label; None: it has one."""
        if self.metadata.get("task", "one_label") == "one_label":
            return None
        return [float(value) for value in json.loads(self.metadata["thresholds"])]

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text."""
        return [self.token_ids.get(token, UNK_ID) for token in self.tokenize(text)]

    def predict_proba(self, texts: Sequence[str]) -> Array:
        """Return the probability of each label for N texts. [N, C] float32."""
        return compute_probs(self.session, [self.encode(text) for text in texts])

    def predict(self, texts: Sequence[str]) -> list[str]:
        """Return the most probable label of each text."""
        probs = self.predict_proba(texts)
        return [self.labels[index] for index in probs.argmax(axis=1)]

    def predict_labels(self, texts: Sequence[str]) -> list[list[str]]:
        """Return the labels of each text, the most probable first; perhaps none."""
        probs = self.predict_proba(texts).tolist()
        return [self.choose_labels(text_probs) for text_probs in probs]

    def find_fitting(self, texts: Sequence[str]) -> list[bool] | None:
        """Return whether each text fits one of the labels; None: it cannot tell."""
        encoded = [self.encode(text) for text in texts]
        logits, _ = compute_outputs(self.session, encoded)
        return self.decide_fits(encoded, logits)

    def decide_fits(
        self, texts: Sequence[TokenIds], logits: Array
    ) -> list[bool] | None:
        """Return whether each text, given as token ids, fits one of the labels.

        A text without a known word fits none.
        """
        if self.scope_rule is None:
            return None
        threshold, weight = self.scope_rule
        fits = []
        for energy, text in zip(compute_energies(logits), texts, strict=True):
            num_unknown = sum(token_id == UNK_ID for token_id in text)
            score = float(energy) - weight * num_unknown / len(text)
            fits.append(num_unknown < len(text) and score >= threshold)
        return fits

    def choose_labels(self, probs: Sequence[float]) -> list[str]:
        """Return the labels that reach their threshold, or the most probable one."""
        ranked = sorted(range(len(probs)), key=lambda index: -probs[index])
        if self.thresholds is None:
            return [self.labels[ranked[0]]]
        thresholds = self.thresholds
        reached = [index for index in ranked if probs[index] >= thresholds[index]]
        return [self.labels[index] for index in reached]

    def compute_confidence(self, probs: Sequence[float]) -> float:
        """Return the probability that the prediction is right.

        Of several labels, it is that all are right, as if they were independent.
        """
        if self.thresholds is None:
            return max(probs)
        pairs = zip(probs, self.thresholds, strict=True)
        return math.prod(prob if prob >= cut else 1 - prob for prob, cut in pairs)

    def has_answer(self, text: str, probs: Sequence[float]) -> bool:
        """Return whether the prediction is certain enough.

        With a `min_confidence`, a text without a known word has no answer.
        """
        is_certain = self.compute_confidence(probs) >= self.min_confidence
        return not self.min_confidence or (is_certain and self.has_known_word(text))

    def has_known_word(self, text: str) -> bool:
        """Return whether a token of the text is in the vocabulary."""
        return any(token_id != UNK_ID for token_id in self.encode(text))


def check(classifier: Classifier) -> Iterator[str]:
    """Yield a line for each test vector that is not reproduced."""
    for vector in json.loads(classifier.metadata["test_vectors"]):
        text = vector["text"]
        if classifier.encode(text) != vector["token_ids"]:
            yield f"other token ids: {text!r}"
        probs = classifier.predict_proba([text])[0]
        difference = float(np.abs(probs - np.array(vector["probs"])).max())
        if difference > TOLERANCE:
            yield f"probabilities differ by {difference:.2g}: {text!r}"


def format_prediction(
    text: str,
    classifier: Classifier,
    probs: Sequence[float],
    *,
    fits: bool | None,
    as_json: bool,
) -> str:
    """Return the prediction for a text as one line."""
    named = dict(zip(classifier.labels, probs, strict=True))
    labels = classifier.choose_labels(probs)
    best = max(named, key=named.__getitem__)
    has_answer = classifier.has_answer(text, probs)
    if as_json:
        label = best if has_answer else None
        prediction: dict[str, Any] = {"text": text, "label": label, "probs": named}
        if classifier.thresholds is not None:
            prediction["labels"] = labels if has_answer else None
            prediction["confidence"] = classifier.compute_confidence(probs)
        if fits is not None:
            prediction["fits"] = fits
        return json.dumps(prediction, ensure_ascii=False)
    shown = "|".join(f"{named[label]:.4f}" for label in labels)
    fields = ["|".join(labels) if has_answer else "", shown, text]
    if not classifier.has_known_word(text):
        fields.append("(no known word)")
    elif fits is False:
        fields.append("(fits none of the classes)")
    elif not has_answer:
        confidence = classifier.compute_confidence(probs)
        fields.append(f"(no answer: the confidence is {confidence:.4f})")
    return "\t".join(" ".join(field.split()) for field in fields)


def read_lines(content: bytes) -> list[str]:
    """Return the lines of UTF-8 text.

    Raises:
        InputError: A line is not UTF-8.
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        row = content.count(b"\n", 0, error.start) + 1
        raise InputError(
            f"stdin: row {row:,}: not UTF-8: convert the input first"
        ) from error
    return [line.rstrip("\r\n") for line in io.StringIO(text, newline=None)]


def parse_arguments() -> argparse.Namespace:
    """Return the arguments of the command line; exit with code 2 if one is wrong."""
    parser = argparse.ArgumentParser(description="Classify texts with model.onnx.")
    parser.add_argument("texts", nargs="*", help="the texts; - reads lines from stdin")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--threshold", type=float, help="threshold of all labels, if a text has several"
    )
    parser.add_argument(
        "--min-confidence", type=float, default=0.0, help="below it is no answer"
    )
    parser.add_argument("--check", action="store_true", help="check the test vectors")
    parser.add_argument(
        "--model", type=Path, default=Path(__file__).with_name("model.onnx")
    )
    arguments = parser.parse_args()
    if not arguments.check and not arguments.texts:
        parser.error("no texts: expected texts, or - to read lines from stdin")
    for name in ("threshold", "min_confidence"):
        value = getattr(arguments, name)
        if value is not None and not 0 <= value <= 1:
            option = name.replace("_", "-")
            parser.error(f"--{option}: expected a probability from 0 to 1")
    return arguments


def load_classifier(arguments: argparse.Namespace) -> Classifier:
    """Return the classifier with the options of the command line.

    Raises:
        ModelError: The model is missing or damaged.
    """
    classifier = Classifier(arguments.model)
    if arguments.threshold is not None:
        if classifier.thresholds is None:
            sys.stderr.write("--threshold: the model has one label a text\n")
            raise SystemExit(2)
        classifier.thresholds = [arguments.threshold] * len(classifier.labels)
    classifier.min_confidence = arguments.min_confidence
    return classifier


def write_line(line: str) -> None:
    """Print a line as UTF-8; characters of the command line that are none become ?."""
    sys.stdout.buffer.write(f"{line}\n".encode("utf-8", "replace"))


def main() -> int:
    """Run the command line and return its exit code."""
    arguments = parse_arguments()
    try:
        classifier = load_classifier(arguments)
        texts: list[str] = arguments.texts
        if texts == ["-"]:
            texts = read_lines(sys.stdin.buffer.read())
    except (ModelError, InputError) as error:
        sys.stderr.write(f"{error}\n")
        return 4 if isinstance(error, ModelError) else 3
    if arguments.check:
        problems = list(check(classifier))
        for line in problems or ["all test vectors are right"]:
            write_line(line)
        return bool(problems)
    for line in iter_lines(classifier, texts, as_json=arguments.json):
        write_line(line)
    return 0


def iter_lines(
    classifier: Classifier, texts: Sequence[str], *, as_json: bool
) -> Iterator[str]:
    """Yield the prediction for each text as one line."""
    for first in range(0, len(texts), WINDOW):
        window = texts[first : first + WINDOW]
        encoded = [classifier.encode(text) for text in window]
        logits, probs = compute_outputs(classifier.session, encoded)
        fits = classifier.decide_fits(encoded, logits)
        for index, text in enumerate(window):
            row = probs[index].tolist()
            text_fits = None if fits is None else fits[index]
            yield format_prediction(
                text, classifier, row, fits=text_fits, as_json=as_json
            )


if __name__ == "__main__":
    sys.exit(main())
