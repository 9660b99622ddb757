"""How a PDF is printed."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Discriminator,
    Tag,
    WithJsonSchema,
    field_validator,
)

from farm.request.group import Group, option, problem
from farm.request.templates import check_template

#: CSS pixels in each unit of length (https://www.w3.org/TR/css-values-3/#absolute-lengths).
_PX = {"px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, "pt": 96 / 72}
_LENGTH = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,6})?)(px|in|cm|mm|pt)")
#: The longest side of a page: 14,400 points (ISO 32000-1, annex C), in CSS pixels.
MAX_SIDE_PX = 19_200
#: The shortest side of a page, and of what its margins leave for the content: a quarter of an inch.
#: Smaller papers would cut a document into millions of pages.
MIN_SIDE_PX = 24
#: Width and height in inches, as Playwright and Puppeteer have them, so that pages break where
#: theirs do.
_PAPERS = {
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
_BY_LOWER_CASE = {name.lower(): name for name in _PAPERS}
_RANGE = re.compile(r"([1-9][0-9]{0,5})(?:\s*-\s*([1-9][0-9]{0,5}))?")
_MAX_TEMPLATE = 200_000
_MAX_TEXT = 1_000
#: What XML, and so a PDF's metadata, cannot have.
_NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
#: What AES-256 of a PDF takes of a password, in UTF-8 (ISO 32000-2, 7.6.4.3.3).
_MAX_PASSWORD_BYTES = 127


def px(length: float | str) -> float:
    """A length that was checked, in CSS pixels."""
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
    # Not a number is neither.
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


def _check_text(text: str) -> str:
    if _NOT_IN_XML.search(text):
        raise problem("must be text without control characters and halves of surrogate pairs")
    return text


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


class Metadata(Group):
    """What the file says of itself. What is left out stays as Chromium writes it."""

    title: str | None = option(None, "The title. Default: the document's.", max_length=_MAX_TEXT)
    author: str | None = option(None, "The author of the document.", max_length=_MAX_TEXT)
    subject: str | None = option(None, "The subject of the document.", max_length=_MAX_TEXT)
    keywords: str | None = option(None, "Keywords, separated by commas.", max_length=_MAX_TEXT)
    creator: str | None = option(None, "The program that made the document.", max_length=_MAX_TEXT)
    producer: str | None = option(
        None, "The program that made the PDF of it; else Chromium's.", max_length=_MAX_TEXT
    )
    rights: str | None = option(
        None, "Who has the rights to the document (`dc:rights` in its XMP).", max_length=_MAX_TEXT
    )
    is_protected: bool | None = option(
        None,
        "Whether rights protect the document (true), or it is in the public domain (false): "
        "`xmpRights:Marked`.",
    )
    trapped: Literal["True", "False", "Unknown"] | None = option(
        None, "Whether overlapping colours have been seen to for a press."
    )
    created: str | None = option(
        None,
        "When the document was made, as RFC 3339 has it: `2026-11-27T12:00:00+01:00`.",
        max_length=40,
    )
    modified: str | None = option(
        None, "When the document was last changed, as RFC 3339 has it.", max_length=40
    )

    @field_validator("title", "author", "subject", "keywords", "creator", "producer", "rights")
    @classmethod
    def _of_characters(cls, text: str) -> str:
        return _check_text(text)

    @field_validator("created", "modified")
    @classmethod
    def _moment(cls, text: str) -> str:
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            raise problem("must be a date and a time as RFC 3339 has them") from None
        if moment.tzinfo is None:
            raise problem("must have a time zone, such as Z or +01:00")
        return moment.isoformat(timespec="seconds")


class Permissions(Group):
    """What readers let those do who have not opened the file with the owner's password."""

    printing: bool = option(True, "Whether the file may be printed.")
    copying: bool = option(True, "Whether text and pictures may be copied out of the file.")
    modifying: bool = option(True, "Whether the content may be changed.")
    annotating: bool = option(True, "Whether notes may be written into the file.")
    filling_forms: bool = option(True, "Whether forms may be filled in.")
    assembling: bool = option(True, "Whether pages may be added, removed and turned.")


_EVERYTHING = Permissions.model_construct()


def _check_paper(name: str) -> str:
    known = _BY_LOWER_CASE.get(name.lower())
    if known is None:
        raise problem("must be one of " + ", ".join(_PAPERS) + ", or {width, height}")
    return known


def _of_an_object(value: object) -> str | None:
    if isinstance(value, dict | Group):
        return "[object]"
    return "[one]" if isinstance(value, str | int | float) else None


#: One value or an object.
_OneOrObject = Discriminator(
    _of_an_object, custom_error_type="problem", custom_error_message="must be a value or an object"
)
PaperName = Annotated[
    str, AfterValidator(_check_paper), Tag("[one]"), WithJsonSchema({"enum": list(_PAPERS)})
]


class PdfOptions(Group):
    paper: Annotated[PaperName | Annotated[Paper, Tag("[object]")], _OneOrObject] = option(
        "A4", "One of " + ", ".join(_PAPERS) + ", or an object. A page size in the CSS wins."
    )
    landscape: bool = option(False, "The paper lies on its side.")
    margin: Annotated[
        Annotated[Length, Tag("[one]")] | Annotated[Margin, Tag("[object]")], _OneOrObject
    ] = option(0, "One length for all four sides, or an object. Margins in the CSS win.")
    scale: float = option(1.0, "The scale of the content on the paper.", ge=0.1, le=2)
    pages: str | None = option(
        None,
        'Only these pages, such as `"1-5, 8"`; they stay in the order of the document.',
        max_length=500,
    )
    header: str | None = option(
        None,
        "HTML at the top of each page, in its margin. Elements with the class `date`, `title`, "
        "`url`, `pageNumber` or `totalPages` are filled in.",
        max_length=_MAX_TEMPLATE,
    )
    footer: str | None = option(
        None, "HTML at the bottom of each page, as `header` at the top.", max_length=_MAX_TEMPLATE
    )
    background: bool = option(True, "Background colours and images are printed.")
    prefer_css_page_size: bool = option(
        True, "A page size in the document's CSS (`@page`) wins over `paper`."
    )
    outline: bool = option(False, "The file has an outline, made of the document's headings.")
    tagged: bool = option(True, "The file is tagged for screen readers.")
    single_page: bool = option(False, "One page, as wide as the paper and as high as the content.")
    metadata: Metadata | None = option(None, "The metadata of the file: title, author and others.")
    password: str | None = option(
        None,
        "The password that opens the file (encrypted with AES-256).",
        min_length=1,
        max_length=127,
        repr=False,
    )
    owner_password: str | None = option(
        None,
        "Opens the file without the bounds of `permissions`; else `password` does. Alone, anybody "
        "can open it.",
        min_length=1,
        max_length=127,
        repr=False,
    )
    permissions: Permissions = option(
        _EVERYTHING, "What the file may be used for without the owner's password."
    )

    @field_validator("header", "footer", "password", "owner_password")
    @classmethod
    def _of_characters(cls, text: str) -> str:
        return _check_text(text)

    @field_validator("header", "footer")
    @classmethod
    def _loads_nothing(cls, html: str) -> str:
        return check_template(html)

    @field_validator("pages")
    @classmethod
    def _known_ranges(cls, text: str) -> str:
        _ranges(text)
        return text

    @field_validator("password", "owner_password")
    @classmethod
    def _short_enough(cls, password: str) -> str:
        if len(password.encode()) > _MAX_PASSWORD_BYTES:
            raise problem(f"must be at most {_MAX_PASSWORD_BYTES} bytes in UTF-8")
        return password

    def conflicts(self) -> Iterator[str]:
        width, height = self.content_px
        if min(width, height) < MIN_SIDE_PX:
            yield f"the margins leave less than {MIN_SIDE_PX} pixels of the paper"
        if self.single_page and self.pages is not None:
            yield "singlePage is not together with pages"
        if self.permissions != _EVERYTHING and not self.is_encrypted:
            yield "permissions must have a password or an ownerPassword"

    @property
    def is_encrypted(self) -> bool:
        return self.password is not None or self.owner_password is not None

    @property
    def paper_in(self) -> tuple[float, float]:
        """Width and height in inches, before it is laid on its side."""
        if isinstance(self.paper, str):
            return _PAPERS[self.paper]
        return inches(self.paper.width), inches(self.paper.height)

    @property
    def page_px(self) -> tuple[float, float]:
        """Width and height of a page as it lies."""
        width, height = (side * 96 for side in self.paper_in)
        return (height, width) if self.landscape else (width, height)

    @property
    def margins(self) -> Mapping[str, float]:
        """In pixels, by the names of their sides."""
        sides = Margin.model_fields
        if isinstance(self.margin, Margin):
            return {side: px(getattr(self.margin, side)) for side in sides}
        return dict.fromkeys(sides, px(self.margin))

    @property
    def content_px(self) -> tuple[float, float]:
        """Width and height of what the margins leave of a page."""
        width, height = self.page_px
        margins = self.margins
        return (
            width - margins["left"] - margins["right"],
            height - margins["top"] - margins["bottom"],
        )

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """The first and the last of each range of `pages`, in their order, without an overlap."""
        return _ranges(self.pages) if self.pages is not None else []


#: What is not asked for.
DEFAULTS = PdfOptions.model_construct()


def _ranges(text: str) -> list[tuple[int, int]]:
    ranges: list[tuple[int, int]] = []
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        if match is None or int(match[1]) > int(match[2] or match[1]):
            raise problem('must be pages and ranges of pages, such as "1-5, 8"')
        ranges.append((int(match[1]), int(match[2] or match[1])))
    ranges.sort()
    joined = ranges[:1]
    for first, last in ranges[1:]:
        if first <= joined[-1][1] + 1:
            joined[-1] = (joined[-1][0], max(joined[-1][1], last))
        else:
            joined.append((first, last))
    return joined


class Pdf(Group):
    """How a PDF is printed."""

    pdf: PdfOptions | None = option(None, "How a PDF is printed; for the format `pdf` alone.")

    @field_validator("pdf")
    @classmethod
    def _asks_for_something(cls, asked: PdfOptions) -> Any:
        return None if asked == DEFAULTS else asked
