"""A stream that is not UTF-8: the error has the place, and how to convert it."""

import pytest

from rnncls import DataError
from rnncls.data.stream_lines import check_start, decode_stream_line, not_utf8

RUSSIAN = "Мы открыты каждый понедельник и пятницу, приходите"


def test_a_byte_order_mark_is_skipped_in_the_first_line_only() -> None:
    line = b"\xef\xbb\xbfcaf\xc3\xa9\n"
    assert decode_stream_line(line, "stdin", 1) == "caf\u00e9\n"
    assert decode_stream_line(line, "stdin", 2) == "\ufeffcaf\u00e9\n"


def test_a_wrong_byte_is_named_with_its_place_and_what_to_do() -> None:
    with pytest.raises(DataError) as caught:
        decode_stream_line("très café\n".encode("cp1252"), "stdin", 1_234)
    assert str(caught.value) == (
        "stdin: row 1,234: not UTF-8: byte 0xe8 at position 3; convert the input first,"
        " for example with iconv -f cp1252 -t utf-8; or save it as a file for rnncls"
        " predict --input FILE, which recognises encodings"
    )


def test_the_command_names_the_encoding_that_the_line_looks_like() -> None:
    error = not_utf8("stdin: row 1", RUSSIAN.encode("cp1251"), 0)
    assert "iconv -f cp1251 -t utf-8" in str(error)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16le", "utf-16be"])
@pytest.mark.parametrize("text", ["oslo meet rovers\n", "café au lait"])
def test_utf16_is_recognised_by_its_first_bytes(encoding: str, text: str) -> None:
    with pytest.raises(DataError, match=f"^stdin: not UTF-8: .* -f {encoding} "):
        check_start(text.encode(encoding), "stdin")


@pytest.mark.parametrize(
    "start", [b"", b"\x00", b"a\x00b", b"a\x00 word", "日本語\n".encode(), b"\n\n\n\n"]
)
def test_utf8_with_a_zero_is_not_taken_for_utf16(start: bytes) -> None:
    check_start(start, "stdin")
