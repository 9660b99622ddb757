"""Makes sentences of what is wrong with a request, from pydantic's errors and the fields' limits.

`request` calls it for an invalid request. The contract's tables use the same words.
"""

import typing
from collections.abc import Iterable, Iterator, Mapping
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

from annotated_types import Ge, Le, MaxLen, MinLen
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from farm.errors import Problem
from farm.request.group import CONFLICTS

#: The request names no page. Which of these applies depends on the fields that may name one.
#: Markdown is mentioned only if the request has the field.
NO_HTML = Problem("html", "missing")
NO_PAGE = Problem("html", "missing, and so is url")
NO_URL = Problem("url", "missing")
NO_CONTENT = Problem("markdown", "missing, and so is html")
NO_SOURCE = Problem("markdown", "missing, and so are html and url")

_MISSING = {
    NO_HTML: "HTML content is required.",
    NO_PAGE: "HTML content or a URL is required.",
    NO_URL: "A URL is required.",
    NO_CONTENT: "HTML or Markdown content is required.",
    NO_SOURCE: "HTML or Markdown content, or a URL, is required.",
}
_WORDS = {int: "an integer", float: "a number", str: "a string", bool: "true or false"}
_UNIONS = (UnionType, typing.Union)
#: Types by the names that pydantic gives the members of a union.
_BASES: dict[str, type] = {"str": str, "int": int, "float": float, "bool": bool}
_OUT_OF_BOUNDS = ("greater_than_equal", "less_than_equal", "literal_error")
_TOO_LONG = ("string_too_long", "too_long", "string_too_short", "too_short")


def as_problems(model: type[BaseModel], errors: Iterable[ErrorDetails]) -> list[Problem]:
    """Pydantic's errors about a `model`, as problems for the answer."""
    problems = []
    for error in errors:
        field = ".".join(str(part) for part in error["loc"] if not _is_choice(part))
        if error["type"] == CONFLICTS:
            for where, text in error["ctx"]["texts"]:
                problems.append(Problem(".".join(filter(None, (field, where))), text))
        else:
            problems.append(Problem(field, _text(model, error)))
    return problems


def _is_choice(part: int | str) -> bool:
    """Whether the part of an error's location names a member of a union, and not a field."""
    return isinstance(part, str) and ("[" in part or part in _BASES)


def _text(model: type[BaseModel], error: ErrorDetails) -> str:
    match error["type"]:
        case "missing":
            return "missing"
        case "extra_forbidden":
            return "unknown field"
        case "null" | "problem" | "unknown_value":
            field = field_at(model, error["loc"])
            if error["type"] == "null" and field is not None:
                return f"must be {word_of(field)}"
            return error["msg"]
        case kind if kind in _OUT_OF_BOUNDS or kind in _TOO_LONG:
            field = field_at(model, error["loc"])
            return f"must be {kind_of(field)}" if field else error["msg"]
        case "int_type" | "int_parsing" | "int_parsing_size" | "int_from_float":
            return "must be an integer"
        case "float_type" | "float_parsing" | "finite_number":
            return "must be a number"
        case "bool_type" | "bool_parsing":
            return "must be true or false"
        case "string_unicode":
            return "must be valid Unicode: it has half of a surrogate pair"
        case "string_type":
            return "must be a string"
        case "tuple_type" | "list_type":
            return "must be a list"
        case "model_type" | "model_attributes_type" | "dict_type":
            return "must be an object"
        case _:
            return error["msg"]


def field_at(model: type[BaseModel], location: Iterable[int | str]) -> FieldInfo | None:
    """The field at an error's location; None if the location is not a field of a group."""
    field: FieldInfo | None = None
    inside: type[BaseModel] | None = model
    for part in location:
        if field is not None and (isinstance(part, int) or part in _BASES):
            field = _narrowed(field, part) or field
        if not isinstance(part, str) or inside is None:
            continue
        by_alias = {each.alias or name: each for name, each in inside.model_fields.items()}
        if part in by_alias:
            field = by_alias[part]
            inside = _model_in(field.annotation)
    return field


def _narrowed(field: FieldInfo, part: int | str) -> FieldInfo | None:
    """The item of a list if `part` is an index, or the member of a union that `part` names."""
    for annotation in _choices(field.annotation):
        inner, *_ = get_args(annotation) or (annotation,)
        if isinstance(part, int) and get_origin(annotation) in (tuple, list):
            return FieldInfo.from_annotation(inner)
        if isinstance(part, str) and _base(annotation) is _BASES[part]:
            return FieldInfo.from_annotation(annotation)
    return None


def _choices(annotation: Any) -> Iterator[Any]:
    """The members of a union, nested ones included; or the type itself."""
    if get_origin(annotation) is Annotated and get_origin(_base(annotation)) in _UNIONS:
        annotation = _base(annotation)
    if get_origin(annotation) in _UNIONS:
        for part in get_args(annotation):
            yield from _choices(part)
    else:
        yield annotation


def _base(annotation: Any) -> Any:
    """The type without its constraints; for a literal, the type of its values."""
    if get_origin(annotation) is Annotated:
        return _base(get_args(annotation)[0])
    if get_origin(annotation) is Literal:
        return type(get_args(annotation)[0])
    return annotation


def _model_in(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for part in get_args(annotation):
        if (found := _model_in(part)) is not None:
            return found
    return None


def kind_of(field: FieldInfo) -> str:
    """The values that a field accepts, in words: `an integer from 1 to 16384 (pixels)`."""
    annotation = plain_type(field)
    if get_origin(annotation) is Literal:
        return _one_of(annotation)
    words = word_of(field) + _bounds(field.metadata)
    extra = field.json_schema_extra
    if isinstance(extra, Mapping) and "unit" in extra:
        words += f" ({extra['unit']})"
    return words


def _one_of(literal: Any) -> str:
    return "one of " + ", ".join(map(str, get_args(literal)))


def word_of(field: FieldInfo) -> str:
    """The types that a field accepts, in words: `a string or an object`."""
    annotations = [each for each in _choices(field.annotation) if each is not NoneType]
    return " or ".join(dict.fromkeys(map(_word, annotations)))


def _word(annotation: Any) -> str:
    if get_origin(annotation) is Literal:
        values = ", ".join(map(str, get_args(annotation)))
        return f"one of {values}" if len(get_args(annotation)) > 1 else f'"{values}"'
    if get_origin(annotation) in (tuple, list):
        return "a list"
    return _WORDS.get(_base(annotation), "an object")


def plain_type(field: FieldInfo) -> Any:
    """The field's type, without the None of an optional field."""
    annotation = field.annotation
    if get_origin(annotation) in _UNIONS:
        others = [part for part in get_args(annotation) if part is not NoneType]
        if len(others) == 1:
            return others[0]
    return annotation


def _bounds(metadata: list[Any]) -> str:
    low = next((bound.ge for bound in metadata if isinstance(bound, Ge)), None)
    high = next((bound.le for bound in metadata if isinstance(bound, Le)), None)
    if low is not None and high is not None:
        return f" from {low} to {high}"
    if low is not None:
        return f" of at least {low}"
    if high is not None:
        return f" of at most {high}"
    longest = next((bound.max_length for bound in metadata if isinstance(bound, MaxLen)), None)
    shortest = next((bound.min_length for bound in metadata if isinstance(bound, MinLen)), None)
    if longest is None:
        return ""
    return f" of {shortest or 0} to {longest:,}" if shortest else f" of at most {longest:,}"


def summary(problems: Iterable[Problem]) -> str:
    """One sentence for the answer: the first problem, and the number of others."""
    first, *others = problems
    sentence = _MISSING.get(first, f"{first.field}: {first.problem}.")
    return f"{sentence} {len(others)} more in details." if others else sentence
