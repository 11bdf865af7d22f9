"""Classify texts with model.onnx; needs numpy, onnxruntime and Python 3.11 or newer.

    python predict.py "a text" "another text"
    python predict.py - < texts.txt              one text a line
    python predict.py --json "a text"            the probability of every label
    python predict.py --check                    the test vectors of the model

In a program: `Classifier("model.onnx").predict(["a text"])`. For a model with several
labels a text, `predict_labels` returns those that reach their threshold, and
`--threshold 0.3` is another threshold for all labels. `rnncls export` wrote this file;
everything about the model is in model.onnx.
"""

import argparse
import heapq
import html
import json
import re
import sys
import unicodedata
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from functools import lru_cache
from html.entities import html5
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

UNK, UNK_ID = "<unk>", 1
MAX_BATCH = 8
"""Texts computed at once: larger batches hold more padding and are slower."""
WINDOW = 1024
"""Texts sorted by length at once."""
TOLERANCE = 1e-4
"""The largest difference from a probability of the test vectors."""

Step = Mapping[str, Any]
TokenIds = Sequence[int] | npt.NDArray[np.integer[Any]]


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """Return a session that computes with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model, options, providers=["CPUExecutionProvider"]
    )


def compute_probs(
    session: onnxruntime.InferenceSession, texts: Sequence[TokenIds]
) -> npt.NDArray[np.float32]:
    """Return the probabilities of N texts, given as token ids. [N, C] float32."""
    _, outputs = session.get_outputs()
    num_texts, num_classes = len(texts), outputs.shape[1]
    probs = np.zeros((num_texts, num_classes), np.float32)
    for rows in batch_rows(texts, get_max_batch(session)):
        inputs = {"token_ids": pad([texts[row] for row in rows])}
        (batch_probs,) = session.run(["probs"], inputs)
        probs[rows] = batch_probs
    return probs


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
    """A model and its tokenizer."""

    def __init__(self, path: str | Path) -> None:
        """Load model.onnx."""
        model = Path(path).read_bytes()
        self.session = open_session(model)
        self.metadata = self.session.get_modelmeta().custom_metadata_map
        self.labels: list[str] = json.loads(self.metadata["labels"])
        self.thresholds = self.read_thresholds()
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

    def predict_proba(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
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

    def choose_labels(self, probs: Sequence[float]) -> list[str]:
        """Return the labels that reach their threshold, or the most probable one."""
        ranked = sorted(range(len(probs)), key=lambda index: -probs[index])
        if self.thresholds is None:
            return [self.labels[ranked[0]]]
        thresholds = self.thresholds
        reached = [index for index in ranked if probs[index] >= thresholds[index]]
        return [self.labels[index] for index in reached]


class Tokenizer:
    """Performs the steps that the model's metadata describe."""

    def __init__(self, description: Mapping[str, Any], words: Container[str]) -> None:
        """Compile the patterns."""
        self.max_tokens: int = description["max_tokens"]
        classes = [parse_ranges(ranges) for ranges in description["classes"]]
        *cleaning, splitting = description["steps"]
        self.changes = [build_change(step) for step in cleaning]
        self.split: Callable[[str], list[str]]
        if splitting["op"] == "subwords":
            merges = description["merges"]
            self.split = SubwordSplitter(splitting["word_start"], merges, words)
        else:
            self.split = build_splitter(splitting, classes)

    def __call__(self, text: str) -> list[str]:
        """Return the tokens of a text, at least one."""
        for change in self.changes:
            text = change(text)
        return self.split(text)[: self.max_tokens] or [UNK]


def parse_ranges(ranges: str) -> str:
    """Return ranges such as `41-5a 5f` as the inside of a set of `re`."""
    parts = []
    for part in ranges.split():
        first, _, last = part.partition("-")
        parts.append(rf"\U{int(first, 16):08x}-\U{int(last or first, 16):08x}")
    return "".join(parts)


def compile_pattern(step: Step, classes: Sequence[str] = ()) -> re.Pattern[str]:
    r"""Return a step's pattern; `\C{0}` is one character of the first class."""
    pattern = re.sub(
        r"\\C\{(\d+)\}", lambda match: f"[{classes[int(match[1])]}]", step["pattern"]
    )
    flags = re.NOFLAG
    for name in step.get("flags", ""):
        flags |= {"i": re.IGNORECASE, "s": re.DOTALL}[name]
    return re.compile(pattern, flags)


def build_change(step: Step) -> Callable[[str], str]:
    """Return the function that performs a step before the text is split."""
    operation = step["op"]
    if operation == "nfkc":
        return lambda text: unicodedata.normalize("NFKC", text)
    if operation == "lowercase":
        return str.lower
    pattern = compile_pattern(step)
    if operation == "when":
        return build_condition(pattern, step["steps"])
    replacements: dict[str, Any] = {
        "replace": step.get("with"),
        "unescape": lambda match: html.unescape(match[0]),
        "decode_entities": decode_entity,
        "mark_case": mark_case,
    }
    replacement = replacements[operation]
    return lambda text: pattern.sub(replacement, text)


def build_condition(
    pattern: re.Pattern[str], steps: Sequence[Step]
) -> Callable[[str], str]:
    """Return the function that performs steps if a pattern is in the text."""
    changes = [build_change(step) for step in steps]

    def change_all(text: str) -> str:
        if not pattern.search(text):
            return text
        for change in changes:
            text = change(text)
        return text

    return change_all


def decode_entity(match: re.Match[str]) -> str:
    """Decode an HTML entity; keep one whose name is unknown."""
    name = match[1]
    if name is not None and f"{name};" not in html5:
        return match[0]
    return html.unescape(match[0])


def mark_case(match: re.Match[str]) -> str:
    """Insert a mark before a word in capitals, or with a first capital."""
    letters = match[1]
    if len(letters) > 1 and letters.isupper():
        return f"xxup {match[0]}"
    if letters[0].isupper():
        return f"xxmaj {match[0]}"
    return match[0]


def build_splitter(step: Step, classes: Sequence[str]) -> Callable[[str], list[str]]:
    """Return the function that performs the last step."""
    if step["op"] == "split":
        return str.split
    find = compile_pattern(step, classes).findall
    if step["op"] == "find":
        return find
    start = step["word_start"]

    def split_characters(text: str) -> list[str]:
        tokens = []
        for word in text.split():
            tokens += [start, *find(word)]
        return tokens

    return split_characters


class SubwordSplitter:
    """Byte-pair encoding of each word (Sennrich, Haddow and Birch 2016)."""

    def __init__(
        self, word_start: str, merges: Sequence[str], pieces: Container[str]
    ) -> None:
        """Take the merges of two pieces, the first ones first, and all pieces."""
        self.word_start = word_start
        pairs = [merge.split(" ") for merge in merges]
        self.ranks = {(left, right): rank for rank, (left, right) in enumerate(pairs)}
        self.pieces = pieces
        self.divide = lru_cache(maxsize=100_000)(self.divide_word)

    def __call__(self, text: str) -> list[str]:
        """Return the pieces of all words of a text."""
        tokens: list[str] = []
        for word in text.split():
            is_marked = word.startswith(self.word_start)
            tokens += self.divide(word if is_marked else self.word_start + word)
        return tokens

    def divide_word(self, word: str) -> list[str]:
        """Return the pieces of a word: merge the pair of the first rank, repeatedly."""
        symbols = self.list_symbols(word)
        following = [*range(1, len(symbols)), -1]
        previous = [-1, *range(len(symbols) - 1)]
        # As in the package tokenizers: of equal ranks, the leftmost pair comes first.
        queue: list[tuple[int, int, str]] = []
        for left in range(len(symbols) - 1):
            self.add_pair(queue, symbols, left, left + 1)
        while queue:
            _, left, merged = heapq.heappop(queue)
            right = following[left]
            if not symbols[left] or right < 0:
                continue
            pair = symbols[left], symbols[right]
            if pair not in self.ranks or "".join(pair) != merged:
                continue  # another merge has changed the pair
            symbols[left], symbols[right] = merged, ""
            before, after = previous[left], following[right]
            following[left] = after
            if after >= 0:
                previous[after] = left
                self.add_pair(queue, symbols, left, after)
            if before >= 0:
                self.add_pair(queue, symbols, before, left)
        return [symbol for symbol in symbols if symbol]

    def list_symbols(self, word: str) -> list[str]:
        """Return the characters of a word; the bytes of those without a piece."""
        symbols: list[str] = []
        for character in word:
            if character in self.pieces:
                symbols.append(character)
            else:
                symbols += [f"<0x{byte:02X}>" for byte in character.encode()]
        return symbols

    def add_pair(
        self,
        queue: list[tuple[int, int, str]],
        symbols: Sequence[str],
        left: int,
        right: int,
    ) -> None:
        """Put two neighbours into the queue, if they can be merged."""
        pair = symbols[left], symbols[right]
        if pair in self.ranks:
            heapq.heappush(queue, (self.ranks[pair], left, "".join(pair)))


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
    text: str, classifier: Classifier, probs: Sequence[float], *, as_json: bool
) -> str:
    """Return the prediction for a text as one line."""
    named = dict(zip(classifier.labels, probs, strict=True))
    labels = classifier.choose_labels(probs)
    if not as_json:
        shown = "|".join(f"{named[label]:.4f}" for label in labels)
        fields = ["|".join(labels), shown, text]
        return "\t".join(" ".join(field.split()) for field in fields)
    best = max(named, key=named.__getitem__)
    prediction: dict[str, Any] = {"text": text, "label": best, "probs": named}
    if classifier.thresholds is not None:
        prediction["labels"] = labels
    return json.dumps(prediction, ensure_ascii=False)


def main() -> int:
    """Run the command line and return its exit code."""
    parser = argparse.ArgumentParser(description="Classify texts with model.onnx.")
    parser.add_argument("texts", nargs="*", help="the texts; - reads lines from stdin")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--threshold", type=float, help="threshold of all labels, if a text has several"
    )
    parser.add_argument("--check", action="store_true", help="check the test vectors")
    parser.add_argument(
        "--model", type=Path, default=Path(__file__).with_name("model.onnx")
    )
    arguments = parser.parse_args()
    classifier = Classifier(arguments.model)
    if arguments.threshold is not None:
        if classifier.thresholds is None:
            parser.error("--threshold: the model has one label a text")
        if not 0 <= arguments.threshold <= 1:
            parser.error("--threshold: expected a probability from 0 to 1")
        classifier.thresholds = [arguments.threshold] * len(classifier.labels)
    if arguments.check:
        problems = list(check(classifier))
        sys.stdout.write("\n".join(problems or ["all test vectors are right"]) + "\n")
        return bool(problems)
    texts: list[str] = arguments.texts
    if texts == ["-"]:
        texts = [line.rstrip("\r\n") for line in sys.stdin]
    elif not texts:
        parser.error("no texts: expected texts, or - to read lines from stdin")
    for line in iter_lines(classifier, texts, as_json=arguments.json):
        sys.stdout.write(line + "\n")
    return 0


def iter_lines(
    classifier: Classifier, texts: Sequence[str], *, as_json: bool
) -> Iterator[str]:
    """Yield the prediction for each text as one line."""
    for first in range(0, len(texts), WINDOW):
        window = texts[first : first + WINDOW]
        window_probs = classifier.predict_proba(window).tolist()
        for text, probs in zip(window, window_probs, strict=True):
            yield format_prediction(text, classifier, probs, as_json=as_json)


if __name__ == "__main__":
    sys.exit(main())
