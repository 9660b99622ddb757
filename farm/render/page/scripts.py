"""Calling the farm's own JavaScript functions (`scripts.js`) in a page."""

from pathlib import Path

from farm.render.browser.devtools import CommandFailed, DevToolsError, Params, Session, Wait
from farm.render.browser.page import WORLD


def function_in(name: str) -> str:
    """The function that is all of a file here, without its comments, as it is sent with each call.

    Its arguments are the name of one of those in it, and what that one takes.
    """
    lines = Path(__file__).with_name(name).read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("//"))


_FUNCTION = function_in("scripts.js")
#: What Chromium says of a call into a world that was gone before it.
_NEVER_RAN = "Cannot find context"


class ScriptFailed(DevToolsError):
    """A function of the farm's threw; the message is its exception's."""


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
    function: str | None = None,
    by_value: bool = True,
) -> Wait:
    """Call a function of `scripts.js` there, or of another `function_in` a file.

    `value_in` reads the answer. Not `by_value`: what it returns stays in the page, and the answer
    has a handle of it.
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
    """What a function returned. Raises `ScriptFailed`."""
    if (exception := answer.get("exceptionDetails")) is not None:
        raise ScriptFailed(exception.get("exception", {}).get("description", exception["text"]))
    value: Params | None = answer["result"].get("value")
    return value


def never_ran(failure: CommandFailed) -> bool:
    """Whether a call failed since its world was gone before it."""
    return _NEVER_RAN in str(failure)
