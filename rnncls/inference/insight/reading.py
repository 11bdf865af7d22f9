"""What a classifier could not read of a text: unknown words, and tokens cut off."""

from rnncls.runs.classifier import Classifier
from rnncls.text.tokenizer import tokenize_texts
from rnncls.text.vocab import UNK_ID


def describe_reading(classifier: Classifier, text: str) -> str:
    """Return a note if no word of a text is known or it was cut; else an empty text."""
    tokenized = tokenize_texts([text], classifier.text)
    vocab = classifier.vocab
    tokenized = vocab.divide(tokenized)
    token_ids = vocab.encode(tokenized.words)[tokenized.word_ids]  # [M]
    notes = []
    if (token_ids == UNK_ID).all():
        notes.append(_describe_unknown(has_ngrams=vocab.char_ngrams is not None))
    num_cut = 0
    if tokenized.num_cut is not None:
        num_cut = int(tokenized.num_cut[0])
    if num_cut:
        num_tokens = int(tokenized.lengths[0])
        notes.append(
            f"Only the first {num_tokens:,} of {num_tokens + num_cut:,} tokens were"
            " read (text.max_tokens)."
        )
    return " ".join(notes)


def _describe_unknown(*, has_ngrams: bool) -> str:
    """Return the note for a text without a known word."""
    if has_ngrams:
        return (
            "No word of the text is in the vocabulary, so the prediction depends on"
            " their character n-grams only (text.char_ngrams)."
        )
    return (
        "No word of the text is in the vocabulary, so the prediction does not depend on"
        " its words."
    )
