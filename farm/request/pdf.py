"""How a PDF is printed."""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Tag, field_validator

from farm.request.group import Group, option, problem
from farm.request.paper import (
    MIN_SIDE_PX,
    PAPERS,
    Length,
    Margin,
    OneOrObject,
    Paper,
    PaperName,
    inches,
    px,
)
from farm.request.pdf_metadata import EVERYTHING, Metadata, Permissions, check_text
from farm.request.templates import check_template

_RANGE = re.compile(r"([1-9][0-9]{0,5})(?:\s*-\s*([1-9][0-9]{0,5}))?")
_MAX_TEMPLATE = 200_000
#: The longest password that AES-256 in a PDF supports, in UTF-8 (ISO 32000-2, 7.6.4.3.3).
_MAX_PASSWORD_BYTES = 127


class PdfOptions(Group):
    paper: Annotated[PaperName | Annotated[Paper, Tag("[object]")], OneOrObject] = option(
        "A4", "One of " + ", ".join(PAPERS) + ", or an object. A page size in the CSS wins."
    )
    landscape: bool = option(False, "The paper lies on its side.")
    margin: Annotated[
        Annotated[Length, Tag("[one]")] | Annotated[Margin, Tag("[object]")], OneOrObject
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
        "The password that opens the file without the restrictions of `permissions`. Default: "
        "`password`. Without `password`, anybody can open the file.",
        min_length=1,
        max_length=127,
        repr=False,
    )
    permissions: Permissions = option(
        EVERYTHING, "What the file may be used for without the owner's password."
    )

    @field_validator("header", "footer", "password", "owner_password")
    @classmethod
    def _of_characters(cls, text: str) -> str:
        return check_text(text)

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
        if self.permissions != EVERYTHING and not self.is_encrypted:
            yield "permissions must have a password or an ownerPassword"

    @property
    def is_encrypted(self) -> bool:
        return self.password is not None or self.owner_password is not None

    @property
    def paper_in(self) -> tuple[float, float]:
        """Width and height in inches, in portrait."""
        if isinstance(self.paper, str):
            return PAPERS[self.paper]
        return inches(self.paper.width), inches(self.paper.height)

    @property
    def page_px(self) -> tuple[float, float]:
        """Width and height of a page, in landscape if the request asks for it."""
        width, height = (side * 96 for side in self.paper_in)
        return (height, width) if self.landscape else (width, height)

    @property
    def margins(self) -> Mapping[str, float]:
        """The margins in CSS pixels, by side."""
        sides = Margin.model_fields
        if isinstance(self.margin, Margin):
            return {side: px(getattr(self.margin, side)) for side in sides}
        return dict.fromkeys(sides, px(self.margin))

    @property
    def content_px(self) -> tuple[float, float]:
        """Width and height of the area inside the margins."""
        width, height = self.page_px
        margins = self.margins
        return (
            width - margins["left"] - margins["right"],
            height - margins["top"] - margins["bottom"],
        )

    @property
    def ranges(self) -> list[tuple[int, int]]:
        """The first and the last page of each range of `pages`, sorted and without overlaps."""
        return _ranges(self.pages) if self.pages is not None else []


#: Options that all have their default values.
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
    def _none_if_default(cls, asked: PdfOptions) -> Any:
        return None if asked == DEFAULTS else asked
