"""The recurrent layers as ONNX nodes, one node a layer and direction.

ONNX has the gates of an LSTM in the order input, output, forget, candidate, and those
of a GRU in the order update, reset, candidate; torch has input, forget, candidate,
output, and reset, update, candidate. `linear_before_reset` makes the GRU torch's.

Shapes: B texts, T tokens in the longest of them, E embedding_dim, H hidden_size, D
directions, S = D * H width of a state.
"""

import numpy as np

from rnncls.inference.export.graph_builder import GraphBuilder
from rnncls.inference.export.layouts import Layout
from rnncls.runs.portable import Array, CellArrays, PortableClassifier

FORWARD, BACKWARD = 0, 1
_OPERATORS = {"rnn": "RNN", "lstm": "LSTM", "gru": "GRU"}
_GATE_ORDERS = {"rnn": [0], "lstm": [0, 3, 1, 2], "gru": [1, 0, 2]}


class EncoderGraph:
    """Adds the recurrent layers of a classifier to a graph."""

    def __init__(
        self, graph: GraphBuilder, layout: Layout, classifier: PortableClassifier
    ) -> None:
        """Take the graph, the layout of its batches and the weights."""
        self._graph = graph
        self._layout = layout
        self._classifier = classifier
        self._section = classifier.model
        self._directions = [FORWARD, BACKWARD][: classifier.num_directions]

    def add_layers(self, inputs: str) -> list[str]:
        """Add all layers and return the states of the last one in each direction.

        The backward states are in reading order, from the last token to the first.

        Args:
            inputs: [T, B, E].

        Returns:
            [T, B, H] for each direction.
        """
        if self._section.cell == "grid_lstm":
            return self._add_grid(inputs)
        states = self._add_layer(0, inputs)
        for layer in range(1, self._section.num_layers):
            states = self._add_layer(layer, self.join(states))
        return states

    def join(self, states: list[str]) -> str:
        """Concatenate the directions at each token. [T, B, H] each -> [T, B, S]."""
        if len(states) == 1:
            return states[0]
        backward = self._layout.reverse(states[BACKWARD])
        return self._graph.add("Concat", states[FORWARD], backward, axis=2)

    def _add_layer(self, layer: int, inputs: str) -> list[str]:
        states = []
        for direction in self._directions:
            ordered = self._order(inputs, direction)
            weights = self._classifier.cell(layer, direction)
            cell = self._section.cell
            states.append(self._add_cell(cell, weights, ordered))
        return states

    def _order(self, inputs: str, direction: int) -> str:
        """Return the inputs in the reading order of a direction."""
        return self._layout.reverse(inputs) if direction == BACKWARD else inputs

    def _add_cell(self, cell: str, weights: CellArrays, inputs: str) -> str:
        """Add one recurrent node. [T, B, E or S] -> [T, B, H]."""
        attributes = {"hidden_size": self._section.hidden_size}
        if cell == "gru":
            attributes["linear_before_reset"] = 1
        order = _GATE_ORDERS[cell]
        from_input = _reorder_gates(weights.weight_ih, order)
        from_state = _reorder_gates(weights.weight_hh, order)
        input_bias = _reorder_gates(weights.bias_ih, order)
        state_bias = _reorder_gates(weights.bias_hh, order)
        bias = np.concatenate([input_bias, state_bias])
        states = self._graph.add(
            _OPERATORS[cell],
            inputs,
            self._graph.constant(from_input[None], np.float32),
            self._graph.constant(from_state[None], np.float32),
            self._graph.constant(bias[None], np.float32),
            **attributes,
        )  # [T, 1, B, H]
        return self._graph.add("Squeeze", states, self._graph.integers(1))

    def _add_grid(self, inputs: str) -> list[str]:
        """Add the stacks of a grid_lstm, one for each direction."""
        weights = self._classifier.weights
        projected = self._add_linear(
            inputs, weights["encoder.project.weight"], weights["encoder.project.bias"]
        )  # [T, B, 2 * H]
        return [
            self._add_stack(self._order(projected, direction), direction)
            for direction in self._directions
        ]

    def _add_stack(self, projected: str, direction: int) -> str:
        """Add all layers in one direction. [T, B, 2 * H] -> [T, B, H]."""
        state, cell = self._graph.add_outputs(2, "Split", projected, axis=2)
        for layer in range(self._section.num_layers):
            time = self._classifier.grid_time(layer, direction)
            along_time = self._add_cell("lstm", time, state)
            depth = self._classifier.grid_depth(layer, direction)
            state, cell = self._add_depth(depth, along_time, state, cell)
        return state

    def _add_depth(
        self, weights: CellArrays, along_time: str, state: str, cell: str
    ) -> tuple[str, str]:
        """Add one step of an LSTM along depth, at all tokens. Each [T, B, H]."""
        add = self._graph.add
        input_, forget, candidate, output = self._add_gates(weights, along_time, state)
        kept = add("Mul", add("Sigmoid", forget), cell)
        added = add("Mul", add("Sigmoid", input_), add("Tanh", candidate))
        cell = add("Add", kept, added)
        state = add("Mul", add("Sigmoid", output), add("Tanh", cell))
        return state, cell

    def _add_gates(self, weights: CellArrays, along_time: str, state: str) -> list[str]:
        """Add the four gates along depth, before their functions. [T, B, H] each."""
        from_time = self._add_linear(along_time, weights.weight_ih, weights.bias_ih)
        from_state = self._add_linear(state, weights.weight_hh, weights.bias_hh)
        gates = self._graph.add("Add", from_time, from_state)  # [T, B, 4 * H]
        return self._graph.add_outputs(4, "Split", gates, axis=2)

    def _add_linear(self, inputs: str, weight: Array, bias: Array) -> str:
        """Add a linear layer over the last axis."""
        matrix = self._graph.constant(weight.T, np.float32)
        product = self._graph.add("MatMul", inputs, matrix)
        return self._graph.add("Add", product, self._graph.constant(bias, np.float32))


def _reorder_gates(array: Array, order: list[int]) -> Array:
    """Return the blocks of an array's rows, one block a gate, in another order."""
    gates = np.split(array, len(order))
    return np.concatenate([gates[index] for index in order])
