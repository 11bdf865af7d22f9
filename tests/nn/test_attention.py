"""Attention pooling: weights that sum to 1, and sums worked by hand."""

import torch

from rnncls.nn.attention import Attention


def test_attention_weights_sum_to_one_and_leave_padding_out() -> None:
    torch.manual_seed(0)
    inside = torch.tensor([[True, True], [True, True], [False, True]])
    weights = Attention(4)(torch.randn(3, 2, 4), inside)
    torch.testing.assert_close(weights.sum(dim=0), torch.ones(2))
    assert weights[2, 0] == 0
    assert (weights[inside] > 0).all()


def test_attention_pooling_is_the_softmax_of_the_scores_by_hand() -> None:
    torch.manual_seed(0)
    attention = Attention(2)
    states = torch.randn(3, 1, 2)
    scores = [
        attention.query.weight[0] @ torch.tanh(attention.projection(state))
        for state in states[:, 0]
    ]
    torch.testing.assert_close(
        attention(states, None)[:, 0], torch.stack(scores).softmax(dim=0)
    )


def test_the_query_has_no_bias_because_the_softmax_would_cancel_it() -> None:
    names = {name for name, _ in Attention(4).named_parameters()}
    assert names == {"projection.weight", "projection.bias", "query.weight"}
