"""Pretrained vectors from files, by torchtext's names, and from installed packages."""

import gzip
import io
import logging
import ssl
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest
import torch
import torchtext.vocab

from rnncls import ConfigError, DataError
from rnncls.text.vectors import find_further_words, load_vectors
from tests.web_server import (
    Answer,
    Server,
    send,
    send_404,
    send_nonsense,
    serve,
)

WORDS = ["<pad>", "<unk>", "cat", "dog", "naïve"]
LINES = ["cat 1 2 3", "zebra 7 8 9", "naïve -0.5 1e-3 .25"]
EXPECTED = [
    [0.0, 0.0, 0.0],
    [0.0, 0.0, 0.0],
    [1.0, 2.0, 3.0],
    [0.0, 0.0, 0.0],
    [-0.5, 0.001, 0.25],
]
FOUND = [False, False, True, False, True]


def write(name: str, lines: list[str]) -> str:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())
    return name


def damage(content: bytes) -> bytes:
    """Return compressed bytes with an impossible block after the header."""
    return content[:10] + b"\xff" * 20 + content[30:]


def install(
    folder: Path,
    name: str,
    words: list[str],
    matrix: np.ndarray[tuple[int, ...], np.dtype[np.float32]] | bytes,
) -> None:
    """Lay out an installed package that carries vectors."""
    package, info = folder / name, folder / f"{name}-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    if isinstance(matrix, bytes):
        (package / "vectors_emb.npy").write_bytes(matrix)
    else:
        np.save(package / "vectors_emb.npy", matrix)
    pa_parquet.write_table(pa.table({"word": words}), package / "vectors_index.parquet")
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n"
    )
    files = [
        f"{name}/vectors_emb.npy",
        f"{name}/vectors_index.parquet",
        f"{name}-1.0.dist-info/METADATA",
    ]
    (info / "RECORD").write_text("".join(f"{file},,\n" for file in files))


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path where packages can be laid out."""
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    return folder


def check(loaded: tuple[torch.Tensor, torch.Tensor]) -> None:
    """Compare with what `LINES` say about `WORDS`."""
    vectors, found = loaded
    torch.testing.assert_close(vectors, torch.tensor(EXPECTED))
    assert found.tolist() == FOUND


# Files


def test_a_file_of_vectors_is_read() -> None:
    check(load_vectors(write("glove.txt", LINES), WORDS))


def test_a_header_line_of_word2vec_is_skipped() -> None:
    check(load_vectors(write("word2vec.txt", ["3 3", *LINES]), WORDS))


def test_white_space_at_the_end_of_a_line_is_no_number() -> None:
    check(load_vectors(write("fasttext.vec", [f"{line} \r" for line in LINES]), WORDS))


def test_a_compressed_file_is_read() -> None:
    path = Path("glove.txt.gz")
    path.write_bytes(gzip.compress("\n".join(LINES).encode()))
    check(load_vectors(str(path), WORDS))


def test_vectors_are_float32_and_marks_are_bool() -> None:
    vectors, found = load_vectors(write("glove.txt", LINES), WORDS)
    assert (vectors.dtype, found.dtype) == (torch.float32, torch.bool)


def test_the_order_of_the_words_is_that_of_the_vocabulary() -> None:
    vectors, _ = load_vectors(write("glove.txt", LINES), ["naïve", "cat"])
    torch.testing.assert_close(vectors, torch.tensor([EXPECTED[4], EXPECTED[2]]))


def test_a_number_as_a_word_is_not_taken_for_a_header() -> None:
    vectors, found = load_vectors(
        write("glove.txt", ["2 3", "3 1 2 3", "2 4 5 6"]), ["2", "3", "4"]
    )
    assert (vectors.tolist(), found.tolist()) == (
        [[4, 5, 6], [1, 2, 3], [0, 0, 0]],
        [True, True, False],
    )


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (
            ["cat 1 2 3", "dog 4 5"],
            "expected as many numbers after each word, three or more, found 2 and 3",
        ),
        (
            ["cat 1 2", "dog 4 5 6"],
            "expected as many numbers after each word, three or more, found 2 and 3",
        ),
        (
            ["cat 1 2", "dog 4 5"],
            "expected as many numbers after each word, three or more, found 2",
        ),
        (
            ["cat   "],
            "expected as many numbers after each word, three or more, found 0",
        ),
        (["cat sat on a mat"], "could not convert string to float: b'sat'"),
        (["cat  1 2 3"], "could not convert string to float: b''"),
    ],
)
def test_a_file_that_holds_no_vectors_is_named(lines: list[str], said: str) -> None:
    with pytest.raises(DataError) as caught:
        load_vectors(write("glove.txt", lines), WORDS)
    assert str(caught.value) == f"glove.txt: not a text file of vectors: {said}"


def test_no_message_holds_a_whole_line_of_a_file_that_holds_no_vectors() -> None:
    with pytest.raises(DataError) as caught:
        load_vectors(write("glove.txt", [f"cat {'x' * 5000} 2 3"]), WORDS)
    assert len(str(caught.value)) < 300


def test_a_name_too_long_for_a_file_is_no_vectors() -> None:
    with pytest.raises(ConfigError, match="no such file or installed package"):
        load_vectors("x" * 5000, WORDS)


@pytest.mark.parametrize("number", ["nan", "inf", "-inf", "1e400"])
def test_a_number_that_is_not_finite_is_refused(number: str) -> None:
    with pytest.raises(
        DataError, match=r"^glove\.txt: a vector holds a number that is not finite$"
    ):
        load_vectors(write("glove.txt", ["cat 1 2 3", f"dog 1 {number} 3"]), WORDS)


@pytest.mark.parametrize(
    "content",
    [b"", b"zebra 1 2 3\n", b"cat\t1\t2\t3\n", b"PK\x03\x04\xff\x00\n", b"cat 1\n"],
)
def test_a_file_without_any_word_of_the_vocabulary_is_named(content: bytes) -> None:
    Path("glove.txt").write_bytes(content)
    with pytest.raises(DataError) as caught:
        load_vectors("glove.txt", WORDS)
    assert (
        str(caught.value)
        == "glove.txt: has a vector for none of the 5 words of the vocabulary"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"cat 1 2 3\n",
        gzip.compress(b"cat 1 2 3\n" * 99)[:-10],
        damage(gzip.compress(np.random.default_rng(0).bytes(999))),
    ],
    ids=["not compressed", "cut short", "damaged"],
)
def test_a_compressed_file_that_cannot_be_read_is_named(content: bytes) -> None:
    Path("glove.txt.gz").write_bytes(content)
    with pytest.raises(DataError, match=r"^glove\.txt\.gz: cannot be read: "):
        load_vectors("glove.txt.gz", WORDS)


def test_reading_a_file_leaves_nothing_behind(tmp_path: Path) -> None:
    load_vectors(write("glove.txt", LINES), WORDS)
    assert [path.name for path in tmp_path.iterdir()] == ["glove.txt"]


def test_reading_a_file_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    load_vectors(write("glove.txt", LINES), WORDS)
    assert capsys.readouterr() == ("", "")


def test_reading_a_file_leaves_certificates_checked() -> None:
    before = (ssl._create_default_https_context, ssl._create_unverified_context)
    load_vectors(write("glove.txt", LINES), WORDS)
    assert (ssl._create_default_https_context, ssl._create_unverified_context) == before


def test_a_file_that_fails_leaves_certificates_checked() -> None:
    before = (ssl._create_default_https_context, ssl._create_unverified_context)
    with pytest.raises(DataError):
        load_vectors(write("glove.txt", ["cat sat on a mat"]), WORDS)
    assert (ssl._create_default_https_context, ssl._create_unverified_context) == before


# Names


@pytest.mark.parametrize(
    "name",
    ["none.txt", "glove.6B.51d", "charngram.100d", "", ".", "a/b", "no-such-package"],
)
def test_an_unknown_name_is_an_error_of_the_config_that_tells_the_known_ones(
    name: str,
) -> None:
    with pytest.raises(ConfigError) as caught:
        load_vectors(name, WORDS)
    assert str(caught.value).startswith(
        f"text.vectors: {name}: no such file or installed package"
    )
    assert "glove.6B.100d" in str(caught.value)


@pytest.mark.parametrize(
    ("name", "file"),
    [
        ("glove.6B.50d", "glove.6B.50d.txt"),
        ("glove.twitter.27B.25d", "glove.twitter.27B.25d.txt"),
        ("fasttext.simple.300d", "wiki.simple.vec"),
    ],
)
def test_a_torchtext_name_uses_the_file_that_is_there(name: str, file: str) -> None:
    write(f".vector_cache/{file}", LINES)
    check(load_vectors(name, WORDS))


def test_a_file_of_ones_own_goes_before_a_torchtext_name() -> None:
    write(".vector_cache/glove.6B.50d.txt", ["cat 9 9 9"])
    check(load_vectors(write("glove.6B.50d", LINES), WORDS))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Serve glove.6B and fastText's vectors in place of the published ones."""
    monkeypatch.setenv("no_proxy", "*")
    with serve({"glove.6B.zip": send(glove_zip())}) as running:
        monkeypatch.setitem(
            torchtext.vocab.GloVe.url, "6B", f"{running.url}/glove.6B.zip"
        )
        monkeypatch.setattr(
            torchtext.vocab.FastText, "url_base", f"{running.url}/wiki.{{}}.vec"
        )
        yield running


def glove_zip() -> bytes:
    """Return an archive as published: a file for each width."""
    with zipfile.ZipFile("made.zip", "w") as archive:
        archive.writestr("glove.6B.50d.txt", "\n".join(LINES))
        archive.writestr("glove.6B.100d.txt", "\n".join(f"{line} 4" for line in LINES))
    return Path("made.zip").read_bytes()


@pytest.mark.usefixtures("server")
def test_a_torchtext_name_is_downloaded_where_it_is_missing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.INFO, logger="rnncls.text.vectors"):
        check(load_vectors("glove.6B.50d", WORDS))
    assert "downloading glove.6B.50d into .vector_cache" in caplog.messages


@pytest.mark.usefixtures("server")
def test_a_download_keeps_the_texts_alone() -> None:
    load_vectors("glove.6B.50d", WORDS)
    assert {path.name for path in Path(".vector_cache").iterdir()} == {
        "glove.6B.50d.txt",
        "glove.6B.100d.txt",
    }


def test_what_was_downloaded_is_not_downloaded_again(server: Server) -> None:
    widths = [
        load_vectors(name, WORDS)[0].shape[1]
        for name in ("glove.6B.50d", "glove.6B.100d", "glove.6B.50d")
    ]
    assert (widths, server.asked) == ([3, 4, 3], ["glove.6B.zip"])


@pytest.mark.usefixtures("server")
def test_a_download_leaves_certificates_checked() -> None:
    before = (ssl._create_default_https_context, ssl._create_unverified_context)
    load_vectors("glove.6B.50d", WORDS)
    assert (ssl._create_default_https_context, ssl._create_unverified_context) == before


@pytest.mark.parametrize(
    "answer",
    [send_404, send_nonsense, send(b"<html>log in</html>"), send(b"half", length=99)],
)
@pytest.mark.parametrize(
    ("name", "source", "file"),
    [
        ("glove.6B.50d", "glove.6B.zip", "glove.6B.50d.txt"),
        ("fasttext.simple.300d", "wiki.simple.vec", None),
    ],
)
def test_a_download_that_fails_is_named_and_leaves_nothing(
    server: Server, answer: Answer, name: str, source: str, file: str | None
) -> None:
    server.answers[source] = answer
    with pytest.raises(DataError) as caught:
        load_vectors(name, WORDS)
    message = str(caught.value)
    assert message.startswith(f"text.vectors: {name} cannot be downloaded (")
    assert message.endswith(f"); put {file or source} into .vector_cache")
    assert list(Path(".vector_cache").iterdir()) == []


def test_half_a_download_is_not_taken_for_the_whole_the_next_time(
    server: Server,
) -> None:
    whole = "\n".join(["3 3", *LINES, ""]).encode()
    server.answers["wiki.simple.vec"] = send(whole[:16], length=len(whole))
    with pytest.raises(DataError, match="cannot be downloaded"):
        load_vectors("fasttext.simple.300d", WORDS)
    server.answers["wiki.simple.vec"] = send(whole)
    check(load_vectors("fasttext.simple.300d", WORDS))


# Installed packages


def test_vectors_of_an_installed_package_are_read(site: Path) -> None:
    install(
        site,
        "tinyvec",
        ["naïve", "zebra", "cat"],
        np.array([EXPECTED[4], [7, 8, 9], EXPECTED[2]], np.float32),
    )
    check(load_vectors("tinyvec", WORDS))


def test_vectors_of_a_package_may_be_stored_in_half_precision(site: Path) -> None:
    install(
        site, "tinyvec", ["cat"], np.array([[1, 2, 3]], np.float16).astype(np.float16)
    )
    vectors, _ = load_vectors("tinyvec", ["cat"])
    assert (vectors.tolist(), vectors.dtype) == ([[1.0, 2.0, 3.0]], torch.float32)


def test_a_package_without_any_word_of_the_vocabulary_gives_zeros(site: Path) -> None:
    install(site, "tinyvec", ["zebra"], np.ones((1, 3), np.float32))
    vectors, found = load_vectors("tinyvec", WORDS)
    assert (int(found.sum()), float(vectors.abs().sum()), vectors.shape) == (
        0,
        0.0,
        (5, 3),
    )


def test_a_package_without_vectors_is_an_error_of_the_config() -> None:
    with pytest.raises(ConfigError) as caught:
        load_vectors("pytest", WORDS)
    assert (
        str(caught.value)
        == "text.vectors: pytest: the installed package carries no *_emb.npy and"
        " *_index.parquet"
    )


@pytest.mark.parametrize("shape", [(2, 3), (3,), (1, 3, 1)])
def test_a_package_whose_words_and_vectors_differ_in_number_is_named(
    site: Path, shape: tuple[int, ...]
) -> None:
    install(site, "tinyvec", ["cat"], np.ones(shape, np.float32))
    with pytest.raises(
        DataError,
        match=r"vectors_emb\.npy: expected 1 rows of vectors, found the shape \(",
    ):
        load_vectors("tinyvec", WORDS)


@pytest.mark.parametrize("content", [b"", b"no array", b"\x93NUMPY\x01\x00"])
def test_a_damaged_package_is_named(site: Path, content: bytes) -> None:
    install(site, "tinyvec", ["cat"], content)
    with pytest.raises(
        DataError, match=r"/tinyvec: the package's vectors cannot be read: "
    ):
        load_vectors("tinyvec", WORDS)


def test_a_pickle_in_a_package_is_refused(site: Path) -> None:
    install(site, "tinyvec", ["cat"], b"")
    np.save(
        site / "tinyvec" / "vectors_emb.npy",
        np.array([{"a": 1}], dtype=object),
        allow_pickle=True,
    )
    with pytest.raises(DataError, match=r"the package's vectors cannot be read: "):
        load_vectors("tinyvec", WORDS)


def test_a_header_that_claims_a_billion_words_takes_no_memory() -> None:
    check(load_vectors(write("word2vec.txt", ["1000000000000 3", *LINES]), WORDS))


def test_a_package_whose_header_claims_more_than_there_is_is_named(site: Path) -> None:
    matrix = io.BytesIO()
    claims = {"descr": "<f4", "fortran_order": False, "shape": (10**12, 3)}
    np.lib.format.write_array_header_1_0(matrix, claims)
    install(site, "claiming", ["cat", "dog"], matrix.getvalue() + bytes(24))
    with pytest.raises(DataError, match="the package's vectors cannot be read"):
        load_vectors("claiming", WORDS)


def find_further(name: str, limit: int = 9) -> list[str]:
    return find_further_words(name, {"cat"}, lambda word: "." not in word, limit)


def test_further_words_are_the_first_ones_of_a_file_that_a_vocabulary_lacks() -> None:
    lines = ["4 3", *LINES, "u.s. 1 2 3", "zebra 1 2 3", "<unk> 1 2 3", "end 1 2 3"]
    name = write("vectors.txt", lines)
    assert find_further(name) == ["zebra", "naïve", "end"]
    assert find_further(name, limit=2) == ["zebra", "naïve"]


def test_further_words_of_a_package_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    matrix = np.zeros((3, 4), np.float32)
    install(tmp_path, "some_vectors", ["dog", "cat", "emu"], matrix)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert find_further("some_vectors") == ["dog", "emu"]


def test_a_file_whose_words_cannot_be_read_is_an_error() -> None:
    Path("vectors.gz").write_bytes(damage(gzip.compress(b"cat 1 2 3\n" * 99)))
    with pytest.raises(DataError, match=r"^vectors\.gz: cannot be read: "):
        find_further("vectors.gz")
    with pytest.raises(ConfigError, match=r"^text\.vectors: none\.txt: no such file"):
        find_further("none.txt")
