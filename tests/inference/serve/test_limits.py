"""The limits without a server."""

import pytest

from rnncls import ConfigError
from rnncls.inference.serve.limits import Limits, WaitingRoom, parse_size
from rnncls.inference.serve.refusals import LimitError


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("1MB", 10**6),
        ("512kB", 512_000),
        ("2 MiB", 2 << 20),
        ("0.5mb", 500_000),
        ("1000", 1000),
        ("7B", 7),
    ],
)
def test_a_size_has_a_unit(value: str, expected: int) -> None:
    assert parse_size("--max-body", value) == expected


@pytest.mark.parametrize("value", ["", "0", "-1MB", "MB", "1GBit", "1.2.3", "1e6"])
def test_a_wrong_size_is_refused(value: str) -> None:
    with pytest.raises(ConfigError, match=r"^--max-body: expected a size such as 1MB"):
        parse_size("--max-body", value)


def test_the_default_body_has_a_megabyte() -> None:
    assert Limits().max_body == 10**6


def test_one_too_many_does_not_wait() -> None:
    room = WaitingRoom(num_computing=1, max_waiting=1)
    with room.enter(), room.enter():
        with pytest.raises(LimitError) as refusal, room.enter():
            pass
        assert (refusal.value.status, refusal.value.found) == (429, 2)
    with room.enter():
        pass


def test_a_request_that_fails_leaves_the_room() -> None:
    room = WaitingRoom(num_computing=1, max_waiting=0)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError), room.enter():
            raise ZeroDivisionError
