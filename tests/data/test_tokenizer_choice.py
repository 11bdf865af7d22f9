"""`init` chooses the tokenizer by the scripts of the texts."""

from pathlib import Path

import pytest

from rnncls.data.init_config import draft_config
from rnncls.text.unicode_words import measure_spaceless_share


@pytest.mark.parametrize(
    ("texts", "share"),
    [
        (["good film"], 0.0),
        (["很好吃", "ab"], 0.6),
        (["ไม่อร่อย"], 1.0),
        (["12 …"], 0.0),
        (["한국어 문장", "ممتاز"], 0.0),
    ],
)
def test_letters_of_scripts_without_spaces_are_counted(
    texts: list[str], share: float
) -> None:
    assert measure_spaceless_share(texts) == share


@pytest.mark.parametrize(
    ("good", "bad", "tokenizer", "reason"),
    [
        (
            "很好吃",
            "太难吃",
            "words",
            "100% of the letters are of scripts without spaces",
        ),
        ("좋은 영화", "나쁜 영화", "characters", "100% of the letters are Korean"),
        (
            "very good",
            "too bad",
            "words",
            "the words, numbers, emoji and signs of any language",
        ),
    ],
)
def test_the_choice_names_the_script(
    tmp_path: Path, good: str, bad: str, tokenizer: str, reason: str
) -> None:
    path = tmp_path / "rows.csv"
    rows = [
        f"{text} {number},{text == good}"
        for number, text in enumerate([good, bad] * 20)
    ]
    path.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    draft = draft_config(str(path), tmp_path / "rows.yaml")
    assert draft.config.text.tokenizer == tokenizer
    (line,) = [line for line in draft.text.splitlines() if "tokenizer:" in line]
    assert reason in line


@pytest.mark.parametrize(
    ("is_installed", "tokenizer"), [(True, "subwords"), (False, "words")]
)
def test_subwords_are_chosen_where_most_forms_of_a_word_are_rare(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    is_installed: bool,
    tokenizer: str,
) -> None:
    pytest.importorskip("tokenizers")
    if not is_installed:
        monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    stems, endings = ["talo", "kirja"], ["ssa", "sta", "lla", "lta", "ksi"]
    rows = [
        f"{stems[number % 2]}{number:04}{endings[number % 5]} on,{number % 2}"
        for number in range(2_000)
    ]
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["text,label", *rows]) + "\n", encoding="utf-8")
    draft = draft_config(str(path), tmp_path / "rows.yaml")
    assert draft.config.text.tokenizer == tokenizer
    assert "vectors:" not in draft.text or tokenizer == "words"
    assert ("min_freq" in draft.text) == (tokenizer == "words")
    if tokenizer == "subwords":
        assert draft.stats.lengths.max() > 2
        assert "most forms of a word are rare" in draft.text


@pytest.mark.parametrize(
    ("num_words", "tokenizer"), [(1, "characters"), (30, "subwords")]
)
def test_short_texts_with_several_labels_and_rare_words_are_read_as_characters(
    tmp_path: Path, num_words: int, tokenizer: str
) -> None:
    pytest.importorskip("tokenizers")
    stems, endings = ["talo", "kirja"], ["ssa", "sta", "lla", "lta", "ksi"]
    rows = []
    for number in range(2_000):
        word = f"{stems[number % 2]}{number:04}{endings[number % 5]}"
        text = " ".join([f"{word}{index}" for index in range(num_words)])
        rows.append(f"{text},{number % 2},{number % 3 % 2}")
    path = tmp_path / "rows.csv"
    path.write_text("\n".join(["text,joy,fear", *rows]) + "\n", encoding="utf-8")
    draft = draft_config(str(path), tmp_path / "rows.yaml")
    assert draft.config.model.task == "several_labels"
    assert draft.config.text.tokenizer == tokenizer
    assert draft.config.model.ngrams == (6 if tokenizer == "characters" else "auto")
    assert draft.config.text.vectors is None
