"""A label has one form; names that look alike are found."""

import unicodedata

import pytest

from rnncls.data.label_names import (
    describe_look_alikes,
    find_look_alikes,
    normalize_label,
    note_look_alikes,
    note_merged_labels,
)


@pytest.mark.parametrize(
    "label",
    [
        "café",
        "cafe\u0301",
        " café\u00a0",
        "\u3000café\u2003",
        "\tcafé\r\n",
        "\u2028café",
    ],
)
def test_white_space_and_the_form_of_accents_do_not_matter(label: str) -> None:
    assert normalize_label(label) == "café"


@pytest.mark.parametrize("label", ["Café", "ca fé", "ham\u200b", "①"])
def test_what_is_visible_or_inside_a_label_stays(label: str) -> None:
    assert normalize_label(label) == unicodedata.normalize("NFC", label)


@pytest.mark.parametrize(
    ("names", "difference"),
    [
        (("spam", "Spam", "SPAM"), "case"),
        (("ham", "ham\u200b"), "an invisible character"),
        (("new york", "new\u00a0york"), "an invisible character"),
        (("new york", "New  York"), "case"),
        (("fine", "\ufb01ne"), "the form of a character"),
        (("straße", "STRASSE"), "case"),
        (("not_spam", "not spam", "not-spam"), "a sign between words"),
        (("not_spam", "Not Spam"), "case and a sign between words"),
        (("class_1", "class 1"), "a sign between words"),
    ],
)
def test_names_that_look_alike_are_found(
    names: tuple[str, ...], difference: str
) -> None:
    counts = {name: 9 - index for index, name in enumerate(names)}
    [found] = find_look_alikes({**counts, "other": 3})
    assert found.names == names
    assert difference in found.difference


@pytest.mark.parametrize("typo", ["biling", "billling", "billimg", "billig", "blling"])
def test_a_rare_name_one_letter_away_is_a_typing_error(typo: str) -> None:
    [found] = find_look_alikes({"billing": 50, typo: 2, "login": 30})
    assert found == (("billing", typo), "one letter")


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("a", "b"),
        ("cat", "car"),
        ("class1", "class2"),
        ("2019", "2018"),
        ("1.5", "1.6"),
        ("1", "-1"),
    ],
)
def test_short_names_and_numbers_may_differ_in_one_sign(one: str, two: str) -> None:
    assert not find_look_alikes({one: 90, two: 1})


def test_two_large_classes_may_differ_in_one_letter() -> None:
    assert not find_look_alikes({"tourist": 40, "tourism": 35})


def test_labels_that_are_read_as_another_one_are_noted() -> None:
    respelled = {"Billing ": 2, " Tech": 3}
    (note,) = note_merged_labels(respelled, {"Billing": 5, "Tech": 3})
    assert note == (
        "labels that differ in white space only are one class: 'Billing ' (2 rows) as"
        " 'Billing'"
    )
    assert note_merged_labels({" Tech": 3}, {"Tech": 3}) == []


def test_invisible_characters_are_shown_as_escapes() -> None:
    found = find_look_alikes({"ham": 3, "ham\u200b": 1})
    assert describe_look_alikes(found) == (
        "'ham', 'ham\\u200b' differ in an invisible character"
    )


def test_one_note_has_all_look_alikes() -> None:
    counts = {"ham": 3, "Ham": 1, "spam": 2, "SPAM": 1}
    assert note_look_alikes(counts) == [
        "one class or several? 'ham', 'Ham' differ in case; 'spam', 'SPAM' differ in"
        " case"
    ]
    assert note_look_alikes({"ham": 3, "spam": 2}) == []


def test_many_names_are_compared_quickly() -> None:
    names = {f"intent {number:05d} of many": 3 for number in range(3_000)}
    assert not find_look_alikes(names)
