"""Small classifiers and batches for the tests of the networks."""

import itertools
from typing import Any

import torch

from rnncls.config.sections import ModelSection
from rnncls.nn.classifier import TextClassifier
from rnncls.nn.states import States, compute_reverse_index
from rnncls.text.vocab import PAD_ID

POOLINGS = [
    ["last"],
    ["max"],
    ["mean"],
    ["attention"],
    ["last", "max", "mean", "attention"],
]
LENGTHS = [7, 1, 4, 7, 2]
GRID = [
    *itertools.product(
        ["rnn", "lstm", "gru", "grid_lstm"], [False, True], [1, 2], POOLINGS
    ),
    ("none", False, 1, ["mean"]),
]
"""Cell, bidirectional, num_layers, pooling. Cell none ignores the other three."""


def build(
    cell: str, *, bidirectional: bool, num_layers: int, pooling: list[str], **other: Any
) -> TextClassifier:
    torch.manual_seed(0)
    values = {
        "embedding_dim": 6,
        "hidden_size": 5,
        "dropout": 0.0,
        "word_dropout": 0.0,
    } | other
    section = ModelSection.model_validate(
        {
            "cell": cell,
            "bidirectional": bidirectional,
            "num_layers": num_layers,
            "pooling": pooling,
        }
        | values
    )
    return TextClassifier(section, vocab_size=30, num_classes=3).double()


def pad(
    texts: list[torch.Tensor], longest: int | None = None
) -> tuple[torch.Tensor, torch.Tensor, bool]:
    """Return token ids [B, T], lengths [B] and whether they are ragged."""
    lengths = torch.tensor([len(text) for text in texts])
    width = longest or int(lengths.max())
    token_ids = torch.full((len(texts), width), PAD_ID)
    for row, text in enumerate(texts):
        token_ids[row, : len(text)] = text
    return token_ids, lengths, bool((lengths < width).any())


def texts() -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.randint(2, 30, (length,), generator=generator) for length in LENGTHS]


def logits_of(
    model: TextClassifier, batch: list[torch.Tensor], longest: int | None = None
) -> torch.Tensor:
    token_ids, lengths, is_ragged = pad(batch, longest)
    result: torch.Tensor = model(token_ids, lengths, is_ragged=is_ragged)
    return result


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def draw_states(lengths: torch.Tensor, *, bidirectional: bool) -> States:
    """Return random states of width 2 a direction that require a gradient."""
    generator = torch.Generator().manual_seed(0)
    shape = (int(lengths.max()), len(lengths), 2)
    forward, backward = (
        torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()
        for _ in range(2)
    )
    if not bidirectional:
        return States(forward)
    return States(forward, backward, compute_reverse_index(lengths, shape[0]))


def naive_join(states: States, lengths: torch.Tensor) -> list[torch.Tensor]:
    """Return each text's states at its tokens, both directions side by side."""
    rows = []
    for text, length in enumerate(lengths.tolist()):
        row = states.forward[:length, text]
        if states.backward is not None:
            row = torch.cat([row, states.backward[:length, text].flip(0)], dim=1)
        rows.append(row)
    return rows
