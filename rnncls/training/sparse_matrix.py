"""Sparse matrices, and their products with dense ones.

The products are `torch.nn.functional.embedding_bag`, which uses all threads and always
adds in the same order. Torch's own sparse tensors do neither on every machine.

Shapes: R rows, S columns, Z stored values, D columns of a dense matrix.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F


@dataclass(frozen=True)
class SparsePattern:
    """Where R rows have their stored values; a column may occur several times in one.

    Attributes:
        num_columns: S.
        columns: [Z] int32, the column of each value, row after row.
        offsets: [R + 1] int32, where each row begins in `columns`, and Z.
    """

    num_columns: int
    columns: torch.Tensor
    offsets: torch.Tensor

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.offsets) - 1

    @cached_property
    def rows(self) -> torch.Tensor:
        """The row of each value, ascending. [Z] int32."""
        device = self.columns.device
        indices = torch.arange(self.num_rows, dtype=torch.int32, device=device)
        return torch.repeat_interleave(indices, self.offsets.diff())

    @cached_property
    def transposed(self) -> "tuple[SparsePattern, torch.Tensor]":
        """The pattern with rows and columns exchanged, and the order of its values.

        The order, [Z] int64, has for each value its place in this pattern.
        """
        order = torch.argsort(self.columns, stable=True)  # [Z]
        offsets = _count_up(self.columns, self.num_columns)  # [S + 1]
        return SparsePattern(self.num_rows, self.rows[order], offsets), order

    def count_rows(self) -> torch.Tensor:
        """Return in how many rows each column occurs. [S] int64."""
        transposed, _ = self.transposed
        columns, rows = transposed.rows, transposed.columns  # [Z] each, both ascending
        is_new = torch.ones(len(rows), dtype=torch.bool)  # [Z]
        is_new[1:] = (rows.diff() != 0) | (columns.diff() != 0)
        return torch.bincount(columns[is_new], minlength=self.num_columns)


@dataclass(frozen=True)
class SparseMatrix:
    """A pattern, whose transposition several matrices may share, and its values.

    Attributes:
        pattern: Where the Z values are in the R rows and S columns.
        values: [Z] float32.
    """

    pattern: SparsePattern
    values: torch.Tensor

    def multiply(self, dense: torch.Tensor) -> torch.Tensor:
        """Return the matrix product with a dense matrix. [S, D] -> [R, D]."""
        return F.embedding_bag(
            self.pattern.columns,
            dense,
            self.pattern.offsets,
            mode="sum",
            per_sample_weights=self.values,
            include_last_offset=True,
        )

    @cached_property
    def transposed(self) -> "SparseMatrix":
        """The matrix with rows and columns exchanged."""
        pattern, order = self.pattern.transposed
        return SparseMatrix(pattern, self.values[order])

    def scale_rows(self, factors: torch.Tensor) -> "SparseMatrix":
        """Return the matrix with each row multiplied by a factor, [R]."""
        return SparseMatrix(self.pattern, self.values * factors[self.pattern.rows])

    def count(self) -> "SparseMatrix":
        """Return the matrix with 1 in place of each stored value."""
        return SparseMatrix(self.pattern, torch.ones_like(self.values))


def build_sparse(
    rows: torch.Tensor,
    columns: torch.Tensor,
    values: torch.Tensor,
    num_rows: int,
    num_columns: int,
) -> SparseMatrix:
    """Return the matrix of values at places in any order. [Z] each."""
    order = torch.argsort(rows, stable=True)  # [Z]
    offsets = _count_up(rows, num_rows)  # [R + 1]
    pattern = SparsePattern(num_columns, columns[order].int(), offsets)
    return SparseMatrix(pattern, values[order])


def _count_up(rows: torch.Tensor, num_rows: int) -> torch.Tensor:
    """Return where each row begins, and the number of values Z. [R + 1] int32."""
    counts = torch.bincount(rows, minlength=num_rows)  # [R]
    return F.pad(counts.cumsum(0, dtype=torch.int32), (1, 0))
