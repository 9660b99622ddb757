"""Emulates the device, locale and place that the request asks for, before anything is loaded.

Workers, and frames of other processes, are set up before anything runs in them. What applies to a
whole renderer process (locale, time zone) applies to the page's workers too.

Source: https://chromedevtools.github.io/devtools-protocol/tot/Emulation/
"""

import re
from collections.abc import Iterator
from typing import Any

from farm.errors import InvalidRequest, Problem
from farm.render.browser.devtools import CommandFailed, Params, Session, Wait
from farm.render.browser.looks import Looks
from farm.render.browser.page import Page
from farm.render.browser.renewal import begin_new_document
from farm.render.page.work import Work
from farm.request import RenderOptions, RenderRequest

_Command = tuple[str, Params]

_TIMEZONE = "Emulation.setTimezoneOverride"
#: Finds the system in a user agent as Playwright does: a pattern, the system's name for client
#: hints, and whether its processors are of the ARM family.
_SYSTEMS = (
    (re.compile(r"Android (\d+(?:\.\d+){0,2})"), "Android", True),
    (re.compile(r"iPhone OS (\d+(?:_\d+)?)"), "iOS", True),
    (re.compile(r"iPad; CPU OS (\d+(?:_\d+)?)"), "iOS", True),
    (re.compile(r"Mac OS X (\d+(?:_\d+){0,2})"), "macOS", False),
    (re.compile(r"Windows\D+(\d+(?:\.\d+){0,2})"), "Windows", False),
    (re.compile(r"linux()", re.IGNORECASE), "Linux", False),
)


def prepare(page: Page, request: RenderRequest) -> None:
    """Prepare the page before its first step.

    Raises `InvalidRequest` for what Chromium does not know.
    """
    options = request.options
    looks = _looks(options)
    told = [page.change_looks(looks)] if looks != Looks() else []
    if options.geolocation is not None:
        page.grant("geolocation")
    frame, worker = dict(_of_frame(options)), dict(_of_browser(options))
    if frame or worker:
        page.is_altered = True
        page.sessions.prepare_child.append(
            lambda info, child: _post(child, frame if info["type"] == "iframe" else worker)
        )
    # A document that is loaded before the answers may ignore the commands.
    begun = {method: page.session.begin(method, params) for method, params in frame.items()}
    for wait in told:
        wait.wait()
    for method, wait in begun.items():
        _wait(method, wait)
    if options.touch and request.url is None:
        # Whether a window has `ontouchstart` is decided when it is made.
        watch, _ = begin_new_document(page, None)
        watch.wait_until_loaded(None)


def finish_animations(work: Work) -> None:
    """Finish animations right before a capture. Raises `DocumentGone` if the page navigates."""
    if work.options.finishes_animations:
        work.settling.finish_animations()


def _looks(options: RenderOptions) -> Looks:
    screen = options.screen
    return Looks(
        is_mobile=options.mobile,
        screen=(screen.width, screen.height) if screen is not None else None,
        media=options.media_type or "",
        color_scheme=options.color_scheme,
        reduced_motion=options.reduced_motion,
        forced_colors=options.forced_colors,
        contrast=options.contrast,
    )


def _of_frame(options: RenderOptions) -> Iterator[_Command]:
    """The commands for a page or a frame."""
    yield from _of_browser(options)
    if options.geolocation is not None:
        yield "Emulation.setGeolocationOverride", options.geolocation.model_dump()
    if options.touch:
        yield "Emulation.setTouchEmulationEnabled", {"enabled": True}
    if not options.java_script:
        yield "Emulation.setScriptExecutionDisabled", {"value": True}


def _of_browser(options: RenderOptions) -> Iterator[_Command]:
    """The commands for a worker, which are for pages and frames too."""
    if options.user_agent is not None or options.locale is not None:
        yield "Emulation.setUserAgentOverride", _user_agent(options)
    if options.locale is not None:
        yield "Emulation.setLocaleOverride", {"locale": options.locale}
    if options.timezone is not None:
        yield _TIMEZONE, {"timezoneId": options.timezone}


def _user_agent(options: RenderOptions) -> Params:
    params: Params = {"userAgent": options.user_agent or ""}  # empty: the browser's own
    if options.locale is not None:
        params["acceptLanguage"] = options.locale
    if options.user_agent is not None:
        params["userAgentMetadata"] = _client_hints(options.user_agent, options.mobile)
    return params


def _client_hints(user_agent: str, is_mobile: bool) -> dict[str, Any]:
    """The client hints for the user agent, as Playwright sets them."""
    platform, version, is_arm = "Windows", "", False
    for pattern, name, of_arm in _SYSTEMS:
        if (found := pattern.search(user_agent)) is not None:
            platform, version, is_arm = name, found[1], of_arm
            break
    if platform == "macOS":
        is_arm = "Intel" not in user_agent
    is_arm |= "ARM" in user_agent
    return {
        "mobile": is_mobile,
        "model": "",
        "architecture": "arm" if is_arm else "x86",
        "platform": platform,
        "platformVersion": version,
    }


def _post(session: Session, commands: dict[str, Params]) -> None:
    for method, params in commands.items():
        session.post(method, params)


def _wait(method: str, wait: Wait) -> None:
    try:
        wait.wait()
    except CommandFailed as failure:
        if method != _TIMEZONE:
            raise
        # Chromium has its own list, which may be older than this machine's.
        problem = Problem("options.timezone", "is a time zone that Chromium does not know")
        raise InvalidRequest.of(problem) from failure
