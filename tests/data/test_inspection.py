"""Lengths, unknown words and coverage of vectors, compared with independent counts."""

import itertools
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from rnncls.config.loading import parse_config
from rnncls.config.sections import Config
from rnncls.data.inspection import Inspection, cut_texts, describe_lengths, inspect_data
from rnncls.data.loading import load_split, load_training_data
from rnncls.text.tokenizer import TokenizedTexts
from rnncls.text.vocab import UNK_ID

TRAIN = [
    ("a", "one two three"),
    ("b", "one two"),
    ("a", "one four four four five"),
    ("b", "six"),
] * 2
VALID = [("a", "one seven seven eight"), ("b", "two one one one nine")]
TEST = [("b", "ten")]


def write(name: str, rows: list[tuple[str, str]]) -> None:
    Path(name).write_text(
        "label,text\n" + "".join(f"{label},{text}\n" for label, text in rows),
        encoding="utf-8",
    )


def configure(*overrides: str) -> Config:
    for name, rows in (("train.csv", TRAIN), ("valid.csv", VALID), ("test.csv", TEST)):
        write(name, rows)
    text = (
        "data: {train: train.csv, valid: valid.csv, test: test.csv, text:"
        " [text]}\ntext: {min_freq: 2}\n"
    )
    return parse_config(text, "my.yaml", overrides)


def inspect(config: Config) -> Inspection:
    return inspect_data(config.data, config.text, config.seed)


def test_rows_and_classes_are_counted_for_each_split() -> None:
    found = inspect(configure())
    assert found.classes == {
        "train": {"a": 4, "b": 4},
        "valid": {"a": 1, "b": 1},
        "test": {"a": 0, "b": 1},
    }
    assert found.paths == {
        "train": "train.csv",
        "valid": "valid.csv",
        "test": "test.csv",
    }


def test_unknown_words_are_those_outside_the_training_vocabulary() -> None:
    coverage = inspect(configure()).coverage
    assert (coverage["valid"].num_tokens, coverage["valid"].unknown_share) == (9, 4 / 9)
    assert coverage["valid"].unknown_words == {"seven": 2, "eight": 1, "nine": 1}
    assert (coverage["train"].unknown_share, coverage["test"].unknown_share) == (
        0.0,
        1.0,
    )


@pytest.mark.parametrize(
    "overrides", [[], ["text.max_tokens=3"], ["text.min_freq=4"], ["text.max_vocab=4"]]
)
def test_the_unknown_share_is_that_of_the_encoded_splits(overrides: list[str]) -> None:
    config = configure(*overrides)
    data = load_training_data(config.data_settings)
    test, _ = load_split(config.data_settings, "test", data.vocab, data.label_names)
    found = inspect(config)
    assert found.vocab_size == len(data.vocab)
    for split, encoded in (
        ("train", data.train),
        ("valid", data.valid),
        ("test", test),
    ):
        texts = encoded.texts
        ids = np.concatenate(
            [
                texts.token_ids[start : start + size]
                for start, size in zip(texts.starts, texts.lengths, strict=True)
            ]
        )
        assert found.coverage[split].unknown_share == np.mean(ids == UNK_ID)  # type: ignore[index]


def test_vectors_cover_what_the_vocabulary_and_the_file_share() -> None:
    Path("vectors.txt").write_text(
        "one 1 2 3\nseven 1 2 3\nsix 1 2 3\n", encoding="utf-8"
    )
    coverage = inspect(configure("text.vectors=vectors.txt")).coverage
    counts = Counter(word for _, text in TRAIN for word in text.split())
    assert (
        coverage["train"].vectors_share
        == (counts["one"] + counts["six"]) / counts.total()
    )
    assert coverage["valid"].vectors_share == 4 / 9  # seven is not in the vocabulary


def test_without_vectors_there_is_no_coverage() -> None:
    assert inspect(configure()).coverage["train"].vectors_share is None


def test_what_max_tokens_cuts_is_counted_on_the_whole_texts() -> None:
    lengths = inspect(configure("text.max_tokens=3")).lengths["train"]
    sizes = np.array([len(text.split()) for _, text in TRAIN])
    assert (lengths.num_cut, lengths.longest) == (2, 5)
    assert lengths.share_cut == (sizes - np.minimum(sizes, 3)).sum() / sizes.sum()


def test_a_note_says_what_to_set_for_texts_that_are_cut() -> None:
    found = inspect(configure("text.max_tokens=2"))
    note = found.notes[0]
    assert "4 of 8 training texts have more than 2 tokens" in note
    assert "36.36% of all tokens" in note  # 8 of 22
    assert note.endswith("set it to 5 to read all of it")
    assert not any("max_tokens" in note for note in inspect(configure()).notes)


def test_a_note_on_a_single_long_text_names_the_length_of_most_texts() -> None:
    config = configure("text.max_tokens=3")
    rows = [("ab"[row % 2], "one two three four") for row in range(300)]
    write("train.csv", [*rows, ("a", "one " * 90)])
    [note] = [note for note in inspect(config).notes if "max_tokens" in note]
    assert note.endswith(
        "set it to 90 to read all of it, or to 4 to read 99% of the texts to the end"
    )


@pytest.mark.parametrize(
    ("setting", "advice"),
    [
        (
            "true",
            "if it removes what is not HTML, set text.clean to html (known tags and"
            " entities only) or false",
        ),
        (
            "html",
            "nothing to do if these are HTML; if real text disappears, set text.clean:"
            " false",
        ),
    ],
)
def test_the_advice_on_cleaning_is_another_setting(setting: str, advice: str) -> None:
    config = configure(f"text.clean={setting}")
    write("train.csv", [("a", "one<br />two"), ("b", "three")] * 3)
    advices = [finding.advice for finding in inspect(config).findings]
    assert advice in advices


def test_a_histogram_holds_every_text_once() -> None:
    sizes = np.random.default_rng(0).integers(1, 300, 1000)
    lengths = describe_lengths(sizes, 200)
    bounds = [*lengths.edges, 1 << 30]
    assert lengths.counts == [
        sum(low <= size < high for size in sizes.tolist())
        for low, high in itertools.pairwise(bounds)
    ]
    assert (sum(lengths.counts), lengths.longest) == (1000, max(sizes))
    assert (lengths.median, lengths.p99) == (sorted(sizes)[499], sorted(sizes)[989])


def test_texts_of_one_length_have_a_histogram_too() -> None:
    assert sum(describe_lengths(np.array([1, 1, 1]), 256).counts) == 3


def test_cut_texts_are_the_first_tokens_of_each() -> None:
    texts = TokenizedTexts(
        np.array([0, 1, 2, 0, 1], np.int32), np.array([3, 2]), ["a", "b", "c"]
    )
    short = cut_texts(texts, 2)
    assert (short.word_ids.tolist(), short.lengths.tolist()) == ([0, 1, 0, 1], [2, 2])


def test_a_row_is_named_by_its_number_in_the_file() -> None:
    write(
        "own.csv",
        [("a", f"word{number} x") for number in range(20)]
        + [("b", "same text"), ("b", "same text")] * 10,
    )
    config = parse_config(
        "data: {train: own.csv, text: [text], test_fraction: 0.2}", "my.yaml"
    )
    found = {finding.kind: finding for finding in inspect(config).findings}
    lines = Path("own.csv").read_text(encoding="utf-8").splitlines()
    rows = [row for example in found["same_test_train"].examples for row in example]
    assert len(rows) == 6
    assert all(lines[row.row] == f"{row.label},{row.text}" for row in rows)
    assert found["same_test_train"].count == 4  # 20% of the 20 rows of class b


def test_without_a_test_set_there_are_two_splits() -> None:
    assert list(inspect(configure("data.test=null")).classes) == ["train", "valid"]


def test_all_of_it_is_json() -> None:
    found = inspect(configure()).to_dict()
    assert {
        "classes",
        "lengths",
        "coverage",
        "findings",
        "method",
        "notes",
        "vocab_size",
        "num_vector_words",
        "max_tokens",
        "paths",
    } == set(found)


def test_findings_on_copies_say_what_was_found_and_what_to_do() -> None:
    config = configure()
    rows = [("a", "one two"), ("b", "one two"), ("a", "three"), ("b", "four")] * 3
    write("train.csv", rows)
    findings = {finding.kind: finding for finding in inspect(config).findings}
    assert findings["conflicting_labels"].what == (
        "rows have the same text as another row, but a different class (1 text)"
    )
    advice = "delete the copies, unless real messages are repeated too"
    assert findings["same_train"].advice.startswith(advice)


def test_copies_that_a_split_by_texts_keeps_together_may_stay() -> None:
    rows = [("a", "one two"), ("b", "three"), ("a", "four"), ("b", "five six")] * 3
    write("train.csv", rows)
    findings = {
        finding.kind: finding
        for finding in inspect(configure("data.split=texts")).findings
    }
    advice = "none needed: data.split: texts keeps all copies of a text in one part"
    assert findings["same_train"].advice.startswith(advice)
