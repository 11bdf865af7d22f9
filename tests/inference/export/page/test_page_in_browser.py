"""The page in Chromium, from a file."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from rnncls.evaluation.evaluator import compute_logits
from rnncls.inference.export.page.document import write_page
from rnncls.inference.export.page.mixed_rows import VectorFormat, choose_format
from rnncls.inference.export.page.weights import round_weights
from rnncls.inference.insight.explanation import occlude
from rnncls.inference.light.predictor import LightPredictor
from rnncls.nn.scope import ScopeRule
from rnncls.runs.portable import PortableClassifier
from tests.browser import Browser
from tests.inference.light.networks import (
    LABELS,
    WORDS,
    add_ngrams,
    build_networks,
    set_rule,
)

TEXT = "Rovers meet zanzibar again"
_WAIT = """new Promise((done) => {
  const look = () => (%s) ? done() : setTimeout(look, 10);
  look();
})"""
_PREDICT = """window.texts.map((text) => {
  const { tokens, tokenIds } = page.reader.tokenizer.tokenize(text);
  return [...page.reader.network.toProbs(page.reader.network.read(tokenIds, tokens))];
})"""
_ROWS = """[...document.querySelectorAll('%s tr')].map(
  (row) => [...row.cells].map((cell) => cell.textContent))"""


@pytest.fixture(scope="module")
def classifier() -> PortableClassifier:
    networks = build_networks(cell="lstm", bidirectional=True, temperature=0.7)
    return add_ngrams(networks).numpy


@pytest.fixture(scope="module")
def browser(
    classifier: PortableClassifier,
    chromium: Browser,
    tmp_path_factory: pytest.TempPathFactory,
) -> Browser:
    """A browser in which the page is open."""
    page = tmp_path_factory.mktemp("page") / "page.html"
    examples = ["oslo", "again again"]
    write_page(
        classifier,
        page,
        name="page",
        examples=examples,
        vectors=choose_vectors(classifier),
    )
    chromium.requests.clear()
    chromium.open(page)
    return chromium


def choose_vectors(classifier: PortableClassifier) -> VectorFormat:
    return choose_format("int8", len(classifier.vocab))


@pytest.fixture(scope="module")
def light(classifier: PortableClassifier) -> LightPredictor:
    """The rounded weights of the page, in NumPy."""
    return LightPredictor(round_weights(classifier, choose_vectors(classifier)))


def type_text(browser: Browser, text: str) -> None:
    """Type a text into the empty page and wait until it is explained."""
    browser.evaluate("document.getElementById('clear').click()")
    browser.send("Input.insertText", text=text)
    browser.evaluate("document.getElementById('effects').open = true")
    browser.evaluate(_WAIT % "document.querySelector('#effects tbody tr')")


def read_rows(browser: Browser, selector: str) -> Any:
    return browser.evaluate(_ROWS % selector)


def test_a_typed_text_is_classified_and_explained(
    browser: Browser, classifier: PortableClassifier
) -> None:
    type_text(browser, TEXT)
    (expected,) = LightPredictor(classifier).predict([TEXT])
    rows = read_rows(browser, "#bars tbody")
    assert [name for name, _, _ in rows] == LABELS
    for name, _, shown in rows:
        assert float(shown.rstrip("%")) == pytest.approx(
            100 * expected.probs[name], abs=0.6
        )
    verdict = browser.evaluate("document.getElementById('verdict').textContent")
    assert verdict.startswith(f"{expected.label}, ")
    effects = read_rows(browser, "#effects tbody")
    assert [token for token, _, _ in effects] == TEXT.lower().split()
    assert [known for _, _, known in effects] == ["known", "known", "unknown", "known"]
    assert effects[2][1] == "+0.00"
    told = browser.evaluate("document.getElementById('position').ariaValueText")
    assert told.startswith(f"After token 4, “again”: {expected.label} ")


def test_each_letter_has_its_prediction(
    browser: Browser, light: LightPredictor
) -> None:
    browser.evaluate("document.getElementById('clear').click()")
    for end, letter in enumerate(TEXT, start=1):
        browser.type_letter(letter)
        assert browser.evaluate("document.getElementById('text').value") == TEXT[:end]
        (expected,) = light.predict(TEXT[:end])
        verdict = browser.evaluate("document.getElementById('verdict').textContent")
        label, shown = verdict.split(", ")
        assert label == expected.label
        assert float(shown.rstrip("%")) == pytest.approx(100 * expected.prob, abs=0.06)


@pytest.mark.slow
def test_a_thousand_texts_have_the_labels_of_numpy(
    browser: Browser, light: LightPredictor
) -> None:
    generator = random.Random(0)
    words = [*WORDS[2:], "zanzibar", "Oslo's", "\N{GRINNING FACE}"]
    lengths = [generator.randint(1, 80) for _ in range(1000)]
    texts = [" ".join(generator.choices(words, k=length)) for length in lengths]
    browser.evaluate(f"window.texts = {json.dumps(texts)}")
    found = browser.evaluate(_PREDICT)
    expected = [list(one.probs.values()) for one in light.predict(texts)]
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4)
    assert np.argmax(found, axis=1).tolist() == np.argmax(expected, axis=1).tolist()


def test_the_result_is_spoken_once_typing_has_ended(browser: Browser) -> None:
    type_text(browser, TEXT)
    spoken = "document.getElementById('spoken').textContent"
    browser.evaluate(_WAIT % spoken)
    verdict = browser.evaluate("document.getElementById('verdict').textContent")
    assert browser.evaluate(spoken) == verdict


def test_an_example_is_read_at_a_click(browser: Browser) -> None:
    browser.evaluate("document.querySelectorAll('.example')[1].click()")
    assert browser.evaluate("document.getElementById('text').value") == "again again"
    reading = browser.evaluate("document.getElementById('reading').textContent")
    assert reading == "2 tokens."


def test_the_chart_of_no_text_has_the_scale_of_all_probabilities(
    browser: Browser,
) -> None:
    browser.evaluate("document.getElementById('clear').click()")
    highest = "document.querySelectorAll('#chart text')[2].textContent"
    assert browser.evaluate(highest) == "100%"


def test_names_do_not_reorder_a_sentence(browser: Browser) -> None:
    assert browser.evaluate("isolate('sport')") == "sport"
    assert browser.evaluate("isolate('كتب')") == "\u2068كتب\u2069"


@pytest.mark.parametrize("width", [320, 400, 1400])
def test_nothing_is_wider_than_the_window(width: int, browser: Browser) -> None:
    type_text(browser, "donaudampfschifffahrt" * 20)
    browser.resize(width, 900)
    assert browser.evaluate("document.documentElement.scrollWidth") <= width


def test_the_page_asks_for_nothing_but_itself(browser: Browser) -> None:
    type_text(browser, TEXT)
    assert [Path(address).name for address in browser.requests] == ["page.html"]
    assert browser.evaluate("document.getElementById('failure').hidden")


@pytest.fixture
def several(browser: Browser, tmp_path: Path) -> PortableClassifier:
    """The page of a classifier with several labels a text, open in the browser."""
    networks = build_networks(task="several_labels", bidirectional=True)
    page = tmp_path / "several.html"
    write_page(networks.numpy, page, name="several", vectors=VectorFormat("float32"))
    browser.open(page)
    return networks.numpy


def test_labels_that_reach_their_threshold_are_marked(
    browser: Browser, several: PortableClassifier
) -> None:
    type_text(browser, "oslo meet")
    (expected,) = LightPredictor(several).predict("oslo meet")
    rows = read_rows(browser, "#bars tbody")
    assert [name for name, _, _ in rows] == [name for name, _ in expected.top(3)]
    verdict = browser.evaluate("document.getElementById('verdict').textContent")
    for name in expected.labels:
        assert name in verdict
    is_marked = browser.evaluate(
        "[...document.querySelectorAll('#bars .likely th')].map((th) => th.textContent)"
    )
    assert is_marked == expected.labels
    limits = browser.evaluate(
        "[...document.querySelectorAll('.limit')].map((mark) => mark.offsetLeft"
        " / mark.parentElement.clientWidth)"
    )
    thresholds = expected.thresholds or {}
    assert limits == pytest.approx([thresholds[name] for name, _, _ in rows], abs=0.01)


def test_a_label_is_explained_at_a_click(
    browser: Browser, several: PortableClassifier
) -> None:
    type_text(browser, "oslo meet")
    names = [name for name, _, _ in read_rows(browser, "#bars tbody")]
    for name in names:
        buttons = "[...document.querySelectorAll('.pick')]"
        browser.evaluate(
            f"{buttons}.find((button) => button.textContent === '{name}').click()"
        )
        pressed = browser.evaluate(
            "document.querySelector('.pick[aria-pressed=true]').textContent"
        )
        chosen = "document.getElementById('explained').selectedOptions[0].text"
        assert pressed == browser.evaluate(chosen) == name
        effects = read_rows(browser, "#effects tbody")
        expected = find_effects(several, "oslo meet", name)
        found = [
            float(effect.replace("\N{MINUS SIGN}", "-")) for _, effect, _ in effects
        ]
        assert found == pytest.approx(expected, abs=0.006)


def find_effects(classifier: PortableClassifier, text: str, label: str) -> list[float]:
    """Return how much lower the logit is without each token."""
    networks = build_networks(task="several_labels", bidirectional=True)
    encoded = networks.encode([text])
    model = networks.torch.model
    column = classifier.label_names.index(label)
    logit = compute_logits(model, encoded)[0, column]
    losses: list[float] = (logit - occlude(model, encoded)[:, column]).tolist()
    return losses


def test_a_text_that_fits_no_class_is_named(chromium: Browser, tmp_path: Path) -> None:
    networks = set_rule(build_networks(), ScopeRule(threshold=1e6, unknown_weight=0.0))
    page = tmp_path / "none.html"
    vectors = choose_vectors(networks.numpy)
    write_page(networks.numpy, page, name="none", vectors=vectors)
    chromium.open(page)  # the last test, so that no other one needs the page before
    type_text(chromium, TEXT)
    (expected,) = networks.light().predict([TEXT])
    verdict = chromium.evaluate("document.getElementById('verdict').textContent")
    start = "Fits none of the classes; the nearest: "
    assert verdict.startswith(f"{start}{expected.label}, ")
