"""The HTML of the page: template, style and scripts in one file without other files.

The page's Content-Security-Policy forbids every request, so the browser makes sure that
no text leaves the device. A page that a server shows may only ask this server.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

_ASSETS = Path(__file__).with_name("assets")
MODEL_SCRIPTS = (
    "patterns",
    "unicode",
    "cleaning",
    "subwords",
    "tokenizer",
    "text_code",
    "embedding",
    "arrays",
    "cells",
    "encoders",
    "ngrams",
    "char_ngrams",
    "network",
)
"""The scripts that classify a text; they need no page."""
LOCAL_SCRIPTS = ("background", "local_reader")
"""The scripts that hand its results to the page."""
VIEW_SCRIPTS = ("bars", "tokens", "chart", "main")
"""The scripts that show them."""

Fact = tuple[str, str]
"""A row of the model card: what it is about, and its value."""


def render_offline_page(
    name: str,
    facts: Sequence[Fact],
    examples: Sequence[str],
    model: dict[str, Any],
    weights: str,
) -> bytes:
    """Return the page that computes a classifier itself.

    Args:
        name: The title of the page.
        facts: The model card.
        examples: Texts that the page offers.
        model: The model as the scripts read it.
        weights: Its weights, which hold no "<".
    """
    scripts = read_scripts(*MODEL_SCRIPTS, *LOCAL_SCRIPTS, *VIEW_SCRIPTS)
    return _render(name, facts, examples, model, scripts, weights)


def render_server_page(
    name: str,
    facts: Sequence[Fact],
    label_names: Sequence[str],
    thresholds: Sequence[float] | None,
) -> bytes:
    """Return the page that asks the server which shows it.

    Args:
        name: The title of the page.
        facts: The model card.
        label_names: The classes, in the order of the probabilities.
        thresholds: The threshold of each label; None: a text has one label.
    """
    model = {"labels": list(label_names), "thresholds": thresholds}
    scripts = read_scripts("server_reader", *VIEW_SCRIPTS)
    return _render(name, facts, [], model, scripts, None)


def _render(
    name: str,
    facts: Sequence[Fact],
    examples: Sequence[str],
    model: dict[str, Any],
    scripts: str,
    weights: str | None,
) -> bytes:
    """Return the bytes of the page; without weights it asks the server."""
    template = Environment(autoescape=True, trim_blocks=True).from_string(
        read_asset("page.html.jinja")
    )
    # The parts that are not escaped hold no "<" but that of the scripts.
    text = template.render(
        name=name,
        facts=facts,
        examples=examples,
        several=model["thresholds"] is not None,
        asks_server=weights is None,
        style=Markup(read_asset("page.css")),
        script=Markup(scripts),
        model=Markup(_dump_json(model)),
        weights=Markup(weights or ""),
    )
    # A word may hold half of a surrogate pair; JSON has the escapes that Python writes.
    return text.encode("utf-8", "backslashreplace")


def _dump_json(value: object) -> str:
    """Return JSON that cannot end the element of the page that it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def read_scripts(*names: str) -> str:
    """Return scripts in one text; they share one scope."""
    return "\n".join(read_asset(f"{name}.js") for name in names)


@cache
def read_asset(name: str) -> str:
    """Return a file of the page."""
    return (_ASSETS / name).read_text("utf-8")
