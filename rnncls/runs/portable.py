"""A classifier as NumPy arrays, for the runtimes that need no torch.

The NumPy runtime, the ONNX file and the web page are all made of it.

Shapes: V words, E embedding_dim, H hidden_size, G gates times hidden_size, S width of a
state, P poolings, C classes.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from rnncls import RunError
from rnncls.config.sections import DataSection, ModelSection, TextSection
from rnncls.machine.arrays import load_arrays
from rnncls.nn.scope import ScopeRule
from rnncls.runs.companions import load_labels, load_run_config, read_vocab
from rnncls.runs.folder import MODEL, RunFolder
from rnncls.runs.manifest import COMPANIONS, Manifest
from rnncls.runs.ngram_arrays import take_ngrams
from rnncls.runs.thresholds import (
    SCOPE_RULE,
    THRESHOLDS,
    check_scope_rule,
    check_thresholds,
)
from rnncls.runs.vector_words import join_embedding
from rnncls.text.ngram_table import NgramTable
from rnncls.text.vocab import Vocab

Array = npt.NDArray[np.float32]

_GATES = {"rnn": 1, "lstm": 4, "gru": 3}


class CellArrays(NamedTuple):
    """The weights of one recurrent layer in one direction, in torch's order of gates.

    Attributes:
        weight_ih: [G, E], [G, S] above the first layer.
        weight_hh: [G, H].
        bias_ih: [G].
        bias_hh: [G].
    """

    weight_ih: Array
    weight_hh: Array
    bias_ih: Array
    bias_hh: Array


@dataclass(frozen=True)
class PortableClassifier:
    """All that a run needs to classify a text, without torch.

    Attributes:
        text: How a text becomes tokens.
        model: The shape of the network.
        vocab: The words.
        label_names: The classes, in the order of the logits.
        weights: The float32 arrays of the network by their names in the weights file.
        temperature: The logits are divided by it.
        data: Where the texts of a file are found.
        ngrams: The n-gram part, whose logits are added to those of the network; None:
            there is none.
        thresholds: From which probability on a text has a label, for each label; None:
            a text has one label.
        scope_rule: By which a text fits one of the classes, or none (see
            `rnncls.nn.scope`); None: the run has none.
    """

    text: TextSection
    model: ModelSection
    vocab: Vocab
    label_names: list[str]
    weights: dict[str, Array]
    temperature: float
    data: DataSection
    ngrams: NgramTable | None = None
    thresholds: list[float] | None = None
    scope_rule: ScopeRule | None = None

    @property
    def has_several_labels(self) -> bool:
        """Whether a text may have several labels, or none."""
        return self.model.has_several_labels

    @property
    def reads_unknown(self) -> bool:
        """Whether unknown words have vectors, of their character n-grams."""
        return self.vocab.char_ngrams is not None

    @property
    def num_directions(self) -> int:
        """D, 1 or 2."""
        return 2 if self.model.bidirectional else 1

    @property
    def has_attention(self) -> bool:
        """Whether one of the poolings is attention."""
        return self.model.cell != "none" and "attention" in self.model.pooling

    def cell(self, layer: int, direction: int) -> CellArrays:
        """Return the weights of one layer and direction of an rnn, lstm or gru.

        Args:
            layer: From 0, the layer above the word vectors.
            direction: 0 for forward, 1 for backward.
        """
        suffix = f"l{layer}_reverse" if direction else f"l{layer}"
        return self._cell_arrays("encoder.rnn", f"_{suffix}")

    def grid_time(self, layer: int, direction: int) -> CellArrays:
        """Return the LSTM along time of one block of a grid_lstm."""
        block = layer * self.num_directions + direction
        return self._cell_arrays(f"encoder.time.{block}", "_l0")

    def grid_depth(self, layer: int, direction: int) -> CellArrays:
        """Return the LSTM cell along depth of one block of a grid_lstm."""
        block = layer * self.num_directions + direction
        return self._cell_arrays(f"encoder.depth.{block}", "")

    def _cell_arrays(self, prefix: str, suffix: str) -> CellArrays:
        names = [f"{prefix}.{name}{suffix}" for name in CellArrays._fields]
        return CellArrays(*(self.weights[name] for name in names))


def load_portable(path: Path) -> PortableClassifier:
    """Load and verify a run.

    Raises:
        RunError: A file is missing, damaged, or from another run or a newer version.
    """
    weights = load_verified_arrays(path)
    config = load_run_config(path)
    return build_portable(path, weights, config.text, config.model, config.data)


def load_verified_arrays(path: Path) -> dict[str, Array]:
    """Return the weights of a run; verify them and the files that belong to them.

    Raises:
        RunError: A file is missing, damaged, or from another run or a newer version.
    """
    weights, metadata = load_arrays(RunFolder(path).model)
    Manifest.from_metadata(metadata).verify(path, MODEL, COMPANIONS[MODEL])
    join_embedding(weights, RunFolder(path).model)
    return weights


def build_portable(
    path: Path,
    weights: dict[str, Array],
    text: TextSection,
    model: ModelSection,
    data: DataSection,
) -> PortableClassifier:
    """Return a classifier of a run's weights, and of its words and labels.

    Args:
        path: The run folder, from which the words and the labels are read.
        weights: The arrays of the weights file.
        text: The section of the run's config.
        model: The section of the run's config.
        data: The section of the run's config.

    Raises:
        RunError: A file is missing or damaged, or the weights have other shapes.
    """
    source = RunFolder(path).model
    vocab = read_vocab(path, text)
    labels = load_labels(path)
    temperature = _pop_temperature(weights, source)
    thresholds = None
    if model.has_several_labels:
        stored = weights.pop(THRESHOLDS, None)
        thresholds = check_thresholds(stored, len(labels), source)
    scope_rule = check_scope_rule(weights.pop(SCOPE_RULE, None), source)
    ngrams = take_ngrams(weights, len(labels), source)
    expected = list_shapes(model, vocab.num_rows, len(labels))
    _check_shapes(weights, expected, source)
    return PortableClassifier(
        text,
        model,
        vocab,
        labels,
        weights,
        temperature,
        data,
        ngrams,
        thresholds,
        scope_rule,
    )


def _pop_temperature(weights: dict[str, Array], source: Path) -> float:
    """Remove the temperature from the arrays; return it, or 1 if there is none."""
    temperature = np.asarray(weights.pop("temperature", np.ones(())))
    if temperature.size != 1 or not 0.0 < float(temperature.reshape(())) < np.inf:
        raise RunError(f"{source}: damaged: the temperature is not a positive number")
    return float(temperature.reshape(()))


def list_shapes(
    section: ModelSection, vocab_size: int, num_classes: int
) -> dict[str, tuple[int, ...]]:
    """Return the name and the shape of each array of a network."""
    embedding_dim = section.embedding_dim
    shapes: dict[str, tuple[int, ...]] = {
        "embedding.weight": (vocab_size, embedding_dim)
    }
    if section.cell == "none":
        pooled_size = embedding_dim
    else:
        encoder = (
            _list_grid_shapes(section)
            if section.cell == "grid_lstm"
            else _list_encoder_shapes(section)
        )
        shapes |= encoder
        state_size = section.hidden_size * (2 if section.bidirectional else 1)
        pooled_size = state_size * len(section.pooling)
        if "attention" in section.pooling:
            shapes["pooling.attention.projection.weight"] = (state_size, state_size)
            shapes["pooling.attention.projection.bias"] = (state_size,)
            shapes["pooling.attention.query.weight"] = (1, state_size)
    shapes["linear.weight"] = (num_classes, pooled_size)
    shapes["linear.bias"] = (num_classes,)
    return shapes


def _list_encoder_shapes(section: ModelSection) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    size = section.hidden_size
    directions = ("", "_reverse") if section.bidirectional else ("",)
    gates = _GATES[section.cell] * size
    input_size = section.embedding_dim
    for layer in range(section.num_layers):
        for direction in directions:
            suffix = f"_l{layer}{direction}"
            shapes |= _list_cell_shapes("encoder.rnn", suffix, gates, input_size, size)
        input_size = size * len(directions)
    return shapes


def _list_grid_shapes(section: ModelSection) -> dict[str, tuple[int, ...]]:
    size = section.hidden_size
    shapes: dict[str, tuple[int, ...]] = {
        "encoder.project.weight": (2 * size, section.embedding_dim),
        "encoder.project.bias": (2 * size,),
    }
    num_blocks = section.num_layers * (2 if section.bidirectional else 1)
    for block in range(num_blocks):
        time, depth = f"encoder.time.{block}", f"encoder.depth.{block}"
        shapes |= _list_cell_shapes(time, "_l0", 4 * size, size, size)
        shapes |= _list_cell_shapes(depth, "", 4 * size, size, size)
    return shapes


def _list_cell_shapes(
    prefix: str, suffix: str, gates: int, input_size: int, size: int
) -> dict[str, tuple[int, ...]]:
    return {
        f"{prefix}.weight_ih{suffix}": (gates, input_size),
        f"{prefix}.weight_hh{suffix}": (gates, size),
        f"{prefix}.bias_ih{suffix}": (gates,),
        f"{prefix}.bias_hh{suffix}": (gates,),
    }


def _check_shapes(
    weights: dict[str, Array], expected: dict[str, tuple[int, ...]], source: Path
) -> None:
    """Check the names and the shapes of the arrays."""
    for name in sorted(expected.keys() | weights.keys()):
        shape = weights[name].shape if name in weights else None
        if shape != expected.get(name):
            raise RunError(
                f"{source}: the weights do not fit the config: {name}: expected"
                f" {expected.get(name, 'no such array')}, found"
                f" {shape or 'no such array'}"
            )
