"""Accuracy when only the first tokens are read: that of the texts cut there."""

import numpy as np
import pytest

from rnncls.data.loading import EncodedSplit
from rnncls.evaluation.metrics import wilson_interval
from rnncls.inference.insight.anytime import describe_anytime, measure_anytime
from rnncls.text.encoded_texts import encode_texts
from rnncls.text.tokenizer import tokenize_texts
from tests.inference.insight.test_trajectory import build, predict


@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_accuracy_after_some_tokens_is_that_of_the_texts_cut_there(
    bidirectional: bool,
) -> None:
    run = build(bidirectional=bidirectional)
    texts = [
        "rovers meet oslo",
        "oslo meet",
        "again",
        "meet again oslo rovers meet oslo",
        "rovers again " * 5,
    ]
    labels = np.array([0, 1, 2, 1, 0])
    split = EncodedSplit(
        encode_texts(tokenize_texts(texts, run.text), run.vocab),
        labels,
        np.arange(len(labels)),
    )
    points = measure_anytime(run.model, split)
    assert [point.num_tokens for point in points] == [1, 2, 4, 8, 10]
    for point in points:
        cut = [" ".join(text.split()[: point.num_tokens]) for text in texts]
        num_right = int((np.argmax(predict(run, cut), axis=1) == labels).sum())
        assert (point.accuracy, point.accuracy_interval) == (
            num_right / 5,
            wilson_interval(num_right, 5),
        )
        assert (
            point.share_whole
            == sum(len(text.split()) <= point.num_tokens for text in texts) / 5
        )


def test_texts_of_one_token_have_one_point() -> None:
    run = build()
    split = EncodedSplit(
        encode_texts(tokenize_texts(["oslo", "meet"], run.text), run.vocab),
        np.array([0, 1]),
        np.arange(len([0, 1])),
    )
    points = measure_anytime(run.model, split)
    assert [(point.num_tokens, point.share_whole) for point in points] == [(1, 1.0)]
    assert describe_anytime(points).startswith("The accuracy is 50.00% after 1 token")
