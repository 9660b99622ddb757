"""Declares fields of another service's body, and reads a body by its declarations.

    class Page(Body):
        set_java_script_enabled: bool | None = field(None, "options.javaScript")

A declaration provides the check of the field, what it becomes in the farm's own request, the name
that errors of that request use for it, and its row in docs/migrating.md.
"""

from collections.abc import Callable, Container, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self, cast, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from pydantic.fields import FieldInfo

from farm.errors import InvalidRequest, Problem
from farm.request import RenderRequest
from farm.request.problems import as_problems
from farm.web.compat.puppeteer.draft import Draft
from farm.web.compat.table import Mapped

#: The key of a declaration among the metadata that pydantic keeps of a field.
_KEY = "becomes"


@dataclass(frozen=True)
class Becomes:
    """What a field is here."""

    #: The path of the farm's own field or option; empty if the field has no effect.
    ours: str
    #: How it differs from the service's field; Markdown.
    differs: str
    #: Changes the farm's request. None: the value is put at the path `ours`, as it is.
    put: Callable[[Draft, Any], None] | None


class Body(BaseModel):
    """Fields of another service. As in these services, numbers and booleans may be strings."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, hide_input_in_errors=True
    )

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """Raises `InvalidRequest` with every problem found."""
        try:
            return cls.model_validate(fields)
        except ValidationError as exc:
            raise InvalidRequest(None, _first_each(as_problems(cls, exc.errors()))) from None

    @property
    def given(self) -> set[str]:
        """The names of the fields that have a value."""
        fields = type(self).model_fields
        return {
            info.alias or name for name, info in fields.items() if getattr(self, name) is not None
        }

    def fill(self, draft: Draft) -> None:
        """Put each field that has a value into the farm's request."""
        for name, info in type(self).model_fields.items():
            value, becomes = getattr(self, name), becomes_of(info)
            if value is None or becomes is None:
                continue
            if becomes.put is not None:
                becomes.put(draft, value)
            elif isinstance(value, Body):
                value.fill(draft)
            elif becomes.ours:
                draft.set(becomes.ours, value)


def _first_each(problems: list[Problem]) -> list[Problem]:
    """The first problem of each field. For a field of several types, each type reports the same."""
    classes = {each.__name__ for each in Body.__subclasses__()}
    found: dict[str, Problem] = {}
    for problem in problems:
        # pydantic adds the name of the class that it has tried.
        name = ".".join(part for part in problem.field.split(".") if part not in classes)
        found.setdefault(name, Problem(name, problem.problem))
    return list(found.values())


def field(
    default: Any,
    ours: str,
    differs: str = "",
    put: Callable[[Draft, Any], None] | None = None,
    **constraints: Any,
) -> Any:
    """A field of a body. Its default None means that it is not set. `constraints`: pydantic's."""
    extra = {_KEY: Becomes(ours, differs, put)}
    return Field(default, json_schema_extra=cast(Any, extra), **constraints)


def becomes_of(info: FieldInfo) -> Becomes | None:
    extra = info.json_schema_extra
    found = extra.get(_KEY) if isinstance(extra, Mapping) else None
    return found if isinstance(found, Becomes) else None


def declarations(model: type[Body], before: str = "") -> Iterator[tuple[str, Becomes]]:
    """Each field of a body and of the bodies in it, by its full name."""
    for name, info in model.model_fields.items():
        becomes = becomes_of(info)
        if becomes is None:
            continue
        whole = before + (info.alias or name)
        inside = _body_in(info.annotation)
        if inside is None or becomes.put is not None:
            yield whole, becomes
        if inside is not None:
            yield from declarations(inside, f"{whole}.")


def mapped(model: type[Body], without: type[Body] | None = None) -> list[Mapped]:
    """The rows of a model's table, without the fields that `without` also has."""
    known = {name for name, _ in declarations(without)} if without is not None else set()
    return [
        Mapped(name, f"`{becomes.ours}`" if becomes.ours else "nothing", becomes.differs)
        for name, becomes in declarations(model)
        if name not in known
    ]


def requested(model: type[Body], draft: Draft) -> RenderRequest:
    """The farm's request from a draft. Its problems are named by the model's fields.

    Raises `InvalidRequest` with every problem, `InvalidUrl`, or `OutputTooLarge`.
    """
    try:
        request = draft.request()
    except InvalidRequest as exc:
        problems = [*draft.problems, *(theirs(model, problem) for problem in exc.problems)]
        raise type(exc)(None, problems) from exc
    if draft.problems:
        raise InvalidRequest(None, draft.problems)
    return request


def theirs(model: type[Body], problem: Problem, given: Container[str] = ()) -> Problem:
    """A problem of the farm's request, under the name of the body's field that has caused it.

    `given`: the names of the fields that are set. They decide if several fields become the same.
    """
    parts = problem.field.split(".")
    names: dict[str, str] = {}
    for name, each in declarations(model):
        if each.ours and (each.ours not in names or name.partition(".")[0] in given):
            names[each.ours] = name
    for length in range(len(parts), 0, -1):
        known = names.get(".".join(parts[:length]))
        if known is not None:
            return Problem(".".join([known, *parts[length:]]), problem.problem)
    return Problem("" if problem.field == "options" else problem.field, problem.problem)


def _body_in(annotation: Any) -> type[Body] | None:
    if isinstance(annotation, type) and issubclass(annotation, Body):
        return annotation
    found = (_body_in(part) for part in get_args(annotation))
    return next((body for body in found if body is not None), None)
