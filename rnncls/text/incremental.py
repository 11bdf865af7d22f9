"""Tokenisation of a text that arrives in pieces."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from rnncls.text.cleaning import EDITS_EARLIER_WORDS
from rnncls.text.display import name_token
from rnncls.text.spans import locate_tokens
from rnncls.text.tokenizer import UNK, build_tokenizer
from rnncls.text.traced_text import Span

if TYPE_CHECKING:
    from rnncls.config.sections import TextSection


class IncrementalTokenizer:
    """Tokenise one text that arrives in pieces, cut at any character.

    After the last piece the tokens are those of the complete text. The class relies on
    a rule that every tokenizer must follow: no token extends across white space.

    Attributes:
        tokens: The tokens so far.
        spans: Where each of them is in the text.
        written: Each of them as written in the text; those that the tokenizer inserted,
            as they are.
    """

    def __init__(
        self,
        section: "TextSection",
        divide: Callable[[list[str]], list[str]] = list,
    ) -> None:
        """Start with an empty text.

        Args:
            section: The tokenizer's options.
            divide: From words to the pieces that the vocabulary has.
        """
        self._section = section
        self._split = build_tokenizer(section)
        self._divide = divide
        self._max_tokens = section.max_tokens
        self._pieces: list[str] = []
        self._num_characters = 0
        self._unfinished_word = ""
        self._may_append = True
        self.tokens: list[str] = []
        self.spans: list[Span] = []
        self.written: list[str] = []

    @property
    def has_begun(self) -> bool:
        """Whether any character has arrived."""
        return any(self._pieces)

    def feed(self, piece: str, *, is_last: bool = False) -> tuple[int, list[str]]:
        """Add a piece of the text; a word is tokenised once white space follows it.

        Usually the new tokens are appended to the earlier ones. Once a character has
        arrived by which cleaning may change earlier words, such as the end of a tag,
        everything that has arrived is tokenised again.

        Returns:
            How many of the earlier tokens remain valid, and the tokens after those.
        """
        self._pieces.append(piece)
        self._num_characters += len(piece)
        if EDITS_EARLIER_WORDS.search(piece):
            self._may_append = False
        unread = self._unfinished_word + piece
        words, self._unfinished_word = unread, ""
        if not is_last:
            words, self._unfinished_word = _split_off_last_word(unread)
        if self._may_append and not is_last:
            num_kept = len(self.tokens)
            new_tokens = self._tokenize_more(words)
        else:
            num_kept, new_tokens = self._tokenize_again(is_last=is_last)
        spans, written = self._locate(num_kept, new_tokens, words)
        self.spans = self.spans[:num_kept] + spans
        self.written = self.written[:num_kept] + written
        self.tokens = self.tokens[:num_kept] + new_tokens
        return num_kept, new_tokens

    def _locate(
        self, num_kept: int, new_tokens: list[str], words: str
    ) -> tuple[list[Span], list[str]]:
        """Return the places of new tokens in the text, and the tokens as written.

        Args:
            num_kept: How many of the earlier tokens remain valid.
            new_tokens: The tokens after those.
            words: The complete words of the text after those of the earlier tokens.
        """
        if not new_tokens:
            return [], []
        num_characters = self._num_characters - len(self._unfinished_word)
        if num_kept == 0 or num_kept < len(self.tokens) or not self._may_append:
            text = "".join(self._pieces)[:num_characters]
            tokens = self.tokens[:num_kept] + new_tokens
            spans = locate_tokens(text, tokens, self._section)[num_kept:]
            return spans, _name_tokens(text, new_tokens, spans)
        offset = num_characters - len(words)
        spans = locate_tokens(words, new_tokens, self._section)
        names = _name_tokens(words, new_tokens, spans)
        return [Span(offset + start, offset + end) for start, end in spans], names

    def _tokenize(self, text: str) -> list[str]:
        return self._divide(self._split(text))

    def _tokenize_more(self, words: str) -> list[str]:
        """Return the tokens of complete words that follow the tokens so far."""
        tokens = self._tokenize(words)
        if tokens == [UNK]:  # what a text without tokens becomes
            return []
        return tokens[: self._max_tokens - len(self.tokens)]

    def _tokenize_again(self, *, is_last: bool) -> tuple[int, list[str]]:
        """Tokenise all that has arrived; return what `feed` returns."""
        text = "".join(self._pieces)
        if not is_last:
            text, _ = _split_off_last_word(text)
        tokens = self._tokenize(text)
        num_kept = _count_common_start(self.tokens, tokens)
        if tokens == [UNK] and not is_last:
            return num_kept, []
        return num_kept, tokens[num_kept:]


def _name_tokens(text: str, tokens: list[str], spans: list[Span]) -> list[str]:
    """Return tokens as written in the text."""
    return [
        name_token(text, token, span) for token, span in zip(tokens, spans, strict=True)
    ]


def _split_off_last_word(text: str) -> tuple[str, str]:
    """Split a text after its last space; the word that follows may be incomplete."""
    if not text or text[-1].isspace():
        return text, ""
    word = text.rsplit(None, 1)[-1]
    return text.removesuffix(word), word


def _count_common_start(first: list[str], second: list[str]) -> int:
    """Return how many tokens at the start of two lists are equal."""
    count = 0
    for one, two in zip(first, second, strict=False):
        if one != two:
            break
        count += 1
    return count
