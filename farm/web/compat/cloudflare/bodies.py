"""The bodies and the query parameter of Cloudflare's routes, field by field.

Source: https://developers.cloudflare.com/api/resources/browser_rendering and
https://developers.cloudflare.com/browser-run/reference/timeouts/
"""

from typing import Any, Literal

from pydantic import Field

from farm.web.compat.puppeteer.capture import (
    EncodedScreenshotOptions,
    PdfOptions,
    ScreenshotOptions,
)
from farm.web.compat.puppeteer.declared import Body, field
from farm.web.compat.puppeteer.draft import Draft
from farm.web.compat.puppeteer.network import Kind, allow_kinds
from farm.web.compat.puppeteer.page import Milliseconds, Page, put_scroll
from farm.web.compat.puppeteer.reading import read_elements, read_links

_WIDTH, _HEIGHT = 1920, 1080


def _refuse_patterns(draft: Draft, patterns: list[str]) -> None:
    if patterns:
        draft.refuse("allowRequestPattern", "is not supported; use rejectRequestPattern")


class AnyPage(Page):
    action_timeout: Milliseconds | None = field(
        None, "", "Has no effect: the deadline holds for all of it."
    )
    allow_resource_types: list[Kind] | None = field(
        None, "options.block.resources", "All others are blocked.", allow_kinds
    )
    allow_request_pattern: list[str] | None = field(None, "", "Is refused.", _refuse_patterns)

    def fill(self, draft: Draft) -> None:
        draft.fields["options"] = {"waitUntil": "load", "width": _WIDTH, "height": _HEIGHT}
        super().fill(draft)


class Screenshot(AnyPage):
    screenshot_options: EncodedScreenshotOptions | None = field(None, "")
    selector: str | None = field(
        None, "options.selector", "One that matches nothing is a 422 at once."
    )
    scroll_page: bool | None = field(None, "options.scroll", "`through`.", put_scroll)

    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        if self.selector:
            draft.need(self.selector)

    @property
    def is_base64(self) -> bool:
        options = self.screenshot_options
        return options is not None and options.encoding == "base64"


class PdfPage(AnyPage):
    pdf_options: PdfOptions | None = field(None, "")

    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        draft.set("options.format", "pdf")
        if self.pdf_options is None:
            PdfOptions().fill(draft)


class Content(AnyPage):
    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        draft.set("options.format", "html")


_Format = Literal["content", "screenshot", "markdown", "accessibilityTree"]
#: The farm's outputs for the files of a snapshot, by their names.
_OUTPUTS: dict[str, dict[str, str]] = {
    "content": {"name": "content", "format": "html"},
    "screenshot": {"name": "screenshot"},
}


def _put_formats(draft: Draft, formats: list[_Format]) -> None:
    for name in formats:
        if name in _OUTPUTS:
            draft.add("outputs", _OUTPUTS[name])
        else:
            draft.refuse("formats", f"must not have {name}, which the farm does not make")


class Snapshot(AnyPage):
    screenshot_options: ScreenshotOptions | None = field(None, "")
    formats: list[_Format] | None = field(
        None,
        "outputs",
        "`content` and `screenshot`, which is what there is without it; others are refused.",
        _put_formats,
        min_length=1,
    )

    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        if self.formats is None:
            _put_formats(draft, ["content", "screenshot"])


class Element(Body):
    selector: str = Field(min_length=1, max_length=1000)


def _read_last(draft: Draft, elements: Any) -> None:
    """Does nothing: `fill` adds what is read from the page after all other fields."""


class Scrape(AnyPage):
    elements: list[Element] = field(
        ...,
        "options.scripts",
        "One that is not there is not waited for.",
        _read_last,
        max_length=100,
    )

    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        read_elements(draft, [(each.selector, 0) for each in self.elements], are_needed=False)


class Links(AnyPage):
    visible_links_only: bool | None = field(None, "options.scripts", "", _read_last)
    exclude_external_links: bool | None = field(
        None, "options.scripts", "Of the page's own host only.", _read_last
    )

    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        read_links(
            draft,
            visible_only=bool(self.visible_links_only),
            own_only=bool(self.exclude_external_links),
        )


class Query(Body):
    """The query parameters of each route."""

    cache_ttl: int | None = field(
        None,
        "cache.ttl",
        "Left out, `FARM_CACHE_TTL_S` says so.",
        alias="cacheTTL",
        ge=0,
        le=86_400,
    )
