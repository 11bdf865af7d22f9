"""Explanation of a prediction: what each token adds to the logit of a class.

Two independent methods: Integrated Gradients, which distribute the complete difference
to a text of unknown words (`rnncls.inference.insight.integrated_gradients`), and
occlusion, which replaces one token at a time. Both are deterministic: dropout is off
and a single text has no padding.

Shapes: T tokens of the text, C classes.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rnncls import ConfigError
from rnncls.evaluation.evaluator import compute_attention, compute_logits
from rnncls.inference.insight.integrated_gradients import (
    MAX_RESIDUAL,
    Integral,
    integrate_gradients,
)
from rnncls.inference.labelling import find_thresholds
from rnncls.inference.prediction import Prediction
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.decisions import decide_label
from rnncls.nn.ngrams import NgramClassifier
from rnncls.runs.classifier import Classifier
from rnncls.text.display import name_token
from rnncls.text.encoded_texts import EncodedTexts, encode_text
from rnncls.text.spans import locate_tokens
from rnncls.text.traced_text import Span
from rnncls.text.vocab import UNK_ID

SMALLEST_NAMED = 0.005
"""A summary names no token whose contribution would be shown as 0.00."""
_NUM_NAMED = 3
"""How many words of each sign a summary names."""


@dataclass(frozen=True)
class TokenOpinion:
    """The effect of one token on the logit of the explained class.

    Attributes:
        token: The token.
        start: Where it begins in the text; see `rnncls.text.spans`.
        end: Where it ends; equal to `start` if it has no character of its own.
        is_known: Whether it is in the vocabulary; the model reads others as `<unk>`,
            and by their n-grams if it has any (`text.char_ngrams`).
        contribution: What it adds to the logit: by Integrated Gradients what it adds to
            that of the network, and exactly what it adds to that of the n-gram part.
        occlusion: How much the logit drops if `<unk>` replaces it.
        attention: Its attention weight; None for a model without attention pooling.
        ngrams: The part of the contribution that is from the n-grams it belongs to;
            None for a model without an n-gram part.
    """

    token: str
    start: int
    end: int
    is_known: bool
    contribution: float
    occlusion: float
    attention: float | None
    ngrams: float | None = None


@dataclass(frozen=True)
class Explanation:
    """Why a text gets the logit of one class.

    Attributes:
        text: The text.
        probs: Label → probability, in the order of the run's labels.
        label: The explained class.
        logit: The logit of that class.
        baseline_logit: Its logit for the baseline, a text of as many `<unk>`.
        baseline_prob: Its probability for the baseline.
        tokens: One entry per token.
        num_points: How many points between baseline and text were evaluated.
        residual: The contributions' sum minus the difference between the two logits.
        thresholds: Label → from which probability on a text has it; None: a text has
            one label.
    """

    text: str
    probs: dict[str, float]
    label: str
    logit: float
    baseline_logit: float
    baseline_prob: float
    tokens: list[TokenOpinion]
    num_points: int
    residual: float
    thresholds: dict[str, float] | None = None

    @property
    def spans(self) -> list[Span]:
        """Where each token is in the text."""
        return [Span(token.start, token.end) for token in self.tokens]

    @property
    def prediction(self) -> str:
        """The most probable label."""
        return decide_label(self.probs)

    @property
    def labels(self) -> list[str]:
        """The labels of the text, the most probable first, as in `Prediction`."""
        return Prediction(self.text, self.probs, thresholds=self.thresholds).labels

    @property
    def difference(self) -> float:
        """What all words together add to the logit."""
        return self.logit - self.baseline_logit

    @property
    def is_complete(self) -> bool:
        """Whether the contributions add up to the difference within `MAX_RESIDUAL`."""
        return abs(self.residual) <= MAX_RESIDUAL * abs(self.difference)

    def strongest(self, count: int) -> list[int]:
        """Return the indices of the tokens with the largest contributions, by size."""
        sizes = [abs(token.contribution) for token in self.tokens]
        order = sorted(range(len(sizes)), key=lambda index: -sizes[index])
        return order[:count]

    def named(self, sign: int) -> dict[str, int]:
        """Return the words of one sign that `meaning` names, the strongest first.

        Args:
            sign: 1 for words that support the label, -1 for words that oppose it.

        Returns:
            The word as written → the index of its strongest token. At most three.
        """
        indices: dict[str, int] = {}
        for index in self.strongest(len(self.tokens)):
            token = self.tokens[index]
            if sign * token.contribution >= SMALLEST_NAMED:
                written = name_token(self.text, token.token, self.spans[index])
                indices.setdefault(written, index)
            if len(indices) == _NUM_NAMED:
                break
        return indices

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries and numbers."""
        values = {
            **asdict(self),
            "prediction": self.prediction,
            "difference": self.difference,
            "is_complete": self.is_complete,
            "baseline": "<unk>",
            "meaning": self.meaning(),
        }
        if self.thresholds is None:
            del values["thresholds"]
        else:
            values["labels"] = self.labels
        return values

    def meaning(self) -> str:
        """Summarise the explanation in a few plain sentences, without its numbers."""
        supporting = self._quote_strongest(sign=1)
        opposing = self._quote_strongest(sign=-1)
        prob = self.probs[self.label]
        probability = f"The probability of {self.label} is {prob:.1%}."
        if self.thresholds is not None:
            probability = self._compare_with_threshold(prob, self.thresholds)
        evidence = (
            f"Words that support {self.label} most: {supporting}; words that oppose it"
            f" most: {opposing}."
        )
        warning = self._warn_of_residual()
        return " ".join(filter(None, (probability, evidence, warning)))

    def _compare_with_threshold(self, prob: float, thresholds: dict[str, float]) -> str:
        threshold = thresholds[self.label]
        side = "reaches" if prob >= threshold else "is below"
        return (
            f"The probability of {self.label} is {prob:.1%}, which {side} its threshold"
            f" of {threshold:.1%}."
        )

    def _quote_strongest(self, sign: int) -> str:
        """Name up to three words with the largest contributions of one sign."""
        return ", ".join(f"'{word}'" for word in self.named(sign)) or "none"

    def _warn_of_residual(self) -> str:
        """Return why the contributions cannot be trusted; empty if they can."""
        if self.is_complete:
            return ""
        return (
            "Do not trust the contributions of the words: they should add up to"
            f" {self.difference:+.2f}, but add up to"
            f" {self.difference + self.residual:+.2f}."
        )


def explain(classifier: Classifier, text: str, label: str | None = None) -> Explanation:
    """Compute what each token of a text adds to the logit of a label.

    The label defaults to the predicted one; of several, to the most probable of them.
    The model stays on its device.

    Raises:
        ConfigError: The run has no such label.
    """
    tokens, encoded = encode_text(text, classifier.text, classifier.vocab)
    ids = encoded.token_ids
    baseline = replace(encoded, token_ids=np.full_like(ids, UNK_ID))
    logits = compute_logits(classifier.model, encoded)[0]  # [C]
    target = (
        _choose_target(classifier, logits)
        if label is None
        else find_label(label, classifier.label_names)
    )
    baseline_logits = compute_logits(classifier.model, baseline)[0]  # [C]
    logit, baseline_logit = float(logits[target]), float(baseline_logits[target])
    baseline_prob = float(classifier.model.compute_probs(baseline_logits)[target])
    integral = _explain_network(classifier.model, encoded, target)
    contributions, ngrams = integral.contributions, [None] * len(tokens)
    if classifier.model.ngrams is not None:
        shares = _explain_ngrams(classifier.model.ngrams, ids, target)  # [T]
        contributions, ngrams = contributions + shares, shares.tolist()
    losses = logit - occlude(classifier.model, encoded)[:, target]  # [T]
    attention = (
        compute_attention(classifier.model, encoded)[0]
        if classifier.model.has_attention
        else [None] * len(tokens)
    )
    known = (~encoded.is_unknown()).tolist()
    starts, ends = zip(*locate_tokens(text, tokens, classifier.text), strict=True)
    columns = (
        tokens,
        starts,
        ends,
        known,
        contributions.tolist(),
        losses.tolist(),
        attention,
        ngrams,
    )
    opinions = [TokenOpinion(*row) for row in zip(*columns, strict=True)]
    all_probs = classifier.model.compute_probs(logits).tolist()  # [C]
    probs = dict(zip(classifier.label_names, all_probs, strict=True))
    name = classifier.label_names[target]
    residual = contributions.sum().item() - (logit - baseline_logit)
    return Explanation(
        text,
        probs,
        name,
        logit,
        baseline_logit,
        baseline_prob,
        opinions,
        integral.num_points,
        residual,
        find_thresholds(classifier.label_names, classifier.thresholds, None),
    )


def explain_labels(classifier: Classifier, text: str) -> list[Explanation]:
    """Explain the predicted label; of several, each that the text has.

    If no label reaches its threshold, the most probable one is explained.
    """
    first = explain(classifier, text)
    others = first.labels[1:]
    return [first, *(explain(classifier, text, label) for label in others)]


def _choose_target(classifier: Classifier, logits: torch.Tensor) -> int:
    """Return the most probable label of the text; if it has none, of all. [C] -> []."""
    if classifier.thresholds is not None:
        probs = classifier.model.compute_probs(logits).double()  # [C]
        thresholds = torch.tensor(classifier.thresholds, dtype=torch.float64)  # [C]
        is_reached = probs >= thresholds  # [C]
        if is_reached.any():
            logits = logits.masked_fill(~is_reached, -torch.inf)  # [C]
    return int(logits.argmax())


def _explain_network(
    model: TextClassifier, text: EncodedTexts, target: int
) -> Integral:
    """Return what each token of one text adds to a logit of the network."""
    if model.ngrams is not None and model.ngrams.is_alone:
        nothing = torch.zeros(len(text.token_ids), dtype=torch.float64)  # [T]
        return Integral(nothing, num_points=0, residual=0.0)
    bound_model = model.bind(text.unknown)
    return integrate_gradients(bound_model, torch.from_numpy(text.token_ids), target)


def _explain_ngrams(
    ngrams: NgramClassifier, token_ids: npt.NDArray[np.int32], target: int
) -> torch.Tensor:
    """Return what each token of one text adds to a logit by its n-grams. [T] float64.

    The baseline has no n-gram, so these are exactly the differences to it.
    """
    ids = torch.from_numpy(token_ids).long().to(ngrams.keys.device)  # [T]
    shares = ngrams.share_out(ids)[:, target] * ngrams.scale  # [T]
    return shares.cpu()


def find_label(label: str, label_names: Sequence[str]) -> int:
    """Return the index of a label.

    Raises:
        ConfigError: The run has no such label.
    """
    if label in label_names:
        return list(label_names).index(label)
    near = get_close_matches(label, label_names, n=1, cutoff=0.5)
    hint = f"; did you mean '{near[0]}'?" if near else ""
    raise ConfigError(
        f"--label: the run has no label '{label}', only {', '.join(label_names)}{hint}"
    )


def occlude(model: TextClassifier, text: EncodedTexts) -> torch.Tensor:
    """Return the logits with each token in turn replaced by `<unk>`. [T, C] float32."""
    num_tokens = len(text.token_ids)
    variants = np.tile(text.token_ids, (num_tokens, 1))  # [T, T]
    np.fill_diagonal(variants, UNK_ID)
    texts = replace(
        text,
        token_ids=variants.ravel(),
        lengths=np.full(num_tokens, num_tokens),
        starts=np.arange(num_tokens) * num_tokens,
    )
    return compute_logits(model, texts)
