"""From probabilities and attention weights to predictions. Does not import torch.

Shapes: N texts, C classes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice

import numpy as np
import numpy.typing as npt

from rnncls import ConfigError
from rnncls.config.sections import TextSection
from rnncls.inference.prediction import Prediction
from rnncls.nn.scope import ScopeRule, find_fitting
from rnncls.text.tokenizer import TokenizedTexts


def check_attention(*, is_requested: bool, has_attention: bool) -> None:
    """Check that a model has the attention weights that are requested.

    Raises:
        ConfigError: It has none.
    """
    if is_requested and not has_attention:
        raise ConfigError(
            "the model has no attention weights: train one with"
            " model.pooling: [last, max, attention]"
        )


def find_thresholds(
    label_names: Sequence[str],
    thresholds: Sequence[float] | None,
    threshold: float | None,
) -> dict[str, float] | None:
    """Return the threshold of each label; None if a text has one label.

    Args:
        label_names: The C classes.
        thresholds: Those of the run; None: a text has one label.
        threshold: The threshold of all labels that the user asks for, if any.

    Raises:
        ConfigError: There is a `threshold`, but a text has one label.
    """
    if thresholds is None:
        if threshold is not None:
            raise ConfigError(
                "the run has one label a text: use min_confidence, not threshold",
                {"min_confidence": "PROBABILITY"},
            )
        return None
    if threshold is not None:
        thresholds = [threshold] * len(thresholds)
    return dict(zip(label_names, thresholds, strict=True))


def decide_probs(
    probs: npt.NDArray[np.float32], thresholds: Sequence[float] | None
) -> npt.NDArray[np.int64]:
    """Return the class of each text, or 1 for each of its labels and 0 for others.

    Args:
        probs: [..., C].
        thresholds: [C], from which probability on a text has a label; None: a text has
            one label.

    Returns:
        [..., 1], or with thresholds [..., C].
    """
    if thresholds is None:
        classes: npt.NDArray[np.int64] = probs.argmax(axis=-1, keepdims=True)
        return classes
    is_reached = probs >= np.array(thresholds)  # [..., C]
    return is_reached.astype(np.int64)


def decide_fits(
    logits: npt.NDArray[np.float32],
    counts: npt.NDArray[np.int64],
    scope_rule: ScopeRule | None,
    *,
    reads_unknown: bool,
) -> list[bool] | None:
    """Return whether each text fits one of the classes; None: the run cannot tell.

    Args:
        logits: [N, C], calibrated.
        counts: [N, 3], what `count_tokens` returned.
        scope_rule: By which a text fits a class, or none; None: the run has none.
        reads_unknown: Whether unknown words have vectors, of their character n-grams.
    """
    if scope_rule is None:
        return None
    is_fitting = find_fitting(
        logits, counts, scope_rule, reads_unknown=reads_unknown
    )  # [N]
    fits: list[bool] = is_fitting.tolist()
    return fits


def label_texts(  # noqa: PLR0913 - one row of each for a text
    texts: Sequence[str],
    probs: Sequence[Sequence[float]],
    counts: Sequence[Sequence[int]],
    label_names: Sequence[str],
    min_confidence: float,
    thresholds: Mapping[str, float] | None = None,
    fits: Sequence[bool] | None = None,
) -> list[Prediction]:
    """Return one prediction per text.

    Args:
        texts: N texts.
        probs: [N, C].
        counts: [N, 3], what `count_tokens` returned.
        label_names: The C classes.
        min_confidence: Below this probability there is no answer.
        thresholds: From which probability on a text has a label; None: it has one.
        fits: [N], what `decide_fits` returned.
    """
    shared_thresholds = None if thresholds is None else dict(thresholds)
    predictions = []
    all_fits: Sequence[bool | None] = fits or [None] * len(texts)
    for text, text_probs, text_counts, text_fits in zip(
        texts, probs, counts, all_fits, strict=True
    ):
        num_tokens, num_unknown, num_cut = text_counts
        prediction = Prediction(
            text,
            dict(zip(label_names, text_probs, strict=True)),
            min_confidence=min_confidence,
            num_tokens=num_tokens,
            num_unknown=num_unknown,
            num_cut=num_cut,
            thresholds=shared_thresholds,
            fits=text_fits,
        )
        predictions.append(prediction)
    return predictions


def add_attention(
    predictions: Sequence[Prediction],
    tokenized: TokenizedTexts,
    weights_of_texts: Sequence[Sequence[float]],
    section: TextSection,
) -> list[Prediction]:
    """Return predictions with the attention weight and the place of each token.

    Args:
        predictions: One per text.
        tokenized: The tokens that the model read.
        weights_of_texts: The attention weights of each text.
        section: How a text becomes tokens.
    """
    # Imported here: only attention needs the package `regex`.
    from rnncls.text.spans import locate_tokens

    tokens = (tokenized.words[word_id] for word_id in tokenized.word_ids)
    attended = []
    for prediction, weights in zip(predictions, weights_of_texts, strict=True):
        text_tokens = list(islice(tokens, len(weights)))
        attention = list(zip(text_tokens, weights, strict=True))
        spans = locate_tokens(prediction.text, text_tokens, section)
        attended.append(replace(prediction, attention=attention, attention_spans=spans))
    return attended
