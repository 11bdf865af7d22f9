"""The results of an evaluation, of one label a text or of several."""

from dataclasses import replace
from pathlib import Path

from rnncls import ConfigError
from rnncls.evaluation.label_evaluation import LabelEvaluationResult, summarize_labels
from rnncls.evaluation.outside import evaluate_outside
from rnncls.evaluation.run_evaluation import Evaluation, EvaluationResult, summarize


def summarize_evaluation(
    evaluation: Evaluation,
    id_column: str | None = None,
    outside: Path | None = None,
    *,
    prefix: str = "",
) -> EvaluationResult | LabelEvaluationResult:
    """Compute all results of an evaluation.

    Args:
        evaluation: The evaluation.
        id_column: A column of the file that names the rows of the errors.
        outside: A file of texts that belong to none of the classes; None: there is
            none.
        prefix: What precedes the names of these arguments in messages.

    Raises:
        ConfigError: There are texts of no class, but a text may have several labels.
        DataError: A text cannot be read, or a file lacks a column.
    """
    if evaluation.run.classifier.has_several_labels:
        if outside is not None:
            raise ConfigError(
                f"{prefix}outside: the run has several labels a text, or none, so a"
                " text of no class is one without labels: add such texts to the"
                " labelled file instead"
            )
        return summarize_labels(evaluation, id_column)
    result = summarize(evaluation, id_column)
    if outside is None:
        return result
    return replace(result, outside=evaluate_outside(evaluation, outside))
