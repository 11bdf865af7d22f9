"""The page: template, style, scripts and model in one HTML file without requests.

The page's Content-Security-Policy forbids every request, so the browser makes sure that
no text leaves the device.
"""

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment
from markupsafe import Markup

from rnncls.inference.export.page.mixed_rows import VectorFormat
from rnncls.inference.export.page.ngrams import pack_ngrams
from rnncls.inference.export.page.support import check_support
from rnncls.inference.export.page.text_code import encode_text
from rnncls.inference.export.page.tokenizer import describe_tokenizer
from rnncls.inference.export.page.weights import pack_weights
from rnncls.machine.files import write_atomic
from rnncls.runs.portable import PortableClassifier
from rnncls.text.vocab import Vocab

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
VIEW_SCRIPTS = ("background", "bars", "tokens", "chart", "main")
"""The scripts that show it."""

Fact = tuple[str, str]
"""A row of the model card: what it is about, and its value."""


def write_page(
    classifier: PortableClassifier,
    path: Path,
    *,
    name: str,
    facts: Sequence[Fact] = (),
    examples: Sequence[str] = (),
    vectors: VectorFormat,
) -> int:
    """Write a page that classifies texts in a browser.

    Args:
        classifier: The run.
        path: The HTML file.
        name: The title of the page.
        facts: The model card.
        examples: Texts that the page offers.
        vectors: How the word vectors are stored.

    Returns:
        The size of the page in bytes.

    Raises:
        ConfigError: The run has a setting that the page does not know.
        RunError: The file cannot be written.
    """
    check_support(classifier.text, classifier.model)
    page = render_page(
        classifier, name=name, facts=facts, examples=examples, vectors=vectors
    )
    write_atomic(path, page)
    return len(page)


def render_page(
    classifier: PortableClassifier,
    *,
    name: str,
    facts: Sequence[Fact],
    examples: Sequence[str],
    vectors: VectorFormat,
) -> bytes:
    """Return the bytes of the page; for the arguments see `write_page`."""
    model, weights = describe_model(classifier, vectors)
    template = Environment(autoescape=True, trim_blocks=True).from_string(
        read_asset("page.html.jinja")
    )
    # The parts that are not escaped hold no "<" but that of the scripts.
    text = template.render(
        name=name,
        facts=facts,
        examples=examples,
        several=classifier.has_several_labels,
        style=Markup(read_asset("page.css")),
        script=Markup(read_scripts(*MODEL_SCRIPTS, *VIEW_SCRIPTS)),
        model=Markup(_dump_json(model)),
        weights=Markup(weights),
    )
    # A word may hold half of a surrogate pair; JSON has the escapes that Python writes.
    return text.encode("utf-8", "backslashreplace")


def describe_model(
    classifier: PortableClassifier, vectors: VectorFormat
) -> tuple[dict[str, Any], str]:
    """Return the model as the scripts read it: a JSON object, and the weights."""
    table = classifier.ngrams
    ngrams = pack_ngrams(table, vectors.embedding) if table is not None else None
    ngram_arrays = ngrams.arrays if ngrams is not None else {}
    packed = pack_weights(classifier, vectors, ngram_arrays)
    model = {
        "section": classifier.model.model_dump(),
        "tokenizer": describe_tokenizer(classifier.text, classifier.vocab),
        "words": classifier.vocab.words,
        "labels": classifier.label_names,
        "thresholds": classifier.thresholds,
        "temperature": classifier.temperature,
        "ngrams": ngrams.description if ngrams is not None else None,
        "charNgrams": _describe_char_ngrams(classifier.vocab),
        "numFine": vectors.num_fine,
        "arrays": packed.arrays,
    }
    return model, encode_text(packed.data)


def _describe_char_ngrams(vocab: Vocab) -> dict[str, int] | None:
    """Return how unknown words are hashed; None if they have no vectors."""
    char_ngrams = vocab.char_ngrams
    if char_ngrams is None:
        return None
    return {
        "minLength": char_ngrams.min_length,
        "maxLength": char_ngrams.max_length,
        "numBuckets": char_ngrams.num_buckets,
        "firstRow": len(vocab),
    }


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
