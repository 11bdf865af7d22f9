"""The words of flag units, as they are written in the texts."""

from rnncls.inference.insight.flags import Flag, FlagWord, describe_flags
from rnncls.inference.insight.written_words import (
    add_written_forms,
    find_written_forms,
)
from tests.inference.insight.test_gates import build


def test_a_word_has_the_form_in_which_it_is_written_most_often() -> None:
    texts = ["Oslo, ROVERS", "oslo rovers", "Oslo again", "meet"]
    forms = find_written_forms({"oslo", "again", "never"}, texts, build("lstm"))
    assert forms == {"oslo": "Oslo", "again": "again"}


def test_flags_are_described_with_the_words_as_written() -> None:
    words = [FlagWord("oslo", 2, 3), FlagWord("<unk>", 2, 3)]
    flag = Flag("forward", 1, 1, 1.0, 0.5, 1.0, 1.0, "sport", 0.7, 0.1, words)
    (named,) = add_written_forms([flag], ["OSLO zzz"], build("lstm"))
    assert [(word.word, word.written) for word in named.words] == [
        ("oslo", "OSLO"),
        ("<unk>", "<unk>"),
    ]
    assert "switched on by 'OSLO', '<unk>'" in describe_flags([named])
