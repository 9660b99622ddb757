"""Calls the farm's own JavaScript functions (`scripts.js`) in a page."""

from pathlib import Path

from farm.render.browser.devtools import CommandFailed, DevToolsError, Params, Session, Wait
from farm.render.browser.page import WORLD


def function_in(name: str) -> str:
    """The function that makes up a JavaScript file here, without its comments.

    It is sent with each call. Its arguments are the name of one of its inner functions, and that
    function's arguments.
    """
    lines = Path(__file__).with_name(name).read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("//"))


_FUNCTION = function_in("scripts.js")
#: Chromium's error for a call into a world that is gone already.
_NEVER_RAN = "Cannot find context"


class FunctionFailed(DevToolsError):
    """A function of the farm's scripts threw. The message is the exception's."""


def begin_world(session: Session, frame: str) -> Wait:
    """Make the farm's isolated world in the frame's present document, or find it."""
    return session.begin("Page.createIsolatedWorld", {"frameId": frame, "worldName": WORLD})


def world_in(answer: Params) -> int:
    world: int = answer["executionContextId"]
    return world


def begin_call(
    session: Session,
    world: int,
    name: str,
    *arguments: object,
    by_value: bool = True,
    function: str | None = None,
) -> Wait:
    """Call a function of `scripts.js` in the world, or of another file's `function`.

    `value_in` reads the answer. If not `by_value`, the returned value stays in the page, and the
    answer has a handle to it.
    """
    return session.begin(
        "Runtime.callFunctionOn",
        {
            "functionDeclaration": function or _FUNCTION,
            "arguments": [{"value": argument} for argument in (name, *arguments)],
            "executionContextId": world,
            "awaitPromise": True,
            "returnByValue": by_value,
        },
    )


def value_in(answer: Params) -> Params | None:
    """What a function has returned. Raises `FunctionFailed`."""
    if (exception := answer.get("exceptionDetails")) is not None:
        raise FunctionFailed(exception.get("exception", {}).get("description", exception["text"]))
    value: Params | None = answer["result"].get("value")
    return value


def never_ran(failure: CommandFailed) -> bool:
    """Whether a call failed because its world was gone already."""
    return _NEVER_RAN in str(failure)
