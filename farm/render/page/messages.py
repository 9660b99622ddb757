"""What a page's own errors say, as an answer may tell it."""

from farm.render.browser.devtools import Params

MAX_MESSAGE = 500


def message_of(details: Params) -> str:
    """Of an exception, by its `Runtime.ExceptionDetails`: without the stack, and cut."""
    thrown = details.get("exception", {})
    text = thrown.get("description")
    if text is None:
        text = str(thrown["value"]) if "value" in thrown else details["text"]
    if thrown.get("subtype") == "error":
        text = text.split("\n    at ")[0]
    return str(text)[:MAX_MESSAGE]
