"""The Grid LSTM against its blocks, word by word."""

import pytest
import torch
from torch import nn

from rnncls.nn.grid_lstm import GridLstm
from tests.nn.builders import build, pad, texts


@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("num_layers", [1, 3])
def test_a_grid_lstm_equals_its_blocks_word_by_word(
    bidirectional: bool, num_layers: int
) -> None:
    model = build(
        "grid_lstm",
        bidirectional=bidirectional,
        num_layers=num_layers,
        pooling=["last"],
    )
    grid = model.encoder
    assert isinstance(grid, GridLstm)
    token_ids, lengths, _ = pad(texts())
    found = grid(model.embedding(token_ids.t()), lengths).joined()  # [T, B, S]
    num_directions = 2 if bidirectional else 1
    for row, text in enumerate(texts()):
        for direction in range(num_directions):
            words = text.flip(0) if direction else text
            along_time = [
                (torch.zeros(1, 5).double(), torch.zeros(1, 5).double())
            ] * num_layers
            tops = []
            for word in words:
                up = grid.project(model.embedding.weight[word])[None].chunk(2, dim=1)
                for layer in range(num_layers):
                    number = layer * num_directions + direction
                    cell = nn.LSTMCell(5, 5).double()
                    own = grid.time[number].state_dict().items()
                    cell.load_state_dict(
                        {name.removesuffix("_l0"): value for name, value in own}
                    )
                    along_time[layer] = cell(up[0], along_time[layer])
                    up = grid.depth[number](along_time[layer][0], up)
                tops.append(up[0][0])
            expected = torch.stack(tops[::-1] if direction else tops)
            torch.testing.assert_close(
                found[: len(text), row, 5 * direction : 5 * direction + 5], expected
            )
