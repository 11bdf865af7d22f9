"""Tokens keep their place in the text as written, however it was normalised."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnncls.config.loading import parse_config
from rnncls.config.sections import TextSection
from rnncls.text import spans as spans_module
from rnncls.text.cleaning import clean_text
from rnncls.text.markup import remove_markup
from rnncls.text.normalization import normalize
from rnncls.text.spans import locate_tokens
from rnncls.text.subwords import SubwordVocab, learn_subwords
from rnncls.text.tokenizer import UNK, Settings, build_tokenizer
from rnncls.text.traced_text import Span, TracedText
from rnncls.text.unicode_words import WORD_START

PARTS = [
    *"aZİıßςΣé'’ʼ´.,:;-_/@#&1٣½¨ \"\\<>\n▁",
    "\u00a0\u3000\u200b\u00ad\u200e\u202e\u2066",
    "\u200d",
    "\ufe0f",
    "\u0301",
    "\u0323",
    "\u3099",
    "\u0e33",
    "น้ำ",
    "Word",
    "WORD ",
    "'s",
    "don't don’t",
    "http://a.b",
    "東京",
    "ไม่",
    "ﾀﾜｰｶﾞ",
    "한국",
    "ㅋㅋㅠㅠ",
    "हिन्दी",
    'צה"ל',
    "الْعَرَبِيَّة",
    "می‌خواهم",
    "😀",
    "👍🏽",
    "👩‍👩‍👧",
    "🇩🇪",
    "1️⃣",
    "❤️",
    "ＡＢ",
    "ﬁﷺ㎏",
    "q̣́",
    "<b>",
    "<br />",
    "<unk>",
    "<p class='x'>",
    "&amp;",
    "&lt;",
    "&#x41;",
    "#39;s",
    " &#39;ll",
    "quot;",
    "&amp;lt;i&gt;",
    "&nbsp;",
    "\U000e0067",
]
ANY_TEXT = st.text(max_size=40) | st.lists(st.sampled_from(PARTS), max_size=20).map(
    "".join
)
TOKENIZERS = [
    "basic_english",
    "whitespace",
    *(
        f"{name}, nfkc: {nfkc}, lowercase: {lowercase}"
        for name in ("words", "characters")
        for nfkc, lowercase in itertools.product(("true", "false"), repeat=2)
    ),
]
CLEANINGS = st.tuples(st.sampled_from(["false", "html", "true"]), st.booleans())


def section_of(options: str) -> TextSection:
    text = f"data: {{train: none.csv}}\ntext: {{{options}}}"
    return parse_config(text, "test.yaml").text


def locate(text: str, options: str) -> list[tuple[str, str]]:
    """Return each token and how it is written."""
    section = section_of(options)
    tokens = build_tokenizer(section)(text)
    spans = locate_tokens(text, tokens, section)
    return [
        (token, text[start:end])
        for token, (start, end) in zip(tokens, spans, strict=True)
    ]


def written(text: str, options: str) -> list[str]:
    return [part for _, part in locate(text, options)]


@pytest.mark.parametrize(
    ("options", "text", "expected"),
    [
        ("tokenizer: basic_english", "Don't,  STOP", ["Don", "'", "t", ",", "STOP"]),
        ("tokenizer: basic_english", 'a"B"c; d', ['a"B"c', "d"]),
        ("tokenizer: basic_english", "İstanbul İs", ["İstanbul", "İs"]),
        ("clean: true", "St. #39;s &lt;b&gt;X", ["St", ".", "#39;", "s", "X"]),
        ("tokenizer: whitespace", "R&amp;D <b>X</b>", ["R&amp;D", "X"]),
        ("tokenizer: words", "“Don’t” ＡＢ ﬁt", ["“", "Don", "’t", "”", "ＡＢ", "ﬁt"]),
        ("tokenizer: words", "so\u00adft \u200eİs\u200e", ["so\u00adft", "İs"]),
        ("tokenizer: words", "❤️❤ 👩‍👩‍👧🇩🇪", ["❤️", "❤", "👩‍👩‍👧", "🇩🇪"]),
        ("tokenizer: words", "الْعَرَبِيَّة؟ צה\"ל", ["الْعَرَبِيَّة", "؟", 'צה"ל']),
        ("tokenizer: words", "cafe\u0301 ｶﾞ 東京", ["cafe\u0301", "ｶﾞ", "東", "京"]),
        ("tokenizer: words", "한ㅏ ㅎㅏㄴ", ["한", "ㅏ", "ㅎㅏ", "ㄴ"]),
        ("tokenizer: words", "جـــميل น้ำใจ", ["جـــميل", "น้ำ", "ใ", "จ"]),
        ("tokenizer: words", "İyi അവന്\u200d", ["İyi", "അവന്\u200d"]),
        ("tokenizer: characters", "Ab ｶﾞ", ["", "A", "b", "", "ｶﾞ"]),
        ("tokenizer: characters", "ﬁx", ["", "ﬁ", "", "x"]),
        ("tokenizer: characters", "▁ a▁", ["", "▁", "", "a", "▁"]),
        ("mark_case: true", "A “Day” in NYC", ["", "A", "", "“Day”", "in", "", "NYC"]),
        ("same_digits: true", "in 1998", ["in", "1998"]),
        ("same_digits: false", "", [""]),
        ("same_digits: false", " <br> ", [""]),
        ("tokenizer: whitespace", "<unk>", ["<unk>"]),
        ("max_tokens: 2", "one two three", ["one", "two"]),
    ],
)  # fmt: skip
def test_tokens_are_found_as_written(
    options: str, text: str, expected: list[str]
) -> None:
    assert written(text, options) == expected


def test_an_inserted_token_is_before_what_it_marks() -> None:
    section = section_of("tokenizer: basic_english, mark_case: true")
    tokens = build_tokenizer(section)("see  Rome")
    assert tokens == ["see", "xxmaj", "rome"]
    assert locate_tokens("see  Rome", tokens, section) == [
        Span(0, 3),
        Span(5, 5),
        Span(5, 9),
    ]


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@given(text=ANY_TEXT, cleaning=CLEANINGS, same_digits=st.booleans())
def test_spans_are_in_order_and_do_not_overlap(
    tokenizer: str, text: str, cleaning: tuple[str, bool], same_digits: bool
) -> None:
    clean, mark_case = cleaning
    section = section_of(
        f"tokenizer: {tokenizer}, clean: {clean}, mark_case: {mark_case},"
        f" same_digits: {same_digits}"
    )
    tokens = build_tokenizer(section)(text)
    spans = locate_tokens(text, tokens, section)
    assert len(spans) == len(tokens)
    ends = [position for span in spans for position in span]
    assert ends == sorted(ends)
    assert ends[0] >= 0
    assert ends[-1] <= len(text)


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@given(text=ANY_TEXT)
def test_only_space_and_what_normalising_removes_is_outside_the_spans(
    tokenizer: str, text: str
) -> None:
    section = section_of(f"tokenizer: {tokenizer}, clean: false")
    tokens = build_tokenizer(section)(text)
    outside = ""
    end = 0
    for span in [*locate_tokens(text, tokens, section), Span(len(text), len(text))]:
        outside += f"{text[end : span.start]} "
        end = span.end
    if tokenizer == "basic_english":
        outside = outside.lower().replace("<br />", "")
        outside = outside.translate(dict.fromkeys(map(ord, '";:')))
    elif tokenizer != "whitespace":
        outside = normalize(outside, nfkc=True, lowercase=True)
    assert not outside.strip()


@pytest.mark.parametrize("clean", ["html", "true"])
@given(text=ANY_TEXT)
def test_only_markup_is_outside_the_spans(clean: str, text: str) -> None:
    section = section_of(f"tokenizer: whitespace, clean: {clean}")
    tokens = build_tokenizer(section)(text)
    clean_part = remove_markup if clean == "html" else clean_text
    end = 0
    for span in [*locate_tokens(text, tokens, section), Span(len(text), len(text))]:
        outside = text[end : span.start]
        assert not clean_part(outside).strip()
        end = span.end


def simplify(text: str) -> str:
    """Return a text without what its neighbours decide: final sigmas and joiners."""
    return text.replace("ς", "σ").replace("\u200c", "")


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@given(text=ANY_TEXT)
def test_a_span_has_the_tokens_that_it_is_the_place_of(
    tokenizer: str, text: str
) -> None:
    options = f"tokenizer: {tokenizer}, clean: false"
    tokenize = build_tokenizer(section_of(options))
    # A character of several tokens, such as ½, belongs to the first one.
    text = "".join(sign for sign in text if is_single(tokenize(sign)))
    for part, tokens in group_by_span(locate(text, options)):
        again = "".join(tokenize(part))
        if tokenizer.startswith("characters"):
            again = again.removeprefix(WORD_START)
        assert simplify(again) == simplify("".join(tokens))


@pytest.fixture(scope="module")
def subword_vocab() -> SubwordVocab:
    words = ["the", "then", "other", "there", "東京", "▁"]
    counts = np.full(len(words), 20)
    return learn_subwords(words, counts, size=400, max_tokens=500)


def test_subwords_are_found_as_written(subword_vocab: SubwordVocab) -> None:
    section = section_of("tokenizer: subwords")
    text = "The  OTHER é▁ ▁東 ﬁn"
    words = build_tokenizer(section)(text)
    pieces = subword_vocab.divide_tokens(words)
    spans = locate_tokens(text, pieces, section)
    written = [text[start:end] for start, end in spans if start < end]
    assert "".join(written) == "TheOTHERé▁▁東ﬁn"
    assert written[0] == "The"
    place = pieces.index("<0xC3>")
    assert pieces[place + 1] == "<0xA9>"
    assert spans[place : place + 2] == [Span(11, 12), Span(12, 12)]


@given(text=ANY_TEXT, cleaning=CLEANINGS)
def test_spans_of_subwords_are_in_order_and_cover_the_words(
    subword_vocab: SubwordVocab, text: str, cleaning: tuple[str, bool]
) -> None:
    text = text.encode("utf-8", "replace").decode()
    clean, mark_case = cleaning
    options = f"clean: {clean}, mark_case: {mark_case}"
    section = section_of(f"tokenizer: subwords, {options}")
    words = build_tokenizer(section)(text)
    pieces = subword_vocab.divide_tokens(words)
    spans = locate_tokens(text, pieces, section)
    ends = [position for span in spans for position in span]
    assert len(spans) == len(pieces)
    assert ends == sorted(ends)
    assert sum(end - start for start, end in spans) <= len(text)


def is_single(tokens: list[str]) -> bool:
    return len(tokens) - tokens.count(WORD_START) <= 1


def group_by_span(pairs: list[tuple[str, str]]) -> list[tuple[str, list[str]]]:
    """Join the tokens of one character; leave out the marks of words."""
    groups: list[tuple[str, list[str]]] = []
    for token, part in pairs:
        if part:
            groups.append((part, [token]))
        elif token not in {WORD_START, UNK}:
            groups[-1][1].append(token)
    return groups


@pytest.mark.parametrize("tokenizer", ["basic_english", "whitespace", "words"])
def test_of_a_long_text_only_the_start_that_is_read_is_traced(
    tokenizer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = {"tokenizer": tokenizer, "clean": "html", "max_tokens": 8}
    section = TextSection.model_validate(values)
    text = "Once <b> again </b> " * 50_000 + "<i>"
    tokens = build_tokenizer(section)(text)
    expected = locate_tokens(text[:200], tokens, section)
    traced: list[int] = []
    trace = spans_module._trace

    def trace_and_note(start: str, settings: Settings) -> TracedText:
        traced.append(len(start))
        return trace(start, settings)

    monkeypatch.setattr(spans_module, "_trace", trace_and_note)
    assert locate_tokens(text, tokens, section) == expected
    assert traced == [20_000]
