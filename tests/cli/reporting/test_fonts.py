"""Labels are drawn with fonts that have their characters."""

from matplotlib.font_manager import FontProperties, findfont, get_font

from rnncls.cli.reporting.fonts import choose_families, replace_missing


def test_the_default_font_is_enough_for_most_of_europe() -> None:
    assert len(choose_families("Müller - Ωμέγα Дом")) == 1
    assert replace_missing("Müller - Ωμέγα") == "Müller - Ωμέγα"


def test_a_character_of_another_script_is_drawn_or_replaced() -> None:
    thai = "ก"
    shown = replace_missing(thai)
    fonts = [
        get_font(findfont(FontProperties(family=[name])))
        for name in choose_families(thai)
    ]
    has_font = any(ord(thai) in font.get_charmap() for font in fonts)
    assert shown == (thai if has_font else "?")


def test_a_character_that_no_font_has_is_a_question_mark() -> None:
    assert replace_missing("a\U0003fffdb") in {"a?b", "a\\U0003fffdb"}
    assert replace_missing("a\x1bb") == "a\\x1bb"
