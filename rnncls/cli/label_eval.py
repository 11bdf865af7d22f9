"""What `rnncls eval` prints of a run with several labels a text."""

from typing import TYPE_CHECKING

from rnncls.cli.eval import NUM_PRINTED_MISTAKES
from rnncls.cli.screen import print_tables
from rnncls.machine.imports import fast_imports
from rnncls.text.display import format_count

if TYPE_CHECKING:
    from rnncls.evaluation.label_evaluation import LabelEvaluationResult


def print_label_result(result: "LabelEvaluationResult") -> None:
    """Print all scores, tables of the labels, and some errors."""
    with fast_imports():
        from rnncls.cli.reporting.class_groups import group_lines
        from rnncls.cli.reporting.evaluation_notes import row_notes
        from rnncls.cli.reporting.label_tables import (
            label_calibration_lines,
            label_coverage_table,
            label_mistake_table,
            label_part_tables,
            label_score_lines,
            label_tables,
        )

    title = f"{result.run_path.name} on {result.origin['path']}"
    first_line, *figures = label_score_lines(result.scores, title)
    lines = [first_line, *row_notes(result.origin), *figures]
    lines += group_lines([group.to_dict() for group in result.class_groups])
    lines += label_calibration_lines(result.calibration)
    tables = [
        *label_part_tables(result.parts),
        *label_tables(result.scores),
        label_coverage_table(result.coverage),
    ]
    print_tables(lines, tables)
    if result.mistakes:
        shown = result.mistakes[:NUM_PRINTED_MISTAKES]
        errors = format_count(len(shown), "error")
        line = (
            f"{errors}, those with the highest probability first"
            f" (eval-*.json in the run folder has {len(result.mistakes):,})"
        )
        print_tables([line], [label_mistake_table(shown)], fit=True)
