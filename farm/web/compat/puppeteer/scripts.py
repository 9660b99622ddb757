"""JavaScript that does in a page what Puppeteer's functions do."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

#: As browserless tells functions from other texts.
_ASYNC = ("async", "await")
_FUNCTIONS = ("function", "()")


def called(name: str, *arguments: Any) -> str:
    """A call of the function that a file here has."""
    texts = (json.dumps(argument, ensure_ascii=False) for argument in arguments)
    return f"({_function_in(name)})({', '.join(texts)})"


def _function_in(name: str) -> str:
    """Without its comments, since it is sent with each call."""
    lines = Path(__file__).with_name(name).read_text().splitlines()
    return "\n".join(line for line in lines if not line.lstrip().startswith("//"))


def script_of(content: str) -> str:
    """A script whose error is the page's own, as one of a `<script>` is."""
    text = json.dumps(content, ensure_ascii=False)
    return f"try {{ (0, eval)({text}) }} catch (error) {{ reportError(error) }} void 0"


def tag_of(kind: str, attributes: Mapping[str, str | None]) -> str:
    """A script that adds an element and waits until it has loaded."""
    return called("tag.js", kind, {k: v for k, v in attributes.items() if v is not None})


def waited_for(function: str | None, event: str | None, *, forgives: bool) -> str:
    """An expression that is true once the function is, and the event has come.

    `forgives`: what the function throws means that it is not true yet.
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
    """As browserless reads it: of what is asynchronous, the end is waited for."""
    text = function.strip().rstrip(";")
    if any(word in text for word in _ASYNC):
        return f"(async () => {{ await (\n{text}\n)(); return true }})()"
    if text.startswith(_FUNCTIONS):
        return f"(\n{text}\n)()"
    return f"(\n{text}\n)"
