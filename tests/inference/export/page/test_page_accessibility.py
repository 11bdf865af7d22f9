"""The page for people who use a keyboard, a screen reader or large letters.

The numbers are those of the Web Content Accessibility Guidelines 2.2, level AA:
https://www.w3.org/TR/WCAG22/
"""

from typing import Any

import pytest

from rnncls.inference.export.page.document import write_page
from rnncls.inference.export.page.mixed_rows import VectorFormat
from tests.browser import Browser
from tests.inference.light.networks import build_networks

VECTORS = VectorFormat("float32")
MIN_TEXT_CONTRAST, MIN_SHAPE_CONTRAST = 4.5, 3
MIN_TARGET_PX = 24
# Paints colours upon each other, so that half-transparent ones count as they look.
_CONTRAST = """
const canvas = document.createElement("canvas");
const context = canvas.getContext("2d", { willReadFrequently: true });
function mix(colors) {
  for (const color of colors) {
    context.fillStyle = color;
    context.fillRect(0, 0, 1, 1);
  }
  return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
}
function measureLight(color) {
  const [red, green, blue] = color.map((value) => {
    const share = value / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
}
function contrast(one, other) {
  const [low, high] = [measureLight(one), measureLight(other)].sort((a, b) => a - b);
  return (high + 0.05) / (low + 0.05);
}
"""
_FIND_TEXTS = """
(() => {
  %s
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    const text = walker.currentNode.textContent.trim();
    if (text === "" || element.getClientRects().length === 0) continue;
    const backgrounds = [];
    for (let node = element; node; node = node.parentElement) {
      backgrounds.unshift(getComputedStyle(node).backgroundColor);
    }
    const style = getComputedStyle(element);
    const color = element instanceof SVGElement ? style.fill : style.color;
    const ratio = contrast(mix([...backgrounds, color]), mix(backgrounds));
    found.push([text, ratio]);
  }
  return found;
})()
"""
_FIND_SHAPES = """
(() => {
  %s
  const style = getComputedStyle(document.documentElement);
  const read = (name) => mix([style.getPropertyValue(name)]);
  const found = [];
  for (const paper of ["--paper", "--soft"]) {
    for (const name of %s) {
      found.push([`${name} on ${paper}`, contrast(read(name), read(paper))]);
    }
  }
  return found;
})()
"""
_FOCUS = """
(() => {
  const style = getComputedStyle(document.activeElement);
  return style.outlineStyle === "none" ? 0 : parseFloat(style.outlineWidth);
})()
"""
_SMALL_TARGETS = """
[...document.querySelectorAll("button, select, summary, input, textarea")]
  .filter((element) => element.getClientRects().length > 0)
  .map((element) => [element.outerHTML.slice(0, 60), element.getBoundingClientRect()])
  .filter(([, box]) => Math.min(box.width, box.height) < %d)
  .map(([name, box]) => [name, box.width, box.height])
"""
_READY = """new Promise((done) => {
  const look = () => document.querySelector("#effects tbody tr")
    ? done() : setTimeout(look, 10);
  look();
})"""
_BROKEN_REFERENCES = """
(() => {
  const ids = [...document.querySelectorAll("[id]")].map((element) => element.id);
  const broken = ids.filter((id, index) => ids.indexOf(id) !== index);
  for (const name of ["aria-labelledby", "aria-describedby", "aria-controls", "for"]) {
    for (const element of document.querySelectorAll(`[${name}]`)) {
      const targets = element.getAttribute(name).split(" ");
      broken.push(...targets.filter((id) => !ids.includes(id)));
    }
  }
  return broken;
})()
"""
# A tick before the name says that the text has the label.
_LABEL_BUTTONS = """
[...document.querySelectorAll(".pick")].map((button) =>
  (button.closest(".likely") ? "\N{CHECK MARK} " : "") + button.textContent)
"""
KINDS = ["one label", "several labels"]
COLORS = ["--ink", "--faint", "--accent", *(f"--class-{index}" for index in range(8))]
ONE_LABEL = [
    ("textbox", "Text"),
    ("button", "Clear"),
    ("button", "oslo meet"),
    ("combobox", "What each token adds to the score of"),
    ("group", "Tokens of the text"),
    ("DisclosureTriangle", "As a table"),
    ("region", "Table of tokens"),
    ("slider", "Tokens read"),
]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Whether a text has one label or several."""
    kind: str = request.param
    return kind


@pytest.fixture(scope="module")
def browser(
    kind: str, chromium: Browser, tmp_path_factory: pytest.TempPathFactory
) -> Browser:
    """A page on which a text is explained."""
    task = kind.replace(" ", "_")
    classifier = build_networks(task=task).numpy
    facts = [("Network", "a small one")]
    page = tmp_path_factory.mktemp("page") / "page.html"
    write_page(
        classifier,
        page,
        name="page",
        facts=facts,
        examples=["oslo meet"],
        vectors=VECTORS,
    )
    chromium.resize(400, 900)
    chromium.send("Emulation.setFocusEmulationEnabled", enabled=True)
    chromium.open(page)
    chromium.evaluate("page.setText('Rovers meet zanzibar again')")
    chromium.evaluate("document.getElementById('effects').open = true")
    chromium.evaluate(_READY)
    return chromium


@pytest.fixture(scope="module", params=["light", "dark"])
def themed(request: pytest.FixtureRequest, browser: Browser) -> Browser:
    """The page in light and in dark colours."""
    browser.set_color_scheme(request.param)
    return browser


def find_faint(measured: Any, least: float) -> list[Any]:
    """Return what has less contrast than allowed."""
    assert len(measured) > 10
    return [(name, ratio) for name, ratio in measured if ratio < least]


def test_every_text_can_be_read(themed: Browser) -> None:
    measured = themed.evaluate(_FIND_TEXTS % _CONTRAST)
    assert {"Rovers", "rovers"} & {text for text, _ in measured}
    assert find_faint(measured, MIN_TEXT_CONTRAST) == []


def test_bars_lines_and_frames_can_be_seen(themed: Browser) -> None:
    measured = themed.evaluate(_FIND_SHAPES % (_CONTRAST, COLORS))
    assert len(measured) == 2 * len(COLORS)
    assert find_faint(measured, MIN_SHAPE_CONTRAST) == []


def describe_focus(browser: Browser) -> tuple[str, str]:
    """Return the role and the name that a screen reader says of the focus."""
    found = browser.send("Runtime.evaluate", expression="document.activeElement")
    tree = browser.send(
        "Accessibility.getPartialAXTree",
        objectId=found["result"]["objectId"],
        fetchRelatives=False,
    )
    (node,) = tree["nodes"]
    return node["role"]["value"], node.get("name", {}).get("value", "")


def test_the_keyboard_reaches_every_control_in_its_order(
    kind: str, browser: Browser
) -> None:
    browser.evaluate("document.getElementById('text').focus()")
    names = browser.evaluate(_LABEL_BUTTONS)
    buttons = [("button", name) for name in names]
    expected = [*ONE_LABEL[:3], *buttons, *ONE_LABEL[3:]]
    assert bool(buttons) == (kind == "several labels")
    found = []
    for _ in expected:
        found.append(describe_focus(browser))
        assert browser.evaluate(_FOCUS) >= 2, f"no frame around {found[-1]}"
        browser.press_tab()
    assert found == expected


def test_every_control_is_large_enough(browser: Browser) -> None:
    assert browser.evaluate(_SMALL_TARGETS % MIN_TARGET_PX) == []


def test_every_reference_to_another_element_leads_to_one(browser: Browser) -> None:
    assert browser.evaluate(_BROKEN_REFERENCES) == []


def test_a_screen_reader_finds_headings_and_the_spoken_result(
    browser: Browser,
) -> None:
    nodes = browser.send("Accessibility.getFullAXTree")["nodes"]
    found = [(node["role"]["value"], node) for node in nodes if not node["ignored"]]
    headings = [node["name"]["value"] for role, node in found if role == "heading"]
    assert headings == [
        *("page", "Text", "Examples", "Prediction", "What each token adds"),
        *("After each token", "Model card"),
    ]
    roles = {role for role, _ in found}
    assert {"banner", "main", "status"} <= roles
    assert "image" not in roles
