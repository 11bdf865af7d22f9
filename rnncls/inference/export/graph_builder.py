"""The nodes and constants of an ONNX graph, in the order in which they are added."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from onnx import (
    GraphProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)


class GraphBuilder:
    """Collects nodes and constants, and names the values between them."""

    def __init__(self) -> None:
        """Start an empty graph."""
        self._nodes: list[NodeProto] = []
        self._constants: list[TensorProto] = []
        self._num_values = 0

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one output and return the name of the output."""
        (output,) = self.add_outputs(1, operator, *inputs, **attributes)
        return output

    def add_outputs(
        self, num_outputs: int, operator: str, *inputs: str, **attributes: Any
    ) -> list[str]:
        """Add a node and return the names of its outputs."""
        outputs = [self._new_name(operator) for _ in range(num_outputs)]
        node = helper.make_node(operator, inputs, outputs, **attributes)
        self._nodes.append(node)
        return outputs

    def add_named(self, output: str, operator: str, *inputs: str) -> None:
        """Add a node whose output is one of the graph."""
        self._nodes.append(helper.make_node(operator, inputs, [output]))

    def constant(self, array: npt.ArrayLike, dtype: type[np.generic]) -> str:
        """Add a constant and return its name."""
        name = self._new_name("constant")
        values = np.asarray(array, dtype, order="C")
        self._constants.append(numpy_helper.from_array(values, name))
        return name

    def integers(self, *values: int) -> str:
        """Add a constant of int64 values, one axis long, and return its name."""
        return self.constant(values, np.int64)

    def build(
        self, inputs: Sequence[ValueInfoProto], outputs: Sequence[ValueInfoProto]
    ) -> GraphProto:
        """Return the graph."""
        return helper.make_graph(
            self._nodes, "rnncls", inputs, outputs, self._constants
        )

    def _new_name(self, kind: str) -> str:
        self._num_values += 1
        return f"{kind}_{self._num_values}"
