"""How a verdict comes about as a text is read: after every token, as a stream, and over
a
data set.

A model that reads from left to right is read in one pass, with what it carries and what
its poolings add up so far; one that reads from both ends has no state that means "so
far", so that each beginning of the text is read anew.

Shapes: N texts, T tokens of a text, E embedding_dim, S width of a state, P poolings, C
classes.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import torch

from rnncls import ConfigError
from rnncls.config.sections import ModelSection
from rnncls.data.loading import EncodedSplit
from rnncls.evaluation.evaluator import compute_logits
from rnncls.evaluation.metrics import wilson_interval
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.states import HiddenState
from rnncls.runs.classifier import Classifier
from rnncls.text.batching import EncodedTexts, encode_text
from rnncls.text.incremental import IncrementalTokenizer


def reads_one_way(section: ModelSection) -> bool:
    """Return whether what a model has made of a text's beginning stays as it is when
    more follows.
    """
    return section.cell == "none" or not section.bidirectional


class PrefixReader:
    """A model that reads one text token by token, from left to right, at the same cost
    for each of them.
    """

    def __init__(self, model: TextClassifier) -> None:
        """Stand before the text's first token.

        Raises:
            ConfigError: The model reads from both ends.
        """
        if not reads_one_way(model.section):
            raise ConfigError(
                "model.bidirectional: this run reads each text from both ends, so that"
                " there is no verdict before the end: train one with --set"
                " model.bidirectional=false, or use 'rnncls explain --trajectory'"
            )
        self._model = model
        self._hidden_state: HiddenState = ()
        self._pooling = model.pooling.running()

    @torch.inference_mode()
    def read(self, token_id: int) -> torch.Tensor:
        """Read one more token, and return the logits of the text so far. [C] float32."""
        state = self._model.embedding.weight[token_id]  # [E]
        if self._model.encoder is not None:
            states, self._hidden_state = self._model.encoder.step(
                state[None], self._hidden_state
            )
            state = states[0]  # [S]
        return self._model.classify(self._pooling.add(state))


@dataclass(frozen=True)
class Trajectory:
    """The verdict after every token of a text.

    Attributes:
        text: The text as it was given.
        labels: The C classes.
        tokens: The T tokens.
        probs: [T][C], the probability of each class once so many tokens were read.
        is_reread: Whether each beginning was read anew, because the model reads from
            both ends.
    """

    text: str
    labels: list[str]
    tokens: list[str]
    probs: list[list[float]]
    is_reread: bool

    @property
    def verdicts(self) -> list[str]:
        """The most probable label after each token."""
        return [
            self.labels[max(range(len(row)), key=row.__getitem__)] for row in self.probs
        ]

    @property
    def decided_at(self) -> int:
        """The place, from 0, of the token after which the label never changes again."""
        verdicts = self.verdicts
        changes = [
            place
            for place in range(1, len(verdicts))
            if verdicts[place] != verdicts[place - 1]
        ]
        return changes[-1] if changes else 0

    def meaning(self) -> str:
        """Return in a sentence or two what the figures say."""
        place, last = self.decided_at, len(self.tokens) - 1
        how = (
            " Each beginning was read anew: the model reads from both ends."
            if self.is_reread
            else ""
        )
        more = last - place
        rest = (
            f"the {more} after it {'do' if more > 1 else 'does'} not change the label"
            if more
            else "it is the last one"
        )
        return (
            f"Token {place + 1} of {last + 1}, '{self.tokens[place]}', decides for"
            f" {self.verdicts[-1]}: {rest}.{how}"
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries and numbers."""
        found = {
            "verdicts": self.verdicts,
            "decided_at": self.decided_at,
            "meaning": self.meaning(),
        }
        return asdict(self) | found


def trace_verdicts(classifier: Classifier, text: str) -> Trajectory:
    """Return what a run says of a text after each of its tokens."""
    tokens, encoded = encode_text(text, classifier.text, classifier.vocab)
    one_way = reads_one_way(classifier.model.section)
    if one_way:
        reader = PrefixReader(classifier.model)
        logits = torch.stack(
            [reader.read(token_id) for token_id in encoded.token_ids.tolist()]
        ).cpu()  # [T, C]
    else:
        logits = compute_logits(classifier.model, beginnings(encoded))  # [T, C]
    probs = logits.softmax(dim=1).tolist()
    return Trajectory(
        text, list(classifier.label_names), tokens, probs, is_reread=not one_way
    )


def beginnings(text: EncodedTexts) -> EncodedTexts:
    """Return the beginnings of one text, of 1 to T tokens."""
    num_tokens = len(text.token_ids)
    return EncodedTexts(
        text.token_ids, np.arange(1, num_tokens + 1), np.zeros(num_tokens, np.int64)
    )


@dataclass(frozen=True)
class Verdict:
    """What is said of a text that is still arriving.

    Attributes:
        token: The last token that was read.
        num_tokens: How many were.
        probs: Label → probability.
        is_final: Whether this is the verdict on the text.
        is_early: Whether it was reached before the text's end.
    """

    token: str
    num_tokens: int
    probs: dict[str, float]
    is_final: bool = False
    is_early: bool = False

    @property
    def label(self) -> str:
        """The most probable label."""
        return max(self.probs, key=self.probs.__getitem__)

    @property
    def prob(self) -> float:
        """Its probability."""
        return self.probs[self.label]


class Stream:
    """Texts, one a line, judged while they arrive: a verdict after each token, and one
    at each line's end.
    """

    def __init__(
        self, classifier: Classifier, min_confidence: float | None = None
    ) -> None:
        """Wait for the first text.

        Args:
            classifier: A classifier that reads from left to right.
            min_confidence: The probability at which a text is left before its end;
                None: never.

        Raises:
            ConfigError: The run reads from both ends.
        """
        self._classifier, self._min_confidence = classifier, min_confidence
        self._start_line()

    def feed(self, piece: str) -> Iterator[Verdict]:
        """Take what has arrived, cut anywhere, and yield what there is to say of it."""
        for part in piece.splitlines(keepends=True) if "\n" in piece else [piece]:
            yield from self._read(part.removesuffix("\n"), is_last=part.endswith("\n"))

    def finish(self) -> Iterator[Verdict]:
        """Yield what is left to say of a last line without an end."""
        if self._line.has_begun:
            yield from self._read("", is_last=True)

    def _start_line(self) -> None:
        self._line = IncrementalTokenizer(self._classifier.text)
        self._reader = PrefixReader(self._classifier.model)
        self._verdict: Verdict | None = None

    def _read(self, part: str, *, is_last: bool) -> Iterator[Verdict]:
        is_done = self._verdict is not None and self._verdict.is_final
        if not is_done:
            num_kept, tokens = self._line.feed(part, is_last=is_last)
            if self._verdict is not None and num_kept < self._verdict.num_tokens:
                # What has come since has changed what was read, as the end of a tag
                # does.
                self._reader, self._verdict = PrefixReader(self._classifier.model), None
                num_kept, tokens = 0, self._line.tokens
            yield from self._judge(num_kept, tokens)
            if is_last and self._verdict is not None and not self._verdict.is_final:
                yield replace(self._verdict, is_final=True)
        if is_last:
            self._start_line()

    def _judge(self, num_read: int, tokens: list[str]) -> Iterator[Verdict]:
        for number, (token, token_id) in enumerate(
            zip(tokens, self._classifier.vocab.encode(tokens).tolist(), strict=True),
            start=num_read + 1,
        ):
            probs = self._reader.read(token_id).softmax(dim=0).tolist()
            self._verdict = Verdict(
                token,
                number,
                dict(zip(self._classifier.label_names, probs, strict=True)),
            )
            yield self._verdict
            if (
                self._min_confidence is not None
                and self._verdict.prob >= self._min_confidence
            ):
                self._verdict = replace(self._verdict, is_final=True, is_early=True)
                yield self._verdict
                return


@dataclass(frozen=True)
class AnytimePoint:
    """How good the verdicts are when no more than so many tokens of each text are read.

    Attributes:
        num_tokens: The tokens read at the most.
        accuracy: Share of the texts judged right.
        accuracy_interval: Its 95 % interval (Wilson 1927).
        share_whole: Share of the texts that are no longer than that.
    """

    num_tokens: int
    accuracy: float
    accuracy_interval: tuple[float, float]
    share_whole: float


def measure_anytime(model: TextClassifier, split: EncodedSplit) -> list[AnytimePoint]:
    """Return the accuracy after 1, 2, 4, 8, … tokens of each text, and of the whole
    texts last.
    """
    texts, points, num_before = split.texts, [], 0
    longest = int(texts.lengths.max())
    predictions = np.empty(len(texts), np.int64)
    for num_tokens in [
        *(2**power for power in range((longest - 1).bit_length())),
        longest,
    ]:
        rows = np.flatnonzero(
            texts.lengths > num_before
        )  # the others have been read whole
        cut = texts.select(rows)
        cut = replace(cut, lengths=np.minimum(cut.lengths, num_tokens))
        predictions[rows] = compute_logits(model, cut).argmax(dim=1).numpy()
        num_right = int((predictions == split.labels).sum())
        share_whole = float((texts.lengths <= num_tokens).mean())
        interval = wilson_interval(num_right, len(texts))
        points.append(
            AnytimePoint(num_tokens, num_right / len(texts), interval, share_whole)
        )
        num_before = num_tokens
    return points


ENOUGH = 0.95
"""The share of the full texts' accuracy that `describe_anytime` looks for."""


def describe_anytime(points: list[AnytimePoint]) -> str:
    """Return in a sentence how early the verdicts are nearly as good as those on the
    whole texts.
    """
    final = points[-1].accuracy
    first = next(point for point in points if point.accuracy >= ENOUGH * final)
    tokens = f"{first.num_tokens} token{'' if first.num_tokens == 1 else 's'}"
    return (
        f"After {tokens} the accuracy is {first.accuracy:.2%},"
        f" {first.accuracy / final:.0%} of the {final:.2%} for whole texts"
        f" ({first.share_whole:.0%} of the texts are no longer than that)."
    )
