"""The page as a file: a model, described for its scripts, and the HTML around it."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rnncls.inference.export.page.mixed_rows import VectorFormat
from rnncls.inference.export.page.ngrams import pack_ngrams
from rnncls.inference.export.page.support import check_support
from rnncls.inference.export.page.template import Fact, render_offline_page
from rnncls.inference.export.page.text_code import encode_text
from rnncls.inference.export.page.tokenizer import describe_tokenizer
from rnncls.inference.export.page.weights import pack_weights
from rnncls.machine.files import write_atomic
from rnncls.runs.portable import PortableClassifier
from rnncls.text.vocab import Vocab


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
    return render_offline_page(name, facts, examples, model, weights)


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
        "scopeRule": classifier.scope_rule,
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
