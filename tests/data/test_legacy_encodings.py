"""Files in the encodings that were usual before UTF-8."""

import itertools
from pathlib import Path

import pytest

from rnncls.data.encodings import find_encoding
from rnncls.data.legacy_encodings import guess_legacy_encoding

TEXTS = {
    "Russian": "Этот фильм мне совсем не понравился, но музыка была отличная.",
    "Japanese": "この映画は本当に素晴らしいです。また見たいと思います。",
    "Chinese": "这个电影我不喜欢。但是音乐真的很好。大家都说不错。",
    "traditional Chinese": "這個電影我不喜歡。但是音樂真的很好。大家都說不錯。",
    "Korean": "이 영화는 정말 재미있어요. 그리고 음악도 좋아요.",
    "Arabic": "هذا الفيلم لم يعجبني ولكن الموسيقى كانت جميلة جدا",
    "Turkish": "Bu film gerçekten çok güzeldi, şu müzik de şahane; ağaçlar, gölge.",
    "Greek": "Αυτή η ταινία δεν μου άρεσε, αλλά η μουσική ήταν υπέροχη.",
    "Hebrew": "הסרט הזה לא מצא חן בעיני אבל המוזיקה הייתה נהדרת",
    "Thai": "หนังเรื่องนี้ไม่สนุกเลย แต่เพลงประกอบดีมาก",
    "Polish": "Ten film był zły, ale muzyka się podobała; chciałbym więcej takiej.",
    "German": "Der Film war schön, die Musik großartig und der Schluß überraschend.",
    "French": "Ce film était très réussi, et la musique m'a plu, même à la fin.",
}
ENCODINGS = [
    ("Russian", "cp1251"),
    ("Russian", "koi8-r"),
    ("Japanese", "cp932"),
    ("Japanese", "euc_jp"),
    ("Chinese", "gb18030"),
    ("traditional Chinese", "big5"),
    ("Korean", "cp949"),
    ("Arabic", "cp1256"),
    ("Turkish", "iso8859-9"),
    ("Greek", "cp1253"),
    ("Hebrew", "cp1255"),
    ("Thai", "cp874"),
    ("Polish", "cp1250"),
    ("German", "cp1252"),
    ("French", "cp1252"),
]
UTF_16 = itertools.product(TEXTS, ("utf-16", "utf-16-le", "utf-16-be"))


def write_rows(path: Path, text: str, encoding: str) -> str:
    """Write a file of ten rows and return its content."""
    content = "text,label\n" + f'"{text}",good\n' * 10
    path.write_bytes(content.encode(encoding))
    return content


@pytest.mark.parametrize(("language", "encoding"), [*ENCODINGS, *UTF_16])
def test_a_file_is_read_as_it_was_written(
    language: str, encoding: str, tmp_path: Path
) -> None:
    path = tmp_path / "data.csv"
    content = write_rows(path, TEXTS[language], encoding)
    found = find_encoding(path)
    assert path.read_bytes().decode(found) == content


def test_few_characters_do_not_decide() -> None:
    assert guess_legacy_encoding("мир".encode("cp1251")) is None


def test_western_languages_are_left_to_windows_1252() -> None:
    assert guess_legacy_encoding((TEXTS["German"] * 9).encode("cp1252")) is None
