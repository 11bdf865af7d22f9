"""A packed table has the same weights, up to rounding and a number per n-gram."""

import numpy as np
import pytest

from rnncls.text import ngram_table
from rnncls.text.ngram_table import NgramTable, pack_table, unpack_table


def make_table(num_classes: int, num_ngrams: int = 50) -> NgramTable:
    generator = np.random.default_rng(0)
    keys = np.sort(generator.choice(2**32, num_ngrams, replace=False))
    weights = generator.normal(size=(num_ngrams, num_classes))
    return NgramTable(
        max_size=2,
        keys=keys,
        weights=weights.astype(np.float32),
        squares=generator.random(num_ngrams).astype(np.float32),
        bias=generator.random(num_classes).astype(np.float32),
        scale=0.25,
        is_alone=True,
    )


@pytest.mark.parametrize("num_classes", [2, 3, 4, 300])
def test_a_packed_table_is_read_again(num_classes: int) -> None:
    table = make_table(num_classes)
    found = unpack_table(pack_table(table, np.ones(50, np.float32)))
    centred = table.weights - table.weights.mean(axis=1, keepdims=True)
    assert np.abs(found.weights - centred).max() < 0.01
    assert found.keys.tolist() == table.keys.tolist()
    assert found.bias.tolist() == table.bias.tolist()
    assert np.abs(found.squares - table.squares).max() < 0.001
    assert (found.max_size, found.scale, found.is_alone) == (2, 0.25, True)


def test_two_classes_need_one_weight_for_each_ngram() -> None:
    arrays = pack_table(make_table(2), np.ones(50, np.float32))
    assert len(arrays["ngrams.values"]) == 50


def test_the_least_important_weights_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ngram_table, "MAX_BYTES", 50 * 7 + 40 * 3)
    table = make_table(10)
    importances = np.ones(50, np.float32)
    importances[:25] = 0
    arrays = pack_table(table, importances)
    assert len(arrays["ngrams.values"]) == 40
    found = unpack_table(arrays)
    assert not found.weights[:25].any()
    assert sum(array.nbytes for array in arrays.values()) <= 50 * 7 + 40 * 3 + 100


@pytest.mark.parametrize("name", ["keys", "classes", "values", "bias", "max_size"])
def test_a_missing_array_is_named(name: str) -> None:
    arrays = pack_table(make_table(3), np.ones(50, np.float32))
    del arrays[f"ngrams.{name}"]
    with pytest.raises(ValueError, match=f"ngrams.{name} is missing"):
        unpack_table(arrays)


@pytest.mark.parametrize("name", ["keys", "counts", "values", "bias"])
def test_arrays_that_do_not_fit_are_rejected(name: str) -> None:
    arrays = pack_table(make_table(3), np.ones(50, np.float32))
    arrays[f"ngrams.{name}"] = arrays[f"ngrams.{name}"][:-1]
    with pytest.raises(ValueError, match=r"do not fit|does not exist"):
        unpack_table(arrays)
