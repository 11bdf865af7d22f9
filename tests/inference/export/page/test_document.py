"""The page as a file."""

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from rnncls import ConfigError
from rnncls.config.sections import ModelSection, TextSection
from rnncls.inference.export.page import support
from rnncls.inference.export.page.document import write_page
from rnncls.inference.export.page.mixed_rows import VectorFormat
from tests.inference.light.networks import build_networks

PAGE = Path("page.html")
INT8 = VectorFormat("int8")


class Elements(HTMLParser):
    """The elements of a page, with their attributes and the texts inside."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.texts: dict[str | None, str] = {}
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        name = self.found[-1][1].get("id") if self.found else None
        self.texts[name] = self.texts.get(name, "") + data


def test_the_page_asks_for_nothing() -> None:
    examples = ["see http://x.org"]
    classifier = build_networks().numpy
    write_page(classifier, PAGE, name="page", examples=examples, vectors=INT8)
    text = PAGE.read_text("utf-8")
    elements = Elements(text)
    addresses = [
        value
        for _, attributes in elements.found
        for name, value in attributes.items()
        if name in {"src", "href", "action", "data", "poster", "srcset"}
    ]
    assert addresses == ["data:,"]
    (policy,) = [
        attributes["content"]
        for tag, attributes in elements.found
        if tag == "meta" and "http-equiv" in attributes
    ]
    assert policy is not None
    assert policy.startswith("default-src 'none';")
    style, script = re.findall(
        r"<style>(.*?)</style>|<script>(.*?)</script>", text, re.S
    )
    assert "url(" not in style[0]
    assert "@import" not in style[0]
    for name in ("fetch(", "XMLHttpRequest", "import(", "WebSocket", "sendBeacon"):
        assert name not in script[1]


def test_names_and_words_cannot_end_an_element() -> None:
    hostile = "</script><script>alert(1)</script>"
    networks = build_networks()
    networks.numpy.vocab.words[2] = hostile
    networks.numpy.label_names[0] = "<!--"
    try:
        write_page(
            networks.numpy,
            PAGE,
            name=hostile,
            facts=[("a", hostile)],
            examples=[hostile],
            vectors=INT8,
        )
    finally:
        networks.numpy.label_names[0] = "sport"
    elements = Elements(PAGE.read_text("utf-8"))
    assert [tag for tag, _ in elements.found].count("script") == 3
    model = json.loads(elements.texts["model"])
    assert model["words"][2] == hostile
    assert model["labels"][0] == "<!--"


def test_a_word_that_is_half_of_a_pair_is_written() -> None:
    networks = build_networks()
    networks.numpy.vocab.words[2] = "\ud83d"
    write_page(networks.numpy, PAGE, name="page", vectors=INT8)
    elements = Elements(PAGE.read_text("utf-8"))
    assert json.loads(elements.texts["model"])["words"][2] == "\ud83d"


def test_a_setting_that_the_page_does_not_know_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = support._TEXT_KEYS - {"same_digits"}
    monkeypatch.setattr(support, "_TEXT_KEYS", known)
    write_page(build_networks().numpy, PAGE, name="page", vectors=INT8)
    networks = build_networks(text=TextSection(same_digits=True))
    with pytest.raises(ConfigError, match=r"the run has text\.same_digits=True, which"):
        write_page(networks.numpy, PAGE, name="page", vectors=INT8)


def test_ngrams_of_words_and_of_characters_are_known() -> None:
    text = TextSection(char_ngrams=[3, 5], ngram_buckets=7)
    support.check_support(text, ModelSection(ngrams="auto"))


@pytest.mark.parametrize(
    ("names", "setting"),
    [
        ("_CELLS", "model.cell=lstm"),
        ("_POOLINGS", r"model.pooling=\[last, max, mean\]"),
        ("_TOKENIZERS", "text.tokenizer=basic_english"),
    ],
)
def test_a_value_that_the_page_does_not_know_is_an_error(
    names: str, setting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(support, names, {"other"})
    with pytest.raises(ConfigError, match=f"the run has {setting}, which a page"):
        write_page(build_networks().numpy, PAGE, name="page", vectors=INT8)
