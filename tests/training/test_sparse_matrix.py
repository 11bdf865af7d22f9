"""Products with sparse matrices are those of dense ones."""

import torch

from rnncls.training.sparse_matrix import build_sparse


def test_products_are_those_of_the_dense_matrix() -> None:
    rows = torch.tensor([3, 0, 0, 2, 0])
    columns = torch.tensor([1, 4, 0, 2, 4])
    values = torch.tensor([1.0, 2.0, 3.0, 4.0, 5.0])
    matrix = build_sparse(rows, columns, values, 4, 5)
    dense = torch.zeros(4, 5)
    dense.index_put_((rows, columns), values, accumulate=True)
    right, left = torch.randn(5, 2), torch.randn(4, 2)
    assert torch.allclose(matrix.multiply(right), dense @ right)
    assert torch.allclose(matrix.transposed.multiply(left), dense.t() @ left)
    factors = torch.tensor([1.0, 2.0, 3.0, 4.0])
    scaled = matrix.scale_rows(factors)
    assert torch.allclose(scaled.multiply(right), factors[:, None] * (dense @ right))
