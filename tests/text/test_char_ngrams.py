"""Character n-grams: which a word has, and the bucket of each."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnncls.config.sections import TextSection
from rnncls.text.char_ngrams import CharNgrams, choose_char_ngrams, hash_slices

# From the page of FNV's authors.
PUBLISHED_HASHES = {"": 0x811C9DC5, "a": 0xE40C292C, "foobar": 0xBF9CF968}


def fnv(text: str) -> int:
    """Return the 32-bit FNV-1a hash of the UTF-8 bytes, one byte after the other."""
    value = 0x811C9DC5
    for byte in text.encode("utf-8", "surrogatepass"):
        value = ((value ^ byte) * 0x01000193) % 2**32
    return value


def list_ngrams(word: str, shortest: int, longest: int) -> list[str]:
    marked = f"<{word}>"
    return [
        marked[start : start + length]
        for length in range(shortest, longest + 1)
        for start in range(len(marked) - length + 1)
    ]


@pytest.mark.parametrize(("text", "expected"), PUBLISHED_HASHES.items())
def test_the_hash_is_the_published_one(text: str, expected: int) -> None:
    data = np.frombuffer(text.encode() + b"!", np.uint8)
    (found,) = hash_slices(data, np.array([0]), np.array([len(text)]))
    assert found == fnv(text) == expected


def test_a_word_has_the_ngrams_of_the_paper() -> None:
    ngrams = CharNgrams(3, 3, 2**32).hash_words(["where"], 0)
    expected = ["<wh", "whe", "her", "ere", "re>"]
    assert ngrams.rows.tolist() == [fnv(ngram) for ngram in expected]
    assert ngrams.counts.tolist() == [5]


def test_a_word_shorter_than_its_ngrams_has_none() -> None:
    ngrams = CharNgrams(4, 5, 100).hash_words(["a", "ab", "a"], 7)
    assert ngrams.counts.tolist() == [0, 1, 0]
    assert ngrams.starts.tolist() == [0, 0, 1]
    assert ngrams.rows.tolist() == [7 + fnv("<ab>") % 100]


def test_no_words_have_no_ngrams() -> None:
    ngrams = CharNgrams(3, 5, 100).hash_words([], 7)
    assert len(ngrams) == len(ngrams.rows) == 0


@given(
    words=st.lists(st.text(st.characters(), min_size=1)),
    shortest=st.integers(2, 5),
    more=st.integers(0, 3),
    num_buckets=st.integers(1, 1000),
)
def test_ngrams_are_those_of_python_slices(
    words: list[str], shortest: int, more: int, num_buckets: int
) -> None:
    longest = shortest + more
    ngrams = CharNgrams(shortest, longest, num_buckets).hash_words(words, 10)
    expected = [list_ngrams(word, shortest, longest) for word in words]
    assert ngrams.counts.tolist() == [len(each) for each in expected]
    assert ngrams.rows.tolist() == [
        10 + fnv(ngram) % num_buckets for each in expected for ngram in each
    ]


def test_the_config_chooses_the_ngrams() -> None:
    section = TextSection(char_ngrams=[2, 4], ngram_buckets=9)
    assert choose_char_ngrams(section) == CharNgrams(2, 4, 9)
    assert choose_char_ngrams(TextSection()) is None
