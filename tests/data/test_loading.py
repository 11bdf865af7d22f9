"""What a run learns from: the training rows alone, with the test file closed."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from rnncls import DataError
from rnncls.config.loading import parse_config
from rnncls.config.sections import Config
from rnncls.data.loading import (
    EncodedSplit,
    TrainingData,
    load_language_data,
    load_split,
    load_training_data,
)
from rnncls.data.splits import split_rows
from rnncls.text.vocab import Vocab

TRAIN = ["a,one two", "b,three", "a,one two two", "b,four five six"] * 5
VALID = ["b,three seven", "a,one"]
TEST = ["a,two eight", "b,four", "a,one"]


def write(name: str, rows: Sequence[str]) -> str:
    Path(name).write_text("\n".join(["label,text", *rows, ""]))
    return name


def configure(*overrides: str, **data: Any) -> Config:
    """Return a config for twenty training rows; `data` changes its data section."""
    if "train" not in data:
        data["train"] = write("train.csv", TRAIN)
    values = {
        "data": {"text": ["text"], "valid_fraction": 0.2, **data},
        "text": {"tokenizer": "whitespace", "min_freq": 1},
    }
    return parse_config(yaml.safe_dump(values), "my.yaml", overrides)


def words_of(split: EncodedSplit, vocab: Vocab) -> list[str]:
    """Return each text of a split as words."""
    texts = split.texts
    ends = zip(texts.starts, texts.starts + texts.lengths, strict=True)
    return [
        " ".join(vocab.words[token_id] for token_id in texts.token_ids[start:end])
        for start, end in ends
    ]


def rows_of(split: EncodedSplit, data: TrainingData) -> list[str]:
    """Return a split as it would stand in its file."""
    labels = [data.label_names[label] for label in split.labels]
    return [
        f"{label},{text}"
        for label, text in zip(labels, words_of(split, data.vocab), strict=True)
    ]


def sha256_of(name: str) -> str:
    return hashlib.sha256(Path(name).read_bytes()).hexdigest()


def load(
    config: Config, split: Any, path: Path | None = None
) -> tuple[EncodedSplit, dict[str, Any]]:
    data = load_training_data(configure().data_settings)
    return load_split(config.data_settings, split, data.vocab, data.label_names, path)


def test_training_and_validation_rows_make_up_the_training_file() -> None:
    data = load_training_data(configure().data_settings)
    assert sorted([*rows_of(data.train, data), *rows_of(data.valid, data)]) == sorted(
        TRAIN
    )


def test_rows_are_split_by_the_seed_and_the_fraction_of_the_config() -> None:
    data = load_training_data(configure("seed=7").data_settings)
    train, valid = split_rows(np.array([0, 1] * 10), 0.2, seed=7)
    assert rows_of(data.train, data) == [TRAIN[row] for row in train]
    assert rows_of(data.valid, data) == [TRAIN[row] for row in valid]


def test_words_of_validation_rows_alone_are_unknown() -> None:
    rows = [f"{'ab'[row % 2]},word{row}" for row in range(20)]
    data = load_training_data(configure(train=write("own.csv", rows)).data_settings)
    assert set(words_of(data.valid, data.vocab)) == {"<unk>"}


def test_words_of_training_rows_alone_make_the_vocabulary() -> None:
    rows = [f"{'ab'[row % 2]},word{row}" for row in range(20)]
    data = load_training_data(configure(train=write("own.csv", rows)).data_settings)
    assert sorted(data.vocab.words[2:]) == sorted(words_of(data.train, data.vocab))


def test_counts_of_validation_rows_do_not_help_a_word_into_the_vocabulary() -> None:
    rows = [f"{'ab'[row % 2]},same word{row // 2}" for row in range(40)]
    data = load_training_data(
        configure("text.min_freq=2", train=write("own.csv", rows)).data_settings
    )
    both = {
        word
        for word in data.vocab.words
        if words_of(data.train, data.vocab).count(f"same {word}") == 2
    }
    assert set(data.vocab.words) == {"<pad>", "<unk>", "same"} | both


def test_the_limits_of_the_config_hold_for_the_vocabulary() -> None:
    data = load_training_data(
        configure("text.max_vocab=4", valid=write("valid.csv", VALID)).data_settings
    )
    assert data.vocab.words == ["<pad>", "<unk>", "two", "one"]


def test_a_validation_file_of_ones_own_is_taken_whole() -> None:
    data = load_training_data(configure(valid=write("valid.csv", VALID)).data_settings)
    assert words_of(data.valid, data.vocab) == ["three <unk>", "one"]


def test_with_a_validation_file_all_training_rows_are_for_training() -> None:
    data = load_training_data(configure(valid=write("valid.csv", VALID)).data_settings)
    assert rows_of(data.train, data) == TRAIN


def test_labels_of_a_validation_file_are_numbers_into_those_of_training() -> None:
    data = load_training_data(
        configure(valid=write("valid.csv", ["b,one", "b,two"])).data_settings
    )
    assert data.valid.labels.tolist() == [1, 1]


def test_a_label_that_training_lacks_is_named_with_file_and_row() -> None:
    config = configure(valid=write("valid.csv", [*VALID, "c,one"]))
    with pytest.raises(
        DataError,
        match=r"^valid\.csv: row 3: unknown label 'c': expected one of 'a', 'b'; ",
    ):
        load_training_data(config.data_settings)


def test_one_class_alone_is_refused() -> None:
    config = configure(train=write("own.csv", ["a,one", "a,two"] * 10))
    with pytest.raises(DataError) as caught:
        load_training_data(config.data_settings)
    assert (
        str(caught.value) == "own.csv: all 20 rows have the label 'a': "
        "a classifier needs two classes or more: is data.label the right column?"
    )


@pytest.mark.parametrize("valid", [None, "valid.csv"])
def test_the_test_file_stays_closed(valid: str | None) -> None:
    write("valid.csv", VALID)
    data = load_training_data(configure(test="missing.csv", valid=valid).data_settings)
    assert data.label_names == ["a", "b"]


def test_a_missing_training_file_is_named() -> None:
    with pytest.raises(DataError, match=r"^none\.csv: no such file; looked in /"):
        load_training_data(configure(train="none.csv").data_settings)


@pytest.mark.parametrize("valid", [None, "valid.csv"])
@pytest.mark.parametrize("split", ["train", "valid"])
def test_a_split_loaded_again_is_that_of_training(
    split: Any, valid: str | None
) -> None:
    write("valid.csv", VALID)
    config = configure("seed=5", valid=valid)
    data = load_training_data(config.data_settings)
    again, _ = load_split(config.data_settings, split, data.vocab, data.label_names)
    assert rows_of(again, data) == rows_of(getattr(data, split), data)


def test_the_test_split_is_the_test_file() -> None:
    split, origin = load(configure(test=write("test.csv", TEST)), "test")
    assert split.labels.tolist() == [0, 1, 0]
    assert origin == {
        "path": "test.csv",
        "sha256": sha256_of("test.csv"),
        "num_rows": 3,
        "split": "test",
    }


def test_words_that_training_lacks_are_unknown_in_the_test_split() -> None:
    data = load_training_data(configure().data_settings)
    split, _ = load_split(
        configure(test=write("test.csv", TEST)).data_settings,
        "test",
        Vocab(["<pad>", "<unk>", "two", "one"]),
        data.label_names,
    )
    assert words_of(split, Vocab(["<pad>", "<unk>", "two", "one"])) == [
        "two <unk>",
        "<unk>",
        "one",
    ]


def test_labels_of_a_split_follow_the_order_of_the_run() -> None:
    vocab = load_training_data(configure().data_settings).vocab
    split, _ = load_split(
        configure(test=write("test.csv", TEST)).data_settings, "test", vocab, ["b", "a"]
    )
    assert split.labels.tolist() == [1, 0, 1]


def test_another_file_takes_the_place_of_a_split() -> None:
    path = Path(write("other.csv", TEST[:2]))
    split, origin = load(configure(test="missing.csv"), "test", path)
    assert len(split.texts) == 2
    assert origin == {
        "path": "other.csv",
        "sha256": sha256_of("other.csv"),
        "num_rows": 2,
        "split": None,
    }


def test_the_origin_of_a_part_of_a_file_counts_the_rows_of_the_part() -> None:
    _, origin = load(configure(), "valid")
    assert origin == {
        "path": "train.csv",
        "sha256": sha256_of("train.csv"),
        "num_rows": 4,
        "split": "valid",
    }


def test_a_test_file_that_is_not_set_is_asked_for() -> None:
    with pytest.raises(DataError, match=r"^data\.test is not set, so"):
        load(configure(), "test")


def test_a_label_in_the_test_file_that_training_lacks_is_named() -> None:
    with pytest.raises(
        DataError,
        match=r"^test\.csv: row 1: unknown label 'z': expected one of 'a', 'b'; ",
    ):
        load(configure(test=write("test.csv", ["z,one"])), "test")


# A test part of the training file


def test_training_validation_and_test_rows_make_up_the_file() -> None:
    config = configure(test_fraction=0.2)
    data = load_training_data(config.data_settings)
    test, _ = load_split(config.data_settings, "test", data.vocab, data.label_names)
    parts = [*rows_of(data.train, data), *rows_of(data.valid, data)]
    assert len(test.labels) == 4
    assert sorted(parts + rows_of(test, data)) == sorted(TRAIN)


@pytest.mark.parametrize(
    "override", ["seed=9", "data.split_seed=4", "data.valid_fraction=0.5"]
)
def test_no_setting_but_the_fraction_moves_a_test_row(override: str) -> None:
    rows = [f"{'ab'[row % 2]},word{row}" for row in range(60)]
    words = Vocab(["<pad>", "<unk>", *(f"word{row}" for row in range(60))])
    drawn = []
    for overrides in ([], [override]):
        config = configure(*overrides, test_fraction=0.2, train=write("own.csv", rows))
        drawn.append(
            words_of(
                load_split(config.data_settings, "test", words, ["a", "b"])[0], words
            )
        )
        assert not set(drawn[0]) & set(
            load_training_data(config.data_settings).vocab.words
        )
    assert drawn[0] == drawn[1]


def test_words_of_test_rows_are_not_in_the_vocabulary_of_a_language_model_either() -> (
    None
):
    rows = [f"{'ab'[row % 2]},word{row}" for row in range(60)]
    config = configure(test_fraction=0.2, train=write("own.csv", rows))
    both = load_training_data(config.data_settings)
    assert set(load_language_data(config.data_settings).vocab.words) == set(
        both.vocab.words
    )
    assert len(both.vocab) == 2 + 60 - 12 - len(both.valid.labels)


def test_with_a_validation_file_the_test_rows_are_still_kept_from_training() -> None:
    config = configure(test_fraction=0.2, valid=write("valid.csv", VALID))
    data = load_training_data(config.data_settings)
    assert (len(data.train.labels), len(data.valid.labels)) == (16, 2)
    assert data.fingerprint["split"].keys() == {"test_fraction", "test_rows_sha256"}


def test_the_origin_of_a_test_part_counts_its_rows() -> None:
    _, origin = load(configure(test_fraction=0.2), "test")
    assert origin == {
        "path": "train.csv",
        "sha256": sha256_of("train.csv"),
        "num_rows": 4,
        "split": "test",
    }


# Split by text


def copied(num_texts: int, num_copies: int) -> list[str]:
    """Return rows of two classes, each text with copies that differ in case."""
    rows = [f"{'ab'[row % 2]},Word{row} is said" for row in range(num_texts)]
    return [*rows, *(row.lower() for row in rows * (num_copies - 1))]


@pytest.mark.parametrize("seed", [0, 1, 7])
def test_no_text_is_in_two_splits(seed: int) -> None:
    config = configure(
        f"seed={seed}",
        train=write("own.csv", copied(40, 3)),
        split="texts",
        test_fraction=0.2,
    )
    data = load_training_data(config.data_settings)
    test, _ = load_split(config.data_settings, "test", data.vocab, data.label_names)
    splits = [data.train, data.valid, test]
    texts = [set((split.rows % 40).tolist()) for split in splits]
    assert [len(split.labels) for split in splits] == [78, 18, 24]
    assert set.union(*texts) == set(range(40))
    assert sum(map(len, texts)) == 40


def test_test_rows_by_text_depend_on_no_setting_of_the_tokens() -> None:
    train = write("own.csv", copied(40, 2))
    drawn = []
    for overrides in (
        [],
        ["text.max_tokens=1"],
        ["text.tokenizer=basic_english"],
        ["text.clean=false"],
        ["seed=9"],
    ):
        config = configure(*overrides, train=train, split="texts", test_fraction=0.2)
        vocab = Vocab(["<pad>", "<unk>"])
        test, _ = load_split(config.data_settings, "test", vocab, ["a", "b"])
        drawn.append(test.rows.tolist())
    assert drawn == [drawn[0]] * 5


def test_the_fingerprint_tells_a_split_by_text_from_one_by_row() -> None:
    by_row, by_text = (
        load_training_data(configure(split=split).data_settings).fingerprint["split"]
        for split in ("rows", "texts")
    )
    assert "split" not in by_row  # as before there was a choice
    assert by_text["split"] == "texts"
