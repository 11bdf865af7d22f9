"""Texts with their token ids and probabilities, by which a port checks itself.

The texts are not the user's: they are sentences in several scripts that tokenizers get
wrong, and sequences of words of the vocabulary.
"""

import random
from collections.abc import Sequence

from rnncls.text.unicode_words import WORD_START

HARD_TEXTS = [
    "",
    "It's 5:30 p.m. in the U.S.; \"half-time\" (again)!",
    "AT&T&#39;s <b>shares</b> fell &lt;b&gt;3.5%&lt;/b&gt; &amp; rose #39;again#39;",
    "see https://example.org/a?b=1 or @ann #win \\ 1,000.50",
    "今日は映画を見ました。カタカナとﾊﾝｶｸ",
    "ภาษาไทยไม่มีช่องว่าง",
    "ذهبتُ إلى السوقِ اليومَ",
    "한국어 문장입니다 ㅋㅋ",
    "l\u2019homme naïve ΣΊΣΥΦΟΣ ﬁne Straße",
    "👍🏽 👨‍👩‍👧 🇩🇪 5️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 :)",
]  # fmt: skip
NUM_VECTORS = 20
_LENGTHS = [1, 2, 3, 5, 8, 13, 21, 34, 55, 89]


def choose_texts(words: Sequence[str]) -> list[str]:
    """Return the texts of the test vectors.

    Args:
        words: The words of the vocabulary, with `<pad>` and `<unk>` first.
    """
    generator = random.Random(0)
    known = [word.replace(WORD_START, " ") for word in words[2:]] or ["word"]
    sampled = [" ".join(generator.choices(known, k=length)) for length in _LENGTHS]
    return [*HARD_TEXTS, *sampled]
