"""The paper of a PDF: lengths, named sizes and margins. `pdf` and the engine use it."""

import re
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, Discriminator, Tag, WithJsonSchema

from farm.request.group import Group, option, problem

#: CSS pixels in each unit of length (https://www.w3.org/TR/css-values-3/#absolute-lengths).
_PX = {"px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "pt": 96 / 72}
_LENGTH = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(px|in|cm|mm|pt)")
#: The longest side of a page: 14,400 points (ISO 32000-1, annex C), in CSS pixels.
MAX_SIDE_PX = 19_200
#: The shortest side of a page, and of the area inside its margins: a quarter of an inch. A smaller
#: paper would split a document into millions of pages.
MIN_SIDE_PX = 24
#: Width and height in inches. They are those of Playwright and Puppeteer, so that pages break at
#: the same places.
PAPERS = {
    "A0": (33.1, 46.8),
    "A1": (23.4, 33.1),
    "A2": (16.54, 23.4),
    "A3": (11.7, 16.54),
    "A4": (8.27, 11.7),
    "A5": (5.83, 8.27),
    "A6": (4.13, 5.83),
    "Letter": (8.5, 11.0),
    "Legal": (8.5, 14.0),
    "Tabloid": (11.0, 17.0),
    "Ledger": (17.0, 11.0),
}
_BY_LOWER_CASE = {name.lower(): name for name in PAPERS}


def px(length: float | str) -> float:
    """The length in CSS pixels. It must have passed the check of `Length`."""
    if not isinstance(length, str):
        return length
    match = _LENGTH.fullmatch(length)
    assert match is not None
    return float(match[1]) * _PX[match[2]]


def inches(length: float | str) -> float:
    return px(length) / 96


def _check_length(length: object) -> object:
    is_number = isinstance(length, int | float) and not isinstance(length, bool)
    if not is_number and not (isinstance(length, str) and _LENGTH.fullmatch(length)):
        raise problem('must be a length: a number (pixels), or text such as "10mm"')
    # This comparison also refuses NaN.
    if not 0 <= px(length) <= MAX_SIDE_PX:  # type: ignore[arg-type]
        raise problem(f"must be a length from 0 to {MAX_SIDE_PX} pixels (200 inches)")
    return length


def _check_side(length: float | str) -> float | str:
    if px(length) < MIN_SIDE_PX:
        raise problem(f"must be at least {MIN_SIDE_PX} pixels (a quarter of an inch)")
    return length


def _schema(shortest: int) -> WithJsonSchema:
    number = {"type": "number", "minimum": shortest, "maximum": MAX_SIDE_PX}
    text = {"type": "string", "pattern": f"^{_LENGTH.pattern}$"}
    return WithJsonSchema({"anyOf": [number, text]})


Length = Annotated[float | str, BeforeValidator(_check_length), _schema(0)]
Side = Annotated[
    float | str, BeforeValidator(_check_length), AfterValidator(_check_side), _schema(MIN_SIDE_PX)
]


class Paper(Group):
    width: Side = option(
        ..., 'The width of the paper: a length. A number is pixels; text has a unit: `"10mm"`.'
    )
    height: Side = option(..., "The height of the paper: a length.")


class Margin(Group):
    top: Length = option(0, "The margin at the top: a length.")
    right: Length = option(0, "The margin on the right: a length.")
    bottom: Length = option(0, "The margin at the bottom: a length.")
    left: Length = option(0, "The margin on the left: a length.")


def _check_paper(name: str) -> str:
    known = _BY_LOWER_CASE.get(name.lower())
    if known is None:
        raise problem("must be one of " + ", ".join(PAPERS) + ", or {width, height}")
    return known


def _of_an_object(value: object) -> str | None:
    if isinstance(value, dict | Group):
        return "[object]"
    return "[one]" if isinstance(value, str | int | float) else None


#: One value or an object.
OneOrObject = Discriminator(
    _of_an_object, custom_error_type="problem", custom_error_message="must be a value or an object"
)
PaperName = Annotated[
    str, AfterValidator(_check_paper), Tag("[one]"), WithJsonSchema({"enum": list(PAPERS)})
]
