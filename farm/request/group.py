"""How a group of options is declared: one field each, which says all that others must know of it.

::

    class Waiting(Group):
        wait_for: int = option(0, "Waited after the page has settled.", unit="milliseconds", ge=0)

From a field come the check of a request and its sentence (`problems`), its row in docs/options.md
and its part of docs/openapi.json (`farm contract` writes both), and its flag of `farm render`.
Names are snake_case in Python and camelCase in JSON.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from farm.settings import Settings


@dataclass(frozen=True)
class Limits:
    """What an engine can do; requests are checked against it."""

    deadline_ms: int
    max_pixels: int
    #: Whether a URL may carry a user name and a password.
    url_credentials: bool = False
    #: Not a limit: the options are no file's own, but what each of several files starts from.
    are_shared: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Of an engine that has these settings."""
        return cls(
            int(settings.render_deadline_s * 1000),
            settings.max_pixels,
            url_credentials=settings.url_credentials == "allow",
        )


#: The type of an error that has several sentences.
CONFLICTS = "conflicts"


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

    def conflicts(self) -> Iterator[str]:
        """What makes no sense together, a sentence each; a group adds to its bases'."""
        yield from ()

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if texts := [("", text) for text in self.conflicts()]:
            raise conflict(texts)
        return self


def option(
    default: Any,
    text: str,
    *,
    unit: str | None = None,
    schema: Mapping[str, Any] | None = None,
    **constraints: Any,
) -> Any:
    """A field of a group.

    `text`: one sentence about it, Markdown. `unit`: of a number. `constraints`: pydantic's (`ge`,
    `le`, `max_length`, …). `schema`: JSON Schema of what only a validator checks. `default` None:
    not asked for.
    """
    extra = {**(schema or {}), **({"unit": unit} if unit else {})}
    return Field(default, description=text, json_schema_extra=extra or None, **constraints)


def limits_of(info: ValidationInfo) -> Limits:
    assert isinstance(info.context, Limits), "validate with context=limits"
    return info.context


def conflict(texts: list[tuple[str, str]]) -> PydanticCustomError:
    """To be raised by a validator: sentences of what makes no sense together.

    Each with where it is in the field that is validated: `0`, or nothing for the field itself.
    """
    return PydanticCustomError(CONFLICTS, "does not go together", {"texts": texts})


def problem(text: str) -> PydanticCustomError:
    """To be raised by a validator: what is wrong, as the caller is told it."""
    return PydanticCustomError("problem", "{text}", {"text": text})


def unknown_value(text: str) -> PydanticCustomError:
    """The same, of a value that another version of the farm may know."""
    return PydanticCustomError("unknown_value", "{text}", {"text": text})
