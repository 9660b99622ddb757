"""Validates the regular expressions of a request, and matches them with URLs.

They run in Rust's engine (https://docs.rs/regex/latest/regex/#syntax), which is part of pydantic.
The time of a match grows at most with the product of the lengths of the URL and the pattern, so a
caller's pattern cannot hang the farm. This module bounds the constructs that make a compiled
pattern larger than its text. The engine supports neither look-around nor back-references.
"""

import re
from functools import lru_cache
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import SchemaError, SchemaValidator, core_schema

from farm.request.group import problem

MAX_LENGTH = 1_024
#: Longer URLs match no pattern.
_MAX_URL = 8_192
#: The sum of all counted repetitions. The engine copies the repeated part so many times.
_MAX_COUNT = 256
#: `\pL` compiles to thousands of ranges, and URLs are ASCII.
_CLASS_BY_NAME = re.compile(r"\\[pP]")
_COUNTED = re.compile(r"\{(\d*),?(\d*)\}")
#: A counted repetition of a group, or of a counted repetition: the counts multiply.
_MULTIPLIED = re.compile(r"[)}][?*+]*\{[\d,]")
#: Each group costs memory for each position in the pattern, for as long as the pattern is cached.
_MAX_GROUPS = 16
#: Classes limited to ASCII, since URLs are ASCII. In Unicode, each class is hundreds of ranges.
_ASCII = {
    "w": "[0-9A-Za-z_]",
    "W": "[^0-9A-Za-z_]",
    "d": "[0-9]",
    "D": "[^0-9]",
    "s": r"[\t-\r\x20]",
    "S": r"[^\t-\r\x20]",
}
_ESCAPE = re.compile(r"\\(.)")
#: The line of the engine's message that says what is wrong.
_REASON = re.compile(r"^error: (.+)$", re.MULTILINE)


def check_pattern(text: str) -> str:
    """The pattern. Raises a problem if it is not valid or could become too large."""
    if not 1 <= len(text) <= MAX_LENGTH or not text.isprintable():
        raise problem(f"must be of 1 to {MAX_LENGTH:,} printable characters")
    if _CLASS_BY_NAME.search(text):
        raise problem(r"must not have \p, since URLs are ASCII")
    # With `(?x)` the engine ignores spaces, also inside numbers.
    dense = text.replace(" ", "")
    counts = sum(max(int(each[-9:] or 0) for each in bounds) for bounds in _COUNTED.findall(dense))
    if _MULTIPLIED.search(dense) or counts > _MAX_COUNT:
        raise problem(
            "must not have a counted repetition of a group, nor counted ones of more than "
            f"{_MAX_COUNT} in all"
        )
    if text.count("(") - text.count("(?:") > _MAX_GROUPS:
        raise problem(f"must have at most {_MAX_GROUPS} groups, beside those that begin with ?:")
    try:
        _compiled(text)
    except SchemaError as exc:
        reason = _REASON.search(str(exc))
        raise problem(
            "must be a regular expression of Rust's syntax"
            + (f": {reason[1]}" if reason else ", and not too large")
        ) from None
    return text


def matches(text: str, url: str) -> bool:
    """Whether the pattern, which `check_pattern` has accepted, is found anywhere in the URL."""
    return len(url) <= _MAX_URL and _compiled(text).isinstance_python(url)


@lru_cache(maxsize=256)
def _compiled(text: str) -> SchemaValidator:
    pattern = _ESCAPE.sub(lambda escape: _ASCII.get(escape[1], escape[0]), text)
    return SchemaValidator(core_schema.str_schema(pattern=pattern, regex_engine="rust-regex"))


#: The type of a field for a pattern.
Pattern = Annotated[str, AfterValidator(check_pattern)]
