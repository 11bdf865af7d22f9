"""Labels: blanks and Unicode forms never matter; each unknown one is reported once."""

import csv
import unicodedata
from collections import Counter
from pathlib import Path
from typing import Literal

import numpy as np
from hypothesis import strategies as st

from rnncls import DataError
from rnncls.config.sections import DataSection, TextSection
from rnncls.data.datasets import LabelledTexts, load_labelled
from rnncls.data.label_names import normalize_label
from rnncls.data.unknown_labels import find_unknown_labels
from tests.fuzz.cases import attempt, fuzz, labels

Form = Literal["NFC", "NFD"]
blanks = st.text(alphabet=" \t\u00a0\u3000", max_size=3)
forms: st.SearchStrategy[Form] = st.sampled_from(["NFC", "NFD"])
ways = st.lists(st.tuples(blanks, blanks, forms), min_size=8, max_size=8)
some_labels = st.lists(labels(), min_size=2, max_size=8)


def load(rows: list[str]) -> LabelledTexts | Exception:
    with Path("own.csv").open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, quoting=csv.QUOTE_ALL)
        writer.writerows([("text", "label"), *(("one", label) for label in rows)])
    section = DataSection(train="own.csv", text=["text"])
    found = attempt(
        lambda: load_labelled(Path("own.csv"), section, TextSection()), DataError
    )
    assert isinstance(found, LabelledTexts | DataError)
    return found


@fuzz(names=some_labels, ways=ways)
def test_blanks_around_a_label_and_its_form_do_not_matter(
    names: list[str], ways: list[tuple[str, str, Form]]
) -> None:
    varied = [
        before + unicodedata.normalize(form, name.strip()) + after
        for name, (before, after, form) in zip(names, ways, strict=False)
    ]
    one, other = load([name.strip() for name in names]), load(varied)
    assert isinstance(one, LabelledTexts) == isinstance(other, LabelledTexts)
    if isinstance(one, LabelledTexts) and isinstance(other, LabelledTexts):
        assert one.label_names == other.label_names
        np.testing.assert_array_equal(one.labels, other.labels)


@fuzz(name=labels())
def test_a_normalised_label_is_not_changed_again(name: str) -> None:
    once = normalize_label(name)
    assert normalize_label(once) == once


@fuzz(
    known=st.lists(labels(), min_size=1, max_size=5, unique=True),
    found=st.lists(labels(), min_size=1, max_size=12),
)
def test_each_unknown_label_is_reported_once_with_its_rows(
    known: list[str], found: list[str]
) -> None:
    known = [normalize_label(name) for name in known]
    rows = [normalize_label(name) for name in found]
    names = sorted(set(rows))
    numbers = np.array([names.index(name) for name in rows])
    unknown = find_unknown_labels(numbers, names, known, np.arange(len(rows)))
    counts = Counter(name for name in rows if name not in known)
    assert {each.label: each.num_rows for each in unknown} == dict(counts)
    assert len(unknown) == len(counts)
    assert all(each.first_row == rows.index(each.label) + 1 for each in unknown)
    assert all(each.similar is None or each.similar in known for each in unknown)
