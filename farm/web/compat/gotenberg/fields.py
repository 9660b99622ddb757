"""gotenberg's form fields: how each is parsed, and what it becomes here.

One table, in the order in which gotenberg reads the fields and names problems. Both the reading of
a form and the table in docs/migrating.md are made from it.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from farm.errors import InvalidRequest
from farm.web.compat.gotenberg import objects, values
from farm.web.compat.gotenberg.values import Unreadable
from farm.web.compat.table import Mapped
from farm.web.forms import Form

#: The values of a form, by field name. A field that is left out has its default.
Values = Mapping[str, Any]
#: Parses a text that is not empty. It gets the values of the fields before it. Raises `Unreadable`.
Reader = Callable[[str, Values], Any]


@dataclass(frozen=True)
class Field:
    name: str
    read: Reader
    default: Any
    #: The option that it becomes, or what the farm does with it.
    here: str
    difference: str = ""

    @property
    def mapped(self) -> Mapped:
        return Mapped(self.name, self.here, self.difference)


def _plain(read: Callable[[str], Any]) -> Reader:
    return lambda text, _: read(text)


_bool, _int, _float = _plain(values.boolean), _plain(values.integer), _plain(values.number)
_inches, _seconds, _text = _plain(values.inches), _plain(values.seconds), _plain(str)


def _one_of(*choices: str, sentence: str) -> Reader:
    def read(text: str, _: Values) -> str:
        if text not in choices:
            raise Unreadable(f"wrong value, expected either {sentence}")
        return text

    return read


def _json_list(name: str, of: type) -> Reader:
    return _json(name, lambda text: values.json_list(text, of))


def _json(name: str, read: Callable[[str], Any]) -> Reader:
    def unmarshal(text: str, _: Values) -> Any:
        try:
            return read(text)
        except Unreadable as exc:
            raise Unreadable(f"unmarshal {name}: {exc}") from None

    return unmarshal


def _quality(text: str, _: Values) -> int:
    quality = values.integer(text)
    if quality < 0:
        raise Unreadable("value is negative")
    if quality > 100:
        raise Unreadable("value is superior to 100")
    return quality


def _split_span(text: str, before: Values) -> str:
    span = "".join(text.split())
    if before["splitMode"] == "intervals" and values.integer(span) < 1:
        raise Unreadable("value is inferior to 1")
    return span


def _split_unify(text: str, before: Values) -> bool:
    unify = values.boolean(text)
    if unify and before["splitMode"] != "pages":
        raise Unreadable(f"unify is not available for split mode '{before['splitMode']}'")
    return unify


_IDLE = "`waitUntil: networkidle`, where it is `false`"
_AS_RUST = (
    "A scope is a regular expression of Rust's syntax (no look-around, no `\\p`, at most 1,024 "
    "characters, and 16 groups beside `(?:…)`). Without a scope: of the page's own origin only, "
    "on `/url`; give `;scope=.` for all. Headers that are the browser's own, and `Cookie`, are "
    "refused."
)
_LENGTH = "From 24 px to 200 in."

COMMON = (
    Field("skipNetworkIdleEvent", _bool, True, _IDLE, "Pages are always waited for until nothing "
          "that they have asked for is under way (`settled`)."),
    Field("skipNetworkAlmostIdleEvent", _bool, True, _IDLE),
    Field("failOnHttpStatusCodes", _json_list("failOnHttpStatusCodes", int), [499, 599],
          "`failOn.status`"),
    Field("failOnResourceHttpStatusCodes", _json_list("failOnResourceHttpStatusCodes", int), [],
          "`failOn.resourceStatus`"),
    Field("ignoreResourceHttpStatusDomains", _json_list("ignoreResourceHttpStatusDomains", str), [],
          "`failOn.ignoreHosts`"),
    Field("failOnResourceLoadingFailed", _bool, False, "`failOn.resourceError`",
          "Names the URL; also what the egress policy refuses."),
    Field("failOnConsoleExceptions", _bool, False, "`failOn.pageError`",
          "Also rejections that nothing handles."),
    Field("waitDelay", _seconds, 0.0, "`waitFor`", "Waited last; at most the farm's deadline."),
    Field("waitWindowStatus", _text, "", "`waitForFunction`"),
    Field("waitForExpression", _text, "", "`waitForFunction`",
          "Any value that is true ends the wait, not `true` alone."),
    Field("waitForSelector", _text, "", "`waitForSelector`",
          "The first match must become visible; CSS only."),
    Field("cookies", _plain(objects.cookies), (), "`cookies`",
          "A port in the domain is passed over."),
    Field("userAgent", _text, "", "`userAgent`"),
    Field("extraHttpHeaders", _plain(objects.headers), (), "`headers`, `scopedHeaders`", _AS_RUST),
    Field("emulatedMediaType", _one_of("screen", "print", sentence="'screen', 'print' or empty"),
          "", "`mediaType`"),
    Field("emulatedMediaFeatures", _json("emulatedMediaFeatures", values.json_texts), {},
          "`colorScheme`, `reducedMotion`, `forcedColors`, `contrast`",
          "Other features are a 501."),
    Field("omitBackground", _bool, False, "`omitBackground`",
          "Of a PDF it changes nothing: Chromium paints no white there. Of a JPEG neither."),
)  # fmt: skip

PDF = (
    Field("landscape", _bool, False, "`pdf.landscape`"),
    Field("printBackground", _bool, False, "`pdf.background`"),
    Field("scale", _float, 1.0, "`pdf.scale`", "From 0.1 to 2, as Chromium has it."),
    Field("singlePage", _bool, False, "`pdf.singlePage`", "All of the content is on it, also what "
          "comes after a forced page break; what does not fit is a 400."),
    Field("paperWidth", _inches, 8.5, "`pdf.paper.width`", _LENGTH),
    Field("paperHeight", _inches, 11.0, "`pdf.paper.height`", _LENGTH),
    Field("marginTop", _inches, 0.39, "`pdf.margin.top`"),
    Field("marginBottom", _inches, 0.39, "`pdf.margin.bottom`"),
    Field("marginLeft", _inches, 0.39, "`pdf.margin.left`"),
    Field("marginRight", _inches, 0.39, "`pdf.margin.right`"),
    Field("nativePageRanges", _text, "", "`pdf.pages`"),
    Field("preferCssPageSize", _bool, False, "`pdf.preferCssPageSize`"),
    Field("generateDocumentOutline", _bool, False, "`pdf.outline`, and `pdf.tagged` with it"),
    Field("generateTaggedPdf", _bool, False, "`pdf.tagged`"),
    Field("splitMode", _one_of("intervals", "pages", sentence="'intervals' or 'pages'"), "",
          "the PDF is cut into files, a ZIP of them is answered",
          "Not together with a webhook (501)."),
    Field("splitSpan", _split_span, "", "how many pages each has, or which pages",
          "Pages and ranges (`2-`, `1-3,5`); no `even`, `odd`, `!3`, `l`; at most 10,000 pages."),
    Field("splitUnify", _split_unify, False, "one file of these pages"),
    Field("pdfa", _text, "", "501", "The farm makes no PDF/A."),
    Field("pdfua", _bool, False, "501", "The farm makes no PDF/UA; `generateTaggedPdf` is there."),
    Field("metadata", _json("metadata", values.json_object), {}, "`pdf.metadata`",
          "`Title`, `Author`, `Subject`, `Keywords`, `Creator`, `Producer`, `Copyright`, "
          "`CreateDate`, `ModDate`, `Marked`, `Trapped`; `PDFVersion` is passed over; other tags "
          "are a 501."),
    Field("userPassword", _text, "", "`pdf.password`"),
    Field("ownerPassword", _text, "", "`pdf.ownerPassword`"),
    *(
        Field(name, _bool, True, f"`pdf.permissions.{here}`")
        for name, here in objects.PERMISSIONS.items()
    ),
    Field("watermarkSource", _text, "", "501"),
    Field("stampSource", _text, "", "501"),
    Field("rotateAngle", _int, 0, "501"),
    Field("optimizeImages", _bool, False, "501"),
    Field("facturxConformanceLevel", _text, "", "501"),
)  # fmt: skip

SCREENSHOT = (
    Field("width", _int, 800, "`width`"),
    Field("height", _int, 600, "`height`"),
    Field("clip", _bool, False, "the viewport if true, else `fullPage`"),
    Field("selector", _text, "", "`selector`"),
    Field("format", _one_of("png", "jpeg", "webp", sentence="'png', 'jpeg' or 'webp'"), "png",
          "`format`"),
    Field("quality", _quality, 100, "`quality` of a JPEG", "0 is 1. A WebP has 80, as there."),
    Field("optimizeForSpeed", _bool, False, "`optimizeForSpeed` of a PNG"),
    Field("deviceScaleFactor", _float, 1.0, "`deviceScaleFactor`", "From 0.1 to 4."),
)  # fmt: skip

#: What is not a field of one value, or belongs to every route.
OTHERS = (
    Mapped("index.html", "`html`", "Of the routes `/html` and `/markdown`. It lives at "
           "`http://page.localhost/`, not at a `file:` address."),
    Mapped("*.md", "`{{ toHTML \"file.md\" }}` in `index.html`", "GitHub's Markdown, its raw HTML "
           "kept; other actions of Go's templates are a 501."),
    Mapped("any other file", "`assets`, by its name"),
    Mapped("header.html", "`pdf.header`", "What would have to be loaded is a 400."),
    Mapped("footer.html", "`pdf.footer`", "The same."),
    Mapped("url", "`url`"),
    Mapped("flatten", "passed over", "As there, of Chromium's PDFs."),
    Mapped("downloadFrom", "files, loaded through the egress proxy", "At most 20, and as many "
           "bytes as a body; not tried again. `embedded` and `field` are a 501."),
    Mapped("embeds", "501"),
    Mapped("Gotenberg-Output-Filename", "the file's name"),
    Mapped("Gotenberg-Trace", "answered; in the log as `correlation_id`"),
    Mapped("Authorization: Basic", "the password is an API key", "The user's name is not looked "
           "at."),
)  # fmt: skip


def mapped() -> Iterator[Mapped]:
    """The rows of docs/migrating.md."""
    yield from OTHERS
    for field in (*COMMON, *PDF, *SCREENSHOT):
        yield field.mapped


def read(form: Form, fields: tuple[Field, ...], problems: list[str]) -> dict[str, Any]:
    """The values of these fields. Problems are appended to `problems`."""
    found: dict[str, Any] = {}
    for field in fields:
        text = text_of(form, field.name)
        found[field.name] = field.default
        if not text:
            continue
        try:
            found[field.name] = field.read(text, found)
        except Unreadable as exc:
            problems.append(
                f"form field '{field.name}' is invalid (got '{text}', resulting to {exc})"
            )
    return found


def text_of(form: Form, name: str) -> str:
    """The first text of a field. A part with a filename is not a text."""
    for part in form.parts:
        if part.name == name and not part.filename:
            return part.text
    return ""


def invalid(problems: list[str]) -> InvalidRequest:
    return InvalidRequest("Invalid form data: " + "\n".join(problems))
