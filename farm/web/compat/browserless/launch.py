"""`?launch=`: the launch options of browserless. Here the browser has been launched already.

Options that would not change what the page looks like are accepted. The others are applied if the
farm can do so, and otherwise named in a 400.
"""

import base64
import binascii
import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator

from farm.errors import InvalidRequest, Problem
from farm.request.group import problem
from farm.web.compat.puppeteer.declared import Body, field
from farm.web.compat.puppeteer.draft import Draft
from farm.web.compat.puppeteer.page import Milliseconds, Viewport

#: Switches of Chromium that do not change what a page looks like here.
_HARMLESS = frozenset(
    [
        "--disable-accelerated-2d-canvas",
        "--disable-background-networking",
        "--disable-background-timer-throttling",
        "--disable-backgrounding-occluded-windows",
        "--disable-breakpad",
        "--disable-client-side-phishing-detection",
        "--disable-component-update",
        "--disable-default-apps",
        "--disable-dev-shm-usage",
        "--disable-extensions",
        "--disable-features",
        "--disable-gpu",
        "--disable-hang-monitor",
        "--disable-infobars",
        "--disable-ipc-flooding-protection",
        "--disable-notifications",
        "--disable-popup-blocking",
        "--disable-renderer-backgrounding",
        "--disable-setuid-sandbox",
        "--disable-software-rasterizer",
        "--disable-sync",
        "--disable-translate",
        "--enable-automation",
        "--enable-features",
        "--font-render-hinting",
        "--force-color-profile",
        "--headless",
        "--hide-scrollbars",
        "--ignore-gpu-blocklist",
        "--metrics-recording-only",
        "--mute-audio",
        "--no-default-browser-check",
        "--no-first-run",
        "--no-sandbox",
        "--no-zygote",
        "--password-store",
        "--single-process",
        "--start-maximized",
        "--use-mock-keychain",
        "--window-size",
    ]
)


def _put_args(draft: Draft, switches: list[str]) -> None:
    for number, switch in enumerate(switches):
        name, _, value = switch.partition("=")
        if name == "--lang" and value:
            draft.set("options.locale", value)
        elif name == "--user-agent" and value:
            draft.set("options.userAgent", value.strip("\"'"))
        elif name not in _HARMLESS:
            draft.refuse(f"launch.args.{number}", f"{name} cannot be set by callers")


def _check_off(is_on: bool) -> bool:
    if is_on:
        raise problem("must be false")
    return is_on


_Never = Annotated[bool, AfterValidator(_check_off)]


class LaunchOptions(Body):
    headless: bool | Literal["shell", "new", "old"] | None = field(None, "", "Has no effect.")
    args: list[str] | None = field(
        None,
        "",
        "`--lang` and `--user-agent` are heeded; switches that make no page look different have "
        "no effect; others are refused.",
        _put_args,
    )
    default_viewport: Viewport | None = field(None, "")
    devtools: _Never | None = field(None, "", "`false` only.")
    dumpio: bool | None = field(None, "", "Has no effect.")
    slow_mo: float | None = field(None, "", "Has no effect.")
    stealth: _Never | None = field(None, "", "`false` only: the farm does not hide what it is.")
    timeout: Milliseconds | None = field(None, "", "Has no effect: the browser is there already.")
    wait_for_initial_page: bool | None = field(None, "", "Has no effect.")
    ignore_default_args: _Never | None = field(None, "", "`false` only.")
    accept_insecure_certs: _Never | None = field(None, "", "`false` only.")
    ignore_https_errors: _Never | None = field(None, "", "`false` only.", alias="ignoreHTTPSErrors")


def parse_launch(text: str) -> LaunchOptions | list[Problem] | None:
    """Parse the options.

    Returns the problems instead if there are any, and None for no JSON object.
    """
    found = _json(text)
    if found is None:
        return None
    try:
        return LaunchOptions.read(found)
    except InvalidRequest as exc:
        return [Problem(f"launch.{each.field}", each.problem) for each in exc.problems]


def with_old(text: str, old: Mapping[str, str]) -> str:
    """`launch` with the parameters of browserless 1 added. Its own fields take precedence."""
    found = _json(text)
    if found is None:
        return text
    switches = [
        name if value == "true" else f"{name}={value}"
        for name, value in old.items()
        if name.startswith("--")
    ]
    others = {name: value for name, value in old.items() if not name.startswith("--")}
    merged = {**others, **found}
    if switches and isinstance(found.get("args", []), list):
        merged["args"] = [*found.get("args", []), *switches]
    return json.dumps(merged)


def _json(text: str) -> Mapping[str, Any] | None:
    if not text.lstrip().startswith("{"):
        try:
            # A plus sign in a query is decoded as a space.
            text = base64.b64decode(text.replace(" ", "+"), validate=True).decode()
        except (binascii.Error, ValueError):
            return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None
