"""How cases are drawn, counted and judged.

A property is a function of drawn values, marked with `fuzz`. The fast suite checks it
on a few cases, always the same; `pytest -m slow` on many, drawn anew each time
(tests/conftest.py has both profiles). tests/cli/test_fuzz.py has some properties too.
"""

import functools
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rnncls import (
    ConfigError,
    DataError,
    DeviceError,
    DivergedError,
    RnnclsError,
    RunError,
)

CASES: Counter[str] = Counter()
"""Cases checked by property, for the line at the end of the run."""
EXIT_CODES = {
    0,
    *(
        error.exit_code
        for error in (ConfigError, DataError, RunError, DeviceError, DivergedError)
    ),
}
Property = Callable[..., None]


def fuzz(
    *, share: float = 1.0, **strategies: st.SearchStrategy[Any]
) -> Callable[[Property], Property]:
    """Check a property on drawn values.

    Args:
        share: Of the profile's number of cases: less than 1 for what takes long.
        strategies: What to draw, by the name of the parameter.
    """

    def decorate(check: Property) -> Property:
        @functools.wraps(check)
        def counted(*args: Any, **kwargs: Any) -> None:
            CASES[check.__name__] += 1
            check(*args, **kwargs)

        num_cases = max(1, round(share * settings().max_examples))
        test: Property = settings(max_examples=num_cases)(given(**strategies)(counted))
        return test if settings().derandomize else pytest.mark.slow(test)

    return decorate


def attempt(action: Callable[[], Any], *allowed: type[RnnclsError]) -> Any:
    """Return the result of an action, or an allowed error; others fail the test."""
    try:
        return action()
    except allowed as error:
        return error


def written(name: str, content: bytes) -> Path:
    """Return a file of the test's own folder with this content."""
    path = Path(name)
    path.write_bytes(content)
    return path


def flip(data: bytes, places: list[tuple[float, int]]) -> bytes:
    """Return bytes with some changed, at places given as shares of the length."""
    changed = bytearray(data)
    for share, mask in places:
        changed[min(int(share * len(data)), len(data) - 1)] ^= mask
    return bytes(changed)


@st.composite
def damaged(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Draw a file with bytes changed, cut off, put in, taken out or said twice."""
    data = draw(whole)
    if not data:
        return data
    start, end = sorted(draw(st.tuples(places(), places())))
    first, last = int(start * len(data)), int(end * len(data))
    kinds = {
        "flip": lambda: flip(
            data,
            draw(
                st.lists(
                    st.tuples(places(), st.integers(1, 255)), min_size=1, max_size=4
                )
            ),
        ),
        "cut": lambda: data[:first],
        "insert": lambda: data[:first] + draw(st.binary(max_size=20)) + data[first:],
        "leave out": lambda: data[:first] + data[last:],
        "twice": lambda: data[:last] + data[first:],
    }
    return kinds[draw(st.sampled_from(sorted(kinds)))]()


def places() -> st.SearchStrategy[float]:
    """Draw a place in a file, as a share of its length."""
    return st.integers(0, 999).map(lambda number: number / 1000)


ODD = [
    "",
    " ",
    "   \t ",
    "\0",
    "a\0b",
    "\u200d",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466",
    "\u202eright to left\u202c",
    "\u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627",
    "e\u0301\u0323",
    "\ufeff",
    "\ufffe\uffff",
    "\x1c\x1d\x1e\x1f\x85\u2028\u2029",
    "line\nend",
    "carriage\rreturn",
    "both\r\n",
    '"quoted"',
    'a "quote" within',
    "'",
    "a,b;c\td|e",
    "\\",
    "<b>tag</b> &lt;br&gt; #39;s quot; &#0; &#xD800; &amp;amp;",
    "<unk> <pad>",
    "NULL",
    "nan",
    "1e999",
    "x" * 5000,
    "again " * 400,
]


def texts(*, surrogates: bool = False, without: str = "") -> st.SearchStrategy[str]:
    """Draw a text: odd ones, any characters, and pieces of both."""
    categories = () if surrogates else ("Cs",)
    characters = st.characters(
        exclude_categories=categories,  # type: ignore[arg-type]
        exclude_characters=without,
    )
    odd = st.sampled_from(
        [text for text in ODD if not set(text) & set(without)] + ["\udcff"] * surrogates
    )
    plain = st.text(characters, max_size=40)
    return st.one_of(
        plain, odd, st.lists(st.one_of(plain, odd), max_size=4).map("".join)
    )


def labels() -> st.SearchStrategy[str]:
    """Draw a label: a text that is not only white space."""
    return st.one_of(
        st.sampled_from(["a", "b", "3", "Sci/Tech", " a "]), texts()
    ).filter(lambda text: text.strip())
