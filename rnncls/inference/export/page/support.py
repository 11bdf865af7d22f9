"""What the page can compute. It refuses a run with any other setting."""

from pydantic import BaseModel

from rnncls import ConfigError
from rnncls.config.sections import ModelSection, TextSection

_TEXT_KEYS = {
    *("tokenizer", "nfkc", "lowercase", "subwords", "clean", "mark_case"),
    *("same_digits", "min_freq", "max_vocab", "max_tokens", "vectors"),
    "vector_words",
    *("char_ngrams", "ngram_buckets"),
}
_MODEL_KEYS = {
    *("cell", "embedding_dim", "hidden_size", "num_layers", "bidirectional"),
    "tokens_per_step",
    *("pooling", "pretrained", "dropout", "word_dropout", "input_dropout"),
    *("recurrent_dropout", "ngrams", "task"),
}
"""The keys that the page respects, and those that matter only in training."""
_TOKENIZERS = {"basic_english", "whitespace", "words", "subwords", "characters"}
_CELLS = {"rnn", "lstm", "gru", "grid_lstm", "none"}
_POOLINGS = {"last", "max", "mean", "attention"}


def check_support(text: TextSection, model: ModelSection) -> None:
    """Check that the page computes what a run with these settings does.

    Raises:
        ConfigError: It has a setting that the page does not know.
    """
    unknown = [
        *_list_unknown_keys("text", text, _TEXT_KEYS),
        *_list_unknown_keys("model", model, _MODEL_KEYS),
    ]
    if text.tokenizer not in _TOKENIZERS:
        unknown.append(f"text.tokenizer={text.tokenizer}")
    if model.cell not in _CELLS:
        unknown.append(f"model.cell={model.cell}")
    if not set(model.pooling) <= _POOLINGS:
        unknown.append(f"model.pooling=[{', '.join(model.pooling)}]")
    if unknown:
        raise ConfigError(
            f"the run has {', '.join(unknown)}, which a page cannot compute: train"
            " without it, or predict with the run itself"
        )


def _list_unknown_keys(name: str, section: BaseModel, known: set[str]) -> list[str]:
    """Return the settings whose keys are unknown, unless they have their default."""
    unknown = []
    for key, field in type(section).model_fields.items():
        value = getattr(section, key)
        if key not in known and value != field.get_default():
            unknown.append(f"{name}.{key}={value}")
    return unknown
