"""Types of the config's keys: texts and numbers with their bounds."""

from typing import Annotated, Any

from annotated_types import Ge, Gt, Le, Len, Lt, MinLen
from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError


def _refuse_nul(text: str) -> str:
    if "\0" in text:
        raise PydanticCustomError(
            "nul", "contains a NUL character, which no file or column name can have"
        )
    return text


def _write_numbers_as_text(value: Any) -> Any:
    """Return a mapping with text keys: YAML reads the class 1 as a number."""
    if not isinstance(value, dict):
        return value
    return {
        str(key) if type(key) in (int, float) else key: item
        for key, item in value.items()
    }


Text = Annotated[str, AfterValidator(_refuse_nul)]
Texts = Annotated[list[Text], MinLen(1)]
Probability = Annotated[float, Ge(0.0), Lt(1.0)]
Fraction = Annotated[float, Gt(0.0), Lt(1.0)]
Positive = Annotated[float, Gt(0.0)]
NonNegative = Annotated[float, Ge(0.0)]
ClassWeightsByName = Annotated[
    dict[Text, Positive], MinLen(1), BeforeValidator(_write_numbers_as_text)
]
Count = Annotated[int, Ge(1)]
CountOrZero = Annotated[int, Ge(0)]
NgramLengths = Annotated[list[Annotated[int, Ge(2), Le(100)]], Len(2, 2)]
Seed = Annotated[int, Ge(0), Lt(2**63)]
Device = Annotated[
    str,
    Field(
        pattern=r"^(auto|cpu|mps|cuda(:\d+)?)$",
        examples=["auto", "cpu", "cuda", "cuda:0", "mps"],
    ),
]
