"""Flag units, on weights set by hand."""

import numpy as np
import pytest
import torch

from rnncls import ConfigError
from rnncls.data.loading import EncodedSplit
from rnncls.inference.insight.flags import (
    Flag,
    FlagWord,
    _best_label,
    describe_flags,
    find_flags,
)
from rnncls.inference.insight.gates import encoder_of
from rnncls.runs.classifier import Classifier
from rnncls.text.encoded_texts import encode_texts
from rnncls.text.tokenizer import tokenize_texts
from tests.inference.insight.test_gates import build


def build_flag(tokens_per_step: int = 1) -> Classifier:
    """An LSTM of two units in one direction: unit 1 goes to -1 at "rovers" and keeps
    it; unit 0 stays at 0."""
    run = build("lstm", bidirectional=False, size=2, tokens_per_step=tokens_per_step)
    weight, recurrent, bias, other = encoder_of(run.model).rnn.all_weights[0]
    with torch.no_grad():
        run.model.embedding.weight.zero_()
        run.model.embedding.weight[3, 0] = 1.0  # rovers
        for each in (weight, recurrent, bias, other):
            each.zero_()
        weight[1, 0], bias[1] = 40.0, -20.0  # the input gate opens for rovers alone
        bias[2:4] = 20.0  # the forget gate keeps all
        weight[5, 0] = -20.0  # what is written is -1
    return run


def test_a_flag_is_found_with_the_word_that_switches_it_on() -> None:
    run = build_flag()
    texts = [
        "oslo rovers meet oslo",
        "again meet",
        "rovers again",
        "oslo meet again",
        "meet rovers rovers",
        "zzz",
    ]
    labels = np.array([0, 1, 0, 0, 1, 1])
    split = EncodedSplit(
        encode_texts(tokenize_texts(texts, run.text), run.vocab),
        labels,
        np.arange(len(labels)),
    )
    (flag,) = find_flags(run, split)
    assert (flag.direction, flag.unit, flag.side) == ("forward", 1, -1)
    assert (flag.share_texts, flag.kept, flag.sharpness) == pytest.approx(
        (0.5, 1.0, 1.0), abs=1e-4
    )
    assert flag.score == pytest.approx(1.0, abs=1e-4)
    assert (flag.label, flag.share_of_label, flag.share_of_others) == pytest.approx(
        ("sport", 2 / 3, 1 / 3)
    )
    assert flag.words == [FlagWord("rovers", 3, 4)]


def test_each_token_of_a_step_counts_as_the_one_that_switches_a_flag_on() -> None:
    run = build_flag(tokens_per_step=2)
    texts = [
        *("oslo rovers meet", "meet rovers", "meet meet again rovers zzz", "rovers"),
        *("oslo again meet", "zzz oslo", "meet oslo again"),
    ]
    split = EncodedSplit(
        encode_texts(tokenize_texts(texts, run.text), run.vocab),
        np.array([0, 0, 0, 0, 1, 1, 1]),
        np.arange(len(texts)),
    )
    (flag,) = find_flags(run, split)
    assert (flag.unit, flag.share_texts, flag.kept) == pytest.approx((1, 4 / 7, 1.0))
    assert (flag.label, flag.share_of_label, flag.share_of_others) == ("sport", 1, 0)
    assert flag.words == [
        FlagWord("rovers", 4, 4)
    ]  # the others switch it on too rarely


def test_a_flag_is_compared_with_the_texts_without_a_label() -> None:
    run = build_flag()
    texts = ["oslo rovers", "again", "rovers again", "oslo", "meet rovers", "zzz"]
    labels = np.array([[1, 1], [1, 0], [1, 0], [0, 1], [1, 0], [0, 0]], dtype=bool)
    split = EncodedSplit(
        encode_texts(tokenize_texts(texts, run.text), run.vocab),
        labels,
        np.arange(len(labels)),
    )
    (flag,) = find_flags(run, split)
    assert (flag.label, flag.share_of_label, flag.share_of_others) == ("sport", 0.75, 0)


def test_a_flag_that_falls_again_is_kept_less() -> None:
    run = build_flag()
    bias = encoder_of(run.model).rnn.all_weights[0][2]
    with torch.no_grad():
        bias[2:4] = -5.0  # the cell is forgotten at the next token
    texts = ["rovers oslo meet oslo again"]
    split = EncodedSplit(
        encode_texts(tokenize_texts(texts, run.text), run.vocab),
        np.array([0]),
        np.arange(len([0])),
    )
    (flag,) = find_flags(run, split)
    assert (flag.kept, flag.share_of_label, flag.words) == (0.0, 0.0, [])


def test_a_rare_label_is_not_that_of_a_flag() -> None:
    has_label = torch.zeros(20, 3, dtype=torch.bool)
    has_label[:12, 0] = True  # frequent, on in 9 of 12
    has_label[0, 1] = True  # one text, which is on
    is_on = torch.arange(20) < 9
    label, share, share_of_others = _best_label(
        is_on, has_label, ["joy", "pride", "no"]
    )
    assert (label, share, share_of_others) == ("joy", 0.75, 0.0)
    # If all are rare, each of them counts.
    label, share, _ = _best_label(is_on[:9], has_label[:9], ["joy", "pride", "no"])
    assert (label, share) == ("joy", 1.0)
    is_on[1] = False
    label, share, _ = _best_label(is_on[:9], has_label[:9], ["joy", "pride", "no"])
    assert (label, share) == ("pride", 1.0)


def test_flags_of_both_directions_are_read_each_in_its_order() -> None:
    run = build("lstm", size=2)
    for own in encoder_of(run.model).rnn.all_weights:
        with torch.no_grad():
            for each, hand in zip(
                own, encoder_of(build_flag().model).rnn.all_weights[0], strict=True
            ):
                each.copy_(hand)
    with torch.no_grad():
        run.model.embedding.weight.zero_()
        run.model.embedding.weight[3, 0] = 1.0
    texts = ["rovers meet oslo", "oslo oslo meet rovers", "meet"]
    split = EncodedSplit(
        encode_texts(tokenize_texts(texts, run.text), run.vocab),
        np.array([0, 1, 1]),
        np.arange(len([0, 1, 1])),
    )
    flags = {flag.direction: flag for flag in find_flags(run, split)}
    assert set(flags) == {"forward", "backward"}
    assert all(
        (flag.unit, flag.side, flag.kept) == (1, -1, 1.0) for flag in flags.values()
    )


def test_flags_need_a_cell_with_units() -> None:
    run = build("none")
    split = EncodedSplit(
        encode_texts(tokenize_texts(["oslo"], run.text), run.vocab),
        np.array([0]),
        np.arange(len([0])),
    )
    with pytest.raises(ConfigError, match="none has no gates that can be shown"):
        find_flags(run, split)


def test_what_the_best_flag_tells_is_a_sentence() -> None:
    flag = Flag(
        "backward",
        7,
        1,
        0.4,
        0.5,
        0.9,
        0.8,
        "sport",
        0.75,
        0.1,
        [FlagWord("cup", 3, 4), FlagWord("nfl", 3, 9)],
    )
    assert (
        describe_flags([flag])
        == "The best flag unit is backward unit 7, above zero. It is switched on by"
        " 'cup', 'nfl'. It is on at 90% of the later tokens, and at the end of 75% of"
        " the sport texts and 10% of the others."
    )
    assert (
        describe_flags([])
        == "No unit reaches 0.5 or -0.5 in any text: this model has no flag units."
    )
