"""Makes a `RenderRequest` from the values and files of a form."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from farm.errors import InvalidRequest, NotSupported
from farm.request import HTML, URL, Limits, RenderRequest
from farm.web.compat.gotenberg import fields, files, options, splitting, templates
from farm.web.compat.gotenberg.fields import Field, Values, text_of
from farm.web.forms import Form

_PDF_FORMATS = frozenset(f"PDF/A-{part}{level}" for part in "123" for level in "abu")
_NO_SUCH_FORMAT = (
    "The requested PDF format is not supported, or no PDF engine could apply it. Valid formats "
    "include PDF/A-1b, PDF/A-2b, PDF/A-3b, and PDF/UA."
)
_FILE_URL = (
    "file:// URLs are not accepted on this route. Use the /convert/html or /convert/markdown "
    "routes to render local HTML"
)
#: Fields of a PDF that the farm does not support.
_MISSING = ("pdfua", "rotateAngle", "optimizeImages", "facturxConformanceLevel")
#: Options that are applied to a finished PDF, or to each part if it is split.
_FINISHING = ("metadata", "password", "owner_password", "permissions")


@dataclass
class Source:
    """A form, and the values that have been read from it so far."""

    form: Form
    limits: Limits
    values: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Page:
    values: Values
    #: The request with all options.
    request: RenderRequest

    @property
    def is_split(self) -> bool:
        return bool(self.values.get("splitMode"))

    @property
    def request_to_render(self) -> RenderRequest:
        """Without the options that are applied to each part of a PDF that is split."""
        asked = self.request.options.pdf
        if not self.is_split or asked is None:
            return self.request
        defaults = {name: type(asked).model_fields[name].default for name in _FINISHING}
        plain = self.request.options.model_copy(update={"pdf": asked.model_copy(update=defaults)})
        return self.request.model_copy(update={"options": plain})


#: Reads the fields of a route's page, and reports those that are missing.
Read = Callable[[Source], Page]


def of_url(is_pdf: bool) -> Read:
    def read(source: Source) -> Page:
        url = text_of(source.form, "url")
        _read_values(source, is_pdf, [] if url else ["form field 'url' is required"])
        if url.strip().lower().startswith("file:"):
            raise InvalidRequest(_FILE_URL)
        return _page(source, is_pdf, {"url": url}, URL)

    return read


def of_html(is_pdf: bool) -> Read:
    def read(source: Source) -> Page:
        found = files.files_in(source.form)
        index = files.find(found, "index.html")
        _read_values(source, is_pdf, [] if index is not None else [_NO_INDEX])
        return _page(source, is_pdf, _sent(files.html_text(index or b""), found), HTML)

    return read


def of_markdown(is_pdf: bool, convert: templates.Convert) -> Read:
    def read(source: Source) -> Page:
        found = files.files_in(source.form)
        index, markdown = files.find(found, "index.html"), files.with_suffix(found, ".md")
        missing = [] if index is not None else [_NO_INDEX]
        if not markdown:
            missing.append("no form file found for extensions: [.md]")
        _read_values(source, is_pdf, missing)
        html = templates.filled(files.html_text(index or b""), markdown, convert)
        return _page(source, is_pdf, _sent(html, found, markdown), HTML)

    return read


def _sent(html: str, found: files.Files, without: Iterable[str] = ()) -> dict[str, Any]:
    """A page that is sent. It has an address with its files, even if it has no other file."""
    return {"html": html, "assets": files.assets(found, without) or {"index.html": html}}


_NO_INDEX = "form file 'index.html' is required"


def _read_values(source: Source, is_pdf: bool, missing: list[str]) -> None:
    """Read all values of the form, and check what can be checked without the page."""
    wanted: tuple[Field, ...] = (*fields.COMMON, *(fields.PDF if is_pdf else fields.SCREENSHOT))
    problems: list[str] = []
    source.values |= fields.read(source.form, wanted, problems)
    if problems or missing:
        raise fields.invalid([*problems, *missing])
    if is_pdf:
        _check_pdf(source)


def _check_pdf(source: Source) -> None:
    values = source.values
    sent_as = {part.name for part in source.form.files}
    for kind in ("watermark", "stamp"):
        needs_file = values[f"{kind}Source"] in ("image", "pdf")
        if needs_file and kind not in sent_as:
            raise fields.invalid([f"a {kind} file is required for image or pdf source"])
        if values[f"{kind}Source"]:
            raise NotSupported(f"{kind}Source: the farm adds no {kind} to a PDF.")
    splitting.check(values)
    if values["pdfa"] and values["pdfa"] not in _PDF_FORMATS:
        raise InvalidRequest(_NO_SUCH_FORMAT)
    if values["pdfa"]:
        raise NotSupported(f"pdfa: the farm makes no {values['pdfa']}.")
    for name in _MISSING:
        if values[name]:
            raise NotSupported(f"{name}: the farm does not do that.")
    if "embeds" in sent_as:
        raise NotSupported("embeds: the farm puts no files into a PDF.")


def _page(source: Source, is_pdf: bool, named: Mapping[str, Any], sources: tuple[str, ...]) -> Page:
    values = source.values
    asked = dict(options.common(values, has_own_origin="url" in named))
    if is_pdf:
        found = files.files_in(source.form)
        header, footer = (files.find(found, name) for name in ("header.html", "footer.html"))
        asked |= options.pdf(
            values,
            files.html_text(header) if header else None,
            files.html_text(footer) if footer else None,
        )
        asked["pdf"] |= options.finishing(values)
    else:
        asked |= options.screenshot(values)
    request = RenderRequest.from_fields({**named, "options": asked}, sources, source.limits)
    return Page(values, request)
