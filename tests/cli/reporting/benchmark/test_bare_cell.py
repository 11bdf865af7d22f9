"""The bare cell is torch's own, of the configured kind and size."""

import pytest
import torch

from rnncls import ConfigError
from rnncls.cli.reporting.benchmark.bare_cell import BareCell
from rnncls.config.sections import ModelSection

CPU = torch.device("cpu")


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru"])
def test_the_bare_cell_is_of_the_configured_kind_and_size(cell: str) -> None:
    bare = BareCell(
        ModelSection.model_validate(
            {"cell": cell, "embedding_dim": 3, "hidden_size": 5}
        ),
        CPU,
    )
    (values,) = bare.inputs([(4, 7)])
    assert values.shape == (7, 4, 3)
    assert bare.cell(values)[0].shape == (7, 4, 10)


def test_the_bare_cell_takes_as_many_steps_as_the_network() -> None:
    section = ModelSection(embedding_dim=3, hidden_size=5, tokens_per_step=2)
    values = BareCell(section, CPU).inputs([(4, 7), (2, 6)])
    assert [tuple(each.shape) for each in values] == [(4, 4, 3), (3, 2, 3)]


@pytest.mark.parametrize("cell", ["grid_lstm", "none"])
def test_a_cell_that_torch_does_not_have_is_refused(cell: str) -> None:
    with pytest.raises(
        ConfigError,
        match=f"model.cell: {cell} has no counterpart in torch.nn .*: use rnn",
    ):
        BareCell(ModelSection.model_validate({"cell": cell}), CPU)


def test_the_bare_cell_forgets_its_gradients() -> None:
    bare = BareCell(ModelSection(embedding_dim=3, hidden_size=5), CPU)
    bare.train(bare.inputs([(2, 3)]))
    assert all(parameter.grad is None for parameter in bare.cell.parameters())


def test_the_bare_cell_predicts_in_evaluation_mode() -> None:
    bare = BareCell(ModelSection(embedding_dim=3, hidden_size=5), CPU)
    bare.infer(bare.inputs([(2, 3)]))
    assert not bare.cell.training
