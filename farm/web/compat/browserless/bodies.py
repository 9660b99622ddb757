"""The bodies and query parameters of browserless' routes, field by field.

Source: https://github.com/browserless/browserless, src/shared/*.http.ts and src/http.ts
"""

from typing import Any

from pydantic import Field

from farm.errors import InvalidRequest
from farm.web.compat.browserless.launch import LaunchOptions, parse_launch
from farm.web.compat.puppeteer.capture import EncodedScreenshotOptions, PdfOptions
from farm.web.compat.puppeteer.declared import Body, field
from farm.web.compat.puppeteer.draft import Draft
from farm.web.compat.puppeteer.network import Interceptor, put_interceptors
from farm.web.compat.puppeteer.page import (
    Milliseconds,
    Page,
    WaitForEvent,
    WaitForFunction,
    put_event,
    put_function,
    put_scroll,
)
from farm.web.compat.puppeteer.reading import read_elements

#: Puppeteer's default viewport.
_WIDTH, _HEIGHT = 800, 600


class AnyPage(Page):
    wait_for_function: WaitForFunction | None = field(
        None,
        "options.waitForFunction",
        "After `waitForSelector`. `timeout` is `options.waitTimeout`, the longest of all holds for "
        "each; `polling` has no effect.",
        put_function,
    )
    wait_for_event: WaitForEvent | None = field(
        None,
        "options.waitForFunction",
        "Of the document or the window; a function that listens for it.",
        put_event,
    )

    request_interceptors: list[Interceptor] | None = field(
        None,
        "options.mock",
        "Regular expressions of Rust's syntax. Documents are not intercepted.",
        put_interceptors,
    )

    def fill(self, draft: Draft) -> None:
        draft.fields.setdefault("options", {}).setdefault("waitUntil", "load")
        for name, side in (("width", _WIDTH), ("height", _HEIGHT)):
            draft.fields["options"].setdefault(name, side)
        super().fill(draft)


class Screenshot(AnyPage):
    options: EncodedScreenshotOptions | None = field(None, "")
    selector: str | None = field(
        None, "options.selector", "One that matches nothing is a 400 at once, as there."
    )
    scroll_page: bool | None = field(
        None, "options.scroll", "`through`: also what scrolls in the page.", put_scroll
    )

    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        if self.selector:
            draft.need(self.selector)

    @property
    def is_base64(self) -> bool:
        return self.options is not None and self.options.encoding == "base64"


class PdfPageOptions(PdfOptions):
    full_page: bool | None = field(None, "options.pdf.singlePage")

    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        if self.full_page and (self.height or self.format):
            text = '"fullPage" option cannot be used with "height" or "format" options.'
            raise InvalidRequest(text)


class PdfPage(AnyPage):
    options: PdfPageOptions | None = field(None, "")

    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        draft.set("options.format", "pdf")
        if self.options is None:
            PdfPageOptions().fill(draft)


class Content(AnyPage):
    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        draft.set("options.format", "html")


class Element(Body):
    selector: str = Field(min_length=1, max_length=1000)
    timeout: Milliseconds | None = None


def _no_element(draft: Draft, elements: Any) -> None:
    """Does nothing: `Scrape.fill` adds the elements after all other fields."""


class DebugOptions(Body):
    html: bool | None = field(None, "", "The document, as `debug.html`.")
    console: bool | None = field(None, "report", "`debug.console`, at most as the report has it.")
    cookies: bool | None = field(None, "", "`true` is refused.")
    network: bool | None = field(None, "", "`true` is refused; `report` tells of requests.")
    screenshot: bool | None = field(None, "", "`true` is refused.")

    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        for name in ("cookies", "network", "screenshot"):
            if getattr(self, name):
                draft.refuse(f"debugOpts.{name}", "is not supported; html and console are")


class Scrape(AnyPage):
    elements: list[Element] = field(
        ...,
        "options.scripts",
        "Each is waited for 30 s unless its `timeout` says less; of 70 % of the time for all.",
        _no_element,
        max_length=100,
    )
    debug_opts: DebugOptions | None = field(None, "")

    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        wanted = [(each.selector, each.timeout) for each in self.elements]
        read_elements(draft, wanted, html=self.wants("html"))

    def wants(self, name: str) -> bool:
        """Whether this one of `debugOpts` is set."""
        return self.debug_opts is not None and bool(getattr(self.debug_opts, name))


def _put_timeout(draft: Draft, timeout_ms: int) -> None:
    draft.timeout_ms = timeout_ms


def _put_ads(draft: Draft, is_asked: bool) -> None:
    if is_asked:
        draft.set("options.block.ads", True)


def _put_launch(draft: Draft, text: str) -> None:
    launch = parse_launch(text)
    if launch is None:
        draft.refuse("launch", "must be a JSON object, or one in base64")
    elif isinstance(launch, LaunchOptions):
        launch.fill(draft)
    else:
        draft.problems.extend(launch)


class Query(Body):
    """The query parameters of each route."""

    token: str | None = field(None, "", "An API key, which may also be in a header.", repr=False)
    timeout: int | None = field(
        None, "options.timeout", "At most the deadline; 0 and -1 are the deadline.", _put_timeout
    )
    block_ads: bool | None = field(None, "options.block.ads", "", _put_ads)
    launch: str | None = field(None, "", "See below.", _put_launch)
    tracking_id: str | None = field(None, "", "Has no effect.")
