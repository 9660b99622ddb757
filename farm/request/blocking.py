"""What a page does not load: the option `block`."""

from typing import Literal

from pydantic import field_validator

from farm.request.group import Group, option, problem
from farm.request.patterns import MAX_LENGTH, check_pattern

MAX_PATTERNS = 100
#: The longest pattern for whole URLs.
_MAX_PATTERN = 1_024
Resource = Literal[
    "image", "media", "font", "stylesheet", "script", "xhr", "fetch", "websocket", "other"
]


class Block(Group):
    """What the page does not load; requests for it are not sent."""

    resources: tuple[Resource, ...] = option(
        (), "Kinds of requests that are not sent.", max_length=20
    )
    urls: tuple[str, ...] = option(
        (),
        "Patterns of whole URLs, in which `*` stands for any text.",
        max_length=MAX_PATTERNS,
        schema={"items": {"type": "string", "minLength": 1, "maxLength": _MAX_PATTERN}},
    )
    matching: tuple[str, ...] = option(
        (),
        "Regular expressions (Rust's syntax) that are looked for in a request's URL.",
        max_length=MAX_PATTERNS,
        schema={"items": {"type": "string", "minLength": 1, "maxLength": MAX_LENGTH}},
    )
    ads: bool = option(False, "Ads and trackers that EasyList and EasyPrivacy know.")
    cookie_banners: bool = option(
        False, "Banners that ask for consent: their scripts are not loaded, and they are hidden."
    )

    @field_validator("urls")
    @classmethod
    def _patterns(cls, patterns: tuple[str, ...]) -> tuple[str, ...]:
        for pattern in patterns:
            if not 1 <= len(pattern) <= _MAX_PATTERN or not pattern.isprintable():
                raise problem(f"each must be of 1 to {_MAX_PATTERN:,} printable characters")
        return patterns

    @field_validator("matching")
    @classmethod
    def _expressions(cls, expressions: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(check_pattern(each) for each in expressions)

    @property
    def is_asked_for(self) -> bool:
        """Whether anything is blocked."""
        return self != NO_BLOCK


NO_BLOCK = Block.model_construct()
