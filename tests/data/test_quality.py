"""What is found in data made by hand, with counts worked out by hand."""

import dataclasses
import random
from pathlib import Path

import numpy as np
import pytest

from rnncls.config.sections import TextSection
from rnncls.data.all_rows import AllRows, Row, SplitRows
from rnncls.data.quality import Finding, find_all
from rnncls.data.splits import Split
from rnncls.text.tokenizer import tokenize_texts

BODY = (  # 13 tokens, 11 shingles
    "the quick brown fox jumps over the lazy dog in the park today"
)
NEAR = BODY.replace("today", "tonight")  # 10 of 12 shingles in common
FAR = BODY.replace("lazy", "tired")  # 8 of 14


def part(split: Split, rows: list[tuple[str, str]]) -> SplitRows:
    texts = [text for _, text in rows]
    tokens = tokenize_texts(texts, TextSection(max_tokens=1000))
    return SplitRows(
        split,
        Path("a.csv"),
        np.arange(len(rows)),
        texts,
        [label for label, _ in rows],
        tokens,
    )


def findings(*parts: SplitRows) -> dict[str, Finding]:
    return {finding.kind: finding for finding in find_all(AllRows(parts))}


def test_clean_data_has_no_findings() -> None:
    train = part("train", [("a", "one two"), ("b", "three four"), ("a", FAR)])
    assert findings(train, part("valid", [("a", "five six"), ("b", BODY)])) == {}


def test_a_copy_in_another_split_is_found_whatever_its_case_and_space() -> None:
    train = part("train", [("a", "One two"), ("b", "three")])
    valid = part("valid", [("a", "one  TWO"), ("a", "one two"), ("b", "four")])
    found = findings(train, valid)["same_valid_train"]
    assert (found.count, found.total) == (2, 3)
    assert found.examples[0] == [
        Row("valid", 1, "a", "one  TWO"),
        Row("train", 1, "a", "One two"),
    ]


def test_a_copy_in_each_of_three_splits_is_found_for_each_pair() -> None:
    parts = [
        part(split, [("a", "one two"), ("b", split)])
        for split in ("train", "valid", "test")
    ]
    found = findings(*parts)
    assert {kind for kind in found if kind.startswith("same")} == {
        "same_valid_train", "same_test_train", "same_test_valid",
    }  # fmt: skip


def test_a_near_copy_in_another_split_is_found() -> None:
    found = findings(
        part("train", [("a", BODY), ("b", "x")]),
        part("test", [("a", NEAR), ("a", FAR), ("b", "y")]),
    )
    assert (found["near_test_train"].count, found["near_test_train"].total) == (1, 3)
    assert found["near_test_train"].examples == [
        [Row("test", 1, "a", NEAR), Row("train", 1, "a", BODY)]
    ]


def test_a_copy_is_not_a_near_copy_too() -> None:
    found = findings(
        part("train", [("a", BODY), ("a", NEAR), ("b", "x")]),
        part("test", [("a", BODY)]),
    )
    assert "near_test_train" not in found
    assert found["same_test_train"].count == 1


def test_repeats_inside_a_split_are_counted_without_the_first() -> None:
    train = part(
        "train",
        [
            ("a", "one"),
            ("a", "one"),
            ("a", "One"),
            ("b", "two"),
            ("b", BODY),
            ("a", NEAR),
        ],
    )
    found = findings(train, part("valid", [("a", "three"), ("b", "four")]))
    assert (found["same_train"].count, found["near_train"].count) == (2, 2)
    assert found["near_train"].examples == [
        [Row("train", 5, "b", BODY), Row("train", 6, "a", NEAR)]
    ]


def test_one_text_with_two_labels_is_found_across_splits() -> None:
    train = part("train", [("a", "one"), ("b", "one"), ("a", "two"), ("b", "three")])
    found = findings(train, part("valid", [("b", "two"), ("a", "four")]))[
        "conflicting_labels"
    ]
    assert found.count == 4
    assert "(2 texts)" in found.what
    assert found.examples[1] == [
        Row("train", 3, "a", "two"),
        Row("valid", 1, "b", "two"),
    ]


def test_texts_without_a_token_are_no_copies_of_one_another() -> None:
    train = part(
        "train", [("a", ""), ("b", " "), ("a", "<br>"), ("b", "<p>"), ("a", "word")]
    )
    found = findings(train, part("valid", [("a", ""), ("b", "other")]))
    assert {kind: finding.count for kind, finding in found.items()} == {
        "empty": 3,
        "no_token": 2,
    }


@pytest.mark.parametrize(("rows_of_a", "is_found"), [(5, False), (6, True)])
def test_imbalance_is_reported_from_three_to_one(
    rows_of_a: int, is_found: bool
) -> None:
    rows = [("a", f"word{number}") for number in range(rows_of_a)] + [
        ("b", "one"),
        ("b", "two"),
    ]
    found = findings(part("train", rows), part("valid", [("a", "x"), ("b", "y")]))
    assert ("imbalance" in found) == is_found
    assert not is_found or (found["imbalance"].count, found["imbalance"].total) == (
        6,
        8,
    )


def test_a_class_that_training_lacks_is_found() -> None:
    found = findings(
        part("train", [("a", "x"), ("b", "y")]), part("test", [("c", "z"), ("a", "w")])
    )
    assert found["unknown_class_test"].examples == [[Row("test", 1, "c", "z")]]


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("bell \x07", "odd_control"),
        ("c1 \x85", "odd_control"),
        ("lost \ufffd", "odd_replacement"),
        ("caf\u00e9".encode().decode("latin-1"), "odd_letters"),
        ("caf\u00e9".encode().decode("cp1252"), "odd_letters"),
        ("it\u2019s".encode().decode("cp1252"), "odd_letters"),
        ("zero\u200bwidth", "odd_invisible"),
        ("soft\u00adhyphen", "odd_invisible"),
    ],
)
def test_odd_characters_are_found(text: str, kind: str) -> None:
    found = findings(
        part(
            "train", [("a", text), ("b", "plain caf\u00e9, \u00c3 la carte\tand\nmore")]
        )
    )
    assert kind in found
    assert found[kind].examples == [[Row("train", 1, "a", text)]]
    assert found[kind].count == 1


def test_near_copies_are_those_of_comparing_all_pairs() -> None:
    generator = random.Random(1)
    words = [f"w{number}" for number in range(200)]
    texts = [" ".join(generator.choices(words, k=20)) for _ in range(60)]
    for number in range(30, 60):
        tokens = texts[generator.randrange(30)].split()
        tokens[generator.choice([0, 1, 9, 18, 19])] = generator.choice(words)
        texts[number] = " ".join(tokens)
    rows = [("ab"[number % 2], text) for number, text in enumerate(texts)]
    generator.shuffle(rows)
    train, test = rows[:40], rows[40:]
    sets = {
        text: {tuple(text.split()[place : place + 3]) for place in range(18)}
        for _, text in rows
    }

    def is_near(one: str, other: str) -> bool:
        return (
            one != other
            and len(sets[one] & sets[other]) / len(sets[one] | sets[other]) >= 0.8
        )

    known = {text for _, text in train}
    expected = sum(
        text not in known and any(is_near(text, other) for other in known)
        for _, text in test
    )
    inside = sum(any(is_near(text, other) for other in known) for _, text in train)
    found = findings(part("train", train), part("test", test))
    assert expected > 3
    assert (found["near_test_train"].count, found["near_train"].count) == (
        expected,
        inside,
    )


def test_the_example_of_a_copy_is_the_copy_and_not_a_near_copy() -> None:
    found = findings(
        part("train", [("a", NEAR), ("a", BODY), ("b", "x")]),
        part("test", [("a", BODY), ("a", BODY.replace("quick", "slow"))]),
    )
    assert found["same_test_train"].examples == [
        [Row("test", 1, "a", BODY), Row("train", 2, "a", BODY)]
    ]
    assert found["same_test_train"].what == "test rows also occur in the training rows"


def test_copies_across_splits_of_one_file_are_kept_together_by_a_setting() -> None:
    train, valid = part("train", [("a", "one")]), part("valid", [("a", "one")])
    elsewhere = dataclasses.replace(valid, path=Path("b.csv"))
    assert findings(train, valid)["same_valid_train"].advice == (
        "set data.split: texts, which keeps all copies of a text in one split, or"
        " scores on these rows will be too good"
    )
    for rows, is_split_by_text in [
        (AllRows([train, elsewhere]), False),
        (AllRows([train, valid]), True),
    ]:
        found = find_all(rows, is_split_by_text=is_split_by_text)
        advice = {finding.kind: finding.advice for finding in found}
        assert advice["same_valid_train"].startswith(
            "remove them from the training rows"
        )


@pytest.mark.parametrize("monitor", ["accuracy", "loss", "macro_f1"])
def test_a_setting_that_the_config_has_is_not_advised(monitor: str) -> None:
    train = part("train", [("a", f"text{row}") for row in range(9)] + [("b", "other")])
    found = find_all(AllRows([train]), monitor=monitor)
    advice = {finding.kind: finding.advice for finding in found}["imbalance"]
    assert "compare macro-F1" in advice
    assert ("set train.monitor" in advice) == (monitor != "macro_f1")


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("\U0001f926\u200d\u2640\ufe0f oh no", False),  # facepalm, one sign
        ("\U0001f468\u200d\U0001f469\u200d\U0001f467", False),  # a family
        ("\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645", False),  # Persian
        ("\u0915\u094d\u200d\u0937", False),  # Hindi
        ("ser\u200dvice", True),
        ("ser\u200cvice", True),
        ("a\u200b b", True),
        ("soft\u00adhyphen", True),
    ],
)
def test_joiners_are_found_only_where_they_split_words(
    text: str, *, is_found: bool
) -> None:
    found = findings(part("train", [("a", text), ("b", "three four")]))
    assert ("odd_invisible" in found) == is_found


@pytest.mark.parametrize("split", ["train", "valid", "test"])
@pytest.mark.parametrize(
    ("name", "difference"),
    [
        ("Billing", "case"),
        ("bill\u200bing", "an invisible character"),
        ("\uff42illing", "the form of a character"),
        ("biling", "one letter"),
    ],
)
def test_classes_that_look_alike_are_found_in_every_split(
    split: Split, name: str, difference: str
) -> None:
    rows = {
        "train": [("billing", f"a{row} b{row} c{row}") for row in range(5)],
        "valid": [("billing", "d e f")],
        "test": [("login", "g h i")],
    }
    rows["train"].append(("login", "j k l"))
    rows[split].append((name, "m n o"))
    parts = [part(each, rows[each]) for each in ("train", "valid", "test")]
    found = findings(*parts)["similar_classes"]
    assert (found.count, found.total) == (7, 9)
    assert found.what.endswith(f"differ in {difference}")
    first, second = found.groups
    similar = Row(split, len(rows[split]), name, "m n o")
    assert (len(first), second) == (6, [similar])
    assert found.examples == [[Row("train", 1, "billing", "a0 b0 c0")], [similar]]


def several(split: Split, rows: list[tuple[list[str], str]]) -> SplitRows:
    """Return the rows of a split with several labels a text."""
    joined = [(", ".join(labels), text) for labels, text in rows]
    return dataclasses.replace(part(split, joined), label_sets=[row[0] for row in rows])


def test_labels_of_which_a_text_has_several_are_compared_one_by_one() -> None:
    train: list[tuple[list[str], str]] = [
        (["billing", "login"], "a b c"),
        (["billing"], "d e f"),
        (["login"], "g h i"),
        ([], "j k l"),
    ]
    test = [(["login", "billing"], "m n o"), (["Billing", "login"], "p q r")]
    found = findings(several("train", train), several("test", test))
    assert found["similar_classes"].count == 4
    assert "'billing', 'Billing' differ in case" in found["similar_classes"].what
    assert found["similar_classes"].groups == [
        [
            Row("train", 1, "billing, login", "a b c"),
            Row("train", 2, "billing", "d e f"),
            Row("test", 1, "login, billing", "m n o"),
        ],
        [Row("test", 2, "Billing, login", "p q r")],
    ]
    assert found["unknown_class_test"].count == 1
    assert "imbalance" not in found
