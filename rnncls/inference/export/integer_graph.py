"""Integer arithmetic as ONNX nodes.

Several runtimes compute int64 with 32 bits, and divide integers as float32: the values
are int32, and whoever divides keeps them below 2**24.
"""

from collections.abc import Sequence

import numpy as np

from rnncls.inference.export.graph_builder import GraphBuilder

_INT32 = 6  # TensorProto.INT32


class IntegerGraph:
    """Adds nodes for int32 values. Values are names in the graph, of any shape."""

    def __init__(self, graph: GraphBuilder) -> None:
        """Take the graph."""
        self._graph = graph

    def constant(self, value: int) -> str:
        """Return a scalar."""
        return self._graph.constant(value, np.int32)

    def cast(self, values: str) -> str:
        """Return integers of another type as int32."""
        return self._graph.add("Cast", values, to=_INT32)

    def add(self, first: str, second: str | int) -> str:
        """Return the sum."""
        return self._graph.add("Add", first, self._name(second))

    def multiply(self, values: str, factor: int) -> str:
        """Return the product with a constant."""
        return self._graph.add("Mul", values, self.constant(factor))

    def divide(self, values: str, divisor: int) -> tuple[str, str]:
        """Return the quotients and the remainders of values in 0..2**24 - 1."""
        quotients = self._graph.add("Div", values, self.constant(divisor))
        multiples = self.multiply(quotients, divisor)
        remainders = self._graph.add("Sub", values, multiples)
        return quotients, remainders

    def minimum(self, first: str, second: str) -> str:
        """Return the smaller value."""
        return self._graph.add("Min", first, second)

    def is_equal(self, first: str, second: str | int) -> str:
        """Return whether the values are equal, bool."""
        return self._graph.add("Equal", first, self._name(second))

    def is_less(self, first: str, second: str) -> str:
        """Return whether the first value is the smaller one, bool."""
        return self._graph.add("Less", first, second)

    def choose(self, condition: str, first: str | int, second: str | int) -> str:
        """Return the first value where a condition holds, else the second."""
        names = self._name(first), self._name(second)
        return self._graph.add("Where", condition, *names)

    def concat(self, values: Sequence[str]) -> str:
        """Concatenate values along the first axis."""
        return self._graph.add("Concat", *values, axis=0)

    def take(self, table: str, indices: str) -> str:
        """Return the rows of a table."""
        return self._graph.add("Gather", table, indices, axis=0)

    def _name(self, value: str | int) -> str:
        return self.constant(value) if isinstance(value, int) else value
