"""How much the labels and probabilities of the page differ from those of its run.

Shapes: N texts, C classes.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from rnncls import DataError
from rnncls.config.sections import DataSettings
from rnncls.data.loading import load_labelled_split
from rnncls.inference.labelling import decide_probs
from rnncls.inference.light.network import compute_outputs, compute_probs
from rnncls.runs.portable import PortableClassifier
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.subwords import SubwordVocab
from rnncls.text.vocab import UNK_ID

MAX_TEXTS = 1000
"""The validation texts that are classified; more would take longer than the export."""


@dataclass(frozen=True)
class LabelChanges:
    """The classes of the page and of the run for the same texts.

    Attributes:
        num_texts: N.
        num_changed: The texts for which the page chooses another class, or another set
            of labels.
        largest_difference: The largest difference of a probability.
    """

    num_texts: int
    num_changed: int
    largest_difference: float


def count_label_changes(
    run: PortableClassifier, page: PortableClassifier, settings: DataSettings
) -> LabelChanges | None:
    """Classify validation texts with a run and with the weights of its page.

    Args:
        run: The run.
        page: The run with the words and the rounded word vectors of the page.
        settings: The settings of the run's data.

    Returns:
        None if the data cannot be read any more.
    """
    try:
        texts = _load_texts(run, settings)
        page_texts = _load_page_texts(run, page, settings, texts)
    except DataError:
        return None
    run_probs = _compute_probs(run, texts)  # [N, C]
    page_probs = _compute_probs(page, page_texts)  # [N, C]
    run_labels = decide_probs(run_probs, run.thresholds)  # [N, 1 or C]
    is_other = decide_probs(page_probs, page.thresholds) != run_labels
    num_changed = int(is_other.any(axis=1).sum())
    difference = float(np.abs(page_probs - run_probs).max())
    return LabelChanges(len(texts), num_changed, difference)


def _load_page_texts(
    run: PortableClassifier,
    page: PortableClassifier,
    settings: DataSettings,
    texts: EncodedTexts,
) -> EncodedTexts:
    """Return the texts of the run with the token ids of the page."""
    has_all_words = len(page.vocab) == len(run.vocab)
    if has_all_words:
        return texts
    if isinstance(page.vocab, SubwordVocab) or page.vocab.char_ngrams is not None:
        return _load_texts(page, settings)
    return _replace_dropped(texts, len(page.vocab))


def _load_texts(classifier: PortableClassifier, settings: DataSettings) -> EncodedTexts:
    """Return the first validation texts with the token ids of a classifier."""
    split, _ = load_labelled_split(
        settings, "valid", classifier.vocab, classifier.label_names, "skip"
    )
    return split.texts.select(np.arange(min(len(split.texts), MAX_TEXTS)))


def _replace_dropped(texts: EncodedTexts, num_words: int) -> EncodedTexts:
    """Return the texts with `<unk>` for words that the page lacks."""
    is_known = texts.token_ids < num_words
    token_ids = np.where(is_known, texts.token_ids, UNK_ID).astype(np.int32)
    return replace(texts, token_ids=token_ids)


def _compute_probs(
    classifier: PortableClassifier, texts: EncodedTexts
) -> npt.NDArray[np.float32]:
    """Return the probability of each label for each text. [N, C] float32."""
    logits = compute_outputs(classifier, texts).logits  # [N, C]
    return compute_probs(classifier, logits)
