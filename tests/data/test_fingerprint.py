"""The fingerprint of a run's data: files, split and sizes."""

import hashlib

from rnncls.data.fingerprint import compute_fingerprint
from rnncls.data.loading import encode_rows, load_training_data
from rnncls.data.sources import load_sources
from rnncls.text.vocab_collection import collect_vocab
from tests.data.test_loading import TRAIN, VALID, configure, sha256_of, write


def test_the_fingerprint_holds_files_and_sizes() -> None:
    data = load_training_data(configure(valid=write("valid.csv", VALID)).data_settings)
    assert data.fingerprint == {
        "files": {
            "train": {
                "path": "train.csv",
                "sha256": sha256_of("train.csv"),
                "num_rows": 20,
            },
            "valid": {
                "path": "valid.csv",
                "sha256": sha256_of("valid.csv"),
                "num_rows": 2,
            },
        },
        "split": {},
        "num_train_rows": 20,
        "num_valid_rows": 2,
        "num_train_tokens": 5 * (2 + 1 + 3 + 3),
        "vocab_size": 2 + 6,
        "vocab_sha256": (
            hashlib.sha256("\n".join(data.vocab.words).encode()).hexdigest()
        ),
    }


def test_the_fingerprint_says_how_validation_rows_were_drawn() -> None:
    assert load_training_data(configure().data_settings).fingerprint[
        "split"
    ].keys() == {*("seed", "valid_fraction", "valid_rows_sha256")}
    draws = [
        load_training_data(configure(split_seed=seed).data_settings).fingerprint[
            "split"
        ]["seed"]
        for seed in (None, 7)
    ]
    assert draws == [0, 7]


def test_the_fingerprint_of_a_split_file_counts_the_rows_of_each_part() -> None:
    fingerprint = load_training_data(configure().data_settings).fingerprint
    assert [
        *fingerprint["files"],
        fingerprint["num_train_rows"],
        fingerprint["num_valid_rows"],
    ] == ["train", 16, 4]


def test_the_fingerprint_changes_with_the_file() -> None:
    before = load_training_data(configure().data_settings).fingerprint
    after = load_training_data(
        configure(
            train=write("train.csv", [*TRAIN[:-1], "b,four five seven"])
        ).data_settings
    ).fingerprint
    assert before["files"]["train"]["sha256"] != after["files"]["train"]["sha256"]


def test_the_fingerprint_says_how_large_the_test_part_is() -> None:
    assert (
        load_training_data(configure(test_fraction=0.2).data_settings).fingerprint[
            "split"
        ]["test_fraction"]
        == 0.2
    )


def test_computing_a_fingerprint_changes_none_of_its_arguments() -> None:
    config = configure(test_fraction=0.2)
    sources = load_sources(config.data, config.text, config.seed)
    vocab = collect_vocab(sources.train.texts, sources.train_rows, config.text)
    names = sources.train.label_names
    texts = encode_rows(sources.train, sources.train_rows, vocab, names).texts
    first, second = (
        compute_fingerprint(sources, config.data, config.seed, texts, vocab)
        for _ in range(2)
    )
    assert first == second == load_training_data(config.data_settings).fingerprint
    assert list(first["files"]) == ["train"]
    assert sources.valid is sources.train
