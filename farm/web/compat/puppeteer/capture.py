"""The fields of a picture or a PDF, as in Puppeteer's `screenshot()` and `pdf()`."""

import re
from typing import Any, Literal

from farm.web.compat.puppeteer.declared import Body, field
from farm.web.compat.puppeteer.draft import Draft
from farm.web.compat.puppeteer.page import Milliseconds

#: What Chromium prints as header and footer if no template is given.
_HEADER = (
    '<div style="display: flex; width: 100%; margin: 0 24px; font-size: 8px">'
    '<span class="date" style="flex: 1"></span><span class="title" style="flex: 2"></span></div>'
)
_FOOTER = (
    '<div style="display: flex; width: 100%; margin: 0 24px; font-size: 8px">'
    '<span class="url" style="flex: 1"></span>'
    '<span><span class="pageNumber"></span>/<span class="totalPages"></span></span></div>'
)
_LENGTH = re.compile(r"\s*([0-9.]+)\s*(px|in|cm|mm)?\s*", re.IGNORECASE)
_Length = float | str


class Clip(Body):
    x: float = field(..., "options.clip.x")
    y: float = field(..., "options.clip.y")
    width: float = field(..., "options.clip.width")
    height: float = field(..., "options.clip.height")
    scale: Literal[1] | None = field(None, "", "1 only; `viewport.deviceScaleFactor` does more.")


class ScreenshotOptions(Body):
    type: Literal["png", "jpeg", "webp"] | None = field(None, "options.format")
    quality: int | None = field(
        None, "options.quality", "1 to 100. Without it jpeg has 80, and webp is lossless."
    )
    full_page: bool | None = field(None, "options.fullPage")
    clip: Clip | None = field(None, "")
    omit_background: bool | None = field(None, "options.omitBackground")
    optimize_for_speed: bool | None = field(
        None, "options.optimizeForSpeed", "Left out it is `true`: larger files, sooner."
    )
    capture_beyond_viewport: bool | None = field(
        None, "", "Has no effect: whatever is asked for is captured."
    )
    from_surface: bool | None = field(None, "", "Has no effect.")

    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        if self.type == "jpeg" and self.omit_background:
            del draft.fields["options"]["omitBackground"]  # it has no effect in Puppeteer


class EncodedScreenshotOptions(ScreenshotOptions):
    encoding: Literal["binary", "base64"] | None = field(
        None, "", "`base64`: the answer is the text, as `text/plain`."
    )


def _length(text: _Length) -> _Length:
    """A length in the farm's form.

    An invalid one is returned as it is; the farm's own check names it.
    """
    match = _LENGTH.fullmatch(text) if isinstance(text, str) else None
    return text if match is None else f"{match[1]}{(match[2] or 'px').lower()}"


def _put_length(path: str) -> Any:
    return lambda draft, value: draft.set(path, _length(value))


class Margin(Body):
    top: _Length | None = field(
        None, "options.pdf.margin.top", put=_put_length("options.pdf.margin.top")
    )
    right: _Length | None = field(
        None, "options.pdf.margin.right", put=_put_length("options.pdf.margin.right")
    )
    bottom: _Length | None = field(
        None, "options.pdf.margin.bottom", put=_put_length("options.pdf.margin.bottom")
    )
    left: _Length | None = field(
        None, "options.pdf.margin.left", put=_put_length("options.pdf.margin.left")
    )


def _put_ranges(draft: Draft, ranges: str) -> None:
    if ranges.strip():
        draft.set("options.pdf.pages", ranges)


def _put_timeout(draft: Draft, timeout_ms: int) -> None:
    if timeout_ms:
        draft.timeout_ms = min(timeout_ms, draft.timeout_ms or timeout_ms)


def _put_nothing(draft: Draft, value: bool) -> None:
    """Does nothing: the field is handled if it is left out."""


#: Puppeteer's default paper is US Letter.
_PAPER = "Letter"
_WIDTH, _HEIGHT = 816, 1056


class PdfOptions(Body):
    format: str | None = field(
        None, "options.pdf.paper", "`Letter` if there is none; it wins over `width` and `height`."
    )
    width: _Length | None = field(
        None, "options.pdf.paper.width", put=_put_length("options.pdf.paper.width")
    )
    height: _Length | None = field(
        None, "options.pdf.paper.height", put=_put_length("options.pdf.paper.height")
    )
    landscape: bool | None = field(None, "options.pdf.landscape")
    margin: Margin | None = field(None, "")
    scale: float | None = field(None, "options.pdf.scale")
    page_ranges: str | None = field(None, "options.pdf.pages", "", _put_ranges)
    display_header_footer: bool | None = field(
        None, "", "`false`, as left out: the templates are not printed."
    )
    header_template: str | None = field(
        None, "options.pdf.header", "It loads nothing from elsewhere."
    )
    footer_template: str | None = field(
        None, "options.pdf.footer", "It loads nothing from elsewhere."
    )
    print_background: bool | None = field(None, "options.pdf.background", "`false` if left out.")
    prefer_css_page_size: bool | None = field(
        None,
        "options.pdf.preferCssPageSize",
        "`false` if left out.",
        alias="preferCSSPageSize",
    )
    omit_background: bool | None = field(None, "", "Has no effect: paper is white.")
    outline: bool | None = field(None, "options.pdf.outline")
    tagged: bool | None = field(None, "options.pdf.tagged")
    timeout: Milliseconds | None = field(
        None, "options.timeout", "Of all of it, never more than the deadline.", _put_timeout
    )
    wait_for_fonts: bool | None = field(None, "options.scripts", "", _put_nothing)

    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        if self.wait_for_fonts is not False:
            draft.add("options.scripts", "document.fonts.ready.then(() => {})")
        self._choose_paper(draft)
        if not self.display_header_footer:
            for name in ("header", "footer"):
                draft.get("options.pdf").pop(name, None)
            return
        if not self.header_template:
            draft.set("options.pdf.header", _HEADER)
        if not self.footer_template:
            draft.set("options.pdf.footer", _FOOTER)

    def _choose_paper(self, draft: Draft) -> None:
        paper = draft.get("options.pdf.paper")
        if self.format:
            paper = self.format
        elif isinstance(paper, dict):
            paper = {"width": _WIDTH, "height": _HEIGHT, **paper}
        draft.set("options.pdf.paper", paper or _PAPER)
        for name, default in (("background", False), ("preferCssPageSize", False)):
            draft.get("options.pdf").setdefault(name, default)
