"""The tokens in JavaScript are those of the package, in every script."""

import html
import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from rnncls.config.sections import DataSection, ModelSection, TextSection
from rnncls.runs.portable import PortableClassifier
from rnncls.text.subwords import learn_subwords
from rnncls.text.tokenizer import build_tokenizer, tokenize_texts
from rnncls.text.vocab import Vocab
from tests.conftest import SHARED
from tests.fuzz.cases import fuzz, texts
from tests.inference.export.page.scripts import Scripts

TEXTS = [
    "",
    " \t\n\x1c\x85",
    "It's 5:30 p.m. in the U.S.; \"half-time\" (again)! don't won't O'Clock",
    "AT&T&#39;s <b>shares</b> fell &lt;b&gt;3.5%&lt;/b&gt; &amp; rose #39;s quot;x",
    "&amp;quot; &notit; &copy 2004 &#0; &#128; &#xD800; &#x1F600; &#65533 &ampx &#11;",
    "<br/><IMG SRC='x'> <a href=\"y\">z</a> <!-- no --> <int> vector<int> a < b > c",
    "see https://example.org/a?b=1, WWW.A.org or @ann #win C# a@b \\ 1,000.50 3rd",
    "USA Hello McDonald xxmaj ΑΣ ΟΔΟΣ Σ ΣΑΣ. İstanbul ıI ǅ Ǆ ſ K ﬁ ﬆ ß ẞ Ⅷ ½",
    "今日は映画を見ました。カタカナとﾊﾝｶｸ 東京タワーへ ＡＢＣ",
    "太难吃。这部电影很好看！ 2004年",
    "ภาษาไทยไม่มีช่องว่าง ทำ ກຳ ភាសាខ្មែរ မြန်မာ བོད་ཡིག",
    "ذهبتُ إلى السوقِ اليومَ، ممتاز؟ می‌خواهم ٣٫١٤ ۲۰۲۴",
    'צה"ל ג׳ורג׳ שלום-עולם',
    "한국어 문장입니다 ㅋㅋ 각 ᄀ ᆨ",
    "हिन्दी में वाक्य १२३ தமிழ் বাংলা",
    "l’homme naïve об'єкт м’ята Straße Ελληνικά e\u0301\u0323 ḍ̇",
    "👍🏽 👨‍👩‍👧 🇩🇪🇫🇷 🇩 5️⃣ 🏴󠁧󠁢󠁥󠁮󠁧󠁿 :) ❤️ ☹",
    "so\u00adft a\u200bb \u202eright\u202c \ufeff <unk> <pad> \0 \x7f \u2028 \U000e0067",
]  # fmt: skip
FILES = sorted(SHARED.glob("*/test.*"))
"""Texts of several languages, where they are beside the checkout."""
MAX_LINES = 8000
NAMES = ["basic_english", "whitespace", "words", "characters"]
OPTIONS: list[dict[str, Any]] = [
    {"clean": True},
    {"clean": "html", "mark_case": True, "same_digits": True},
    {"clean": False, "nfkc": False, "lowercase": False, "max_tokens": 5},
]


def build_classifier(section: TextSection, vocab: Vocab) -> PortableClassifier:
    """Return a bag of words without meaning."""
    weights = {
        "embedding.weight": np.zeros((len(vocab), 1), np.float32),
        "linear.weight": np.zeros((2, 1), np.float32),
        "linear.bias": np.zeros(2, np.float32),
    }
    model = ModelSection(cell="none", embedding_dim=1)
    data = DataSection(train="none.csv")
    return PortableClassifier(section, model, vocab, ["a", "b"], weights, 1.0, data)


def assert_equal_tokens(section: TextSection, found: list[list[str]]) -> None:
    tokenize = build_tokenizer(section)
    assert found == list(map(tokenize, TEXTS))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("options", OPTIONS)
def test_the_tokens_are_those_of_the_package(
    name: str, options: dict[str, Any], scripts: Scripts
) -> None:
    section = TextSection.model_validate({"tokenizer": name, **options})
    scripts.load(build_classifier(section, Vocab(["<pad>", "<unk>"])))
    assert_equal_tokens(section, scripts.tokenize(TEXTS))


def test_the_pieces_of_words_are_those_of_the_package(scripts: Scripts) -> None:
    pytest.importorskip("tokenizers")
    section = TextSection(tokenizer="subwords", clean="html", max_tokens=40)
    tokenized = tokenize_texts(TEXTS * 3, section)
    vocab = learn_subwords(tokenized.words, tokenized.counts(), size=420, max_tokens=40)
    scripts.load(build_classifier(section, vocab))
    answers = scripts.run("tokenize", texts=TEXTS)
    tokenize = build_tokenizer(section)
    for text, answer in zip(TEXTS, answers, strict=True):
        pieces = vocab.divide_tokens(tokenize(text))
        assert answer["tokens"] == pieces
        assert list(answer["tokenIds"].values()) == vocab.encode(pieces).tolist()


def test_unknown_and_cut_off_tokens_are_counted(scripts: Scripts) -> None:
    section = TextSection(max_tokens=3)
    scripts.load(build_classifier(section, Vocab(["<pad>", "<unk>", "rain"])))
    empty, text = scripts.run("tokenize", texts=["", "rain <pad> rain snow rain"])
    assert (empty["isEmpty"], empty["numCut"]) == (True, 0)
    assert (text["isEmpty"], text["numCut"]) == (False, 2)
    assert list(text["tokenIds"].values()) == [2, 1, 2]


@pytest.fixture(scope="module", params=itertools.product(NAMES, OPTIONS[:2]))
def section(request: pytest.FixtureRequest, scripts: Scripts) -> TextSection:
    """Settings whose tokenizer is loaded."""
    name, options = request.param
    section = TextSection.model_validate({"tokenizer": name, **options})
    scripts.load(build_classifier(section, Vocab(["<pad>", "<unk>"])))
    return section


@fuzz(
    share=0.4,
    case=st.lists(texts() | st.text(max_size=40), min_size=1, max_size=20),
)
def test_any_text_has_the_tokens_of_the_package(
    case: list[str], section: TextSection, scripts: Scripts
) -> None:
    assert scripts.tokenize(case) == list(map(build_tokenizer(section), case))


@pytest.mark.slow
def test_every_character_is_treated_as_in_the_package(
    section: TextSection, scripts: Scripts
) -> None:
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    lines = [
        " ".join(f"a{character}b {character}" for character in characters[at : at + 64])
        for at in range(0, len(characters), 64)
    ]
    assert scripts.tokenize(lines) == list(map(build_tokenizer(section), lines))


@pytest.mark.slow
@pytest.mark.parametrize("path", FILES, ids=lambda path: path.parent.name)
def test_real_texts_have_the_tokens_of_the_package(
    path: Path, section: TextSection, scripts: Scripts
) -> None:
    lines = path.read_text("utf-8").splitlines()[:MAX_LINES]
    assert scripts.tokenize(lines) == list(map(build_tokenizer(section), lines))


def test_every_number_of_a_reference_is_decoded_as_in_the_package(
    scripts: Scripts,
) -> None:
    section = TextSection(tokenizer="whitespace", clean="html")
    numbers = [*range(0x200), *range(0xD7F0, 0xE010), *range(0xFDC0, 0x10010)]
    numbers += [plane * 0x10000 - 2 + at for plane in range(2, 19) for at in range(4)]
    lines = [f"a&#{number};b" for number in numbers]
    lines += [f"&{name} " for name in html.entities.html5]
    scripts.load(build_classifier(section, Vocab(["<pad>", "<unk>"])))
    assert scripts.tokenize(lines) == list(map(build_tokenizer(section), lines))
