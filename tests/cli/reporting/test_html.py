"""Pages: one file, nothing from elsewhere, and every text stays text."""

import re
from base64 import b64decode
from html.parser import HTMLParser
from pathlib import Path

import pytest
from markupsafe import Markup

from rnncls import RunError
from rnncls.cli.reporting.html import (
    card,
    heading,
    paragraph,
    picture,
    save_page,
    table,
    written_text,
)

HOSTILE = "<script>alert('&amp;\"')</script>"


class Reader(HTMLParser):
    """The tags of a page in their order, their attributes, and the text of its body."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open:
            self.text += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture
def page(tmp_path: Path) -> Path:
    """A page with one of each part, made of hostile text."""
    parts = [
        heading(HOSTILE),
        paragraph(HOSTILE),
        table(HOSTILE, [HOSTILE, "count"], [[HOSTILE, 12], ["b", "3%"]]),
        picture(b"\x89PNG data", HOSTILE, HOSTILE),
    ]
    save_page(tmp_path / "page.html", HOSTILE, parts)
    return tmp_path / "page.html"


def test_whatever_goes_in_stays_text(page: Path) -> None:
    reader = Reader(page.read_text(encoding="utf-8"))
    assert not reader.all("script")
    assert (
        reader.text.count(HOSTILE) == 8
    )  # title and h1; h2, p, caption, column, cell, figcaption
    assert reader.all("img")[0]["alt"] == HOSTILE


def test_every_tag_is_closed(page: Path) -> None:
    assert Reader(page.read_text(encoding="utf-8")).open == []


def test_nothing_comes_from_elsewhere(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    reader = Reader(text)
    addresses = [
        value
        for _, attributes in reader.tags
        for key, value in attributes.items()
        if key in {"src", "href"}
    ]
    assert all(str(value).startswith("data:image/png;base64,") for value in addresses)
    assert not re.search(r"https?:|@import|url\(", text)
    assert not reader.all("link")


def test_a_picture_is_part_of_the_page(page: Path) -> None:
    source = str(Reader(page.read_text(encoding="utf-8")).all("img")[0]["src"])
    assert b64decode(source.removeprefix("data:image/png;base64,")) == b"\x89PNG data"


def test_columns_after_the_first_are_numbers(page: Path) -> None:
    reader = Reader(page.read_text(encoding="utf-8"))
    assert [cell.get("class") for cell in reader.all("td")] == [
        None,
        "number",
        None,
        "number",
    ]
    assert [cell.get("class") for cell in reader.all("th")] == [None, "number"]


def test_more_columns_of_text_can_be_asked_for() -> None:
    part = table("rows", ["a", "b", "c"], [["x", "y", 1]], num_texts=2)
    assert [cell.get("class") for cell in Reader(str(part)).all("td")] == [
        None,
        None,
        "number",
    ]


def test_a_wide_table_scrolls_within_itself_and_can_be_reached_by_key(
    page: Path,
) -> None:
    (region,) = [
        each
        for each in Reader(page.read_text(encoding="utf-8")).all("div")
        if each["class"] == "scroll"
    ]
    assert region["tabindex"] == "0"
    assert region["aria-label"] == HOSTILE


def test_a_page_names_its_language_its_letters_and_fits_a_phone(page: Path) -> None:
    reader = Reader(page.read_text(encoding="utf-8"))
    assert reader.all("html") == [{"lang": "en"}]
    assert {"charset": "utf-8"} in reader.all("meta")
    assert any(each.get("name") == "viewport" for each in reader.all("meta"))


def test_bytes_that_are_no_utf8_are_written_as_escapes(tmp_path: Path) -> None:
    save_page(tmp_path / "page.html", "t", [paragraph("caf\udce9")])
    assert "caf\\udce9" in (tmp_path / "page.html").read_text(encoding="utf-8")


def test_right_to_left_words_do_not_reorder_a_sentence() -> None:
    part = paragraph("'ممتاز جدا' (+0.07), '<b>'")
    assert part == (
        "<p>&#39;<bdi>ممتاز جدا</bdi>&#39; (+0.07), &#39;&lt;b&gt;&#39;</p>"
    )


def test_a_user_s_text_keeps_its_direction() -> None:
    part = written_text([Markup("ممتاز "), Markup("<b>x</b>")])
    assert 'dir="auto"' in part
    assert "ممتاز <b>x</b>" in part
    assert 'dir="auto"' in heading("ممتاز")
    assert '<td dir="auto">x</td>' in table("t", ["a", "n"], [["x", 1]])


def test_a_part_is_markup() -> None:
    parts = (
        heading("a"),
        paragraph("a"),
        table("a", ["a"], []),
        picture(b"", "a", "a"),
    )
    assert all(isinstance(part, Markup) for part in parts)


def test_a_page_that_cannot_be_written_names_its_file(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"page\.html: cannot be written"):
        save_page(tmp_path / "none" / "page.html", "t", [])


def test_a_card_has_a_title_its_parts_and_what_to_compare(tmp_path: Path) -> None:
    title = Markup("<bdi>{}</bdi>").format(HOSTILE)
    parts = [
        card(title, [paragraph(HOSTILE)], [paragraph("beside")]),
        card(title, [], []),
    ]
    save_page(tmp_path / "page.html", "cards", parts)
    reader = Reader((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert reader.all("script") == []
    assert [item.get("class") for item in reader.all("section")] == ["card", "card"]
    assert [item.get("class") for item in reader.all("div")] == ["aside"]
    assert reader.text.count(HOSTILE) == 3
