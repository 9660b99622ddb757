"""The base class of a group of options, and `option`, which declares one.

::

    class Waiting(Group):
        wait_for: int = option(0, "Waited after the page has settled.", unit="milliseconds", ge=0)

An option is declared once, as a field. The field defines the validation and its error sentence
(`problems`), the row in docs/options.md and the part of docs/openapi.json (`farm contract` writes
both), and the flag of `farm render`. Names are snake_case in Python and camelCase in JSON.
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
    """The limits of an engine, against which requests are validated."""

    deadline_ms: int
    max_pixels: int
    #: Whether a URL may carry a user name and a password.
    url_credentials: bool = False
    #: Not a limit: the options are the common base of several files, and not those of one file. So
    #: they are not checked as a capture.
    are_shared: bool = False

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """The limits of an engine with these settings."""
        return cls(
            int(settings.render_deadline_s * 1000),
            settings.max_pixels,
            url_credentials=settings.url_credentials == "allow",
        )


#: The pydantic type of an error that carries several sentences.
CONFLICTS = "conflicts"


class Group(BaseModel):
    """Fields of a request that belong together. Validated with `context=Limits(…)`."""

    model_config = ConfigDict(
        strict=True, frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=False
    )

    @field_validator("*", mode="before")
    @classmethod
    def _not_null(cls, value: object) -> object:
        """Raises a problem for `null`: a field that is not set must be left out."""
        if value is None:
            raise PydanticCustomError("null", "must not be null")
        # Fields are tuples, and JSON has lists.
        return tuple(value) if isinstance(value, list) else value

    def conflicts(self) -> Iterator[str]:
        """A sentence for each pair of options that exclude each other.

        A group that overrides it also yields its bases' sentences.
        """
        yield from ()

    def __deepcopy__(self, memo: dict[int, Any] | None = None) -> Self:
        """Itself. A group is frozen, and no code changes a dict in it.

        Otherwise pydantic would copy the default of `options` for each request. It follows that
        `model_copy(deep=True)` copies nothing.
        """
        return self

    @model_validator(mode="after")
    def _has_no_conflicts(self) -> Self:
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

    `text`: one sentence in Markdown, for callers. `unit`: the unit of a number. `constraints`:
    pydantic's (`ge`, `le`, `max_length`, …). `schema`: JSON Schema for what only a validator
    checks. `default` None: the option is not set.
    """
    extra = {**(schema or {}), **({"unit": unit} if unit else {})}
    return Field(default, description=text, json_schema_extra=extra or None, **constraints)


def limits_of(info: ValidationInfo) -> Limits:
    assert isinstance(info.context, Limits), "validate with context=limits"
    return info.context


def conflict(texts: list[tuple[str, str]]) -> PydanticCustomError:
    """An error for a validator to raise: options that exclude each other.

    Each text comes with its path in the validated field: `0`, or `""` for the field itself.
    """
    return PydanticCustomError(CONFLICTS, "does not go together", {"texts": texts})


def problem(text: str) -> PydanticCustomError:
    """An error for a validator to raise. Callers receive the text."""
    return PydanticCustomError("problem", "{text}", {"text": text})


def unknown_value(text: str) -> PydanticCustomError:
    """As `problem`, for a value that another version of the farm may know."""
    return PydanticCustomError("unknown_value", "{text}", {"text": text})
