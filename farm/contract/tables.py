"""The tables of docs/options.md, between `<!-- options: NAME -->` and `<!-- end -->`.

One for each group of options, and `request` for what stands beside `options`.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping

from farm.request.outputs import Output
from farm.request.schema import Schema, definitions, models_in, option_groups, properties

OPTIONS = "options.md"
#: The table of what stands beside `options`.
REQUEST = "request"

_TABLE = re.compile(r"<!-- options: ([a-z-]+) -->\n.*?<!-- end -->\n", re.DOTALL)
_HEAD = "| name | type | default | |\n|---|---|---|---|\n"


def with_tables(text: str) -> str:
    """The page with every table anew; groups that have no place in it get one at its end.

    Raises `ValueError` for a table of a group that there is not.
    """
    tables = _tables()
    places = _TABLE.findall(text)
    if unknown := [name for name in places if name not in tables]:
        raise ValueError(f"{OPTIONS} has a table of what is no group: {', '.join(unknown)}")
    text = _TABLE.sub(lambda place: _place(place[1], tables[place[1]]), text)
    for group in option_groups():
        if group.name not in places:
            heading = f"\n## {group.name.capitalize()}\n\n{group.sentence}\n\n"
            text += heading + _place(group.name, tables[group.name])
    return text


def _place(name: str, table: str) -> str:
    return f"<!-- options: {name} -->\n{table}<!-- end -->\n"


def _tables() -> dict[str, str]:
    fields = properties("RenderRequest").items()
    groups = {REQUEST: {name: field for name, field in fields if name != "options"}}
    options = properties("RenderOptions")
    for group in option_groups():
        groups[group.name] = {name: options[name] for name in group.options}
    return {name: _HEAD + "".join(_rows(fields)) for name, fields in groups.items()}


def _rows(
    members: Mapping[str, Schema], path: str = "", required: Iterable[str] = ()
) -> Iterator[str]:
    """A row for each field, and below it those of the objects that its value may have in it."""
    for name, field in members.items():
        default = "required" if name in required else _default(field)
        cells = (f"`{path}{name}`", _type(field), default, field.get("description", ""))
        yield "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"
        for step, model in models_in(field):
            inside = definitions()[model]
            fields = inside.get("properties", {})
            if model == Output.__name__:  # the others are options, which have rows of their own
                fields = {n: f for n, f in fields.items() if n not in properties("RenderOptions")}
            yield from _rows(fields, f"{path}{name}{step}.", inside.get("required", ()))


def _default(field: Schema) -> str:
    default = field.get("default")
    if default in (None, []) or isinstance(default, dict):  # an object's are in its own rows
        return ""
    return f"`{json.dumps(default, ensure_ascii=False)}`"


def _type(schema: Schema) -> str:
    """What a value may be, in words."""
    if "$ref" in schema:
        return "object"
    if choices := schema.get("anyOf"):
        return " or ".join(dict.fromkeys(map(_type, choices)))
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values is not None:
        return " · ".join(f"`{value}`" for value in values)
    match schema.get("type"):
        case "array":
            many = _range(schema, "minItems", "maxItems")
            return f"list{many and many + ','} of: {_type(schema.get('items', {}))}"
        case "object":
            names = _range(schema, "minProperties", "maxProperties")
            inside = schema.get("additionalProperties")
            of = f" of: name → {_type(inside)}" if isinstance(inside, dict) else ""
            return f"object{names and names + ','}{of}" if of else f"object{names}"
        case "string":
            length = _range(schema, "minLength", "maxLength")
            return f"string{length} characters" if length else "string"
        case "boolean" | "integer" | "number" as kind:
            unit = f" ({schema['unit']})" if "unit" in schema else ""
            return f"{kind}{unit}{_range(schema, 'minimum', 'maximum')}"
    return "any"


def _range(schema: Schema, low: str, high: str) -> str:
    """`, 1 … 16,384`, or nothing where there is no bound."""
    least = f"{schema[low]:,}" if low in schema else ""
    most = f"{schema[high]:,}" if high in schema else ""
    if low == "minimum" and "exclusiveMinimum" in schema:
        least = f"above {schema['exclusiveMinimum']:,}"
    if least and most:
        return f", {least} … {most}"
    if most:
        return f", at most {most}"
    if least.isdigit():
        return f", at least {least}"
    return f", {least}" if least else ""
