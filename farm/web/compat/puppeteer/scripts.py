"""JavaScript for what Puppeteer's functions do in a page."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: As browserless distinguishes functions from other texts.
_ASYNC = ("async", "await")
_FUNCTIONS = ("function", "()")


def called(name: str, *arguments: Any) -> str:
    """A call of the function in one of the files here."""
    texts = (json.dumps(argument, ensure_ascii=False) for argument in arguments)
    return f"({_function_in(name)})({', '.join(texts)})"


def _function_in(name: str) -> str:
    """The function without its comments, since it is sent with each call."""
    lines = Path(__file__).with_name(name).read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("//"))


def script_of(content: str) -> str:
    """A script whose errors are the page's own, as those of a `<script>` are."""
    text = json.dumps(content, ensure_ascii=False)
    return f"try {{ (0, eval)({text}) }} catch (error) {{ reportError(error) }} void 0"


def tag_of(kind: str, attributes: Mapping[str, str | None]) -> str:
    """A script that adds an element and waits until it is loaded."""
    return called("tag.js", kind, {k: v for k, v in attributes.items() if v is not None})


def waited_for(function: str | None, event: str | None, *, forgives: bool) -> str:
    """An expression that is true once the event has come and the function's value is true.

    `forgives`: an error of the function counts as false.
    """
    parts = []
    if event is not None:
        parts.append(called("event.js", event))
    if function is not None:
        parts.append(f"(await {_value_of(function)})")
    text = " && ".join(parts)
    if forgives:
        return f"(async () => {{ try {{ return {text} }} catch {{ return false }} }})()"
    return f"(async () => {text})()"


def _value_of(function: str) -> str:
    """The function's value as browserless reads it. An asynchronous function is awaited."""
    text = function.strip().rstrip(";")
    if any(word in text for word in _ASYNC):
        return f"(async () => {{ await (\n{text}\n)(); return true }})()"
    if text.startswith(_FUNCTIONS):
        return f"(\n{text}\n)()"
    return f"(\n{text}\n)"
