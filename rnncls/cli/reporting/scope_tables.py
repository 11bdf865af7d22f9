"""Texts that fit none of the classes, for the terminal and the report."""

from rnncls.cli.reporting.display import (
    INTERVAL,
    MIN_BOOTSTRAP_ROWS,
    percent,
    percent_range,
)
from rnncls.evaluation.scope import FitShare, OutsideResult, ScopeScores, ScopeShares


def fit_lines(fits: FitShare | None) -> list[str]:
    """Return how many of the labelled texts fit, if the run can tell."""
    if fits is None:
        return []
    interval = f"({INTERVAL} {percent_range(fits.kept_interval)})"
    return [f"fits      {percent(fits.kept)} of these texts fit a class  {interval}"]


def outside_lines(result: OutsideResult | None) -> list[str]:
    """Return how well texts of no class are recognised, if such texts were given."""
    if result is None:
        return []
    scores = result.scores
    interval = _describe_auroc_interval(scores)
    lines = [
        f"{result.path}: {scores.num_rows:,} texts of no class",
        f"AUROC     {scores.auroc:.4f}{f'  ({interval})' if interval else ''}",
        f"found     {_describe_shares(scores.at_95)}",
    ]
    if scores.stored is None:
        lines.append("the run has no threshold: predict does not say whether texts fit")
    else:
        lines.append(f"predict   {_describe_shares(scores.stored)}")
    return lines


def scope_rows(fits: FitShare, outside: OutsideResult | None) -> list[list[str]]:
    """Return what is known of texts that fit no class: name, value and interval.

    Args:
        fits: How many of the labelled texts fit.
        outside: How well texts of no class are recognised; None: none were given.
    """
    kept_interval = percent_range(fits.kept_interval)
    rows = [
        ["threshold, fitted on the validation rows", f"{fits.threshold:.4f}", ""],
        ["labelled texts that fit", percent(fits.kept), kept_interval],
    ]
    if outside is None:
        return rows
    scores, path = outside.scores, outside.path
    interval = _describe_auroc_interval(scores).removeprefix(f"{INTERVAL} ")
    rows.append([f"AUROC against the texts of {path}", f"{scores.auroc:.4f}", interval])
    if scores.stored is not None:
        rows.append(_recall_row(f"texts of {path} that do not fit", scores.stored))
    name = "the same, where 95% of the labelled texts fit"
    rows.append(_recall_row(name, scores.at_95))
    return rows


def _recall_row(name: str, shares: ScopeShares) -> list[str]:
    return [name, percent(shares.recall), percent_range(shares.recall_interval)]


def _describe_auroc_interval(scores: ScopeScores) -> str:
    """Return the bootstrap interval of the AUROC; empty if there are too few rows."""
    if scores.auroc_interval is None or scores.num_rows < MIN_BOOTSTRAP_ROWS:
        return ""
    low, high = scores.auroc_interval
    return f"{INTERVAL} {low:.4f} to {high:.4f}, bootstrap"


def _describe_shares(shares: ScopeShares) -> str:
    """Return which texts a threshold finds to fit no class."""
    return (
        f"{percent(shares.recall)} of these texts fit no class ({INTERVAL}"
        f" {percent_range(shares.recall_interval)}), where {percent(shares.kept)} of"
        f" the labelled texts fit and {percent(shares.accuracy)} fit and are right"
    )
