"""Fit the n-gram part of a classifier: TF-IDF and logistic regression.

The strength of the regularisation is the one with the lowest loss on the validation
rows. The weights are then packed as on disk, so that whoever uses the table has the
rounded ones.

Shapes: N texts, K n-grams, C classes.
"""

import logging
import time
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import torch

from rnncls import DataError
from rnncls.config.sections import TrainSection
from rnncls.data.loading import EncodedSplit, TrainingData
from rnncls.evaluation.joining import compute_loss
from rnncls.nn.ngrams import NgramClassifier
from rnncls.text.batch_plans import evenly_spaced
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.ngram_table import (
    NgramTable,
    count_ngrams_that_fit,
    pack_table,
    unpack_table,
)
from rnncls.text.subwords import SubwordVocab
from rnncls.text.vocab import Vocab
from rnncls.training.linear_problem import LinearModel, LinearProblem
from rnncls.training.linear_targets import build_targets
from rnncls.training.logistic_regression import fit_path
from rnncls.training.ngram_features import NgramFeatures, collect_features
from rnncls.training.ngram_priors import compute_prior_scales

logger = logging.getLogger(__name__)

INVERSE_STRENGTHS = (1.0, 3.0, 10.0, 30.0, 100.0, 300.0)
"""The C of scikit-learn's LogisticRegression, from the strongest regularisation on."""
LABEL_INVERSE_STRENGTHS = (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0)
"""The same for several labels a text, whose rare labels need a stronger one."""
_MAX_WORSE = 1.01
"""Once the validation loss is this many times the lowest, no weaker one is tried."""
_MAX_STEPS = 60
_MIN_DECREASE = 3e-5
"""A fit stops if a step reduces the loss by less. With a tenth of it, it takes half as
many steps again for the same accuracy (docs/results/experiments.md)."""
_MAX_TEXTS = 200_000
_MAX_PARAMETERS = 1_500_000
"""The most n-grams times classes; it limits the memory and the time."""
_SHORT_TOKEN = 1.5
"""Up to this mean number of characters, tokens count as characters."""
SIZE_OF_WORDS, SIZE_OF_SUBWORDS, SIZE_OF_CHARACTERS = 2, 3, 4


@dataclass(frozen=True)
class NgramFit:
    """A fitted n-gram part.

    Attributes:
        arrays: The packed table, by the names in the weights file.
        inverse_strength: The C that was chosen.
        seconds: How long the fit took.
    """

    arrays: dict[str, npt.NDArray[np.generic]]
    inverse_strength: float
    seconds: float

    def build(self, num_rows: int) -> NgramClassifier:
        """Return the n-gram part as torch computes it.

        Args:
            num_rows: Token ids from here on are those of unknown words.
        """
        return NgramClassifier(unpack_table(self.arrays), num_rows)

    def add_to_bias(self, biases: npt.NDArray[np.float32]) -> "NgramFit":
        """Return the n-gram part with numbers, [C], added to its bias."""
        bias = self.arrays["ngrams.bias"].astype(np.float32) + biases
        return replace(self, arrays={**self.arrays, "ngrams.bias": bias})


def fit_ngrams(
    data: TrainingData, max_size: int | None, section: TrainSection
) -> NgramFit:
    """Fit the n-gram part to the training rows.

    Args:
        data: The training rows, and the validation rows that choose the regularisation.
        max_size: The number of tokens of the longest n-grams; None: choose it.
        section: Gives the weights of the classes.

    Raises:
        ConfigError: The class weights do not fit the classes.
        DataError: All words of the training rows are unknown.
    """
    started = time.perf_counter()
    rows = evenly_spaced(len(data.train.labels), _MAX_TEXTS)
    train = data.train.select(rows)
    words, num_classes = data.vocab.words, len(data.label_names)
    if max_size is None:
        max_size = choose_size(train.texts, data.vocab)
    max_ngrams = min(count_ngrams_that_fit(num_classes), _MAX_PARAMETERS // num_classes)
    if train.texts.is_unknown().all():
        raise DataError(
            "model.ngrams: no word of the training rows is in the vocabulary, so there"
            " are no n-grams: lower text.min_freq, or set model.ngrams to null"
        )
    features, texts = collect_features(train.texts, words, max_size, max_ngrams)
    targets = build_targets(section, data, rows)
    problem = LinearProblem(
        texts,
        features.expand,
        compute_prior_scales(texts, features.expand, targets.probs),
        targets,
    )
    model, strength = select_model(problem, features, data.valid)
    has_several_labels = data.train.labels.ndim > 1
    arrays = _pack(features, model, is_centred=not has_several_labels)
    return NgramFit(arrays, strength, time.perf_counter() - started)


def choose_size(texts: EncodedTexts, vocab: Vocab) -> int:
    """Return the number of tokens of the longest n-grams for these texts.

    The shorter the tokens, the longer the n-grams.
    """
    if isinstance(vocab, SubwordVocab):
        return SIZE_OF_SUBWORDS
    num_characters = np.array([len(word) for word in vocab.words])
    mean = num_characters[texts.close().flat_tokens()].mean()
    return SIZE_OF_CHARACTERS if mean <= _SHORT_TOKEN else SIZE_OF_WORDS


def select_model(
    problem: LinearProblem, features: NgramFeatures, valid: EncodedSplit
) -> tuple[LinearModel, float]:
    """Return the model with the lowest loss on the validation rows, and its C."""
    texts = features.transform(valid.texts)
    labels = torch.from_numpy(valid.labels)
    num_texts = problem.texts.pattern.num_rows
    strengths = INVERSE_STRENGTHS if labels.ndim == 1 else LABEL_INVERSE_STRENGTHS
    penalties = [1 / (strength * num_texts) for strength in strengths]
    best_loss = float("inf")
    best: tuple[LinearModel, float] | None = None
    models = fit_path(problem, penalties, _MAX_STEPS, _MIN_DECREASE)
    for strength, model in zip(strengths, models, strict=True):
        loss = compute_loss(model.compute_logits(texts), labels)
        logger.debug("n-grams: C %g: validation loss %.4f", strength, loss)
        if loss < best_loss:
            best_loss, best = loss, (model, strength)
        elif loss > _MAX_WORSE * best_loss:
            break
    assert best is not None
    return best


def _pack(
    features: NgramFeatures, model: LinearModel, *, is_centred: bool
) -> dict[str, npt.NDArray[np.generic]]:
    table = NgramTable(
        max_size=features.max_size,
        keys=features.keys,
        weights=model.weights.numpy(),
        squares=features.squares,
        bias=model.bias.numpy(),
        is_centred=is_centred,
    )
    importances = np.sqrt(features.counts).astype(np.float32)
    return pack_table(table, importances)


def with_scale(
    arrays: dict[str, npt.NDArray[np.generic]], scale: float, *, is_alone: bool
) -> dict[str, npt.NDArray[np.generic]]:
    """Return a packed table with another scale."""
    return {
        **arrays,
        "ngrams.scale": np.array(scale),
        "ngrams.is_alone": np.array(is_alone, dtype=np.uint8),
    }
