"""Turns the keyword arguments of a request into its JSON form.

Names are snake_case in Python and camelCase in JSON. The types in `fields` say which keys of a
value are such names, and which are the caller's own, such as header names.
"""

import re
import typing
from base64 import b64encode
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from farm.client.fields import JobFields, RenderOptions


def as_request(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Keyword arguments as a request, with all options in the field `options`."""
    beside = request_names()
    request = {name: value for name, value in fields.items() if name in beside}
    options = {name: value for name, value in fields.items() if name not in beside}
    converted: dict[str, Any] = _convert(request, [JobFields])
    if options:
        converted["options"] = _convert(options, [RenderOptions])
    return converted


@cache
def request_names() -> frozenset[str]:
    """The fields of a request that are not options."""
    return frozenset(_hints(JobFields).keys() - _hints(RenderOptions).keys())


def unknown_names(fields: Mapping[str, Any], known: Any) -> list[str]:
    """The names that a class of `fields` does not have."""
    return [name for name in fields if name not in _hints(known)]


def to_camel(name: str) -> str:
    """`wait_for` as `waitFor`. A name in camelCase stays as it is."""
    return re.sub(r"_([a-z0-9])", lambda match: match[1].upper(), name)


def _convert(value: Any, hints: Iterable[Any]) -> Any:
    """The value with its names in camelCase. `hints`: the types that it may have."""
    if isinstance(value, bytes):
        return {"base64": b64encode(value).decode("ascii")}
    if isinstance(value, Mapping):
        objects = [hint for hint in hints if typing.is_typeddict(hint)]
        if objects:
            return {to_camel(k): _convert(v, _of_field(objects, k)) for k, v in value.items()}
        return {key: _convert(inside, _inside(hints)) for key, inside in value.items()}
    if isinstance(value, list | tuple):
        return [_convert(item, _inside(hints)) for item in value]
    return value


def _of_field(objects: Iterable[Any], name: str) -> list[Any]:
    """The types of the field with that name in any of the objects."""
    return [hint for owner in objects for hint in _choices(_hints(owner).get(name))]


def _inside(hints: Iterable[Any]) -> list[Any]:
    """The types of the items of a list, or of the values of a mapping."""
    inside = [typing.get_args(hint) for hint in hints if typing.get_origin(hint) is not None]
    return [choice for arguments in inside for choice in _choices(arguments[-1])]


def _choices(hint: Any) -> tuple[Any, ...]:
    """The types of a union, or the one type."""
    if typing.get_origin(hint) is typing.Required:
        hint = typing.get_args(hint)[0]
    is_choice = typing.get_origin(hint) in (typing.Union, typing.get_origin(int | str))
    return typing.get_args(hint) if is_choice else (hint,)


@cache
def _hints(typed_dict: Any) -> dict[str, Any]:
    return typing.get_type_hints(typed_dict)
