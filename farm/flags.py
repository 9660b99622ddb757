"""Makes the flags of commands that render from the models of a request.

`farm render`, `farm diff` and `farm link` use it, in the main thread. The flag of `waitFor` is
`--wait-for`. A boolean also has the form `--no-…`. A list is given by repeating its flag. An object
is given as JSON, and each of its fields has a flag too: `paper` of `pdf` is `--pdf-paper`. A value
that does not have the field's type is passed on unchanged; the validation of the request says what
is wrong with it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from typing import Any

import click
from click.shell_completion import CompletionItem
from pydantic.alias_generators import to_snake

from farm.request import HTML_OR_URL
from farm.request.devices import devices
from farm.request.request import OF_JOBS
from farm.request.schema import (
    Schema,
    definitions,
    kinds,
    models_in,
    option_groups,
    properties,
)

#: Fields of a request without a flag. The page is the command's argument; the others are for a farm
#: that is a server. A file for `--options` may have them.
_NO_FLAGS = {*HTML_OR_URL, "options", "cache", "report", *OF_JOBS}
_REQUEST = "request"
OPTIONS = "options"


class Flag(click.Option):
    """A flag for the field at `path` of a request."""

    def __init__(self, path: tuple[str, ...], field: Schema, group: str) -> None:
        self.path = path
        self.group = group
        #: The field of the object that a plain value sets, as `"#a"` sets `selector`.
        self.shorthand = _shorthand(field)
        self._field = field
        self._kinds = kinds(field)
        self._items = kinds(field.get("items", {})) if self._kinds == {"array"} else None
        is_switch = self._kinds == {"boolean"}
        names = [to_snake(name) for name in path if name != OPTIONS]
        flag = "-".join(names).replace("_", "-")
        super().__init__(
            # The first is click's name of the parameter, which no argument of the command has.
            [f"asked_{'_'.join(names)}", f"--{flag}/--no-{flag}" if is_switch else f"--{flag}"],
            default=None,
            multiple=self._items is not None,
            metavar=None if is_switch else self._metavar(),
            help=_help(field),
        )

    def value(self, given: Any) -> Any:
        """The value for the request; None if the flag was not given."""
        if self._items is not None:
            return [_read(text, self._items) for text in given] or None
        return _read(given, self._kinds) if isinstance(given, str) else given

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        values = _device_names() if self.path[-1] == "device" else _values(self._field)
        start = incomplete.lower()
        return [CompletionItem(value) for value in values if value.lower().startswith(start)]

    def _metavar(self) -> str:
        if values := self._field.get("enum"):
            return "|".join(map(str, values))
        accepted = self._items or self._kinds
        return "|".join(sorted({_METAVARS.get(kind, "JSON") for kind in accepted}))


_METAVARS = {"string": "TEXT", "integer": "INTEGER", "number": "NUMBER", "boolean": "true|false"}


class GroupedCommand(click.Command):
    """A command whose help lists the flags of each group below the group's sentence."""

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for param in self.get_params(ctx):
            record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
            if record:
                heading = _headings().get(getattr(param, "group", ""), "Options")
                sections.setdefault(heading, []).append(record)
        for heading, records in sections.items():
            with formatter.section(heading):
                formatter.write_dl(records)


def with_flags(function: Callable[..., None]) -> Callable[..., None]:
    """A decorator that gives a command a flag for every field of a request."""
    # In reverse, as click's own decorators add parameters.
    params = [*getattr(function, "__click_params__", []), *reversed(list(_flags()))]
    function.__click_params__ = params  # type: ignore[attr-defined]
    return function


def fields_given(
    params: list[click.Parameter], values: Mapping[str, Any], base: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """The request of the flags: its fields by their JSON names, including `options`.

    `base`: a request to which the flags are added. Raises `click.UsageError` if a flag sets a field
    of an object, and the object is given as another type.
    """
    fields: dict[str, Any] = {OPTIONS: {}, **deepcopy(dict(base or {}))}
    flags = {param.path: param for param in params if isinstance(param, Flag)}
    for flag in flags.values():
        value = flag.value(values.get(flag.name or ""))
        if value is not None:
            _put(fields, flag, value, flags)
    return fields


def _put(
    fields: dict[str, Any], flag: Flag, value: Any, flags: Mapping[tuple[str, ...], Flag]
) -> None:
    """Set the field of a flag, and create the objects that contain it."""
    inside: Any = fields
    for depth, name in enumerate(flag.path[:-1], 1):
        found = inside.setdefault(name, {})
        parent = flags.get(flag.path[:depth])
        if not isinstance(found, dict) and parent is not None and parent.shorthand:
            inside[name] = found = {parent.shorthand: found}
        if not isinstance(found, dict):
            raise click.UsageError(
                f"{flag.opts[0]} sets a field of {'.'.join(flag.path[:depth])}, which is given as "
                f"{json.dumps(found)}; give one of them."
            )
        inside = found
    inside[flag.path[-1]] = value


def _flags() -> Iterator[Flag]:
    for group in option_groups():
        for name in group.options:
            field = properties("RenderOptions")[name]
            yield from _flags_of((OPTIONS, name), field, group.name)
    for name, field in properties("RenderRequest").items():
        if name not in _NO_FLAGS:
            yield Flag((name,), field, _REQUEST)


def _flags_of(path: tuple[str, ...], field: Schema, group: str) -> Iterator[Flag]:
    """A flag for a field, and for each field of the objects that its value may be."""
    yield Flag(path, field, group)
    for model in (model for step, model in models_in(field) if not step):
        for name, inside in properties(model).items():
            if name != _shorthand(field):
                yield from _flags_of((*path, name), inside, group)


def _shorthand(field: Schema) -> str | None:
    """The only required field of an object for which a string may be given instead.

    `waitForSelector` is `{"selector": "#a"}` or `"#a"`, so its shorthand is `selector`.
    """
    models = [model for step, model in models_in(field) if not step]
    if not models or "string" not in kinds(field):
        return None
    required = definitions()[models[0]].get("required", [])
    return required[0] if len(required) == 1 else None


def _values(field: Schema) -> list[str]:
    """The values that a schema enumerates."""
    choices = [field, *field.get("anyOf", ()), field.get("items", {})]
    return [str(value) for choice in choices for value in choice.get("enum", ())]


def _device_names() -> list[str]:
    try:
        return list(devices())
    except (OSError, RuntimeError):  # Playwright's list cannot be read
        return []


def _headings() -> dict[str, str]:
    headings = {group.name: group.sentence.removesuffix(".") for group in option_groups()}
    return headings | {_REQUEST: "The request itself"}


def _read(text: str, accepted: set[str]) -> Any:
    """The value of a flag: parsed as JSON if that gives an accepted type, otherwise the text."""
    if accepted == {"string"}:
        return text
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return text if "string" in accepted and _kind(value) not in accepted else value


def _kind(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int():
            return "integer"
        case float():
            return "number"
        case list():
            return "array"
        case dict():
            return "object"
    return "string"


def _help(field: Schema) -> str:
    text = str(field.get("description", "")).replace("`", "")
    notes = [str(field["unit"])] if "unit" in field else []
    default = field.get("default")
    if default not in (None, False, []) and not isinstance(default, dict):
        notes.append(f"default: {default}")
    return f"{text}  [{'; '.join(notes)}]" if notes else text
