"""Recognise the encodings that were usual before UTF-8, by the characters they give.

In its own encoding, most of a text's characters outside ASCII are among the frequent
ones of its language. In another encoding the same bytes are rare characters, or none.
Accented letters stand beside letters of ASCII or alone, as in `à` or an initial. Those
of other alphabets stand beside each other.
"""

import re
from typing import NamedTuple


class _Candidate(NamedTuple):
    """An encoding and a language that is written in it.

    Attributes:
        encoding: Python's name of the encoding.
        frequent: The frequent characters of the language outside ASCII.
        usual_share: The share of the characters outside ASCII that they usually are.
        is_latin: Whether letters outside ASCII are accented ones.
    """

    encoding: str
    frequent: frozenset[str]
    usual_share: float
    is_latin: bool = False


_WESTERN = "éèêëàâäáãåçîïíìôöóòõøûüúùñßæœÉÀÄÖÜÅØÆ«»€£§°¿¡\u00a0"
_CENTRAL = "áéíóúýąęłńśźżćčěřšžůťďňđőűöüäôâăîşţÁÉÍŁŚŻČŘŠŽÖÜ"
_TURKISH = "ıİşŞğĞüÜöÖçÇâî"
_RUSSIAN = "оеаинтсрвлкмдпуяі"
_GREEK = "αοιετσνηυρπκμλςωάίόέή"
_HEBREW = "יוהלאתמרבשנדםחקע"
_ARABIC = "اليمونرتبهعدةفسك"
_THAI = "านรกอเงมยล่วดทสตะปบคแ้ัีไิ"
_HIRAGANA = "".join(map(chr, range(0x3041, 0x3094)))
_JAPANESE = f"{_HIRAGANA}、。ーンスルトラリクイドシア"
_KOREAN = (
    "이다는의에고가을하지기은어사도리한로대를자해인아게스서일나시으주보그수정부전있"
    "들만거면라장너과요습니안음없내마무여었우신제네구영좋재말때"
)
_CHINESE = (
    "的一是不了在人有我他中大上个国到说们为子和你地出道也时年得就那要下以生会自着去"
    "之过家学对可她里后小么心多天而能好都然没日于起还发成事只作当想看文无开手用主行"
    "方又如前所本见经头面公同三已老从动两长很点最。、新市高元万美月日全女男教育业"
)
_TRADITIONAL = (
    "的一是不了在人有我他中大上個國到說們為子和你地出道也時年得就那要下以生會自著去"
    "之過家學對可她裡後小麼心多天而能好都然沒日於起還發成事只作當想看文無開手用主行"
    "方又如前所本見經頭面公同三已老從動兩長很點最。、新市高元萬美月日全女男教育業"
)
_CANDIDATES = (
    _Candidate("cp1252", frozenset(_WESTERN), 0.9, is_latin=True),
    _Candidate("cp1254", frozenset(_TURKISH), 0.9, is_latin=True),
    _Candidate("cp1250", frozenset(_CENTRAL), 0.9, is_latin=True),
    _Candidate("iso8859-2", frozenset(_CENTRAL), 0.9, is_latin=True),
    _Candidate("cp1251", frozenset(_RUSSIAN), 0.75),
    _Candidate("koi8-r", frozenset(_RUSSIAN), 0.75),
    _Candidate("cp1253", frozenset(_GREEK), 0.8),
    _Candidate("cp1255", frozenset(_HEBREW), 0.8),
    _Candidate("cp1256", frozenset(_ARABIC), 0.8),
    _Candidate("cp874", frozenset(_THAI), 0.75),
    _Candidate("cp932", frozenset(_JAPANESE), 0.6),
    _Candidate("euc_jp", frozenset(_JAPANESE), 0.6),
    _Candidate("cp949", frozenset(_KOREAN), 0.45),
    _Candidate("gb18030", frozenset(_CHINESE), 0.22),
    _Candidate("big5", frozenset(_TRADITIONAL), 0.22),
)
_LETTER = r"[^\x00-\xbf\u2000-\u206f]"
"""A character that may be a letter outside ASCII."""
_ANY_CHARACTER = re.compile(
    rf"(?:(?<=(?P<before>[a-zA-Z]))|(?<={_LETTER})|(?P<starts>))"
    r"(?P<character>[^\x00-\x7f])"
    rf"(?=(?P<after>[a-zA-Z])|{_LETTER}|(?P<ends>))",
    re.DOTALL,
)
"""A character outside ASCII, with what stands before and after it."""
_MIN_FIT = 0.6
"""The share of the usual share from which an encoding is believed."""
_MIN_LEAD = 0.1
"""How much better than Windows-1252 another encoding must fit."""
_MIN_CHARACTERS = 20
"""Fewer characters outside ASCII say too little."""


def guess_legacy_encoding(sample: bytes) -> str | None:
    """Return the encoding of bytes that are not UTF-8; None: it is not certain.

    Args:
        sample: Complete lines of a file.
    """
    fits = {candidate: _measure_fit(sample, candidate) for candidate in _CANDIDATES}
    western = fits[_CANDIDATES[0]]
    best = max(_CANDIDATES, key=lambda candidate: fits[candidate])
    if fits[best] < max(_MIN_FIT, western + _MIN_LEAD):
        return None
    return best.encoding


def _measure_fit(sample: bytes, candidate: _Candidate) -> float:
    """Return how well a language and its encoding fit; 1 is usual."""
    try:
        text = sample.decode(candidate.encoding)
    except UnicodeDecodeError:
        return 0.0
    characters = list(_ANY_CHARACTER.finditer(text))
    if len(characters) < _MIN_CHARACTERS:
        return 0.0
    num_frequent = 0
    for match in characters:
        is_plausible = _is_accented(match) == candidate.is_latin
        if candidate.is_latin and not match["character"].isalpha():
            is_plausible = True
        num_frequent += is_plausible and match["character"] in candidate.frequent
    share = num_frequent / len(characters)
    return share / candidate.usual_share


def _is_accented(match: re.Match[str]) -> bool:
    """Return whether a character is beside a letter of ASCII, or alone."""
    is_in_a_word = match["before"] is not None or match["after"] is not None
    is_alone = match["starts"] is not None and match["ends"] is not None
    return is_in_a_word or is_alone
