"""Flag units: units that switch on at a token and stay on.

If a step reads several tokens, each of them counts as the one that switches a unit on:
its neighbours vary, so that the words that do it are still the most frequent ones.

Shapes: T tokens in the longest text, K steps in it, W tokens in a step, B texts in a
batch, N texts, H hidden_size, D directions, C classes, V words, U = 2 * D * H flags: a
unit of one direction with a sign.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from rnncls.data.label_sets import to_label_matrix
from rnncls.data.loading import EncodedSplit
from rnncls.inference.insight.gates import encoder_of, unroll_layer
from rnncls.machine.threads import start_workers
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.kernels import reorder
from rnncls.nn.states import compute_reverse_index
from rnncls.nn.token_steps import count_steps, group_tokens
from rnncls.runs.classifier import Classifier
from rnncls.text.batch_plans import plan_in_order_of_length
from rnncls.text.batching import Batch, assemble
from rnncls.text.encoded_texts import EncodedTexts
from rnncls.text.vocab import PAD_ID, UNK_ID, Vocab

ON = 0.5
"""A flag is on where its unit is at least this far from zero, on the flag's side."""
NUM_WORDS = 5
"""How many words are listed per flag."""
_MIN_SWITCHES = 3
"""A word is listed if it switched the flag on at least this often."""
_MIN_TEXTS = 10
"""A class that fewer texts have is not that of a flag, unless all classes are as rare:
a flag is often on at the end of one or two texts by chance."""
_BATCH_SIZE = 128

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class FlagWord:
    """A word that switches a flag on.

    Attributes:
        word: The word, as it is in the vocabulary.
        num_switches: How often it switched the flag on.
        num_seen: How often it occurs in the same texts.
        written: How it is most often written in them; empty if that is not known.
    """

    word: str
    num_switches: int
    num_seen: int
    written: str = ""

    @property
    def name(self) -> str:
        """The word as written, or else as it is in the vocabulary."""
        return self.written or self.word


@dataclass(frozen=True)
class Flag:
    """A unit that may switch on at a token and stay on.

    Attributes:
        direction: `forward` or `backward`.
        unit: Index of the unit, from 0.
        side: 1 if it is on above `ON`, -1 if it is on below -`ON`.
        score: From 0 to 1, the product of `kept`, `sharpness` and 4 p (1 - p), where p
            is `share_texts`.
        share_texts: Share of the texts in which it switches on.
        kept: Of all tokens read after it first switched on, the share at which it is
            on.
        sharpness: How far it moves at the token that switches it on, in units of `ON`
            and at most 1, averaged over the texts.
        label: The class in whose texts it is most often on at the end. A class that
            fewer than 10 of the texts have does not count, unless all are as rare.
        share_of_label: Share of the texts of this class in which it is on at the end.
        share_of_others: The same share of all other texts.
        words: The words that switch it on, sorted by the number of switches times the
            number of switches per occurrence.
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
    """When the flags of a layer first switch on in each of B texts.

    Attributes:
        has_switched: [B, U] bool, whether they do.
        words: [B, U, W] int64, the tokens of the step at which, or `<pad>`; undefined
            where they do not.
        jumps: [B, U] float32, how far the unit moves at that step, in units of `ON`
            and at most 1; 0 where they do not.
        num_on: [B, U] int64, the number of later steps at which the flag is on.
        num_after: [B, U] int64, the number of later steps.
        is_on_last: [B, U] bool, whether it is on at the last step.
    """

    has_switched: torch.Tensor
    words: torch.Tensor
    jumps: torch.Tensor
    num_on: torch.Tensor
    num_after: torch.Tensor
    is_on_last: torch.Tensor

    @staticmethod
    def joined(parts: Sequence["_Switches"], dim: int) -> "_Switches":
        """Join several along the texts (0) or the flags (1), on the CPU."""

        def join(name: str) -> torch.Tensor:
            return torch.cat([getattr(part, name).cpu() for part in parts], dim=dim)

        return _Switches(
            has_switched=join("has_switched"),
            words=join("words"),
            jumps=join("jumps"),
            num_on=join("num_on"),
            num_after=join("num_after"),
            is_on_last=join("is_on_last"),
        )


@dataclass(frozen=True)
class _Scores:
    """The scores of U flags over all texts; see `Flag` for what they mean. [U] each."""

    score: torch.Tensor
    share_texts: torch.Tensor
    kept: torch.Tensor
    sharpness: torch.Tensor

    @staticmethod
    def of(switches: _Switches) -> "_Scores":
        """Compute the scores from the switches in N texts."""
        num_switched = switches.has_switched.sum(dim=0)  # [U]
        num_after = switches.num_after.sum(dim=0)  # [U]
        num_on = switches.num_on.sum(dim=0)  # [U]
        jumps = switches.jumps.double().sum(dim=0)  # [U]
        share = switches.has_switched.double().mean(dim=0)  # [U]
        kept = num_on / num_after.clamp(min=1)  # [U]
        sharpness = jumps / num_switched.clamp(min=1)  # [U]
        score = kept * sharpness * 4 * share * (1 - share)  # [U]
        return _Scores(score, share, kept, sharpness)


def find_flags(classifier: Classifier, split: EncodedSplit) -> list[Flag]:
    """Return all flags of the last layer that switch on in any text, the best first.

    A flag is a unit of an LSTM's cell, or of another cell's state, on one side of zero.

    Raises:
        ConfigError: The model's cell has no such units.
    """
    encoder_of(classifier.model)
    rows, switches = _read_switches(classifier.model, split.texts)
    label_matrix = to_label_matrix(split.labels, len(classifier.label_names))
    has_label = torch.from_numpy(label_matrix)[rows]  # [N, C]
    token_ids = split.texts.close().flat_tokens()
    counts = np.bincount(token_ids, minlength=len(classifier.vocab))  # [V]
    scores = _Scores.of(switches)
    best_first = scores.score.argsort(descending=True, stable=True)  # [U]
    flags = []
    for index in best_first.tolist():
        if scores.share_texts[index]:
            flag = _build_flag(index, scores, switches, has_label, counts, classifier)
            flags.append(flag)
    return flags


def _build_flag(
    index: int,
    scores: _Scores,
    switches: _Switches,
    has_label: torch.Tensor,
    counts: IntArray,
    classifier: Classifier,
) -> Flag:
    """Return one of the U flags, with its class and its words.

    Args:
        index: The flag, from 0: direction, then unit, then side.
        scores: The scores of all flags.
        switches: The switches in N texts.
        has_label: [N, C] bool, of the same texts.
        counts: [V], how often each word occurs.
        classifier: For the names of its classes, its words and its size.
    """
    direction, unit, side = _locate_flag(index, classifier.model.section.hidden_size)
    is_on_last = switches.is_on_last[:, index]  # [N]
    label, share_of_label, share_of_others = _best_label(
        is_on_last, has_label, classifier.label_names
    )
    has_switched = switches.has_switched[:, index]  # [N]
    words = switches.words[has_switched, index].numpy()  # [switches, W]
    return Flag(
        direction=direction,
        unit=unit,
        side=side,
        score=float(scores.score[index]),
        share_texts=float(scores.share_texts[index]),
        kept=float(scores.kept[index]),
        sharpness=float(scores.sharpness[index]),
        label=label,
        share_of_label=share_of_label,
        share_of_others=share_of_others,
        words=_best_words(words, counts, classifier.vocab),
    )


def describe_flags(flags: Sequence[Flag]) -> str:
    """Summarise the best flag in a sentence."""
    if not flags:
        return (
            f"No unit reaches {ON} or -{ON} in any text: this model has no flag units."
        )
    best = flags[0]
    side = "above" if best.side > 0 else "below"
    quoted = [f"'{word.name}'" for word in best.words]
    words = ", ".join(quoted) or "no particular word"
    return (
        f"The best flag unit is {best.direction} unit {best.unit}, {side} zero. It is"
        f" switched on by {words}. It is on at {best.kept:.0%} of the later tokens, and"
        f" at the end of {best.share_of_label:.0%} of the {best.label} texts and"
        f" {best.share_of_others:.0%} of the others."
    )


def _read_switches(
    model: TextClassifier, texts: EncodedTexts
) -> tuple[torch.Tensor, _Switches]:
    """Return the switches of all texts, and the row number of each of them. [N]."""
    device = model.linear.weight.device
    model = model.bind(texts.unknown)

    def read_batch(rows: IntArray) -> _Switches:
        batch = assemble(texts, rows).to(device)
        return _batch_switches(model, batch)

    # The longest texts first, so that no worker is left with a long batch at the end.
    plan = plan_in_order_of_length(texts.lengths, _BATCH_SIZE)[::-1]
    batches = start_workers(device).map(read_batch, plan)
    rows = torch.from_numpy(np.concatenate(plan))  # [N]
    return rows, _Switches.joined(batches, dim=0)


def _batch_switches(model: TextClassifier, batch: Batch) -> _Switches:
    """Return the switches of a batch, in all directions of the last layer."""
    token_ids = batch.token_ids.t()  # [T, B]
    is_unknown = token_ids >= model.embedding.num_embeddings  # [T, B]
    token_ids = token_ids.masked_fill(is_unknown, UNK_ID)
    size = model.section.tokens_per_step
    steps = group_tokens(token_ids, batch.lengths, size)  # [K, B, W]
    lengths = count_steps(batch.lengths, size)  # [B]
    index = compute_reverse_index(lengths, len(steps), is_ragged=batch.is_ragged)
    last_layer = encoder_of(model).num_layers - 1
    unrolled = unroll_layer(model, batch, last_layer)
    words_in_reading_order = [steps, reorder(steps, index)]
    directions = []
    for values, words in zip(unrolled, words_in_reading_order, strict=False):
        memory = values.get("cell", values["hidden"])  # [K, B, H]
        switches = _direction_switches(memory, words, lengths)
        directions.append(switches)
    return _Switches.joined(directions, dim=1)


def _direction_switches(
    memory: torch.Tensor, words: torch.Tensor, lengths: torch.Tensor
) -> _Switches:
    """Return the switches of one direction, for its 2 * H flags.

    Args:
        memory: [K, B, H], in reading order.
        words: [K, B, W] int64, in reading order.
        lengths: [B] int64, in steps.
    """
    signed = torch.stack([memory, -memory], dim=-1).flatten(2)  # [K, B, 2 * H]
    is_on = _find_on(signed, lengths)  # [K, B, 2 * H]
    has_switched = is_on.any(dim=0)  # [B, 2 * H]
    # argmax returns the first of equal values.
    first = is_on.byte().argmax(dim=0)  # [B, 2 * H]
    jumps = _select_step(_changes(signed), first) / ON  # [B, 2 * H]
    num_on = is_on.sum(dim=0) - 1  # [B, 2 * H]
    last_steps = lengths - 1  # [B]
    num_after = last_steps[:, None] - first  # [B, 2 * H]
    texts = torch.arange(len(lengths), device=lengths.device)  # [B]
    chosen = [
        _select_step(word[..., None].expand_as(signed), first)
        for word in words.unbind(dim=2)
    ]  # [B, 2 * H] each
    return _Switches(
        has_switched=has_switched,
        words=torch.stack(chosen, dim=-1),
        jumps=jumps.clamp(max=1.0) * has_switched,
        num_on=num_on * has_switched,
        num_after=num_after * has_switched,
        is_on_last=is_on[last_steps, texts],
    )


def _find_on(signed: torch.Tensor, lengths: torch.Tensor) -> torch.Tensor:
    """Return where a flag is on at a token. [K, B, 2 * H], [B] -> [K, B, 2 * H]."""
    steps = torch.arange(len(signed), device=lengths.device)  # [K]
    is_token = steps[:, None] < lengths  # [K, B]
    return (signed >= ON) & is_token[..., None]


def _changes(values: torch.Tensor) -> torch.Tensor:
    """Return the change at each step, from 0 at the first. [K, B, 2 * H]."""
    before_start = torch.zeros_like(values[:1])  # [1, B, 2 * H]
    return values.diff(dim=0, prepend=before_start)


def _select_step(values: torch.Tensor, steps: torch.Tensor) -> torch.Tensor:
    """Return the values at one step for each flag of each text.

    Args:
        values: [K, B, 2 * H].
        steps: [B, 2 * H] int64.

    Returns:
        [B, 2 * H].
    """
    return values.gather(0, steps[None])[0]


def _best_label(
    is_on: torch.Tensor, has_label: torch.Tensor, names: Sequence[str]
) -> tuple[str, float, float]:
    """Return the class in whose texts a flag is on most often.

    Args:
        is_on: [N] bool.
        has_label: [N, C] bool.
        names: The C classes.

    Returns:
        Its name, the share of its texts with the flag on, and that of all other texts.
    """
    num_texts = has_label.sum(dim=0)  # [C]
    num_on = has_label[is_on].sum(dim=0)  # [C]
    shares = num_on / num_texts.clamp(min=1)  # [C]
    is_frequent = num_texts >= _MIN_TEXTS  # [C]
    if is_frequent.any():
        shares = shares.where(is_frequent, -1.0)  # [C]
    best = int(shares.argmax())
    num_others = len(has_label) - int(num_texts[best])
    num_others_on = float(is_on.sum() - num_on[best])
    return names[best], float(shares[best]), num_others_on / max(num_others, 1)


def _locate_flag(index: int, hidden_size: int) -> tuple[str, int, int]:
    """Return the direction, the unit and the side of one of the U flags."""
    unit_of_all, is_below = divmod(index, 2)
    is_backward, unit = divmod(unit_of_all, hidden_size)
    direction = "backward" if is_backward else "forward"
    return direction, unit, -1 if is_below else 1


def _best_words(words: IntArray, counts: IntArray, vocab: Vocab) -> list[FlagWord]:
    """Return the words that switch a flag on most often and most reliably.

    Args:
        words: [switches, W], the words of the step at each switch, or `<pad>`.
        counts: [V], how often each word occurs.
        vocab: The words.
    """
    ids, num_switches = np.unique(words[words != PAD_ID], return_counts=True)
    is_frequent = num_switches >= _MIN_SWITCHES
    ids = ids[is_frequent]
    num_switches = num_switches[is_frequent]
    num_seen = counts[ids]
    scores = num_switches**2 / num_seen
    best_first = np.argsort(-scores, kind="stable")
    best = best_first[:NUM_WORDS].tolist()
    flag_words = []
    for index in best:
        word_id = ids[index]
        word, num_seen_of_word = vocab.words[word_id], int(num_seen[index])
        flag_words.append(FlagWord(word, int(num_switches[index]), num_seen_of_word))
    return flag_words
