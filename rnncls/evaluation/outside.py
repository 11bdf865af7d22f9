"""Evaluation of a run on texts that belong to none of its classes.

Shapes: N texts, C classes.
"""

from pathlib import Path

from rnncls.data.checksums import checksum
from rnncls.data.datasets import load_unlabelled
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.run_evaluation import Evaluation
from rnncls.evaluation.scope import (
    OutsideResult,
    choose_unknown_weight,
    score_scope,
    score_texts,
)
from rnncls.text.encoded_texts import encode_texts


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
    run = evaluation.run
    classifier = run.classifier
    labelled = evaluation.split
    logits = evaluation.logits.numpy()  # [N, C]
    rule = classifier.scope_rule
    weight = choose_unknown_weight(logits, labelled.texts)
    if rule is not None:
        weight = rule.unknown_weight
    tokenized = load_unlabelled(path, run.config.data, run.config.text)
    texts = encode_texts(tokenized, classifier.vocab)
    outside_logits = compute_logits(classifier.model, texts).numpy()
    outside = score_texts(outside_logits, texts, weight)
    inside = score_texts(logits, labelled.texts, weight)
    is_known = labelled.labels < len(classifier.label_names)  # [N]
    threshold = None if rule is None else rule.threshold
    is_correct = evaluation.is_correct[is_known]
    scores = score_scope(inside[is_known], outside, threshold, is_correct)
    return OutsideResult(str(path), checksum(path, "sha256"), scores)
