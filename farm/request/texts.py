"""Texts of a request's that several groups take: CSS, selectors and JavaScript."""

from typing import Annotated, Any

from pydantic import Field

from farm.request.group import problem

#: Of one CSS or JavaScript text: a large library that has been made small.
MAX_TEXT = 500_000
MAX_SELECTOR = 1_000
_UNIT: Any = {"unit": "characters"}

#: CSS's; it is the page that knows whether it is one.
Selector = Annotated[str, Field(min_length=1, max_length=MAX_SELECTOR, json_schema_extra=_UNIT)]
#: CSS or JavaScript.
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, json_schema_extra=_UNIT)]


def in_utf8(text: str) -> str:
    """JSON can spell half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise problem("must be valid Unicode") from None
    return text
