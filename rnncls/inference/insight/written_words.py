"""How the words that switch flag units are written in the texts.

The vocabulary has the tokens, which may be lower-cased or normalised.
"""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from rnncls.inference.insight.flags import Flag, FlagWord
from rnncls.runs.classifier import Classifier
from rnncls.text.display import name_token
from rnncls.text.spans import locate_tokens
from rnncls.text.tokenizer import UNK, build_tokenizer

_ENOUGH = 20
"""A word is looked up in so many texts: to locate the tokens of a text takes time."""


def add_written_forms(
    flags: Sequence[Flag], texts: Sequence[str], classifier: Classifier
) -> list[Flag]:
    """Return flags whose words also say how they are written in the texts.

    Args:
        flags: The flags.
        texts: The texts in which they were found, as written.
        classifier: The classifier, for its tokenizer.
    """
    words = {word.word for flag in flags for word in flag.words}
    forms = find_written_forms(words - {UNK}, texts, classifier)
    return [_with_forms(flag, forms) for flag in flags]


def _with_forms(flag: Flag, forms: dict[str, str]) -> Flag:
    words: list[FlagWord] = []
    for word in flag.words:
        written = forms.get(word.word, word.word)
        words.append(replace(word, written=written))
    return replace(flag, words=words)


def find_written_forms(
    words: Collection[str], texts: Sequence[str], classifier: Classifier
) -> dict[str, str]:
    """Return how each word is most often written in the first texts that have it."""
    split = build_tokenizer(classifier.text)
    counts: dict[str, Counter[str]] = {word: Counter() for word in words}
    num_texts: Counter[str] = Counter()
    for text in texts:
        tokens = classifier.vocab.divide_tokens(split(text))
        wanted = counts.keys() & set(tokens)
        if all(num_texts[word] >= _ENOUGH for word in wanted):
            continue
        num_texts.update(wanted)
        spans = locate_tokens(text, tokens, classifier.text)
        for token, span in zip(tokens, spans, strict=True):
            if token in wanted:
                counts[token][name_token(text, token, span)] += 1
    return {word: forms.most_common(1)[0][0] for word, forms in counts.items() if forms}
