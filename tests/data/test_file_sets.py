"""Compressed files, folders and patterns of files are read like one file."""

import bz2
import gzip
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pa_parquet
import pytest

from rnncls import DataError
from rnncls.data.checksums import checksum
from rnncls.data.file_sets import list_files, open_binary
from rnncls.data.readers import count_rows, find_texts, read_rows
from rnncls.data.rows import Columns

COLUMNS = Columns(("text",), "label")
CSV = b"text,label\na b,x\nc d,y\n"
JSONL = b'{"text": "a b", "label": "x"}\n{"text": "c d", "label": "y"}\n'


def compress_zstd(content: bytes) -> bytes:
    return bytes(pa.compress(content, codec="zstd", asbytes=True))


def write(name: str, content: bytes) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def read(path: Path, columns: Columns = COLUMNS) -> list[tuple[str, str]]:
    return [
        row
        for rows in read_rows(path, columns)
        for row in zip(rows.texts, rows.labels, strict=True)
    ]


def write_parts() -> None:
    for number in range(3):
        content = f"text,label\ntext {number},a\n\u00e9,b\n"
        write(f"parts/part-{number}.csv", content.encode())


@pytest.mark.parametrize(
    ("ending", "compress"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".zst", compress_zstd)],
)
@pytest.mark.parametrize(("form", "content"), [(".csv", CSV), (".jsonl", JSONL)])
def test_a_compressed_file_is_read_like_the_file_itself(
    ending: str, compress: Callable[[bytes], bytes], form: str, content: bytes
) -> None:
    path = write(f"data{form}{ending}", compress(content))
    assert read(path) == [("a b", "x"), ("c d", "y")]
    with open_binary(path) as stream:
        assert stream.read() == content


def test_a_compressed_file_of_lines_is_read_by_line() -> None:
    path = write("texts.txt.gz", gzip.compress(b"one\ntwo\n"))
    chunks = read_rows(path, Columns(("text",), None))
    assert [text for rows in chunks for text in rows.texts] == ["one", "two"]


@pytest.mark.parametrize("name", ["data.csv.gz", "data.jsonl.zst", "data.txt.bz2"])
@pytest.mark.parametrize("content", [b"not compressed", b"\x1f\x8b\x08 cut"])
def test_a_damaged_compressed_file_is_named(name: str, content: bytes) -> None:
    path = write(name, content)
    with pytest.raises(DataError, match=f"^{name}: cannot be read: "):
        read(path)


def test_a_compressed_file_that_is_cut_short_is_named() -> None:
    content = b"text,label\n" + b"".join(b"text %d,a\n" % n for n in range(9_999))
    path = write("data.csv.gz", gzip.compress(content)[:-2_000])
    with pytest.raises(DataError, match=r"^data\.csv\.gz: "):
        read(path)


@pytest.mark.parametrize("source", ["parts", "parts/*.csv", "par*/part-?.csv"])
def test_the_files_of_a_folder_or_pattern_are_read_in_order(source: str) -> None:
    write_parts()
    write("parts/_SUCCESS", b"")
    write("parts/.part-0.csv.crc", b"\0")
    path = Path(source)
    texts = [text for text, _ in read(path)]
    assert texts == ["text 0", "é", "text 1", "é", "text 2", "é"]
    assert find_texts(path, COLUMNS, [4, 0]) == ["text 2", "text 0"]
    assert count_rows(path) == 9


def test_parquet_files_of_a_pattern_are_read() -> None:
    Path("parts").mkdir()
    for number in (0, 1):
        table = pa.table({"text": [f"text {number}"], "label": ["a"]})
        pa_parquet.write_table(table, f"parts/{number}.parquet")
    assert read(Path("parts/*.parquet")) == [("text 0", "a"), ("text 1", "a")]


def test_an_error_names_the_file_of_the_set_and_its_row() -> None:
    write_parts()
    write("parts/part-1.csv", b"text,label\na,b\nc,\n")
    with pytest.raises(DataError, match=r"^parts/part-1\.csv: row 2: "):
        read(Path("parts"))


def test_files_of_several_formats_are_refused() -> None:
    write_parts()
    write("parts/notes.txt", b"x")
    with pytest.raises(DataError, match=r"^parts: expected files of one format, found"):
        list_files(Path("parts"))


def test_a_pattern_without_files_is_refused() -> None:
    with pytest.raises(DataError, match=r"^none\*\.csv: has no data files"):
        list_files(Path("none*.csv"))


def test_a_file_may_have_the_name_of_a_pattern() -> None:
    path = write("data[1].csv", CSV)
    assert read(path) == [("a b", "x"), ("c d", "y")]


def test_the_checksum_of_a_set_covers_names_order_and_contents() -> None:
    write_parts()
    checksums = [checksum(Path("parts"), "sha256"), checksum(Path("parts"), "sha256")]
    write("parts/part-2.csv", b"text,label\nother,a\n")
    checksums.append(checksum(Path("parts"), "sha256"))
    Path("parts/part-2.csv").rename("parts/part-9.csv")
    checksums.append(checksum(Path("parts"), "sha256"))
    assert checksums[0] == checksums[1]
    assert len(set(checksums)) == 3


def test_the_checksum_of_class_folders_covers_the_names_of_the_classes() -> None:
    write("data/good/1.txt", b"a")
    write("data/bad/1.txt", b"b")
    before = checksum(Path("data"), "sha256")
    Path("data/good").rename("data/fine")
    assert checksum(Path("data"), "sha256") != before
