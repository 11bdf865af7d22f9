"""How much a request may ask for, and how many may wait: each limit has its status."""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

from rnncls import ConfigError
from rnncls.inference.serve.refusals import RETRY_AFTER_S, LimitError

MAX_EXPLAINED = 400
"""Tokens of a text that is explained: each one costs a prediction of the text."""
DEFAULT_BODY = "1MB"
_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "kib": 2**10, "mib": 2**20}


def parse_size(option: str, value: str) -> int:
    """Return the bytes that a size such as 1MB, 512kB, 2MiB or 1000000 stands for.

    Raises:
        ConfigError: It is not a size.
    """
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?([a-z]*)", value.strip().lower())
    unit = _UNITS.get(match[2]) if match else None
    size = int(float(match[1]) * unit) if match and unit else 0
    if size < 1:
        raise ConfigError(
            f"{option}: expected a size such as 1MB, 512kB or 1000000, found {value!r}"
        )
    return size


@dataclass(frozen=True)
class Limits:
    """The limits of a server.

    Attributes:
        max_texts: The texts of a request.
        max_characters: The characters of a text.
        max_body: The bytes of a request's body.
        max_waiting: The requests that may wait until another one is computed.
    """

    max_texts: int = 256
    max_characters: int = 100_000
    max_body: int = parse_size("max_body", DEFAULT_BODY)
    max_waiting: int = 64


def check_texts(texts: Sequence[str], limits: Limits) -> None:
    """Check the number and the length of the texts of a request.

    Raises:
        LimitError: There are too many, or one is too long.
    """
    if len(texts) > limits.max_texts:
        raise LimitError(
            413,
            "max_texts",
            len(texts),
            limits.max_texts,
            f"{len(texts)} texts: at most {limits.max_texts} a request: send several"
            " requests",
        )
    for index, text in enumerate(texts):
        if len(text) > limits.max_characters:
            raise LimitError(
                413,
                "max_characters",
                len(text),
                limits.max_characters,
                f"text {index} has {len(text)} characters: at most"
                f" {limits.max_characters}: shorten it",
            )


def check_explained(num_tokens: int) -> None:
    """Check that a text is short enough to be explained.

    Raises:
        LimitError: It has too many tokens.
    """
    if num_tokens > MAX_EXPLAINED:
        raise LimitError(
            413,
            "max_explained_tokens",
            num_tokens,
            MAX_EXPLAINED,
            f"the text has {num_tokens} tokens: texts of at most {MAX_EXPLAINED} are"
            " explained: shorten it",
        )


class WaitingRoom:
    """The requests that are computed or wait; one too many is refused at once.

    It is used by one thread, that of the event loop.
    """

    def __init__(self, num_computing: int, max_waiting: int) -> None:
        """Take how many requests are computed at once, and how many may wait."""
        self._num_computing = num_computing
        self._max_waiting = max_waiting
        self._num_requests = 0

    @contextmanager
    def enter(self) -> Iterator[None]:
        """Count a request until it is answered.

        Raises:
            LimitError: Too many requests are waiting.
        """
        num_waiting = self._num_requests - self._num_computing
        if num_waiting >= self._max_waiting:
            raise LimitError(
                429,
                "max_waiting",
                num_waiting + 1,
                self._max_waiting,
                f"{self._max_waiting} requests are waiting: try again after"
                f" {RETRY_AFTER_S} s",
            )
        self._num_requests += 1
        try:
            yield
        finally:
            self._num_requests -= 1
