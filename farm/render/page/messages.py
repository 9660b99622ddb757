"""The messages of a page's own errors, in the form that an answer may show."""

from farm.render.browser.devtools import Params

MAX_MESSAGE = 500


def message_of(details: Params) -> str:
    """The message of an exception (`Runtime.ExceptionDetails`), shortened and without its stack."""
    thrown = details.get("exception", {})
    text = thrown.get("description")
    if text is None:
        text = str(thrown["value"]) if "value" in thrown else details["text"]
    if thrown.get("subtype") == "error":
        text = text.split("\n    at ")[0]
    return str(text)[:MAX_MESSAGE]
