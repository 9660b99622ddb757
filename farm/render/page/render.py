"""One render, top to bottom: load, settle, wait, capture."""

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from farm.egress import Note
from farm.errors import NavigationFailed, UrlRefused
from farm.render.browser.contexts import Page
from farm.render.browser.devtools import CommandFailed
from farm.render.page.outputs import OUTPUTS, Caps
from farm.request import RenderRequest, RenderResult, Timings

#: Characters of HTML in one message. Playwright's driver joins what it has read of a message again
#: for every 64 KiB that arrive, so 50 MB in one piece cost it 20 s, and in pieces of this size 4 s.
_PIECE = 1 << 20

_KEEP_PIECE = "function (piece) { (globalThis.pieces ??= []).push(piece) }"

_WRITE = """
const write = (last) => {
  const html = (globalThis.pieces ?? []).join('') + last;
  globalThis.pieces = undefined;
  document.open();
  document.write(html);
  document.close();
};
"""

#: The text cursor blinks; it is hidden as Playwright's own screenshots do it. Each frame hides its
#: own: the focus may be in one of another site.
_HIDE_CURSOR = """
const hideCursor = () => {
  for (let root = document; root?.activeElement; root = root.activeElement.shadowRoot) {
    const active = root.activeElement;
    if (active !== document.body || active.isContentEditable)
      active.style?.setProperty('caret-color', 'transparent', 'important');
  }
};
"""

#: Settled: `load` has fired, web fonts are ready, images in the viewport are decoded. The layout is
#: asked for first, since only a layout tells the document which fonts it needs. `autofocus` is
#: heeded with the next frame, and printing draws none.
_SETTLE = f"""
const settle = async () => {{
  {_HIDE_CURSOR}
  const began = performance.now();
  if (document.readyState !== 'complete')
    await new Promise((resolve) => addEventListener('load', resolve, {{ once: true }}));
  await new Promise((resolve) => setTimeout(resolve));
  document.documentElement?.getBoundingClientRect();
  await document.fonts?.ready;
  const inViewport = (image) => {{
    const box = image.getBoundingClientRect();
    return box.bottom > 0 && box.right > 0 && box.top < innerHeight && box.left < innerWidth;
  }};
  const images = [...(document.images ?? [])].filter(inViewport);
  await Promise.all(images.map((image) => image.decode().catch(() => {{}})));
  if (document.querySelector('[autofocus]')) await new Promise(requestAnimationFrame);
  hideCursor();
  return {{ frames: window.length, url: location.href, ms: performance.now() - began }};
}};
"""

SETTLE = f"async function () {{ {_SETTLE} return settle(); }}"
#: In one call, since each costs Python, the driver and the browser a fifth of a millisecond.
WRITE_AND_SETTLE = f"async function (last) {{ {_WRITE} {_SETTLE} write(last); return settle(); }}"

#: A frame of another site is drawn by another process, and a capture does not wait for it. A frame
#: that cannot be seen never draws: two frames at 60 Hz are enough for one that can.
_SETTLE_FRAME = f"""
function () {{
  {_HIDE_CURSOR}
  hideCursor();
  return Promise.race([
    new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))),
    new Promise((resolve) => setTimeout(resolve, 34)),
  ]);
}}
"""

#: What Chromium says of a call into a world that was gone before it.
_NEVER_RAN = "Cannot find context"

#: Chromium's network errors (net/base/net_error_list.h) in words for the caller.
_NET_ERRORS = {
    "ERR_NAME_NOT_RESOLVED": "its host name is not known",
    "ERR_CONNECTION_REFUSED": "its host refused the connection",
    "ERR_CONNECTION_RESET": "its host broke the connection off",
    "ERR_CONNECTION_CLOSED": "its host broke the connection off",
    "ERR_EMPTY_RESPONSE": "its host sent no answer",
    "ERR_CONNECTION_TIMED_OUT": "its host did not answer",
    "ERR_ADDRESS_UNREACHABLE": "its host cannot be reached",
    "ERR_INTERNET_DISCONNECTED": "its host cannot be reached",
    "ERR_TOO_MANY_REDIRECTS": "it redirects without an end",
    "ERR_UNSAFE_PORT": "browsers refuse its port",
    "ERR_INVALID_RESPONSE": "its answer is not HTTP",
    "ERR_INVALID_HTTP_RESPONSE": "its answer is not HTTP",
    "ERR_HTTP_RESPONSE_CODE_FAILURE": "it answered with an error and no page",
    "ERR_ABORTED": "its answer is not a page",
}


class _Clock:
    """Milliseconds of each step."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = {}
        self._last = time.perf_counter()

    def end(self, step: str, ms_ago: float = 0) -> None:
        """The step is over, or was so long ago; the next one has begun then."""
        now = time.perf_counter() - ms_ago / 1000
        self.spent[step] = max(0.0, (now - self._last) * 1000)
        self._last = now


@dataclass(frozen=True)
class _Settled:
    """What a page says of itself once it has settled, and how long that took."""

    url: str
    frames: int
    ms: float


def render(page: Page, request: RenderRequest, caps: Caps, waiting_ms: float) -> RenderResult:
    """Render on a fresh page whose viewport is the request's.

    Raises `UrlRefused`, `NavigationFailed`, `OutputTooLarge`, or Playwright's `Error` when the page
    is closed or gone meanwhile: the engine knows why it closed it. There is no timeout in here; the
    engine closes the page when the deadline has passed, and every call below ends with it.
    """
    output = OUTPUTS[request.options.format]
    clock = _Clock()
    if request.url is not None:
        _go_to(page, request.url)
        clock.end("loading_ms")
        settled = _settle(page)
    else:
        settled = _write(page, request.html or "")
        clock.end("loading_ms", settled.ms)
    if request.options.wait_for:
        page.wait(request.options.wait_for)
        # What the page did meanwhile may have brought images, fonts and frames.
        settled = _settle(page)
    _check_arrived(page, settled.url)
    clock.end("settling_ms")
    base64 = output.capture(page.send, caps)
    clock.end("capturing_ms")
    return RenderResult(
        base64=base64,
        format=output,
        width=request.options.width,
        height=request.options.height,
        timings=Timings(waiting_ms=waiting_ms, **clock.spent),
        refusals=tuple(page.port.refusals),
    )


def _write(page: Page, html: str) -> _Settled:
    """Make it the page's document, and wait until that has settled."""
    last = len(html) - len(html) % _PIECE if len(html) > _PIECE else 0
    for start in range(0, last, _PIECE):
        page.call(_KEEP_PIECE, html[start : start + _PIECE])
    return _settle(page, WRITE_AND_SETTLE, html[last:])


def _go_to(page: Page, url: str) -> None:
    try:
        answer = page.send("Page.navigate", {"url": url})
    except CommandFailed as failure:
        raise _why_not_loaded([], "") from failure
    page.enter_world()
    if (error := answer.get("errorText")) is not None:
        is_download = answer.get("isDownload", False)
        raise _why_not_loaded(page.port.notes, error, is_download) from CommandFailed(error)


def _settle(page: Page, function: str = SETTLE, *arguments: str) -> _Settled:
    """Wait until the page has settled; if it goes elsewhere meanwhile, until that has."""
    while True:
        try:
            settled = _Settled(**page.call(function, *arguments))
            if settled.frames:
                page.call_in_frames(_SETTLE_FRAME)
            return settled
        except CommandFailed as failure:
            if arguments and _NEVER_RAN in str(failure):
                raise  # what was to be written is not there
            page.enter_world()
            function, arguments = SETTLE, ()


def _check_arrived(page: Page, url: str) -> None:
    """Raises `UrlRefused` or `NavigationFailed` if the page went to where it could not arrive.

    The browser would show an error page of its own.
    """
    if not url.startswith("chrome-error:"):
        return
    url = page.send("Page.getFrameTree")["frameTree"]["frame"].get("unreachableUrl", "")
    host = (urlsplit(url).hostname or "").lower()
    raise _why_not_loaded([note for note in page.port.notes if note.host.lower() == host], "")


def _why_not_loaded(
    notes: list[Note], error: str, is_download: bool = False
) -> UrlRefused | NavigationFailed:
    """From what the egress proxy noted on the way, else from what Chromium says."""
    if notes:
        last = notes[-1]
        if last.refused:
            return UrlRefused(f"The farm's egress policy refuses {last.host}: {last.reason}.")
        return NavigationFailed(f"The URL could not be loaded: {last.reason}.")
    if is_download:
        return NavigationFailed(
            "The URL could not be loaded: its answer is a download, not a page."
        )
    error = error.removeprefix("net::")
    reason = _NET_ERRORS.get(error)
    if reason is None and error.startswith(("ERR_CERT_", "ERR_SSL_")):
        reason = "its TLS certificate or handshake is not valid"
    return NavigationFailed(f"The URL could not be loaded: {reason}." if reason else None)
