"""What a classifier could not read of a text: unknown words, and tokens cut off."""

from rnncls.runs.classifier import Classifier
from rnncls.text.tokenizer import tokenize_texts
from rnncls.text.vocab import UNK_ID


def describe_reading(classifier: Classifier, text: str) -> str:
    """Return a note if no word of a text is known or it was cut; else an empty text."""
    tokenized = tokenize_texts([text], classifier.text)
    tokenized = classifier.vocab.divide(tokenized)
    token_ids = classifier.vocab.encode(tokenized.words)[tokenized.word_ids]  # [M]
    notes = []
    if (token_ids == UNK_ID).all():
        notes.append(
            "No word of the text is in the vocabulary, so the prediction does not"
            " depend on its words."
        )
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
