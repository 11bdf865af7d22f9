"""Check that a page, a picture or an ONNX file replaces only one of its kind.

A page is recognised by its title, a picture by the text that `save_picture` writes into
it, and an ONNX file by the name of its producer. A file that is empty or a single word,
and a pipe or a device, can always be written.
"""

import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rnncls import ConfigError
from rnncls.cli.outputs import HTML, PNG, check_target
from rnncls.cli.replaced_files import has_content

_HEAD_BYTES = 4096
_PAGE_START = b'<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
"""How every page of rnncls starts."""
_TITLE = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK_HEAD = struct.Struct(">I4s")  # length and type
_CHUNK_END_BYTES = 4  # the checksum
_ONNX_PRODUCER = b"\x12\x06rnncls"
"""The field `producer_name`, which is at the start of an ONNX file."""


@dataclass(frozen=True)
class PageKind:
    """A kind of page that a command writes.

    Attributes:
        name: What it is, for messages.
        title: What its title matches.
    """

    name: str
    title: re.Pattern[str]


REPORT = PageKind("a report by rnncls report", re.compile("Report on "))
COMPARISON = PageKind("a page by rnncls compare", re.compile("Comparison of runs"))
LABEL_ISSUES = PageKind("a page by rnncls label-issues", re.compile("Label issues of "))
INSPECTION = PageKind("a page by rnncls inspect", re.compile("The data of "))
EXPLANATION = PageKind(
    "a page by rnncls explain",
    re.compile("Explanations by |Predictions of .* after each token", re.DOTALL),
)
DRIFT = PageKind("a page by rnncls drift", re.compile("Drift of "))
CLASSIFIER = PageKind(
    "a page by rnncls export", re.compile(".*: text classifier", re.DOTALL)
)


def check_page(
    option: str,
    path: Path | None,
    kind: PageKind,
    endings: Sequence[str] = (*HTML, ""),
) -> None:
    """Check that a page can be written, and replaces only a page of its kind.

    Args:
        option: The name of the option, for the message.
        path: The page; None: none is written.
        kind: The kind of the page.
        endings: The endings that its name may have.

    Raises:
        ConfigError: It has another ending, its folder does not exist, or another file
            has its name.
    """
    check_target(option, path, endings)
    if path is None or not has_content(path):
        return
    title = _read_title(path)
    if title is None or kind.title.match(title) is None:
        raise _not_replaced(option, path, kind.name)


def check_picture(
    option: str, path: Path | None, kind: str, endings: Sequence[str] = (*PNG, "")
) -> None:
    """Check that a picture can be written, and replaces only a picture of its kind.

    Args:
        option: The name of the option, for the message.
        path: The picture; None: none is written.
        kind: The kind, as `save_picture` writes it into the picture.
        endings: The endings that its name may have.

    Raises:
        ConfigError: It has another ending, its folder does not exist, or another file
            has its name.
    """
    check_target(option, path, endings)
    if path is not None:
        _check_replaces_picture(option, path, kind)


def check_pictures(option: str, folder: Path | None, kinds: Sequence[str]) -> None:
    """Check that the pictures of a report replace only pictures of their kinds.

    Args:
        option: The name of the option, for the message.
        folder: The folder of the pictures; None: none are written.
        kinds: The kinds of the pictures, which are also their names.

    Raises:
        ConfigError: Another file has the name of a picture.
    """
    if folder is None:
        return
    for kind in kinds:
        _check_replaces_picture(option, folder / f"{kind}.png", kind)


def check_onnx(option: str, path: Path, tokenizer: Path | None) -> None:
    """Check that an ONNX file, and the tokenizer beside it, replace earlier ones only.

    Args:
        option: The name of the option, for the message.
        path: The ONNX file.
        tokenizer: The file that is copied beside it, as NAME.tokenizer.json; None:
            none is.

    Raises:
        ConfigError: Another file has one of the names.
    """
    if has_content(path):
        if _ONNX_PRODUCER not in _read_head(path):
            raise _not_replaced(option, path, "a model by rnncls export")
        return
    beside = path.with_name(f"{path.stem}.tokenizer.json")
    if tokenizer is None or not has_content(beside):
        return
    if beside.read_bytes() != tokenizer.read_bytes():
        raise _not_replaced(option, beside, f"the tokenizer of an earlier {path.name}")


def _check_replaces_picture(option: str, path: Path, kind: str) -> None:
    if has_content(path) and _read_png_texts(path).get("Title") != kind:
        raise _not_replaced(option, path, f"a picture of this kind ({kind})")


def _not_replaced(option: str, path: Path, expected: str) -> ConfigError:
    return ConfigError(
        f"{option}: {path} already exists, and is not {expected}: choose another name,"
        " or delete the file first"
    )


def _read_title(path: Path) -> str | None:
    """Return the title of a page that rnncls wrote; None if it wrote no such page."""
    head = _read_head(path)
    if not head.startswith(_PAGE_START):
        return None
    title = _TITLE.search(head.decode("utf-8", "replace"))
    return title[1] if title else None


def _read_png_texts(path: Path) -> dict[str, str]:
    """Return the texts by keyword of a PNG picture that rnncls wrote; else nothing."""
    texts = {}
    for name, content in _iter_chunks(_read_head(path)):
        if name == b"tEXt":
            keyword, _, text = content.decode("latin-1").partition("\0")
            texts[keyword] = text
    return texts if texts.get("Software") == "rnncls" else {}


def _iter_chunks(head: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield type and content of each chunk at the start of a PNG picture."""
    if not head.startswith(_PNG_SIGNATURE):
        return
    position = len(_PNG_SIGNATURE)
    while position + _CHUNK_HEAD.size <= len(head):
        length, name = _CHUNK_HEAD.unpack_from(head, position)
        start = position + _CHUNK_HEAD.size
        position = start + length + _CHUNK_END_BYTES
        if position <= len(head):
            yield name, head[start : start + length]


def _read_head(path: Path) -> bytes:
    """Return the start of a file; of a file that cannot be read, nothing."""
    try:
        with path.open("rb") as stream:
            return stream.read(_HEAD_BYTES)
    except OSError:
        return b""
