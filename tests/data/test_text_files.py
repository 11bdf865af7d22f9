"""Lines and pieces of a stream are read as they arrive."""

import io

import pytest

from rnncls import DataError
from rnncls.data.text_files import read_lines, read_pieces


def test_a_stream_is_read_no_further_than_needed() -> None:
    stream = io.BytesIO(b"a\n" * 100_000)
    next(read_lines(stream, "stdin"))
    assert stream.tell() < 20_000


class Trickle(io.BytesIO):
    """A stream that has no more than so many bytes at a time."""

    def __init__(self, content: bytes, size: int) -> None:
        super().__init__(content)
        self.size = size

    def read1(self, _size: int | None = -1, /) -> bytes:
        return super().read1(self.size)


@pytest.mark.parametrize("size", [1, 2, 5, 1000])
def test_pieces_are_the_stream_cut_anywhere(size: int) -> None:
    text = "a caf\u00e9\r\n\U0001f468 \u65e5\u672c\n"
    pieces = list(read_pieces(Trickle(b"\xef\xbb\xbf" + text.encode(), size), "stdin"))
    assert "".join(pieces) == text
    assert len(pieces) > 1 or size == 1000


def test_a_piece_comes_as_soon_as_it_is_there() -> None:
    stream = Trickle(b"oslo meet", 5)
    assert next(read_pieces(stream, "stdin")) == "oslo "
    assert stream.tell() == 5


@pytest.mark.parametrize("size", [1, 1000])
@pytest.mark.parametrize(
    "content", [b"fine\n\xff\n", b"fine\nhalf \xe2\x82"], ids=["wrong", "unfinished"]
)
def test_a_byte_in_a_stream_that_is_no_utf8_is_named_with_its_row(
    content: bytes, size: int
) -> None:
    position = 6 if b"half" in content else 1
    read = ""
    pieces = read_pieces(Trickle(content, size), "stdin")
    message = f"stdin: row 2: not UTF-8: .* at position {position}; convert"
    while not read.startswith("fine\n"):
        read += next(pieces)
    with pytest.raises(DataError, match=message):
        list(pieces)
    assert read.startswith("fine\n")  # what is before the wrong line is kept


def test_a_stream_in_utf16_is_refused_at_its_start() -> None:
    content = "oslo meet rovers\n".encode("utf-16")
    with pytest.raises(DataError, match="stdin: not UTF-8: its first bytes are UTF-16"):
        list(read_pieces(Trickle(content, 1000), "stdin"))
