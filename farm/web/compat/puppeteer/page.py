"""The fields of every page: its address, its looks, what is done to it, and what is waited for.

They are put into the farm's request in the order of the fields. The steps run in Puppeteer's order:
load the page, add tags, wait.
"""

from typing import Annotated, Literal

from pydantic import Field

from farm.errors import InvalidRequest
from farm.web.compat.puppeteer.declared import Body, field
from farm.web.compat.puppeteer.draft import Draft
from farm.web.compat.puppeteer.network import (
    Authenticate,
    Cookie,
    Kind,
    put_cookies,
    put_headers,
    reject_kinds,
    reject_patterns,
)
from farm.web.compat.puppeteer.scripts import script_of, tag_of

NO_PAGE = 'One of "url" or "html" properties are required.'
Milliseconds = Annotated[int, Field(ge=0)]
_Event = Literal["load", "domcontentloaded", "networkidle0", "networkidle2"]
#: The events, from the earliest to the latest.
_UNTIL = {
    "domcontentloaded": "domcontentloaded",
    "load": "load",
    "networkidle2": "networkidle",
    "networkidle0": "networkidle",
}


def put_until(draft: Draft, until: str | list[str]) -> None:
    events = [until] if isinstance(until, str) else until
    if events:
        last = max(events, key=list(_UNTIL).index)
        draft.set("options.waitUntil", _UNTIL[last])


def _put_load_ms(draft: Draft, timeout_ms: int) -> None:
    draft.load_ms = timeout_ms


class GotoOptions(Body):
    wait_until: _Event | list[_Event] | None = field(
        None,
        "options.waitUntil",
        "Of several, the last to come. `networkidle2` is `networkidle`, which does not count "
        "WebSockets, event streams and answers that stay open, and ends after "
        "`FARM_SETTLE_MAX_S`. It holds for `html` too.",
        put_until,
    )
    timeout: Milliseconds | None = field(
        None,
        "options.timeout",
        "With the times of the waits it is the time for all of it; never more than the deadline.",
        _put_load_ms,
    )
    referer: str | None = field(
        None,
        "options.headers.Referer",
        "Sent with every request to the page's own origin.",
        lambda draft, value: put_headers(draft, {"Referer": value}),
    )


def _put_scale(draft: Draft, scale: float) -> None:
    draft.set("options.deviceScaleFactor", scale or 1.0)  # 0 is the browser's own scale


class Viewport(Body):
    width: int = field(..., "options.width")
    height: int = field(..., "options.height")
    device_scale_factor: float | None = field(
        None, "options.deviceScaleFactor", "0.1 to 4.", _put_scale
    )
    is_mobile: bool | None = field(None, "options.mobile")
    has_touch: bool | None = field(None, "options.touch")
    is_landscape: bool | None = field(None, "", "Has no effect.")


class ScriptTag(Body):
    url: str | None = None
    content: str | None = None
    type: str | None = None
    id: str | None = None


class StyleTag(Body):
    url: str | None = None
    content: str | None = None


def _put_scripts(draft: Draft, tags: list[ScriptTag]) -> None:
    for number, tag in enumerate(tags):
        if tag.url is None and tag.content is None:
            draft.refuse(f"addScriptTag.{number}", "must have a url or content")
        if tag.url is None and tag.content is not None and tag.type in (None, "text/javascript"):
            draft.add("options.onLoad", script_of(tag.content))
            continue
        attributes = {"src": tag.url, "type": tag.type, "id": tag.id}
        if tag.url is None:
            attributes["content"] = tag.content
        draft.add("options.onLoad", tag_of("script", attributes))


def _put_styles(draft: Draft, tags: list[StyleTag]) -> None:
    for number, tag in enumerate(tags):
        if tag.url is not None:
            draft.add("options.onLoad", tag_of("link", {"href": tag.url, "rel": "stylesheet"}))
        elif tag.content:
            draft.add("options.styles", tag.content)
        elif tag.content is None:
            draft.refuse(f"addStyleTag.{number}", "must have a url or content")


class UserAgent(Body):
    user_agent: str | None = None


def _put_user_agent(draft: Draft, agent: str | UserAgent) -> None:
    text = agent if isinstance(agent, str) else agent.user_agent
    if text:
        draft.set("options.userAgent", text)


class WaitForSelector(Body):
    selector: str
    hidden: bool | None = None
    visible: bool | None = None
    timeout: Milliseconds | None = None


def _put_selector(draft: Draft, wait: WaitForSelector) -> None:
    state = "hidden" if wait.hidden else "visible" if wait.visible else "attached"
    draft.set("options.waitForSelector", {"selector": wait.selector, "state": state})
    draft.wait(wait.timeout)


class WaitForFunction(Body):
    fn: str
    polling: str | int | None = None
    timeout: Milliseconds | None = None


def put_scroll(draft: Draft, is_asked: bool) -> None:
    if is_asked:
        draft.set("options.scroll", "through")


def put_function(draft: Draft, wait: WaitForFunction) -> None:
    draft.function = wait.fn
    draft.wait(wait.timeout)


class WaitForEvent(Body):
    event: str
    timeout: Milliseconds | None = None


def put_event(draft: Draft, wait: WaitForEvent) -> None:
    draft.event = wait.event
    draft.wait(wait.timeout)


def _put_best_attempt(draft: Draft, is_asked: bool) -> None:
    draft.best_attempt = is_asked


def _put_medium(draft: Draft, medium: str) -> None:
    if medium:
        draft.set("options.mediaType", medium)


class Page(Body):
    url: str | None = field(None, "url", "Of both, `url` counts. http and https only.")
    html: str | None = field(None, "html")
    viewport: Viewport | None = field(None, "")
    goto_options: GotoOptions | None = field(None, "")
    set_java_script_enabled: bool | None = field(
        None, "options.javaScript", "`false` is heeded, which it is not by browserless."
    )
    user_agent: str | UserAgent | None = field(
        None, "options.userAgent", "The text alone, without `userAgentMetadata`.", _put_user_agent
    )
    emulate_media_type: Literal["screen", "print", ""] | None = field(
        None, "options.mediaType", "", _put_medium
    )
    authenticate: Authenticate | None = field(None, "", repr=False)
    cookies: list[Cookie] | None = field(
        None,
        "options.cookies",
        "Without `domain` and `url` they are the page's own. `priority`, `sameParty`, "
        "`sourceScheme` and `sourcePort` have no effect; `partitionKey` is refused.",
        put_cookies,
        repr=False,
    )
    set_extra_http_headers: dict[str, str] | None = field(
        None,
        "options.headers",
        "Sent to the page's own origin only; not with `html`.",
        put_headers,
        alias="setExtraHTTPHeaders",
        repr=False,
    )
    reject_resource_types: list[Kind] | None = field(
        None,
        "options.block.resources",
        "`xhr` and `fetch` are one; what has no name here is `other`; `document` is refused.",
        reject_kinds,
    )
    reject_request_pattern: list[str] | None = field(
        None,
        "options.block.matching",
        "Of Rust's syntax, without look-arounds and references back.",
        reject_patterns,
    )
    add_style_tag: list[StyleTag] | None = field(
        None,
        "options.styles",
        "Those with a `url` are `options.onLoad`, and come before those with `content`. `path` is "
        "refused.",
        _put_styles,
    )
    add_script_tag: list[ScriptTag] | None = field(
        None,
        "options.onLoad",
        "`content` is run whatever the page's policy says. `path` is refused.",
        _put_scripts,
    )
    wait_for_timeout: int | None = field(
        None, "options.waitFor", "After the other waits, not before them."
    )
    wait_for_selector: WaitForSelector | None = field(
        None, "options.waitForSelector", "`timeout` is `options.waitTimeout`.", _put_selector
    )
    best_attempt: bool | None = field(
        None,
        "options.onTimeout",
        "`capture`. A URL that cannot be loaded is an error still.",
        _put_best_attempt,
    )

    def fill(self, draft: Draft) -> None:
        super().fill(draft)
        if self.url:
            draft.fields.pop("html", None)
        elif self.html:
            draft.fields.pop("url", None)
        else:
            raise InvalidRequest(NO_PAGE)
