"""What commands that render are given: a page, and flags made from the models of a request.

`waitFor` is `--wait-for`. What is true or false has a `--no-` form, what is a list may be given
again and again, and what is an object is JSON. A value that cannot be read as the field's type is
passed on as it is: the request's own checks say what is wrong with it.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import click
from pydantic.alias_generators import to_snake

from farm.errors import FarmError, StartError, WithProblems
from farm.request import HTML_OR_URL
from farm.request.schema import Schema, kinds, option_groups, properties

#: Fields of a request that are not asked for by a flag: its page is the command's argument, and a
#: render without a server has neither a cache nor anybody to call.
_NO_FLAGS = {*HTML_OR_URL, "options", "cache", "report", "webhook", "priority"}
_REQUEST = "request"


class Flag(click.Option):
    """A flag for a field of the request, or, `of_options`, of its options."""

    def __init__(self, name: str, field: Schema, group: str, of_options: bool) -> None:
        self.field = name
        self.group = group
        self.of_options = of_options
        self._kinds = kinds(field)
        self._items = kinds(field.get("items", {})) if self._kinds == {"array"} else None
        is_switch = self._kinds == {"boolean"}
        flag = to_snake(name).replace("_", "-")
        super().__init__(
            # The first is what click calls it, and apart from the command's own arguments.
            [f"asked_{to_snake(name)}", f"--{flag}/--no-{flag}" if is_switch else f"--{flag}"],
            default=None,
            multiple=self._items is not None,
            metavar=None if is_switch else self._metavar(field),
            help=_help(field),
        )

    def value(self, given: Any) -> Any:
        """What a request has for it; None: it was not given."""
        if self._items is not None:
            return [_read(text, self._items) for text in given] or None
        return _read(given, self._kinds) if isinstance(given, str) else given

    def _metavar(self, field: Schema) -> str:
        if values := field.get("enum"):
            return "|".join(map(str, values))
        accepted = self._items or self._kinds
        return "|".join(sorted({_METAVARS.get(kind, "JSON") for kind in accepted}))


_METAVARS = {"string": "TEXT", "integer": "INTEGER", "number": "NUMBER", "boolean": "true|false"}


class GroupedCommand(click.Command):
    """A command whose help has the flags of each group under the group's sentence."""

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
    """Give a command a flag for every field that a request may have."""
    # As click's own decorators do it, which are read from the last to the first.
    params = [*getattr(function, "__click_params__", []), *reversed(list(_flags()))]
    function.__click_params__ = params  # type: ignore[attr-defined]
    return function


def fields_given(params: list[click.Parameter], values: Mapping[str, Any]) -> dict[str, Any]:
    """The request that the flags ask for: its fields by their JSON names, `options` among them."""
    fields: dict[str, Any] = {"options": {}}
    for flag in params:
        if isinstance(flag, Flag):
            value = flag.value(values[flag.name or ""])
            if value is not None:
                (fields["options"] if flag.of_options else fields)[flag.field] = value
    return fields


def page_at(source: str) -> dict[str, Any]:
    """The fields that name the page of a command: a file's or standard input's text, or a URL."""
    if source.startswith(("http://", "https://")):
        return {"url": source}
    try:
        with click.open_file(source, encoding="utf-8") as file:
            is_markdown = Path(source).suffix.lower() in (".md", ".markdown")
            return {"markdown" if is_markdown else "html": file.read()}
    except (OSError, UnicodeDecodeError) as exc:
        reason = exc.strerror if isinstance(exc, OSError) else "it is not UTF-8"
        raise click.ClickException(f"{source} cannot be read: {reason}.") from exc


def refusal(exc: FarmError | StartError) -> click.ClickException:
    """What a command ends with: the sentence, and each problem."""
    lines = [str(exc)]
    if isinstance(exc, WithProblems):
        lines += [f"  {problem.field}: {problem.problem}" for problem in exc.problems]
    return click.ClickException("\n".join(lines))


def _flags() -> Iterator[Flag]:
    for group in option_groups():
        for name in group.options:
            yield Flag(name, properties("RenderOptions")[name], group.name, of_options=True)
    for name, field in properties("RenderRequest").items():
        if name not in _NO_FLAGS:
            yield Flag(name, field, _REQUEST, of_options=False)


def _headings() -> dict[str, str]:
    headings = {group.name: group.sentence.removesuffix(".") for group in option_groups()}
    return headings | {_REQUEST: "The request itself"}


def _read(text: str, accepted: set[str]) -> Any:
    """The value that is meant: JSON, where that is of a kind that is accepted; else the text."""
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
