"""What the light runtime can compute: everything else is left to torch."""

from collections.abc import Container, Iterator
from typing import Any

from rnncls.config.sections import ModelSection, TextSection

KNOWN_VALUES: dict[str, set[str]] = {
    "text.tokenizer": {
        *("basic_english", "whitespace"),
        *("words", "subwords", "characters"),
    },
    "model.task": {"one_label", "several_labels"},
    "model.cell": {"rnn", "lstm", "gru", "grid_lstm", "none"},
    "model.pooling": {"last", "max", "mean", "attention"},
}
"""The keys whose value decides what is computed, with the values that are known."""

KNOWN_KEYS = {
    *KNOWN_VALUES,
    *("text.nfkc", "text.lowercase", "text.clean", "text.mark_case"),
    *("text.same_digits", "text.max_tokens", "text.subwords"),
    *("text.min_freq", "text.max_vocab", "text.vectors", "text.vector_words"),
    *("text.char_ngrams", "text.ngram_buckets"),
    *("model.embedding_dim", "model.hidden_size", "model.num_layers"),
    *("model.bidirectional", "model.tokens_per_step"),
    *("model.pretrained", "model.ngrams"),
    *("model.dropout", "model.word_dropout"),
    *("model.input_dropout", "model.recurrent_dropout"),
}
"""The keys that the light runtime respects, or that only matter in training."""


def find_unsupported(
    text: TextSection, model: ModelSection, known_keys: Container[str] = KNOWN_KEYS
) -> str | None:
    """Return the first setting that a runtime does not know, or None.

    A key that it does not know is no obstacle while it has its default value.

    Args:
        text: How a text becomes tokens.
        model: The network.
        known_keys: The keys that the runtime knows; default: the light runtime's.

    Returns:
        The setting as `KEY=VALUE`.
    """
    for key, value, default in [*_iter_keys("text", text), *_iter_keys("model", model)]:
        if key not in known_keys and value != default:
            return f"{key}={value}"
        if key in KNOWN_VALUES and not set(_iter_names(value)) <= KNOWN_VALUES[key]:
            return f"{key}={value}"
    return None


def _iter_keys(
    prefix: str, section: TextSection | ModelSection
) -> Iterator[tuple[str, Any, Any]]:
    """Yield each key of a section with its value and its default value."""
    for name, field in type(section).model_fields.items():
        yield f"{prefix}.{name}", getattr(section, name), field.get_default()


def _iter_names(value: str | list[str]) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    else:
        yield from value
