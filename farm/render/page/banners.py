"""Hides banners that ask for consent to cookies.

The rules that find them are data of DuckDuckGo's autoconsent (MPL 2.0), from a wheel. None of its
scripts runs.
"""

import json
import re
from contextlib import suppress
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from farm.render.browser.devtools import CommandFailed, TimedOut
from farm.render.page.navigation import DocumentGone
from farm.render.page.scripts import begin_world, world_in
from farm.render.page.work import Work

_FUNCTION = Path(__file__).with_suffix(".js").read_text()
#: The time that each step may take.
_HIDING_S = 1.0
#: The part of a URL that is matched against a rule's pattern.
_MAX_MATCHED = 1_000
#: Banners that autoconsent finds by scripts of its own instead of by selectors.
_MORE_BANNERS = (
    "#cmpbox, #cmpbox2",
    "#cookie-law-info-bar",
    "#CybotCookiebotDialog, #CybotCookiebotDialogBodyUnderlay",
    "#onetrust-consent-sdk, #onetrust-banner-sdk, .onetrust-pc-dark-filter",
    "#truste-consent-track, .truste_overlay, .truste_box_overlay",
    "#usercentrics-root, #usercentrics-cmp-ui",
    ".klaro .cookie-notice, .klaro .cookie-modal",
)


def hide(work: Work) -> None:
    """Hide the banners of a page that is ready to be captured."""
    if not work.options.block.cookie_banners:
        return
    page, activity = work.page, work.activity
    rules = banner_rules(activity.document.url)
    # A page that navigates, or is too busy, keeps its banner.
    with suppress(DocumentGone, CommandFailed, TimedOut):
        world = world_in(activity.await_answer(begin_world(page.session, page.id), _HIDING_S))
        call = {
            "functionDeclaration": _FUNCTION,
            "arguments": [{"value": rules}],
            "executionContextId": world,
        }
        activity.await_answer(page.session.begin("Runtime.callFunctionOn", call), _HIDING_S)


#: Lists of selectors, each of which must match something, and the selectors to hide then.
Rule = tuple[list[list[str]], list[str]]


def banner_rules(url: str) -> list[Rule]:
    """The rules for the cookie banners of a page."""
    return [
        rule
        for where, rule in _all_banner_rules()
        if where is None or where.match(url, 0, _MAX_MATCHED)
    ]


@cache
def _all_banner_rules() -> list[tuple[re.Pattern[str] | None, Rule]]:
    """All rules. A rule that is not for all pages has a pattern of their URLs."""
    text = files("duckduckgo_autoconsent").joinpath("autoconsent_rules.json").read_text("utf-8")
    made = (_banner_rule(rule) for rule in json.loads(text))
    more = [(None, ([[banner]], [banner])) for banner in _MORE_BANNERS]
    return [*more, *(rule for rule in made if rule is not None)]


def _banner_rule(rule: dict[str, Any]) -> tuple[re.Pattern[str] | None, Rule] | None:
    where = rule.get("runContext") or {}
    there = [_selectors(step) for step in rule["detectCmp"]]
    hidden = list(rule.get("prehideSelectors") or ())
    for step in () if hidden else rule["detectPopup"]:
        hidden += _selectors(step) if "visible" in step else []
    if not where.get("main", True) or not all(there) or not hidden:
        return None
    pattern = where.get("urlPattern")
    return re.compile(pattern) if pattern else None, (there, hidden)


def _selectors(step: dict[str, Any]) -> list[str]:
    """The selectors of a step, one of which must match; empty if the step asks for more."""
    if step.get("negated"):
        return []
    if "any" in step:
        each = [_selectors(part) for part in step["any"]]
        return [selector for selectors in each for selector in selectors]
    found = step.get("exists") or step.get("visible")
    # Several selectors lead through shadow trees and frames; the first one is in the page itself.
    return [found] if isinstance(found, str) else list(found or ())[:1]
