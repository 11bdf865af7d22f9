"""The invariance check: it passes what holds, and catches models that see what they
must not."""

import copy

import numpy as np
import pytest
import torch

from rnncls.config.sections import ModelSection
from rnncls.inference.insight.invariance import (
    LIMIT,
    Check,
    _Reference,
    check_invariance,
    compute_batched_logits,
    describe_checks,
)
from rnncls.nn.classifier import TextClassifier
from rnncls.text.encoded_texts import EncodedTexts

LENGTHS = [7, 1, 4, 7, 2, 30, 3]
NAMES = [
    "batch size",
    "order",
    "padding",
    "what pads hold",
    "threads",
    "device",
    "number type",
    "cell's number type",
]


class PadCounter(TextClassifier):
    """A model whose logits depend on the width of the batch."""

    def forward(
        self, token_ids: torch.Tensor, *arguments: torch.Tensor, **others: object
    ) -> torch.Tensor:
        logits = super().forward(token_ids, *arguments, **others)  # type: ignore[arg-type]
        return logits + 0.01 * token_ids.shape[1] * torch.tensor([1.0, 0.0])


class PadReader(TextClassifier):
    """A model that adds up the numbers of all token ids, padding too."""

    def forward(
        self, token_ids: torch.Tensor, *arguments: torch.Tensor, **others: object
    ) -> torch.Tensor:
        logits = super().forward(token_ids, *arguments, **others)  # type: ignore[arg-type]
        return logits + 0.01 * token_ids.sum(dim=1, keepdim=True) * torch.tensor(
            [1.0, 0.0]
        )


class Neighbour(TextClassifier):
    """A model whose logits depend on who stands first in the batch."""

    def forward(self, *arguments: torch.Tensor, **others: object) -> torch.Tensor:
        logits = super().forward(*arguments, **others)  # type: ignore[arg-type]
        return logits + 0.1 * logits[:1]


def build(
    kind: type[TextClassifier] = TextClassifier, cell: str = "lstm"
) -> TextClassifier:
    torch.manual_seed(0)
    section = ModelSection.model_validate(
        {"cell": cell, "embedding_dim": 6, "hidden_size": 5}
    )
    return kind(section, vocab_size=30, num_classes=2)


def texts() -> EncodedTexts:
    lengths = np.array(LENGTHS)
    token_ids = np.random.default_rng(0).integers(2, 30, lengths.sum()).astype(np.int32)
    return EncodedTexts(token_ids, lengths, np.cumsum(lengths) - lengths)


def failed(model: TextClassifier) -> set[str]:
    return {check.name for check in check_invariance(model, texts()) if not check.holds}


@pytest.mark.parametrize("cell", ["rnn", "lstm", "gru", "grid_lstm", "none"])
def test_a_model_that_sees_no_padding_passes(cell: str) -> None:
    checks = check_invariance(build(cell=cell), texts())
    assert [check.name for check in checks] == NAMES
    assert all(check.holds for check in checks)
    assert all(
        (check.difference or 0.0) < 1e-5
        for check in checks[:7]
        if check.name != "device"
    )


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            PadCounter,
            {
                "batch size",
                "order",
                "padding",
                "what pads hold",
                "threads",
                "number type",
            },
        ),
        (PadReader, {"what pads hold"}),
        (
            Neighbour,
            {
                "batch size",
                "order",
                "padding",
                "what pads hold",
                "threads",
                "number type",
            },
        ),
    ],
)
def test_a_model_that_sees_what_it_must_not_is_caught(
    kind: type[TextClassifier], expected: set[str]
) -> None:
    assert failed(build(kind)) == expected


def test_the_difference_is_the_largest_distance_between_two_logits() -> None:
    model = build(PadReader)
    filled = next(
        check
        for check in check_invariance(model, texts())
        if check.name == "what pads hold"
    )
    most_pads = (
        max(LENGTHS) - min(LENGTHS) + 16
    )  # all seven stand in one batch; <unk> is 1
    assert filled.difference == pytest.approx(0.01 * most_pads, abs=1e-5)


def test_a_text_whose_set_of_labels_changes_counts_as_relabelled() -> None:
    reference = _Reference(torch.tensor([[0.0, 2.0], [0.0, 2.0]]), [0.5, 0.5])
    moved = torch.tensor([[-0.1, 2.0], [0.1, 1.0]])
    assert reference.count_relabelled(moved) == 1


def test_bfloat16_is_reported_without_a_limit() -> None:
    model = build()
    check = check_invariance(model, texts())[-1]
    with torch.inference_mode():
        plan = [np.arange(len(LENGTHS))]
        exact, rough = (
            compute_batched_logits(model, texts(), plan),
            compute_batched_logits(model, texts(), plan, dtype=torch.bfloat16),
        )
    assert (check.limit, check.holds) == (None, True)
    assert check.difference == pytest.approx(
        (rough - exact).abs().max().item(), abs=1e-3
    )
    assert check.difference is not None
    assert check.difference > LIMIT


def test_a_model_without_a_cell_has_no_number_type_to_try() -> None:
    assert check_invariance(build(cell="none"), texts())[-1].difference is None


@pytest.mark.skipif(
    torch.cuda.is_available() or torch.backends.mps.is_available(),
    reason="another device is there",
)
def test_a_device_that_is_not_there_is_not_tried() -> None:
    check = next(
        check for check in check_invariance(build(), texts()) if check.name == "device"
    )
    assert (check.difference, check.holds) == (None, True)


def test_model_and_threads_are_as_before() -> None:
    model, before = build(), torch.get_num_threads()
    weights = copy.deepcopy(model.state_dict())
    check_invariance(model, texts())
    assert torch.get_num_threads() == before
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name])
        assert value.dtype is torch.float32


@pytest.mark.parametrize(
    ("difference", "limit", "holds"),
    [
        (1e-5, 1e-4, True),
        (1e-4, 1e-4, True),
        (2e-4, 1e-4, False),
        (float("nan"), 1e-4, False),
        (1.0, None, True),
    ],
)
def test_a_check_holds_within_its_limit(
    difference: float, limit: float | None, holds: bool
) -> None:
    assert Check("padding", "none to 16", limit, difference, 0).holds is holds


def test_what_the_checks_mean_is_a_sentence() -> None:
    good, bad = Check("order", "", 1e-4, 1e-6, 0), Check("padding", "", 1e-4, 0.25, 1)
    assert describe_checks([good], 7).startswith(
        "All checks passed: no logit of these 7 texts moved"
    )
    assert (
        describe_checks([good, bad], 7)
        == "Failed checks, with a logit that moved beyond its limit: padding (2.5e-01)."
    )
