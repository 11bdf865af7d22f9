"""States, cells and gates of a recurrent layer while it reads a text.

torch's kernels return only the states, so the layer is unrolled (`rnncls.nn.unroll`).

Shapes: T tokens in the longest text, K steps in it (T, unless a step reads several
tokens), B texts, H hidden_size.
"""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch

from rnncls import ConfigError
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.encoder import Encoder
from rnncls.nn.unroll import stack_steps, unroll
from rnncls.runs.classifier import Classifier
from rnncls.text.batching import Batch, assemble
from rnncls.text.display import name_token
from rnncls.text.encoded_texts import encode_text
from rnncls.text.spans import locate_tokens
from rnncls.text.traced_text import Span

STATES = ("hidden", "cell")
"""The values that may have either sign; the others are gates, from 0 to 1."""


@torch.inference_mode()
def unroll_layer(
    model: TextClassifier, batch: Batch, layer: int
) -> list[dict[str, torch.Tensor]]:
    """Return the states, cells and gates of one layer for a batch.

    Args:
        model: A model with a torch.nn cell (see `encoder_of`), bound to the texts.
        batch: B texts, on the model's device.
        layer: From 0, the layer above the word vectors.

    Returns:
        For each direction, forward first, the values by name, [K, B, H] each in its
        reading order.
    """
    encoder = encoder_of(model)
    inputs, num_steps = model.embed_steps(
        batch.token_ids, batch.lengths, is_ragged=batch.is_ragged
    )  # [K, B, E], [B]
    unrolled = unroll(
        encoder,
        inputs,
        num_steps,
        is_ragged=batch.is_ragged,
        num_layers=layer + 1,
    )
    return [stack_steps(steps) for steps in unrolled.steps]


def encoder_of(model: TextClassifier) -> Encoder:
    """Return the recurrent layers of a model with a torch.nn cell.

    Raises:
        ConfigError: The model has another cell.
    """
    if isinstance(model.encoder, Encoder):
        return model.encoder
    reason = "its gates along the depth are not unrolled"
    if model.encoder is None:
        reason = "it has no recurrent layer"
    raise ConfigError(
        f"model.cell: {model.section.cell} has no gates that can be shown ({reason}):"
        " use a run with rnn, lstm or gru"
    )


@dataclass(frozen=True)
class Trace:
    """States, cells and gates of one layer while it reads one text.

    Attributes:
        text: The text.
        tokens: The T tokens; if a step reads several, those of each of the K steps,
            with spaces between them.
        spans: Where each of them is in the text.
        cell: The model's cell: rnn, lstm or gru.
        layer: From 1, the layer above the word vectors.
        tokens_per_step: How many tokens a step reads.
        directions: `forward` and, in a bidirectional model, `backward` → `hidden`, an
            LSTM's `cell`, and the gates, each [K][H] in the order of the text.
    """

    text: str
    tokens: list[str]
    spans: list[Span]
    cell: str
    layer: int
    tokens_per_step: int
    directions: dict[str, dict[str, list[list[float]]]]

    @property
    def memory(self) -> str:
        """The name of the vector that carries the memory: "cell" or "state"."""
        return "cell" if self.cell == "lstm" else "state"

    def means(self, direction: str) -> dict[str, list[float]]:
        """Return for each token the mean over the units of each value's size."""
        return {
            name: np.abs(values).mean(axis=1).tolist()
            for name, values in self.directions[direction].items()
        }

    def jumps(self, direction: str) -> list[float]:
        """Return for each token how far it moves the cell vector, or the state vector.

        The distance is Euclidean; only an LSTM has a cell vector.
        """
        values = self.directions[direction]
        memory = np.array(values.get("cell", values["hidden"]))  # [T, H]
        if direction == "backward":
            memory = memory[::-1]
        changes = np.diff(memory, axis=0, prepend=0.0)  # [T, H]
        distances: list[float] = np.linalg.norm(changes, axis=1).tolist()
        return distances if direction == "forward" else distances[::-1]

    def meaning(self) -> str:
        """Summarise the trace, one sentence per direction."""
        return " ".join(self._describe(direction) for direction in self.directions)

    def _describe(self, direction: str) -> str:
        jumps = self.jumps(direction)
        index = int(np.argmax(jumps))
        token = name_token(self.text, self.tokens[index], self.spans[index])
        jump = jumps[index]
        unit = "token" if self.tokens_per_step == 1 else "step"
        gate = self._describe_gate(direction)
        return (
            f"Layer {self.layer}, {direction}: {gate}the {self.memory} vector"
            f" moves most at {unit} {index + 1}, '{token}' (distance {jump:.2f})."
        )

    def _describe_gate(self, direction: str) -> str:
        """Return the mean of the gate that keeps the memory, if the cell has one."""
        gate = {"lstm": "forget", "gru": "update"}.get(self.cell)
        if gate is None:
            return ""
        share = np.mean(self.directions[direction][gate])
        return f"mean {gate} gate {share:.2f}; "

    def to_dict(self) -> dict[str, Any]:
        """Return everything as plain lists, dictionaries and numbers."""
        return asdict(self) | {"meaning": self.meaning()}


def trace_gates(classifier: Classifier, text: str, layer: int | None = None) -> Trace:
    """Return the states, cells and gates of one layer at each token of a text.

    Args:
        classifier: The classifier.
        text: The text.
        layer: From 1; None: the last layer.

    Raises:
        ConfigError: The cell has no such values, or the model has no such layer.
    """
    model = classifier.model
    num_layers = encoder_of(model).num_layers
    layer = num_layers if layer is None else layer
    if not 1 <= layer <= num_layers:
        raise ConfigError(f"--layer: expected 1 to {num_layers}, found {layer}")
    tokens, encoded = encode_text(text, classifier.text, classifier.vocab)
    only_row = np.zeros(1, np.int64)
    batch = assemble(encoded, only_row).to(model.linear.weight.device)
    bound_model = model.bind(encoded.unknown)
    forward, *backward = unroll_layer(bound_model, batch, layer - 1)
    directions = {"forward": _to_lists(forward)}
    for values in backward:  # none, or one
        in_text_order = {name: value.flip(0) for name, value in values.items()}
        directions["backward"] = _to_lists(in_text_order)
    spans = locate_tokens(text, tokens, classifier.text)
    tokens, spans = _join_steps(tokens, spans, model.section.tokens_per_step)
    return Trace(
        text=text,
        tokens=tokens,
        spans=spans,
        cell=model.section.cell,
        layer=layer,
        tokens_per_step=model.section.tokens_per_step,
        directions=directions,
    )


def _join_steps(
    tokens: list[str], spans: list[Span], tokens_per_step: int
) -> tuple[list[str], list[Span]]:
    """Return what each of the K steps reads, and where it is in the text."""
    if tokens_per_step == 1:
        return tokens, spans
    starts = range(0, len(tokens), tokens_per_step)
    steps = [slice(start, start + tokens_per_step) for start in starts]
    joined = [" ".join(tokens[step]) for step in steps]
    return joined, [Span(spans[step][0].start, spans[step][-1].end) for step in steps]


def _to_lists(values: dict[str, torch.Tensor]) -> dict[str, list[list[float]]]:
    """Return the values of one text, [K, 1, H] each, as [K][H]."""
    return {name: value[:, 0].tolist() for name, value in values.items()}
