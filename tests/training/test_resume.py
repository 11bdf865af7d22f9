"""What a resume compares; tests/integration/test_resume.py resumes real runs."""

from pathlib import Path
from typing import Any

import pytest

from rnncls import ConfigError, RunError
from rnncls.training.resume import (
    FREE_KEYS,
    Difference,
    Snapshot,
    check_compatible,
    find_differences,
    flatten,
)

SAVED: dict[str, Any] = {
    "config": {"train.lr": 0.1, "model.cell": "gru"},
    "fingerprint": {"files.train.sha256": "ab", "num_rows": 9},
    "precision": "torch.float32",
    "words": ["<pad>", "<unk>", "a"],
    "label_names": ["no", "yes"],
}
CHANGES: dict[str, tuple[str, Any, str]] = {
    "config": ("config", {"model.cell": "gru", "train.lr": 0.2}, "train.lr"),
    "fingerprint": ("data", {"num_rows": 8}, "files.train.sha256, num_rows"),
    "precision": (
        "precision",
        "torch.bfloat16",
        "it was trained in torch.float32, but this machine uses torch.bfloat16",
    ),
    "words": ("words", ["<pad>", "<unk>", "b"], "vocab.txt has other words"),
    "label_names": (
        "classes",
        ["yes", "no"],
        "has the classes ['no', 'yes'], the data has ['yes', 'no']",
    ),
}
PATH = Path("runs/one")


def test_equal_snapshots_do_not_differ() -> None:
    assert find_differences(Snapshot(**SAVED), Snapshot(**SAVED)) == []


@pytest.mark.parametrize("attribute", CHANGES)
def test_each_difference_is_found_and_described(attribute: str) -> None:
    part, value, text = CHANGES[attribute]
    present = Snapshot(**{**SAVED, attribute: value})
    (difference,) = find_differences(Snapshot(**SAVED), present)
    assert difference.part == part
    assert text in difference.text


def test_all_differences_are_found_in_order() -> None:
    present = {name: value for name, (_, value, _) in CHANGES.items()}
    differences = find_differences(Snapshot(**SAVED), Snapshot(**present))
    parts = [difference.part for difference in differences]
    assert parts == ["config", "data", "precision", "words", "classes"]


@pytest.mark.parametrize("attribute", [name for name in CHANGES if name != "config"])
def test_a_value_that_one_side_lacks_is_not_compared(attribute: str) -> None:
    partial = Snapshot(**{**SAVED, attribute: None})
    assert find_differences(partial, Snapshot(**SAVED)) == []
    assert find_differences(Snapshot(**SAVED), partial) == []


@pytest.mark.parametrize(
    ("saved", "present", "names"),
    [
        ({"a": 1}, {"a": 1, "b": 2}, "b"),
        ({"a": 1, "b": 2}, {"a": 1}, "b"),
        ({"a": 1, "b": 2}, {"b": 3, "a": 2}, "b, a"),
    ],
)
def test_differing_config_keys_are_named_in_the_order_of_the_present_config(
    saved: dict[str, Any], present: dict[str, Any], names: str
) -> None:
    (difference,) = find_differences(Snapshot(saved), Snapshot(present))
    assert difference.text == f"the config differs in {names}"


def test_differing_data_is_named_in_alphabetical_order() -> None:
    saved, present = Snapshot({}, {"b": 1, "a": 2}), Snapshot({}, {"b": 2, "a": 1})
    (difference,) = find_differences(saved, present)
    assert difference.text == "the data differs in a, b"


@pytest.mark.parametrize(
    "key",
    [
        *("train.max_epochs", "pretrain.max_epochs", "train.patience"),
        *("train.save_every", "train.tensorboard", "train.calibrate"),
    ],
)
def test_what_does_not_change_the_training_may_differ(key: str) -> None:
    assert key in FREE_KEYS
    assert find_differences(Snapshot({key: 1}), Snapshot({key: 2})) == []


CONFIG = Difference("config", "the config differs in train.lr")
WORDS = Difference("words", "other words")


@pytest.mark.parametrize("may_change", [False, True])
def test_a_run_without_differences_is_compatible(*, may_change: bool) -> None:
    check_compatible(PATH, [], may_change=may_change)


@pytest.mark.parametrize("part", ["config", "data", "precision"])
def test_with_changes_accepts_another_config_data_and_precision(part: Any) -> None:
    difference = Difference(part, "it differs")
    check_compatible(PATH, [difference], may_change=True)
    error = ConfigError if part == "config" else RunError
    message = (
        "^runs/one: cannot resume exactly: it differs; --with-changes resumes anyway$"
    )
    with pytest.raises(error, match=message):
        check_compatible(PATH, [difference], may_change=False)


@pytest.mark.parametrize("may_change", [False, True])
@pytest.mark.parametrize("part", ["words", "classes"])
def test_with_changes_does_not_accept_other_words_or_classes(
    part: Any, *, may_change: bool
) -> None:
    difference = Difference(part, "it differs")
    message = "^runs/one: cannot resume exactly: it differs$"
    with pytest.raises(RunError, match=message):
        check_compatible(PATH, [difference], may_change=may_change)


def test_an_error_names_only_what_with_changes_does_not_accept() -> None:
    with pytest.raises(ConfigError, match=r"train\.lr; other words; --with-changes"):
        check_compatible(PATH, [CONFIG, WORDS], may_change=False)
    with pytest.raises(RunError, match=r"exactly: other words$"):
        check_compatible(PATH, [CONFIG, WORDS], may_change=True)


def test_nested_values_are_named_by_their_path() -> None:
    nested = {"seed": 1, "train": {"lr": 0.1, "deep": {"x": [1, 2]}}, "empty": {}}
    expected = {"seed": 1, "train.lr": 0.1, "train.deep.x": [1, 2]}
    assert flatten(nested) == expected
