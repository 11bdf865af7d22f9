"""Files in the encodings that were usual before UTF-8."""

import itertools
from pathlib import Path

import pytest

from rnncls.data.encodings import find_certain_encoding, find_encoding
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
LETTERS = {
    "German": (
        "cp1252",
        "Grüße aus Köln, die Tür schließt nicht und ich warte länger.",
    ),
    "French": ("cp1252", "Le café était fermé à midi, où est passée ma commande\xa0?"),
    "Spanish": ("cp1252", "¿Dónde está mi pedido? Mañana será tarde, ¡qué lástima!"),
    "Portuguese": ("cp1252", "A solução não é boa, à noite não há ligação. É só isso."),
    "Italian": ("cp1252", "Il pacco non è qui e la consegna è in ritardo, perché?"),
    "Danish": ("cp1252", "Jeg købte en ø i går, men måtte sælge den på et år."),
    "Czech": ("cp1250", "Dobrý den, účet mi stále nefunguje, řekněte prosím proč."),
    "Polish": ("cp1250", "Dzień dobry, proszę o zwrot pieniędzy za złą przesyłkę."),
    "Turkish": (
        "cp1254",
        "Siparişim gelmedi, lütfen değiştirin, geç oldu; teşekkür ederim.",
    ),
    "Greek": ("cp1253", "Καλημέρα, η παραγγελία μου δεν ήρθε ακόμα. Ευχαριστώ."),
    "Russian": ("cp1251", "Я не могу войти в кабинет, и пароль не подходит. Где счёт?"),
    "Russian in KOI8-R": ("koi8-r", "Я не могу войти в кабинет, и пароль не подходит."),
    "Ukrainian": ("cp1251", "Моє замовлення не прийшло, але я не знаю, де воно є."),
}
"""A letter of a customer in a language and its encoding."""
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


@pytest.mark.parametrize("language", LETTERS)
@pytest.mark.parametrize("num_rows", [8, 200])
@pytest.mark.parametrize("num_plain", [0, 100])
def test_a_letter_is_read_as_it_was_written_also_among_english_ones(
    language: str, num_rows: int, num_plain: int, tmp_path: Path
) -> None:
    encoding, text = LETTERS[language]
    path = tmp_path / "letters.csv"
    rows = ["7;Help;My order has not arrived. Best, Mary\n"] * num_plain
    rows += [f"7;Help;{text}\n"] * num_rows
    content = "".join(["id;label;text\n", *rows])
    path.write_bytes(content.encode(encoding))
    assert path.read_bytes().decode(find_encoding(path)) == content


@pytest.mark.parametrize("initials", ["É", "ÉØÜ", "ÄÖÅ", "àé", "ç", "ñÑ"])
@pytest.mark.parametrize("row", ["1;Help;Thanks, Customer {}\n", "<p>{}</p>;a\n"])
def test_single_letters_in_english_texts_are_western(
    initials: str, row: str, tmp_path: Path
) -> None:
    path = tmp_path / "initials.csv"
    lines = [row.format(letter) for letter in initials] * 40
    path.write_bytes("".join(lines).encode("cp1252"))
    assert find_certain_encoding(path) == find_encoding(path) == "cp1252"
