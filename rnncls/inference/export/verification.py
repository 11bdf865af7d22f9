"""The comparison of an exported file with its run, on batches of every kind.

Shapes: N texts, B texts of a batch, C classes.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from onnxruntime import InferenceSession

from rnncls.inference.export.onnx_file import load_onnx
from rnncls.inference.export.predict_script import open_session, pad
from rnncls.inference.labelling import decide_probs
from rnncls.runs.run import load_run

Probs = npt.NDArray[np.float32]
TOLERANCE = 1e-4
"""The largest difference from the probabilities of the run, for a float32 file."""
_NUM_SAMPLED = 236
_MAX_TOKENS = 100
_BATCH_SIZE = 16


@dataclass(frozen=True)
class Comparison:
    """An exported file and its run on the same texts.

    Attributes:
        num_texts: The texts: the test vectors, and words in random order.
        largest_difference: Of a probability from that of the run.
        batch_difference: Of a probability of a text alone from that in a batch.
        num_changed_labels: The texts whose most probable label is another; of several
            labels a text, those that get another set of labels.
    """

    num_texts: int
    largest_difference: float
    batch_difference: float
    num_changed_labels: int


def compare_with_run(path: Path, run_path: Path) -> Comparison:
    """Read an exported file back and compare it with its run.

    The file gets the texts in ragged batches, alone, and in batches of another order.

    Raises:
        RunError: The file or the run is damaged.
    """
    file = load_onnx(path)
    session = open_session(file.model)
    texts = [vector.token_ids for vector in file.metadata.test_vectors]
    texts += _sample_texts(len(file.metadata.vocab), file.metadata.text.max_tokens)
    expected = _compute_run(run_path, texts)
    alone, *batched = _compute_batches(session, texts)
    thresholds = file.metadata.thresholds
    return _compare(expected, alone, [alone, *batched], thresholds)


def _compute_batches(
    session: InferenceSession, texts: Sequence[Sequence[int]]
) -> list[Probs]:
    """Return the probabilities of the texts alone, batched and shuffled. [N, C] each.

    A file that reads one text at a time only has those alone.
    """
    order = list(range(len(texts)))
    alone = _compute_file(session, texts, order, 1)
    if session.get_inputs()[0].shape[0] == 1:
        return [alone]
    shuffled = random.Random(1).sample(order, len(order))
    batched = _compute_file(session, texts, order, _BATCH_SIZE)
    return [alone, batched, _compute_file(session, texts, shuffled, _BATCH_SIZE)]


def _compare(
    expected: Probs,
    alone: Probs,
    results: Sequence[Probs],
    thresholds: Sequence[float] | None = None,
) -> Comparison:
    """Compare several results of a file with those of the run. [N, C] each."""
    all_probs = np.stack(results)  # [R, N, C]
    expected_labels = decide_probs(expected, thresholds)  # [N, 1 or C]
    is_other = decide_probs(all_probs, thresholds) != expected_labels  # [R, N, 1 or C]
    is_changed = is_other.any(axis=2)  # [R, N]
    return Comparison(
        num_texts=len(expected),
        largest_difference=_difference(all_probs, expected),
        batch_difference=_difference(all_probs, alone),
        num_changed_labels=int(is_changed.any(axis=0).sum()),
    )


def _sample_texts(vocab_size: int, max_tokens: int) -> list[list[int]]:
    """Return random token ids in texts of different lengths."""
    generator = random.Random(0)
    longest = min(max_tokens, _MAX_TOKENS)
    texts = []
    for _ in range(_NUM_SAMPLED):
        length = generator.randint(1, longest)
        texts.append([generator.randrange(1, vocab_size) for _ in range(length)])
    return texts


def _compute_run(run_path: Path, texts: Sequence[Sequence[int]]) -> Probs:
    """Return the probabilities of the run. [N, C] float32."""
    model = load_run(run_path).classifier.model
    rows = []
    with torch.inference_mode():
        for first in range(0, len(texts), _BATCH_SIZE):
            end = first + _BATCH_SIZE
            batch = texts[first:end]
            token_ids = torch.from_numpy(pad(batch))  # [B, T]
            lengths = torch.tensor([len(text) for text in batch])  # [B]
            logits = model(token_ids, lengths, is_ragged=True)  # [B, C]
            rows.append(model.compute_probs(logits))
    probs: Probs = torch.cat(rows).numpy()
    return probs


def _compute_file(
    session: InferenceSession,
    texts: Sequence[Sequence[int]],
    order: Sequence[int],
    batch_size: int,
) -> Probs:
    """Return the probabilities of the file, batched in an order. [N, C] float32."""
    probs: dict[int, Probs] = {}
    for first in range(0, len(order), batch_size):
        rows = order[first : first + batch_size]
        token_ids = pad([texts[row] for row in rows])  # [B, T]
        (batch_probs,) = session.run(["probs"], {"token_ids": token_ids})  # [B, C]
        probs.update(zip(rows, batch_probs, strict=True))
    return np.stack([probs[row] for row in range(len(texts))])


def _difference(first: Probs, second: Probs) -> float:
    """Return the largest difference; NaN if there is one, which is no match."""
    return float(np.abs(first - second).max())
