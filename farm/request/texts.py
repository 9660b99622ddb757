"""Types and checks for texts that several groups have: CSS, selectors, JavaScript, Unicode."""

from typing import Annotated, Any

from pydantic import Field

from farm.request.group import problem

#: The longest CSS or JavaScript text: that of a large library after minification.
MAX_TEXT = 500_000
MAX_SELECTOR = 1_000
_UNIT: Any = {"unit": "characters"}

#: A CSS selector. Only the page can tell whether it is valid.
Selector = Annotated[str, Field(min_length=1, max_length=MAX_SELECTOR, json_schema_extra=_UNIT)]
#: CSS or JavaScript.
Text = Annotated[str, Field(min_length=1, max_length=MAX_TEXT, json_schema_extra=_UNIT)]


def in_utf8(text: str) -> str:
    """The text. Raises a problem for half of a surrogate pair, which JSON can express."""
    try:
        text.encode()
    except UnicodeEncodeError:
        raise problem("must be valid Unicode") from None
    return text
