"""What a recurrent layer holds and lets pass: its states, cells and gates, recomputed
from
the weights.

torch's kernels return the states alone. The equations here are those of `torch.nn.RNN`,
`LSTM` and `GRU`, written out gate by gate, so that every value in between can be looked
at; the states that come of them are the kernels' own.

Shapes: T tokens in the longest text, B texts, H hidden_size, E width of a layer's
input, G gates of a cell, D directions, U = 2 * D * H flags: a unit of one direction,
with a sign.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from rnncls import ConfigError
from rnncls.data.loading import EncodedSplit
from rnncls.machine.threads import start_workers
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.encoder import Encoder
from rnncls.nn.kernels import reorder
from rnncls.nn.states import compute_reverse_index
from rnncls.nn.unroll import stack_steps, unroll
from rnncls.runs.classifier import Classifier
from rnncls.text.batching import (
    Batch,
    EncodedTexts,
    assemble,
    encode_text,
    plan_in_order_of_length,
)
from rnncls.text.vocab import Vocab

STATES = ("hidden", "cell")
"""Which of them may be on both sides of zero; the others are gates, from 0 to 1."""
_TEXTS_AT_ONCE = 128


@torch.inference_mode()
def unroll_layer(
    model: TextClassifier, batch: Batch, layer: int
) -> list[dict[str, torch.Tensor]]:
    """Return the states, cells and gates of one layer for a batch.

    Args:
        model: A model with a torch.nn cell; see `encoder_of`.
        batch: B texts, on the model's device.
        layer: From 0, the layer above the word vectors.

    Returns:
        For each direction, forward first, the values by name, [T, B, H] each in its
        reading order.
    """
    inputs = model.embedding(batch.token_ids.t())  # [T, B, E]
    unrolled = unroll(
        encoder_of(model),
        inputs,
        batch.lengths,
        is_ragged=batch.is_ragged,
        num_layers=layer + 1,
    )
    return [stack_steps(steps) for steps in unrolled.steps]


def encoder_of(model: TextClassifier) -> Encoder:
    """Return the recurrent part of a model whose cell is one of torch.nn's.

    Raises:
        ConfigError: It is another.
    """
    if isinstance(model.encoder, Encoder):
        return model.encoder
    why = (
        "it has no state"
        if model.encoder is None
        else "its gates along the depth are not unrolled"
    )
    raise ConfigError(
        f"model.cell: {model.section.cell} cannot be looked into ({why}); rnn, lstm and"
        " gru can"
    )


@dataclass(frozen=True)
class Trace:
    """What one layer holds and lets pass while it reads one text.

    Attributes:
        text: The text as it was given.
        tokens: The T tokens.
        cell: The model's cell: rnn, lstm or gru.
        layer: From 1, the one above the word vectors.
        directions: `forward` and, where the model has it, `backward` → `hidden`, an
            LSTM's `cell`, and the gates, each [T][H] in the order of the text.
    """

    text: str
    tokens: list[str]
    cell: str
    layer: int
    directions: dict[str, dict[str, list[list[float]]]]

    def means(self, direction: str) -> dict[str, list[float]]:
        """Return each token's mean over the units: of a gate's value, of a state's and
        a cell's distance from 0.
        """
        return {
            name: np.abs(values).mean(axis=1).tolist()
            for name, values in self.directions[direction].items()
        }

    def jumps(self, direction: str) -> list[float]:
        """Return for each token the length of the step that the memory takes there (an
        LSTM's cell, or the state).
        """
        values = self.directions[direction]
        memory = np.array(values.get("cell", values["hidden"]))  # [T, H]
        memory = memory if direction == "forward" else memory[::-1]
        steps = np.linalg.norm(np.diff(memory, axis=0, prepend=0.0), axis=1)  # [T]
        return (steps if direction == "forward" else steps[::-1]).tolist()  # type: ignore[no-any-return]

    def meaning(self) -> str:
        """Return in a sentence a direction what the figures say."""
        return " ".join(self._describe(direction) for direction in self.directions)

    def _describe(self, direction: str) -> str:
        jumps = self.jumps(direction)
        place = int(np.argmax(jumps))
        kept = {"lstm": "forget", "gru": "update"}.get(self.cell)
        share = (
            f"keeps {np.mean(self.directions[direction][kept]):.0%} of its memory a"
            " token, on average, and "
            if kept
            else ""
        )
        return (
            f"Reading {direction}, layer {self.layer} {share}changes it most at token"
            f" {place + 1}, '{self.tokens[place]}', by {jumps[place]:.2f}."
        )

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries and numbers."""
        return asdict(self) | {"meaning": self.meaning()}


def trace_gates(classifier: Classifier, text: str, layer: int | None = None) -> Trace:
    """Return what a layer of a run, from 1, holds and lets pass at each token of a
    text;
    None: the last layer.

    Raises:
        ConfigError: The cell has no such values, or the model no such layer.
    """
    encoder = encoder_of(classifier.model)
    layer = encoder.rnn.num_layers if layer is None else layer
    if not 1 <= layer <= encoder.rnn.num_layers:
        raise ConfigError(
            f"--layer: expected 1 to {encoder.rnn.num_layers}, found {layer}"
        )
    tokens, encoded = encode_text(text, classifier.text, classifier.vocab)
    batch = assemble(encoded, np.zeros(1, np.int64)).to(
        classifier.model.linear.weight.device
    )
    ahead, *back = unroll_layer(classifier.model, batch, layer - 1)
    found = {"forward": ahead} | (
        {"backward": {name: each.flip(0) for name, each in back[0].items()}}
        if back
        else {}
    )
    values = {
        way: {name: each[:, 0].tolist() for name, each in own.items()}
        for way, own in found.items()
    }
    return Trace(text, tokens, classifier.model.section.cell, layer, values)


ON = 0.5
"""How far from zero, on its own side, a unit is on."""
FLAG_WORDS = 5
"""How many words are named that switch a flag on."""
_FEWEST = 3
"""How often a word must have switched a flag on to be named."""


@dataclass(frozen=True)
class FlagWord:
    """A word that switches a flag on: how often it did, and how often it occurs in the
    same texts.
    """

    word: str
    num_switches: int
    num_seen: int


@dataclass(frozen=True)
class Flag:
    """A unit that may switch on at a token and stay on, as a flag does.

    Attributes:
        direction: `forward` or `backward`.
        unit: Its number, from 0.
        side: 1 where it is on above `ON`, -1 where it is on below -`ON`.
        score: From 0 to 1, the product of three numbers: `kept`, `sharpness`, and 4 p
            (1 - p) for the share p of the texts in which it switches on.
        share_texts: p.
        kept: Share of the tokens read after it first switched on, in all texts, at
            which it is on.
        sharpness: How far it moves at the token that switches it on, in units of `ON`,
            at most 1 each time; the mean.
        label: The class in whose texts it is most often on at the end.
        share_of_label: The share of that class's texts in which it is.
        share_of_others: The same of all other texts.
        words: What switches it on, most telling first: by switches, times switches per
            occurrence.
    """

    direction: str
    unit: int
    side: int
    score: float
    share_texts: float
    kept: float
    sharpness: float
    label: str
    share_of_label: float
    share_of_others: float
    words: list[FlagWord]


@dataclass(frozen=True)
class _Switches:
    """When the U flags of a layer first switch on in each of B texts.

    Attributes:
        rows: [B] int64, the texts' numbers.
        has_switched: [B, U] bool.
        words: [B, U] int64, the token at which; meaningless where it has not.
        jumps: [B, U] float32, how far the unit moves there, in units of `ON`, at most
            1; 0 where it has not. num_on, num_after: [B, U] int64, at how many of the
            tokens after that it is on, and how many there are.
        is_on_last: [B, U] bool, whether it is on at the last token read.
    """

    rows: torch.Tensor
    has_switched: torch.Tensor
    words: torch.Tensor
    jumps: torch.Tensor
    num_on: torch.Tensor
    num_after: torch.Tensor
    is_on_last: torch.Tensor


def find_flags(classifier: Classifier, split: EncodedSplit) -> list[Flag]:
    """Return all flags of a run's last layer that switch on in any of N texts, the best
    first.

    A flag is a unit of an LSTM's cell, or of another cell's state, on one side of zero.

    Raises:
        ConfigError: The model's cell has no such units.
    """
    encoder_of(classifier.model)
    switches = _read_switches(classifier.model, split.texts)
    labels = torch.from_numpy(split.labels)[switches.rows]
    seen = np.bincount(
        split.texts.flat_tokens(), minlength=len(classifier.vocab)
    )  # [V]
    share = switches.has_switched.double().mean(dim=0)  # [U]
    kept = switches.num_on.sum(dim=0) / switches.num_after.sum(dim=0).clamp(
        min=1
    )  # [U]
    sharpness = switches.jumps.double().sum(dim=0) / switches.has_switched.sum(
        dim=0
    ).clamp(min=1)  # [U]
    score = kept * sharpness * 4 * share * (1 - share)  # [U]
    flags = []
    for number in score.argsort(descending=True, stable=True).tolist():
        if not share[number]:
            continue
        direction, unit = divmod(number // 2, classifier.model.section.hidden_size)
        label, of_label, of_others = _best_label(
            switches.is_on_last[:, number], labels, classifier.label_names
        )
        words = switches.words[switches.has_switched[:, number], number].numpy()
        flags.append(
            Flag(
                direction=("forward", "backward")[direction],
                unit=unit,
                side=1 - 2 * (number % 2),
                score=float(score[number]),
                share_texts=float(share[number]),
                kept=float(kept[number]),
                sharpness=float(sharpness[number]),
                label=label,
                share_of_label=of_label,
                share_of_others=of_others,
                words=_telling_words(words, seen, classifier.vocab),
            )
        )
    return flags


def describe_flags(flags: Sequence[Flag]) -> str:
    """Return in a sentence what the best flag tells."""
    if not flags:
        return f"No unit ever leaves zero by {ON}: this model keeps no flags."
    best = flags[0]
    words = (
        ", ".join(f"'{each.word}'" for each in best.words) or "no word in particular"
    )
    return (
        f"The best flag is {best.direction} unit {best.unit},"
        f" {'above' if best.side > 0 else 'below'} zero: {words} switch it on, it is on"
        f" at {best.kept:.0%} of the tokens that follow, and at the end of"
        f" {best.share_of_label:.0%} of the {best.label} texts and"
        f" {best.share_of_others:.0%} of the others."
    )


def _read_switches(model: TextClassifier, texts: EncodedTexts) -> _Switches:
    device = model.linear.weight.device
    layer = encoder_of(model).rnn.num_layers - 1

    def read(rows: npt.NDArray[np.int64]) -> _Switches:
        batch = assemble(texts, rows).to(device)
        found = unroll_layer(model, batch, layer)
        memories = [
            each.get("cell", each["hidden"]) for each in found
        ]  # each [T, B, H]
        order = compute_reverse_index(
            batch.lengths, batch.token_ids.shape[1], is_ragged=batch.is_ragged
        )
        read_first = batch.token_ids.t()[..., None]  # [T, B, 1]
        tokens = [read_first, reorder(read_first, order)][: len(memories)]
        parts = [
            _find_switches(*each, batch.lengths)
            for each in zip(memories, tokens, strict=True)
        ]
        joined = [torch.cat(column, dim=1).cpu() for column in zip(*parts, strict=True)]
        return _Switches(torch.from_numpy(rows), *joined)

    batches = start_workers(device).map(
        read, plan_in_order_of_length(texts.lengths, _TEXTS_AT_ONCE)[::-1]
    )
    names = [each.name for each in fields(_Switches)]
    return _Switches(
        *(torch.cat([getattr(batch, name) for batch in batches]) for name in names)
    )


def _find_switches(
    memory: torch.Tensor, token_ids: torch.Tensor, lengths: torch.Tensor
) -> list[torch.Tensor]:
    """Return the fields of `_Switches` but the rows, of one direction. [T, B, H], [T,
    B, 1], [B] -> [B, 2 * H] each.
    """
    sided = torch.stack([memory, -memory], dim=-1).flatten(2)  # [T, B, 2 * H]
    inside = (
        torch.arange(len(sided), device=lengths.device)[:, None] < lengths
    )  # [T, B]
    is_on = (sided >= ON) & inside[..., None]  # [T, B, 2 * H]
    has_switched = is_on.any(dim=0)  # [B, 2 * H]
    first = is_on.byte().argmax(dim=0)  # [B, 2 * H], the first of the highest
    steps = sided.diff(dim=0, prepend=torch.zeros_like(sided[:1]))  # [T, B, 2 * H]
    jumps = (steps.gather(0, first[None])[0] / ON).clamp(
        max=1.0
    ) * has_switched  # [B, 2 * H]
    words = token_ids.expand_as(sided).gather(0, first[None])[0]  # [B, 2 * H]
    num_on = (is_on.sum(dim=0) - 1) * has_switched  # [B, 2 * H]
    num_after = (lengths[:, None] - 1 - first) * has_switched  # [B, 2 * H]
    is_on_last = is_on[
        lengths - 1, torch.arange(len(lengths), device=lengths.device)
    ]  # [B, 2 * H]
    return [has_switched, words, jumps, num_on, num_after, is_on_last]


def _best_label(
    is_on: torch.Tensor, labels: torch.Tensor, names: Sequence[str]
) -> tuple[str, float, float]:
    """Return the class whose texts [N] have a flag on most often, the share that do,
    and that of the other texts.
    """
    num_texts = torch.bincount(labels, minlength=len(names))  # [C]
    num_on = torch.bincount(labels[is_on], minlength=len(names))  # [C]
    shares = num_on / num_texts.clamp(min=1)  # [C]
    best = int(shares.argmax())
    others = int(num_texts.sum() - num_texts[best])
    return (
        names[best],
        float(shares[best]),
        float(num_on.sum() - num_on[best]) / max(others, 1),
    )


def _telling_words(
    words: npt.NDArray[np.int64], seen: npt.NDArray[np.int64], vocab: Vocab
) -> list[FlagWord]:
    """Return the words that switch a flag on most often and most surely."""
    found, counts = np.unique(words, return_counts=True)
    often = counts >= _FEWEST
    found, counts = found[often], counts[often]
    order = np.argsort(-(counts**2 / seen[found]), kind="stable")[:FLAG_WORDS]
    return [
        FlagWord(vocab.words[found[k]], int(counts[k]), int(seen[found[k]]))
        for k in order
    ]
