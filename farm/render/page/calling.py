"""Calls functions in the document that the page shows, even if the page navigates meanwhile.

The farm's own functions (`actions.js`) run in its isolated world. The request's scripts run in the
page's main world, with the page's rights and no others.
"""

import math
from typing import Any

from farm.errors import InvalidRequest, Problem, ScriptFailed
from farm.render.browser.devtools import CommandFailed, Params
from farm.render.page.messages import MAX_MESSAGE, message_of
from farm.render.page.navigation import DocumentGone
from farm.render.page.scripts import (
    FunctionFailed,
    begin_call,
    begin_world,
    function_in,
    value_in,
    world_in,
)
from farm.render.page.work import Work

_ACTIONS = function_in("actions.js")
_CALLER = function_in("caller.js")
#: How long the event that explains a failed command may take, and how often a call may fail
#: although the page stays.
_NEWS_S = 0.1
_MAX_FAILURES = 3
#: Chromium's error for a promise that nothing can fulfil any more.
_NEVER_SETTLES = "Promise was collected"


def call(work: Work, name: str, *arguments: object) -> Any:
    """Call a function of `actions.js` in the document that the page shows; returns its value.

    None also if the page prevents the call.
    """
    activity, session = work.activity, work.page.session
    failures = 0
    while failures < _MAX_FAILURES:
        document = activity.document
        try:
            world = world_in(activity.await_answer(begin_world(session, work.page.id)))
            called = begin_call(session, world, name, *arguments, function=_ACTIONS)
            return value_in(activity.await_answer(called))
        except DocumentGone:
            pass
        except FunctionFailed:
            return None
        except CommandFailed:
            if not activity.wait_until_gone(document, _NEWS_S):
                failures += 1
        work.settling.settle()
    return None


def check_selectors(work: Work, field: str, *selectors: str, listed: bool = True) -> None:
    """Raises `InvalidRequest` if a selector of the field is invalid, as only the page can tell."""
    wrong = call(work, "wrong", selectors)
    if wrong is not None and wrong >= 0:
        place = f"options.{field}.{wrong}" if listed else f"options.{field}"
        problem = Problem(place, "must be a CSS selector")
        raise InvalidRequest.of(problem)


def run_script(work: Work, text: str) -> None:
    """Run a script of the request, and wait for what it awaits or returns.

    The script may make the page navigate, which ends it. Raises `ScriptFailed`.
    """
    _run(work, "run", text)


def is_truthy(work: Work, text: str) -> bool | None:
    """Whether the request's expression, or the value of its function, is truthy.

    None if the page navigates. Raises `ScriptFailed`.
    """
    answer = _run(work, "isTruthy", text)
    return bool(answer.get("value")) if answer is not None else None


def _run(work: Work, name: str, text: str) -> Params | None:
    """Call a function of `caller.js`. None if the page navigates."""
    window = _answer(work, "Runtime.evaluate", {"expression": "this", "silent": True})
    if window is None or "objectId" not in window["result"]:
        return None
    params = {
        "functionDeclaration": _CALLER,
        "arguments": [{"value": name}, {"value": text}],
        "objectId": window["result"]["objectId"],
        "awaitPromise": True,
        "returnByValue": True,
        "silent": True,
    }
    answer = _answer(work, "Runtime.callFunctionOn", params)
    if answer is None:
        return None
    told = answer["result"].get("value")
    # The page may have changed what promises return.
    found: Params = told if isinstance(told, dict) else {}
    if "exceptionDetails" in answer:
        found = {"error": message_of(answer["exceptionDetails"])}
    if "error" in found:
        message = str(found["error"])[:MAX_MESSAGE]
        raise ScriptFailed(f"{work.step} threw an error in the page: {message}")
    return found


def _answer(work: Work, method: str, params: Params) -> Params | None:
    """Send a command; None if the page navigates.

    Waits until the page navigates if the command's promise can never be fulfilled.
    """
    activity = work.activity
    document = activity.document
    try:
        return activity.await_answer(work.page.session.begin(method, params))
    except DocumentGone:
        return None
    except CommandFailed as failure:
        if _NEVER_SETTLES in str(failure):
            activity.wait_until(lambda: document.is_gone, math.inf)
        else:
            activity.wait_until_gone(document, _NEWS_S)
        return None
