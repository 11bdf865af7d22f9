"""Known tags and entities go, and nothing that only looks like them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rnncls.text.markup import has_markup, is_html_column, remove_markup


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("one<br />two<br>three<BR/>four", "one two three four"),
        ('<a href="http://x.org/?a=1">link</a>', "link"),
        ("<p class='x' id=y>text</p>", "text"),
        ("<input type=checkbox checked>", ""),
        ("<!-- hidden -->seen", "seen"),
        ("R&amp;D &lt;5 &#39;s &#x27;s &nbsp;", "R&D <5 's 's"),
        ("caf&eacute; &copy; 2004", "café © 2004"),
    ],
)
def test_known_tags_and_entities_are_replaced(text: str, words: str) -> None:
    assert " ".join(remove_markup(text).split()) == words
    assert has_markup(text)


@pytest.mark.parametrize(
    "text",
    [
        "vector<int> and vector<string>",
        "Map<String, List<T>>",
        "a<b and c>d",
        "i<p or q>r",
        "<ann@example.org> wrote",
        "<b@example.org> wrote",
        "ticket #1042; please close",
        "saved in C:\\new\\table",
        "x lt; y and quot;",
        "I <3 you > me",
        "<unk> <user> <url>",
        "AT&T; &foo; & co",
        "https://x.org/?a=1&b=2",
        "",
    ],
)
def test_what_is_no_html_stays(text: str) -> None:
    assert remove_markup(text) == text
    assert not has_markup(text)


def test_template_parameters_that_are_called_like_tags_are_no_evidence() -> None:
    assert not has_markup("vector<i> of a vector<b>")


@given(st.text(st.sampled_from("<>/&;#= ab1p'\"!-"), max_size=40))
def test_a_text_without_signs_of_html_stays(text: str) -> None:
    if "<" not in text and "&" not in text:
        assert remove_markup(text) == text
    assert isinstance(remove_markup(text), str)


def test_a_column_is_html_if_enough_texts_show_it() -> None:
    plain, marked = ["vector<int>"] * 300, ["one<br />two"]
    assert is_html_column(plain) == (0, False)
    assert is_html_column(plain + marked * 2) == (2, False)
    assert is_html_column(plain + marked * 9) == (9, True)
    assert is_html_column(marked * 2) == (2, True)
