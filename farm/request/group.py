"""How a group of options is declared: one field each, which says all that others must know of it.

::

    class Waiting(Group):
        wait_for: int = option(0, "Waited after the page has settled.", unit="milliseconds", ge=0)

From a field come the check of a request and its sentence (`problems`), its row in docs/api.md, its
part of docs/openapi.json, and its flag of `farm render`. Names are snake_case in Python and
camelCase in JSON.
"""

from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError


@dataclass(frozen=True)
class Limits:
    """What an engine can do; requests are checked against it."""

    deadline_ms: int
    max_pixels: int
    #: Whether a URL may carry a user name and a password.
    url_credentials: bool = False


class Group(BaseModel):
    """Fields of a request that belong together. Validate with `context=Limits(…)`."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _not_null(cls, value: object) -> object:
        """A field that is not asked for is left out; `null` is nothing of its own."""
        if value is None:
            raise PydanticCustomError("null", "must not be null")
        # A field that has several values is a tuple, and JSON has lists.
        return tuple(value) if isinstance(value, list) else value


def option(default: Any, text: str, *, unit: str | None = None, **constraints: Any) -> Any:
    """A field of a group.

    `text`: one sentence about it, Markdown. `unit`: of a number. `constraints`: pydantic's (`ge`,
    `le`, `max_length`, …). `default` None: not asked for.
    """
    extra = {"unit": unit} if unit else None
    return Field(default, description=text, json_schema_extra=extra, **constraints)  # type: ignore[call-overload]


def limits_of(info: ValidationInfo) -> Limits:
    assert isinstance(info.context, Limits), "validate with context=limits"
    return info.context


def problem(text: str) -> PydanticCustomError:
    """To be raised by a validator: what is wrong, as the caller is told it."""
    return PydanticCustomError("problem", "{text}", {"text": text})
