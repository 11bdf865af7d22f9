"""Each character of a changed text keeps its place in the original."""

import re
import unicodedata

from rnncls.text.traced_text import (
    Rule,
    Span,
    TracedText,
    apply_rule,
    apply_to_pieces,
    start_trace,
)


def nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def test_a_replaced_match_comes_from_all_its_characters_but_outer_spaces() -> None:
    traced = apply_rule(start_trace("a &x; b"), Rule(re.compile(" &x;"), "yz"))
    assert traced.text == "ayz b"
    origins = [Span(0, 1), Span(2, 5), Span(2, 5), Span(5, 6), Span(6, 7)]
    assert traced.origins == origins


def test_a_removed_match_leaves_the_places_of_the_rest() -> None:
    traced = apply_rule(start_trace("a<>b"), Rule(re.compile("<>"), ""))
    assert traced == TracedText("ab", [Span(0, 1), Span(3, 4)])


def test_what_is_inserted_before_a_match_has_an_empty_place() -> None:
    traced = apply_rule(start_trace("a Bc"), Rule(re.compile("(B)c"), r"x \1c"))
    assert traced.text == "a x Bc"
    inserted = [Span(2, 2), Span(2, 2)]
    kept = [Span(2, 3), Span(3, 4)]
    assert traced.origins[2:] == inserted + kept


def test_a_replacement_may_be_a_function() -> None:
    rule = Rule(re.compile("b"), lambda match: match[0] * 2)
    assert apply_rule(start_trace("ab"), rule).text == "abb"


def test_rules_follow_each_other() -> None:
    once = apply_rule(start_trace("#39;s"), Rule(re.compile("(#39;)"), r"&\1"))
    twice = apply_rule(once, Rule(re.compile("&#39;"), "'"))
    assert twice == TracedText("'s", [Span(0, 4), Span(4, 5)])


def test_pieces_that_change_together_share_their_place() -> None:
    traced = apply_to_pieces(start_trace("xㅎㅏy"), nfkc, "xㅎㅏy")
    assert traced.text == "x하y"
    assert traced.origins == [Span(0, 1), Span(1, 3), Span(3, 4)]


def test_pieces_that_do_not_change_keep_their_place() -> None:
    traced = apply_to_pieces(start_trace("ab"), nfkc, ["ab"])
    assert traced == start_trace("ab")


def test_a_sign_that_vanishes_does_not_part_a_letter_from_its_mark() -> None:
    def change(text: str) -> str:
        return nfkc(text.replace("\u00ad", ""))

    text = "ba\u00ad\u0301c"
    traced = apply_to_pieces(start_trace(text), change, text)
    assert traced == TracedText("b\u00e1c", [Span(0, 1), Span(1, 4), Span(4, 5)])
