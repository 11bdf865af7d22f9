"""Predictions while a text is read: after each token, and as a stream.

A left-to-right model reads a text once, with its hidden state and running pooling. A
bidirectional model has no state for the text so far, so each prefix is read again.

Shapes: N texts, T tokens of a text, E embedding_dim, S width of a state, P poolings, C
classes.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rnncls import ConfigError
from rnncls.config.sections import ModelSection
from rnncls.evaluation.evaluator import compute_logits
from rnncls.inference.labelling import find_thresholds
from rnncls.inference.prediction import Prediction
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.decisions import decide_label
from rnncls.nn.states import HiddenState
from rnncls.runs.classifier import Classifier
from rnncls.text.display import name_token
from rnncls.text.encoded_texts import EncodedTexts, encode_text
from rnncls.text.incremental import IncrementalTokenizer
from rnncls.text.spans import locate_tokens
from rnncls.text.traced_text import Span
from rnncls.text.vocab import UnknownWords

IntArray = npt.NDArray[np.int32]


def reads_one_way(section: ModelSection) -> bool:
    """Return whether a model's states do not depend on later tokens."""
    return section.cell == "none" or not section.bidirectional


class PrefixReader:
    """Reads one text from left to right, at a constant cost per token."""

    def __init__(self, model: TextClassifier) -> None:
        """Start before the first token.

        Raises:
            ConfigError: The model is bidirectional.
        """
        if not reads_one_way(model.section):
            raise ConfigError(
                "model.bidirectional: this run is bidirectional, so it cannot predict"
                " before the end of a text: train a run with --set"
                " model.bidirectional=false, or use 'rnncls explain --trajectory'"
            )
        self._model = model
        self._hidden_state: HiddenState = ()
        self._step: list[torch.Tensor] = []  # [E] each, the tokens of the last step
        self._pooling = model.pooling.running()
        self._ngrams = None if model.ngrams is None else model.ngrams.running()

    @torch.inference_mode()
    def embed(self, token_ids: IntArray, unknown: UnknownWords | None) -> torch.Tensor:
        """Return the word vectors of tokens. [T] -> [T, E] float32."""
        ids = torch.from_numpy(token_ids).to(self._model.linear.weight.device)  # [T]
        return self._model.bind(unknown).embed(ids)

    @torch.inference_mode()
    def read(self, word_vector: torch.Tensor, token_id: int) -> torch.Tensor:
        """Read one more token; return the logits of the text so far. [E] -> [C]."""
        logits = self._model.classify(self._pool(word_vector))  # [C]
        if self._ngrams is None:
            return logits
        return self._model.join(logits, self._ngrams.add(token_id))

    def _pool(self, word_vector: torch.Tensor) -> torch.Tensor:
        """Return the pooled states of the text so far. [E] -> [P * S]."""
        encoder = self._model.encoder
        if encoder is None:
            return self._pooling.add(word_vector)
        self._step.append(word_vector)
        vectors = torch.stack(self._step).sum(dim=0, keepdim=True)  # [1, E]
        states, hidden_state = encoder.step(vectors, self._hidden_state)  # [1, S]
        if len(self._step) < self._model.section.tokens_per_step:
            # The step is read again, from the same state, with the next token.
            return self._pooling.copy().add(states[0])
        self._hidden_state = hidden_state
        self._step = []
        return self._pooling.add(states[0])


@dataclass(frozen=True)
class Trajectory:
    """The prediction after every token of a text.

    Attributes:
        text: The text as it was given.
        labels: The C classes.
        tokens: The T tokens.
        spans: Where each of them is in the text.
        probs: [T][C], the probability of each class after each token.
        is_reread: Whether each prefix was classified separately, because the model is
            bidirectional.
        thresholds: [C], from which probability on a text has a label; None: it has one
            label.
    """

    text: str
    labels: list[str]
    tokens: list[str]
    spans: list[Span]
    probs: list[list[float]]
    is_reread: bool
    thresholds: list[float] | None = None

    @property
    def label_sets(self) -> list[list[str]]:
        """The labels after each token, the most probable first; one, or several."""
        return [self._choose_labels(row) for row in self.probs]

    def _choose_labels(self, probs: list[float]) -> list[str]:
        if self.thresholds is None:
            return [self.labels[int(np.argmax(probs))]]
        named = dict(zip(self.labels, probs, strict=True))
        thresholds = dict(zip(self.labels, self.thresholds, strict=True))
        return Prediction(self.text, named, thresholds=thresholds).labels

    @property
    def predictions(self) -> list[str]:
        """The most probable label after each token; of several, all in one text."""
        return [", ".join(labels) or "none" for labels in self.label_sets]

    @property
    def decided_at(self) -> int:
        """The index of the token after which the labels never change again."""
        label_sets = list(map(set, self.label_sets))
        for index in range(len(label_sets) - 1, 0, -1):
            if label_sets[index] != label_sets[index - 1]:
                return index
        return 0

    def meaning(self) -> str:
        """Summarise from which token on the label stays the same."""
        index, last = self.decided_at, len(self.tokens) - 1
        num_after = last - index
        pronoun = "it" if self.thresholds is None else "them"
        rest = "it is the only token"
        if num_after == 1:
            rest = f"the token after it does not change {pronoun}"
        elif num_after:
            rest = f"the {num_after} tokens after it do not change {pronoun}"
        token = name_token(self.text, self.tokens[index], self.spans[index])
        note = ""
        if self.is_reread:
            note = (
                " The model is bidirectional, so each prefix was classified separately."
            )
        if index == last > 0:
            subject = "The label is" if self.thresholds is None else "The labels are"
            return (
                f"{subject} final only at the last token, '{token}':"
                f" {self.predictions[-1]}.{note}"
            )
        verb = "the label is" if self.thresholds is None else "the labels are"
        return (
            f"From token {index + 1} of {last + 1}, '{token}', on, {verb}"
            f" {self.predictions[-1]}: {rest}.{note}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries and numbers."""
        conclusions = {
            "verdicts": self.predictions,
            "decided_at": self.decided_at,
            "meaning": self.meaning(),
        }
        values = asdict(self) | conclusions
        if self.thresholds is None:
            del values["thresholds"]
        else:
            values["verdicts"] = self.label_sets
        return values


def trace_predictions(classifier: Classifier, text: str) -> Trajectory:
    """Return the prediction for a text after each of its tokens."""
    tokens, encoded = encode_text(text, classifier.text, classifier.vocab)
    model = classifier.model
    is_reread = not reads_one_way(model.section)
    if is_reread:
        logits = compute_logits(model, beginnings(encoded))  # [T, C]
    else:
        reader = PrefixReader(model)
        word_vectors = reader.embed(encoded.token_ids, encoded.unknown)  # [T, E]
        token_ids = encoded.token_ids.tolist()
        steps = list(map(reader.read, word_vectors, token_ids))  # [C] each
        logits = torch.stack(steps).cpu()  # [T, C]
    return Trajectory(
        text=text,
        labels=list(classifier.label_names),
        tokens=tokens,
        spans=locate_tokens(text, tokens, classifier.text),
        probs=model.compute_probs(logits).tolist(),
        is_reread=is_reread,
        thresholds=classifier.thresholds,
    )


def beginnings(text: EncodedTexts) -> EncodedTexts:
    """Return the prefixes of one text, of 1 to T tokens."""
    num_tokens = len(text.token_ids)
    lengths, starts = np.arange(1, num_tokens + 1), np.zeros(num_tokens, np.int64)
    return replace(text, lengths=lengths, starts=starts)


@dataclass(frozen=True)
class PrefixPrediction:
    """A prediction for a text that may not be complete yet.

    Attributes:
        token: The last token that was read.
        num_tokens: Number of tokens that were read.
        probs: Label → probability.
        is_final: Whether it is the final prediction for the text.
        is_early: Whether it became final before the end of the text.
        start: Where the token starts in its line; see `locate_tokens`.
        end: Where it ends.
        written: The token as written in its line.
        row: The number of its line in the input, from 1.
        thresholds: Label → from which probability on a text has it; None: a text has
            one label.
    """

    token: str
    num_tokens: int
    probs: dict[str, float]
    is_final: bool = False
    is_early: bool = False
    start: int = 0
    end: int = 0
    written: str = ""
    row: int = 1
    thresholds: dict[str, float] | None = None

    @property
    def labels(self) -> list[str]:
        """The labels of the text so far, the most probable first."""
        return Prediction("", self.probs, thresholds=self.thresholds).labels

    @property
    def label(self) -> str:
        """The most probable label."""
        return decide_label(self.probs)

    @property
    def prob(self) -> float:
        """The probability of the most probable label."""
        return self.probs[self.label]


class Stream:
    """Predictions for texts, one per line, after each token and at each line's end."""

    def __init__(
        self, classifier: Classifier, min_confidence: float | None = None
    ) -> None:
        """Start without a text.

        Args:
            classifier: A classifier that reads from left to right.
            min_confidence: Stop reading a text once a label reaches this probability;
                None: read to the end.

        Raises:
            ConfigError: The model is bidirectional; or a `min_confidence` for several
                labels a text.
        """
        self._classifier, self._min_confidence = classifier, min_confidence
        self._row = 0
        if min_confidence is not None and classifier.thresholds is not None:
            raise ConfigError(
                "min_confidence (--min-confidence) stops at one label, but the run has"
                " several labels a text: leave it out, to read each text to its end"
            )
        self._thresholds = find_thresholds(
            classifier.label_names, classifier.thresholds, None
        )
        self._start_line()

    def feed(self, piece: str) -> Iterator[PrefixPrediction]:
        """Add a piece of the input, cut anywhere, and yield the new predictions."""
        for part in piece.splitlines(keepends=True) if "\n" in piece else [piece]:
            yield from self._read(part.removesuffix("\n"), is_last=part.endswith("\n"))

    def finish(self) -> Iterator[PrefixPrediction]:
        """Yield the predictions for a last line that has no line end."""
        if self._line.has_begun:
            yield from self._read("", is_last=True)

    def _start_line(self) -> None:
        self._row += 1
        section, vocab = self._classifier.text, self._classifier.vocab
        self._line = IncrementalTokenizer(section, vocab.divide_tokens)
        self._reader = PrefixReader(self._classifier.model)
        self._prediction: PrefixPrediction | None = None

    def _read(self, part: str, *, is_last: bool) -> Iterator[PrefixPrediction]:
        is_done = self._prediction is not None and self._prediction.is_final
        if not is_done:
            yield from self._read_more(part, is_last=is_last)
        if is_last:
            self._start_line()

    def _read_more(self, part: str, *, is_last: bool) -> Iterator[PrefixPrediction]:
        """Yield the predictions after the new tokens of the line, and the final one."""
        num_kept, tokens = self._line.feed(part, is_last=is_last)
        if self._prediction is not None and num_kept < self._prediction.num_tokens:
            # The new characters changed earlier tokens, for example by ending a tag.
            self._reader = PrefixReader(self._classifier.model)
            self._prediction = None
            num_kept, tokens = 0, self._line.tokens
        yield from self._predict(num_kept, tokens)
        if is_last and self._prediction is not None and not self._prediction.is_final:
            yield replace(self._prediction, is_final=True)

    def _predict(self, num_read: int, tokens: list[str]) -> Iterator[PrefixPrediction]:
        threshold = self._min_confidence
        token_ids, unknown = self._classifier.vocab.encode_open(tokens)  # [T]
        word_vectors = self._reader.embed(token_ids, unknown)  # [T, E]
        rows = zip(tokens, word_vectors, token_ids.tolist(), strict=True)
        for token, word_vector, token_id in rows:
            logits = self._reader.read(word_vector, token_id)  # [C]
            prediction = self._describe(token, num_read, logits)
            num_read += 1
            self._prediction = prediction
            yield prediction
            if threshold is not None and prediction.prob >= threshold:
                self._prediction = replace(prediction, is_final=True, is_early=True)
                yield self._prediction
                return

    def _describe(
        self, token: str, index: int, logits: torch.Tensor
    ) -> PrefixPrediction:
        """Return the prediction after the token at an index, from logits [C]."""
        probs = self._classifier.model.compute_probs(logits).tolist()
        labels = self._classifier.label_names
        span = self._line.spans[index]
        return PrefixPrediction(
            token,
            index + 1,
            dict(zip(labels, probs, strict=True)),
            start=span.start,
            end=span.end,
            written=self._line.written[index],
            row=self._row,
            thresholds=self._thresholds,
        )
