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
class SparseMatrix:
    """R rows of stored values; a column may occur several times in a row.

    Attributes:
        num_columns: S.
        columns: [Z] int64, the column of each value, row after row.
        offsets: [R + 1] int64, where each row begins in `columns`, and Z.
        values: [Z] float32.
    """

    num_columns: int
    columns: torch.Tensor
    offsets: torch.Tensor
    values: torch.Tensor

    @property
    def num_rows(self) -> int:
        """R."""
        return len(self.offsets) - 1

    def multiply(self, dense: torch.Tensor) -> torch.Tensor:
        """Return the matrix product with a dense matrix. [S, D] -> [R, D]."""
        return F.embedding_bag(
            self.columns,
            dense,
            self.offsets,
            mode="sum",
            per_sample_weights=self.values,
            include_last_offset=True,
        )

    def rows(self) -> torch.Tensor:
        """Return the row of each value. [Z] int64."""
        indices = torch.arange(self.num_rows, device=self.columns.device)
        return torch.repeat_interleave(indices, self.offsets.diff())

    @cached_property
    def transposed(self) -> "SparseMatrix":
        """The matrix with rows and columns exchanged."""
        return build_sparse(
            self.columns, self.rows(), self.values, self.num_columns, self.num_rows
        )

    def scale_rows(self, factors: torch.Tensor) -> "SparseMatrix":
        """Return the matrix with each row multiplied by a factor, [R]."""
        values = self.values * factors[self.rows()]
        return SparseMatrix(self.num_columns, self.columns, self.offsets, values)

    def count(self) -> "SparseMatrix":
        """Return the matrix with 1 in place of each stored value."""
        ones = torch.ones_like(self.values)
        return SparseMatrix(self.num_columns, self.columns, self.offsets, ones)

    def to(self, device: torch.device) -> "SparseMatrix":
        """Return the matrix on a device."""
        return SparseMatrix(
            self.num_columns,
            self.columns.to(device),
            self.offsets.to(device),
            self.values.to(device),
        )


def build_sparse(
    rows: torch.Tensor,
    columns: torch.Tensor,
    values: torch.Tensor,
    num_rows: int,
    num_columns: int,
) -> SparseMatrix:
    """Return the matrix of values at places in any order. [Z] each."""
    order = torch.argsort(rows, stable=True)  # [Z]
    counts = torch.bincount(rows, minlength=num_rows)  # [R]
    offsets = F.pad(counts.cumsum(0), (1, 0))  # [R + 1]
    return SparseMatrix(num_columns, columns[order], offsets, values[order])
