"""Characters in texts that are hardly ever written on purpose."""

from dataclasses import dataclass


@dataclass(frozen=True)
class OddCharacters:
    """Characters that are hardly ever written on purpose."""

    kind: str
    name: str
    pattern: str
    advice: str


ODD_CHARACTERS = (
    OddCharacters(
        "odd_control",
        "control characters",
        r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]",
        "remove them from the file: the tokenizer makes them part of words",
    ),
    OddCharacters(
        "odd_replacement",
        "replacement characters (U+FFFD)",
        "\N{REPLACEMENT CHARACTER}",
        "the original characters are lost: export the file again, as UTF-8",
    ),
    OddCharacters(
        "odd_letters",
        "letters of another encoding (as Ã© for é)",
        r"Ã[\x80-\xbf]|Â[\xa0-\xbf]|â(?:€|\x80)|ï»¿",
        "export the file again: its UTF-8 was read as another encoding",
    ),
    OddCharacters(
        "odd_invisible",
        "invisible characters",
        r"[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060\ufeff]"
        r"|(?<=[^\W\d_])[\u200c\u200d](?=[A-Za-z])|(?<=[A-Za-z])[\u200c\u200d]",
        "remove them from the file: a word with one counts as another word",
    ),
)
