"""What a request may have, as types. Written by `farm contract`: do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Required, TypedDict


class Asset(TypedDict, total=False):
    base64: Required[str]
    """The file's bytes, in base64."""

    content_type: str
    """The file's media type. Default: by the suffix of the name."""


class Block(TypedDict, total=False):
    resources: list[Literal["image", "media", "font", "stylesheet", "script", "xhr", "fetch", "websocket", "other"]]
    """Kinds of requests that are not sent."""

    urls: list[str]
    """Patterns of whole URLs, in which `*` stands for any text."""

    matching: list[str]
    """Regular expressions (Rust's syntax) that are looked for in a request's URL."""

    ads: bool
    """Ads and trackers that EasyList and EasyPrivacy know."""

    cookie_banners: bool
    """Banners that ask for consent: their scripts are not loaded, and they are hidden."""


class Caching(TypedDict, total=False):
    ttl: Required[int]
    """How long the file is kept, and how old a kept file may be; 0: no file is kept. In seconds."""


class Clip(TypedDict, total=False):
    x: Required[float]
    """The left side of the rectangle. In pixels."""

    y: Required[float]
    """The upper side of the rectangle. In pixels."""

    width: Required[float]
    """The width of the rectangle. In pixels."""

    height: Required[float]
    """The height of the rectangle. In pixels."""


class Cookie(TypedDict, total=False):
    name: Required[str]
    """The cookie's name."""

    value: Required[str]
    """The cookie's value."""

    domain: str
    """The cookie is sent to this host and the hosts below it."""

    path: str
    """The cookie is sent to paths that begin with this one."""

    url: str
    """The cookie is for the host of this URL; not together with `domain`."""

    expires: float
    """When the cookie expires. Default: with the page. In seconds since 1970."""

    http_only: bool
    """Scripts cannot read the cookie."""

    secure: bool
    """The cookie is sent over TLS only."""

    same_site: Literal["Strict", "Lax", "None"]
    """Whether pages of other sites send the cookie. Default: as Chromium does."""


class Credentials(TypedDict, total=False):
    username: Required[str]
    """The user's name."""

    password: Required[str]
    """The user's password."""


class FailOn(TypedDict, total=False):
    status: list[int | Literal["1xx", "2xx", "3xx", "4xx", "5xx"]]
    """HTTP statuses of the document that is captured: `[404, "5xx"]`."""

    resource_status: list[int | Literal["1xx", "2xx", "3xx", "4xx", "5xx"]]
    """HTTP statuses of the resources that the document has loaded."""

    ignore_hosts: list[str]
    """Hosts whose answers do not count for `resourceStatus`, nor those of hosts below them."""

    resource_error: bool
    """A request of the document got no answer, or was refused."""

    page_error: bool
    """A script of the page threw an error that nothing caught."""

    missing_selector: bool
    """A selector of `click` matched nothing to be clicked."""


class Geolocation(TypedDict, total=False):
    latitude: Required[float]
    """The latitude, positive north of the equator. In degrees."""

    longitude: Required[float]
    """The longitude, positive east of Greenwich. In degrees."""

    accuracy: float
    """The accuracy of the position: the radius in which the device is. In metres."""


class Margin(TypedDict, total=False):
    top: float | str
    """The margin at the top: a length."""

    right: float | str
    """The margin on the right: a length."""

    bottom: float | str
    """The margin at the bottom: a length."""

    left: float | str
    """The margin on the left: a length."""


class Metadata(TypedDict, total=False):
    title: str
    """The title. Default: the document's."""

    author: str
    """The author of the document."""

    subject: str
    """The subject of the document."""

    keywords: str
    """Keywords, separated by commas."""

    creator: str
    """The program that made the document."""

    producer: str
    """The program that made the PDF. Default: Chromium's."""

    rights: str
    """Who has the rights to the document (`dc:rights` in its XMP)."""

    is_protected: bool
    """Whether rights protect the document (true), or it is in the public domain (false):
    `xmpRights:Marked`.
    """

    trapped: Literal["True", "False", "Unknown"]
    """Whether the file has been trapped for a press: adjusted where colours meet."""

    created: str
    """When the document was made, as RFC 3339 has it: `2026-11-27T12:00:00+01:00`."""

    modified: str
    """When the document was last changed, as RFC 3339 has it."""


class Mock(TypedDict, total=False):
    url: Required[str]
    """A regular expression (Rust's syntax) that is looked for in a request's URL: `/data\\.json$`.
    """

    status: int
    """The HTTP status of the answer."""

    headers: Mapping[str, str]
    """The headers of the answer."""

    content_type: str
    """The media type of the answer, unless it is in `headers`."""

    text: str
    """The body of the answer, as text. Default: an empty body."""

    base64: str
    """The body of the answer, in base64; not together with `text`."""


class Output(TypedDict, total=False):
    pdf: PdfOptions
    """How a PDF is printed; for the format `pdf` alone."""

    width: int
    """The width of the viewport. In pixels."""

    height: int
    """The height of the viewport. In pixels."""

    device_scale_factor: float
    """Device pixels for each CSS pixel; three decimals count."""

    format: Literal["png", "jpeg", "jpg", "webp", "avif", "pdf", "html", "mhtml"]
    """The format of the file; `jpg` is answered as `jpeg`."""

    quality: int
    """The quality of the picture. Default: jpeg 80, webp 100, avif 60; webp is lossless at 100."""

    optimize_for_speed: bool
    """Compress a png quickly; `false` makes a file about half as large, for more CPU time."""

    omit_background: bool
    """The picture is transparent where the page paints nothing: png, webp, avif."""

    clip: Clip
    """Capture only this part of the page."""

    selector: str
    """Only the first element that matches this CSS selector; it is waited for."""

    full_page: bool
    """Capture the whole page, as far as it can be scrolled."""

    resize: Resize
    """The picture is made smaller after it was captured."""

    name: str
    """The name of the file, to which its format's suffix is added. Default: its number, from 1."""


class Paper(TypedDict, total=False):
    width: Required[float | str]
    """The width of the paper: a length. A number is pixels; text has a unit: `"10mm"`."""

    height: Required[float | str]
    """The height of the paper: a length."""


class PdfOptions(TypedDict, total=False):
    paper: Literal["A0", "A1", "A2", "A3", "A4", "A5", "A6", "Letter", "Legal", "Tabloid", "Ledger"] | Paper
    """One of A0, A1, A2, A3, A4, A5, A6, Letter, Legal, Tabloid, Ledger, or an object. A page size
    in the CSS wins.
    """

    landscape: bool
    """The paper lies on its side."""

    margin: float | str | Margin
    """One length for all four sides, or an object. Margins in the CSS win."""

    scale: float
    """The scale of the content on the paper."""

    pages: str
    """Only these pages, such as `"1-5, 8"`; they stay in the order of the document."""

    header: str
    """HTML at the top of each page, in its margin. Elements with the class `date`, `title`, `url`,
    `pageNumber` or `totalPages` are filled in.
    """

    footer: str
    """HTML at the bottom of each page, as `header` at the top."""

    background: bool
    """Background colours and images are printed."""

    prefer_css_page_size: bool
    """A page size in the document's CSS (`@page`) wins over `paper`."""

    outline: bool
    """The file has an outline, made of the document's headings."""

    tagged: bool
    """The file is tagged for screen readers."""

    single_page: bool
    """One page, as wide as the paper and as high as the content."""

    metadata: Metadata
    """The metadata of the file: title, author and others."""

    password: str
    """The password that opens the file (encrypted with AES-256)."""

    owner_password: str
    """The password that opens the file without the restrictions of `permissions`. Default:
    `password`. Without `password`, anybody can open the file.
    """

    permissions: Permissions
    """What the file may be used for without the owner's password."""


class Permissions(TypedDict, total=False):
    printing: bool
    """Whether the file may be printed."""

    copying: bool
    """Whether text and pictures may be copied out of the file."""

    modifying: bool
    """Whether the content may be changed."""

    annotating: bool
    """Whether notes may be written into the file."""

    filling_forms: bool
    """Whether forms may be filled in."""

    assembling: bool
    """Whether pages may be added, removed and turned."""


class RenderOptions(TypedDict, total=False):
    """Options of a render."""

    pdf: PdfOptions
    """How a PDF is printed; for the format `pdf` alone."""

    fail_on: FailOn
    """What makes the render an error (`page_failed`) in place of a file."""

    on_load: list[str]
    """The same as `scripts`, run once the page has loaded, before anything else is waited for:
    `waitForSelector` can wait for what they do.
    """

    styles: list[str]
    """CSS texts that are added to the page, whatever its own policy allows."""

    scripts: list[str]
    """JavaScript texts that are run in the page, one after the other; a promise that one ends with
    is awaited.
    """

    click: list[str]
    """CSS selectors whose first matches are clicked, one after the other; one that matches nothing
    is passed over.
    """

    scroll: Literal["through"] | ScrollTo
    """`{"to": …}`: to an element (a selector) or to so many pixels; `"through"`: down to the end
    and back, so that content loads that waits to be seen.
    """

    hide: list[str]
    """CSS selectors of elements that are made invisible; they keep their place."""

    remove: list[str]
    """CSS selectors of elements that are removed from the document."""

    mock: list[Mock]
    """Requests of the page that are answered here and not sent, by the first whose `url` meets
    them; documents are loaded all the same.
    """

    headers: Mapping[str, str]
    """Headers of every request to the page's own origin, and of no other."""

    scoped_headers: list[ScopedHeaders]
    """Headers of requests to any origin, selected by URL. If several set the same header, the last
    one wins, also over `headers`.
    """

    cookies: list[Cookie]
    """Cookies that are set before the page is loaded. One without `domain` and `url` is for the
    page's own host.
    """

    auth: Credentials
    """For HTTP authentication of the page's own origin."""

    block: Block
    """Requests of the page that are not sent."""

    device: str
    """A name of Playwright's list of devices (`iPhone 15`): its viewport, screen, scale, user
    agent, `mobile` and `touch`. Each of these that is given as well wins.
    """

    mobile: bool
    """Heed `<meta name=viewport>` and draw scrollbars over the page, as phones do."""

    touch: bool
    """The screen can be touched."""

    screen: Screen
    """The size of the screen that scripts and `device-width` see; else the viewport's."""

    user_agent: str
    """What the browser says it is, in the `User-Agent` header and to scripts."""

    locale: str
    """A BCP 47 language tag (`de-CH`): `Accept-Language`, `navigator.language`, and how dates and
    numbers are written.
    """

    timezone: str
    """A name of the IANA time zone database (`Europe/Zurich`)."""

    geolocation: Geolocation
    """The position that the page gets; it has the permission to ask for it."""

    color_scheme: Literal["light", "dark"]
    """What `prefers-color-scheme` is."""

    reduced_motion: Literal["no-preference", "reduce"]
    """What `prefers-reduced-motion` is."""

    forced_colors: Literal["none", "active"]
    """What `forced-colors` is."""

    contrast: Literal["no-preference", "more", "less"]
    """What `prefers-contrast` is."""

    media_type: Literal["screen", "print"]
    """The CSS media type; else `print` for PDFs, and `screen` for pictures."""

    java_script: bool
    """Whether scripts of the page run; without them `<noscript>` is shown."""

    animations: Literal["run", "finish"]
    """`finish`: CSS animations and transitions are captured at their end; those without an end as
    if they had not begun.
    """

    deterministic: bool
    """The same bytes each time: the clock begins at a fixed moment and advances by what the page
    waits for, random numbers are always the same, animations are finished.
    """

    width: int
    """The width of the viewport. In pixels."""

    height: int
    """The height of the viewport. In pixels."""

    device_scale_factor: float
    """Device pixels for each CSS pixel; three decimals count."""

    format: Literal["png", "jpeg", "jpg", "webp", "avif", "pdf", "html", "mhtml"]
    """The format of the file; `jpg` is answered as `jpeg`."""

    quality: int
    """The quality of the picture. Default: jpeg 80, webp 100, avif 60; webp is lossless at 100."""

    optimize_for_speed: bool
    """Compress a png quickly; `false` makes a file about half as large, for more CPU time."""

    omit_background: bool
    """The picture is transparent where the page paints nothing: png, webp, avif."""

    clip: Clip
    """Capture only this part of the page."""

    selector: str
    """Only the first element that matches this CSS selector; it is waited for."""

    full_page: bool
    """Capture the whole page, as far as it can be scrolled."""

    resize: Resize
    """The picture is made smaller after it was captured."""

    wait_until: Literal["settled", "load", "domcontentloaded", "networkidle"]
    """`settled`: loaded, with its fonts and images, and nothing it has asked for is under way;
    `networkidle`: settled, and no request under way for 500 ms.
    """

    wait_for_selector: str | SelectorWait
    """An element of the main document to be waited for: a CSS selector, or `{selector, state}` with
    the state `attached`, `visible` or `hidden`.
    """

    wait_for_function: str
    """A JavaScript expression or function that runs in the page. It is waited for until its value,
    promises awaited, is truthy.
    """

    wait_for: int
    """Waited after all of that. It counts towards the deadline, and cannot be longer. In
    milliseconds.
    """

    timeout: int
    """The longest time for loading, waiting and actions together. Default: the deadline. In
    milliseconds.
    """

    wait_timeout: int
    """The longest time for `waitForSelector`, and for `waitForFunction`. Default: only `timeout`
    limits them. In milliseconds.
    """

    on_timeout: Literal["fail", "capture"]
    """`capture`: when the time has passed, the page is captured as it is, and `data.timedOut` names
    what was waited for. After `waitTimeout` all other steps are done first.
    """


class Resize(TypedDict, total=False):
    width: int
    """The greatest width of the picture. In device pixels."""

    height: int
    """The greatest height of the picture. In device pixels."""

    fit: Literal["contain", "cover"]
    """`contain`: all of the picture fits into the box. `cover`: it fills the box, and what is
    beside it is cut off on both sides.
    """


class ScopedHeaders(TypedDict, total=False):
    url: Required[str]
    """A regular expression of Rust's syntax that is looked for in a request's URL:
    `^https://([a-z0-9-]+\\.)*example\\.com/`.
    """

    headers: Mapping[str, str]
    """Headers of requests to these URLs."""


class Screen(TypedDict, total=False):
    width: Required[int]
    """The width of the screen. In pixels."""

    height: Required[int]
    """The height of the screen. In pixels."""


class ScrollTo(TypedDict, total=False):
    to: Required[int | str]
    """The element that a CSS selector matches first, or pixels from the top."""


class SelectorWait(TypedDict, total=False):
    selector: Required[str]
    """A CSS selector; its first match counts."""

    state: Literal["attached", "visible", "hidden"]
    """`attached`: it is there; `visible`: it has a box and is not hidden; `hidden`: it is not
    visible, or not there.
    """


class Webhook(TypedDict, total=False):
    url: Required[str]
    """Where the end of the job is reported: an absolute http or https URL, without user name and
    password, that the egress policy allows.
    """

    headers: Mapping[str, str]
    """Headers of the request that reports it."""

    events: list[Literal["completed", "failed", "cancelled"]]
    """The ends of a job that are reported."""

    send: Literal["record", "file"]
    """What is sent: the job's record, or the file itself (of a job without one, the record)."""


class LinkFields(RenderOptions, total=False):
    """What a signed link may ask for."""

    html: str
    """The page's HTML; not together with `url`."""

    url: str
    """Where the page is: an absolute http or https URL, without a user name and a password unless
    `FARM_URL_CREDENTIALS` allows them.
    """

    markdown: str
    """The page as Markdown: CommonMark, and GitHub's tables, strikethrough, links, task lists,
    footnotes and highlighted code; not together with `html` or `url`.
    """

    base_url: str
    """The address that a page of `html` or `markdown` has: relative links, cookies, `fetch` and
    storage work as on that site. The page itself is not loaded from there.
    """

    assets: Mapping[str, str | bytes | Asset]
    """Files that the page refers to by a relative name (`logo.png`, `css/a.css`): text, or an
    object with `base64` and `contentType`.
    """

    cache: Caching
    """Whether the answer may be a file that was rendered before. Default: as `FARM_CACHE_TTL_S`
    says.
    """


class RenderFields(LinkFields, total=False):
    """A render."""

    outputs: list[Output]
    """Several files of one load: the page is loaded once, and captured in this order, each time
    with other options.
    """

    report: bool
    """Whether JSON answers tell what the page did, lacked and took."""


class JobFields(RenderFields, total=False):
    """A render that is queued as a job."""

    webhook: Webhook
    """Where the end of the job is reported; only for `/render-async`."""

    priority: Literal["high", "normal", "low"]
    """The order among the caller's own jobs; only for `/render-async`. No job overtakes those of
    other callers by it.
    """


class ReportTimings(TypedDict, total=False):
    wait: Required[float]
    load: Required[float]
    settle: Required[float]
    capture: Required[float]
    report: Required[float]


class ReportRequestsSlowest(TypedDict, total=False):
    url: Required[str]
    status: int
    type: Required[str]
    ms: Required[float]
    bytes: Required[int]


class ReportRequestsFailed(TypedDict, total=False):
    url: Required[str]
    status: int
    type: Required[str]
    reason: Required[str]


class ReportRequests(TypedDict, total=False):
    count: Required[int]
    """Over HTTP, redirects and what failed among them; without WebSockets."""

    bytes: Required[int]
    """As they came over the network."""

    slowest: Required[list[ReportRequestsSlowest]]
    """Of those that have ended, the slowest first."""

    failed: Required[list[ReportRequestsFailed]]
    """In the order in which they failed; answers of 400 and above are among them."""


class ReportRedirects(TypedDict, total=False):
    url: Required[str]
    status: Required[int]


class ReportConsole(TypedDict, total=False):
    level: Required[str]
    text: Required[str]
    url: str
    line: int
    """Counted from 1."""


class ReportPageErrors(TypedDict, total=False):
    text: Required[str]
    url: str
    line: int
    """Counted from 1."""


class ReportBlocked(TypedDict, total=False):
    host: str
    url: str
    reason: Required[str]


class ReportMissingGlyphs(TypedDict, total=False):
    character: Required[str]
    codePoints: Required[str]


class ReportFonts(TypedDict, total=False):
    family: Required[str]
    name: Required[str]
    """PostScript's."""

    isWebFont: Required[bool]


class Report(TypedDict, total=False):
    """What the page did, lacked and took."""

    timings: Required[ReportTimings]
    """Milliseconds: those of `Server-Timing`, and what looking at the page afterwards took."""

    requests: Required[ReportRequests]
    redirects: Required[list[ReportRedirects]]
    """Those that led to the document: from where, and how."""

    console: Required[list[ReportConsole]]
    """What the page, its frames and its workers said there, the first first."""

    pageErrors: Required[list[ReportPageErrors]]
    """Exceptions and rejected promises that nobody caught."""

    blocked: Required[list[ReportBlocked]]
    """Hosts that the egress policy refused, and URLs that the request blocked."""

    missingGlyphs: Required[list[ReportMissingGlyphs]]
    """Characters that no font here has, so that they are seen as boxes."""

    fonts: Required[list[ReportFonts]]
    """Those that the document and its frames were really drawn with."""

    fontsAreIncomplete: Literal[True]
    """There was no time to look at all of the page for its fonts and missing glyphs."""

    omitted: Mapping[str, int]
    """How many entries are left out, by the name of their list: a report has at most 60,000 bytes.
    """
