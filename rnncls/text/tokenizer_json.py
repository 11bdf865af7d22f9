r"""Tokenizers as `tokenizer.json`, the file format of Hugging Face tokenizers.

Libraries for Rust, Python, JavaScript, Java, Go and others read the file and give the
token ids of this package. It covers what `text.tokenizer` does to a text, the
vocabulary, and `text.max_tokens`. It does not cover `text.clean`, `text.mark_case` and
`text.same_digits`, which change a text before. A text without any token is one `<unk>`
here and no token there.

The patterns are written for Oniguruma: `[A&&[^B]]` instead of `[[A]--[B]]`, and
literal characters instead of `\u0041`.
"""

import json
import re
from collections.abc import Sequence
from typing import Any

from rnncls.config.sections import TextSection
from rnncls.text.normalization import Replacement, Step, list_steps
from rnncls.text.subwords import SubwordVocab, describe_model
from rnncls.text.tokenizer import UNK, basic_english_rules
from rnncls.text.unicode_words import (
    CHARACTER_PATTERN,
    WHITE_SPACE,
    WORD_PATTERN,
    WORD_START,
)
from rnncls.text.vocab import PAD, Vocab

_FORMAT_VERSION = "1.0"
_PROPERTY = r"\\p\{\w+\}|\\u[0-9a-f]{4}"
_SET_DIFFERENCE = re.compile(
    rf"\[\[((?:{_PROPERTY}|[^\[\]\\])*)\]--\[((?:{_PROPERTY}|-)*)\]\]"
)
_FINAL_SIGMA = (
    r"(?:(?<=\p{Cased})|(?<=\p{Cased}\p{Case_Ignorable}))\u03a3"
    r"(?!\p{Case_Ignorable}*\p{Cased})"
)
"""A capital sigma that `str.lower` turns into a final one; Rust's function turns none.
More than one sign, such as a mark, between it and the letter before is not seen."""
_CODE_POINT = re.compile(r"\\U([0-9A-F]{8})|\\u([0-9a-f]{4})")


def dump_tokenizer(section: TextSection, vocab: Vocab) -> str:
    """Return the text of `tokenizer.json`: the tokenizer and vocabulary of a run."""
    tokenizer: dict[str, Any] = {
        "version": _FORMAT_VERSION,
        "truncation": {
            "direction": "Right",
            "max_length": section.max_tokens,
            "strategy": "LongestFirst",
            "stride": 0,
        },
        "padding": None,
        "added_tokens": [],
        "normalizer": _sequence("normalizers", _list_normalizers(section)),
        "pre_tokenizer": _describe_pre_tokenizer(section.tokenizer),
        "post_processor": None,
        "decoder": None,
        "model": _describe_model(vocab),
    }
    return json.dumps(tokenizer, ensure_ascii=False, indent=1)


def parse_subwords(content: str, pieces: Sequence[str]) -> SubwordVocab:
    """Return the vocabulary of a run with subwords.

    Args:
        content: What `dump_tokenizer` returned.
        pieces: The pieces of the run.

    Raises:
        ValueError: The content is not that of such a run, or the pieces are others.
    """
    try:
        tokenizer = json.loads(content)
        max_tokens = tokenizer["truncation"]["max_length"]
        merges = [(left, right) for left, right in tokenizer["model"]["merges"]]
        ids = tokenizer["model"]["vocab"]
    except (KeyError, TypeError) as error:
        raise ValueError("expected a tokenizer with the model BPE") from error
    vocab = SubwordVocab(pieces, merges, max_tokens)
    if describe_model(vocab.words, vocab.merges)["vocab"] != ids:
        raise ValueError("the pieces are not those of vocab.txt")
    return vocab


def _describe_model(vocab: Vocab) -> dict[str, Any]:
    if isinstance(vocab, SubwordVocab):
        return describe_model(vocab.words, vocab.merges)
    ids = {word: token_id for token_id, word in enumerate(vocab.words)}
    return {"type": "WordLevel", "vocab": ids, "unk_token": UNK}


def _sequence(key: str, steps: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "Sequence", key: steps}


def _list_normalizers(section: TextSection) -> list[dict[str, Any]]:
    """Return the steps that change a text before it is divided."""
    if section.tokenizer == "basic_english":
        return _list_basic_english()
    if section.tokenizer == "whitespace":
        return [_replace_padding()]
    return _list_unicode_steps(section)


def _list_basic_english() -> list[dict[str, Any]]:
    """Return the steps of torchtext's `basic_english`."""
    rules = [
        _replace({"Regex": rule.pattern.pattern}, str(rule.replacement))
        for rule in basic_english_rules()
        if rule.pattern.pattern != r"\s+"  # the division at white space does the same
    ]
    final_sigma = _replace({"Regex": to_oniguruma(_FINAL_SIGMA)}, "\u03c2")
    return [final_sigma, {"type": "Lowercase"}, *rules, _replace_padding()]


def _replace_padding() -> dict[str, Any]:
    """Return the step by which a text that says `<pad>` has an unknown token there."""
    space = to_oniguruma(WHITE_SPACE)
    return _replace({"Regex": f"(?<![^{space}]){PAD}(?![^{space}])"}, UNK)


def _list_unicode_steps(section: TextSection) -> list[dict[str, Any]]:
    """Return the steps of `normalize`, and those that mark the starts of words."""
    normalizing = list_steps(nfkc=section.nfkc, lowercase=section.lowercase)
    steps = list(map(_describe_step, normalizing))
    if section.tokenizer == "characters":
        steps += [
            _replace({"Regex": f"[{to_oniguruma(WHITE_SPACE)}]+"}, " "),
            {"type": "Strip", "strip_left": True, "strip_right": True},
            _replace({"String": " "}, WORD_START),
            {"type": "Prepend", "prepend": WORD_START},
        ]
    return steps


def _describe_step(step: Step) -> dict[str, Any]:
    if isinstance(step, Replacement):
        return _replace({"Regex": to_oniguruma(step.pattern)}, step.text)
    return {"type": {"nfkc": "NFKC", "lowercase": "Lowercase"}[step]}


def _replace(pattern: dict[str, str], content: str) -> dict[str, Any]:
    return {"type": "Replace", "pattern": pattern, "content": content}


def _describe_pre_tokenizer(tokenizer: str) -> dict[str, Any]:
    """Return the steps that divide a changed text into tokens, or into words."""
    if tokenizer in {"words", "characters"}:
        return _describe_splitter(tokenizer)
    words = _find_all(f"[^{to_oniguruma(WHITE_SPACE)}]+")
    if tokenizer != "subwords":
        return words
    mark_starts = {
        "type": "Metaspace",
        "replacement": WORD_START,
        "prepend_scheme": "always",
        "split": False,
    }
    return _sequence("pretokenizers", [words, mark_starts])


def _describe_splitter(tokenizer: str) -> dict[str, Any]:
    """Return the step that divides a normalised text into tokens."""
    pattern = WORD_PATTERN if tokenizer == "words" else CHARACTER_PATTERN
    return _find_all(to_oniguruma(pattern))


def _find_all(pattern: str) -> dict[str, Any]:
    """Return the step that keeps what a pattern matches."""
    return {
        "type": "Split",
        "pattern": {"Regex": pattern},
        "behavior": "Removed",
        "invert": True,
    }


def to_oniguruma(pattern: str) -> str:
    """Return a pattern of the package `regex` in the syntax of Oniguruma."""
    pattern = _SET_DIFFERENCE.sub(r"[\1&&[^\2]]", pattern)
    return _CODE_POINT.sub(lambda match: chr(int(match[1] or match[2], 16)), pattern)
