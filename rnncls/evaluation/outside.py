"""Evaluation of a run on texts that belong to none of its classes.

Shapes: N texts, C classes.
"""

import logging
from pathlib import Path

from rnncls.data.checksums import checksum
from rnncls.data.datasets import load_unlabelled
from rnncls.data.rows import quote_names
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.run_evaluation import Evaluation
from rnncls.evaluation.scope import (
    OutsideResult,
    choose_unknown_weight,
    score_scope,
    score_texts,
)
from rnncls.machine.files import read_json
from rnncls.nn.scope import Floats
from rnncls.runs.data_check import find_use
from rnncls.runs.run import Run
from rnncls.text.encoded_texts import encode_texts

logger = logging.getLogger(__name__)


def load_outside(file: Path, sha256: str) -> OutsideResult | None:
    """Load what `rnncls eval --outside` saved; None: it was not run on these texts.

    Args:
        file: The result of `rnncls eval`, which may be missing.
        sha256: The checksum of the file of the labelled texts.

    Raises:
        RunError: The file is damaged.
    """
    if not file.exists():
        return None
    result = read_json(file)
    if "outside" not in result or result["data"]["sha256"] != sha256:
        return None
    return OutsideResult.from_dict(result["outside"])


def evaluate_outside(evaluation: Evaluation, path: Path) -> OutsideResult:
    """Compare the scores of a file's texts, of no class, with those of labelled texts.

    Labelled texts whose label is not a class of the run do not count. For a run of an
    earlier version, the weight of unknown tokens is fitted on the labelled texts.

    Args:
        evaluation: The run, which has one label a text, and the labelled texts.
        path: The file, with the same text columns; its labels, if any, are ignored.

    Raises:
        DataError: The file or one of its rows is wrong, or it has no rows.
    """
    run, labelled = evaluation.run, evaluation.split
    logits = evaluation.logits.numpy()  # [N, C]
    rule = run.classifier.scope_rule
    if rule is None:
        threshold, weight = None, choose_unknown_weight(logits, labelled.texts)
    else:
        threshold, weight = rule
    inside = score_texts(logits, labelled.texts, weight)  # [N]
    outside = _score_file(path, run, weight)
    sha256 = checksum(path, "sha256")
    _note_own_texts(evaluation, path, sha256)
    is_known = labelled.labels < logits.shape[1]  # [N]
    is_correct = evaluation.is_correct[is_known]
    scores = score_scope(inside[is_known], outside, threshold, is_correct)
    return OutsideResult(str(path), sha256, scores)


def _note_own_texts(evaluation: Evaluation, path: Path, sha256: str) -> None:
    """Say so if the texts are the run's own, which belong to its classes."""
    run = evaluation.run
    origin = {"path": str(path), "sha256": sha256, "split": None}
    use: str | None = find_use(run.path, run.config.data, origin)
    if use is None and sha256 == evaluation.origin["sha256"]:
        use = "evaluation"
    if use is not None:
        logger.info(
            "%s: these are the %s texts, which belong to the classes of %s: name a file"
            " of texts that belong to none of them",
            path,
            use,
            run.path,
        )


def _score_file(path: Path, run: Run, unknown_weight: float) -> Floats:
    """Return how well the texts of a file fit the classes. [N]."""
    section = run.config.data
    hint = f"give the columns of the text the names {quote_names(section.text)}"
    tokenized = load_unlabelled(path, section, run.config.text, hint)
    texts = encode_texts(tokenized, run.classifier.vocab)
    logits = compute_logits(run.classifier.model, texts)  # [N, C]
    return score_texts(logits.numpy(), texts, unknown_weight)
