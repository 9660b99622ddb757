"""`farm contract`: what the docs say of a request, written from its models.

In docs/options.md: the tables between `<!-- options: NAME -->` and `<!-- end -->`, one for each
group of options, and `request` for what stands beside `options`. In docs/openapi.json: the schemas
of the request, what each route takes, and the formats.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from farm.formats import FILE_FORMATS, FORMATS
from farm.request import HTML, HTML_OR_URL, URL, RenderRequest
from farm.request.outputs import Output
from farm.request.schema import (
    PLACE,
    Schema,
    definitions,
    models_in,
    option_groups,
    properties,
)
from farm.request.source import OF_CONTENT

OPTIONS, OPENAPI = "options.md", "openapi.json"
#: The table of what stands beside `options`.
REQUEST = "request"
#: The fields that may name the page, by the route that takes them.
_ROUTES = {"/render": HTML, "/render-url": URL, "/render-async": HTML_OR_URL}

_MEDIA_TYPES = [format_.media_type for format_ in FORMATS.values()]
#: Of all that a raw answer may be.
_ANSWERED = [format_.media_type for format_ in FILE_FORMATS.values()]

_TABLE = re.compile(r"<!-- options: ([a-z-]+) -->\n.*?<!-- end -->\n", re.DOTALL)
_HEAD = "| name | type | default | |\n|---|---|---|---|\n"
#: How a schema of openapi.json says that it is written by this module.
_OURS = "Written by `farm contract`."


def written(docs: Path) -> dict[Path, str]:
    """Each file as it should be, by its path. Raises `OSError` or `ValueError`."""
    options, openapi = docs / OPTIONS, docs / OPENAPI
    return {options: with_tables(options.read_text()), openapi: with_schemas(openapi.read_text())}


# docs/options.md


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


# docs/openapi.json


def with_schemas(text: str) -> str:
    """The document with the schemas of the request, and of what names a format, anew."""
    document: dict[str, Any] = json.loads(text)
    schemas: dict[str, Schema] = document["components"]["schemas"]
    kept = {n: schema for n, schema in schemas.items() if schema.get("$comment") != _OURS}
    document["components"]["schemas"] = _schemas() | kept
    for route, names in _ROUTES.items():
        content = document["paths"][route]["post"]["requestBody"]["content"]
        content["application/json"]["schema"] = _one_of([_page_schema(name) for name in names])
    for content in _contents(document["paths"]):
        if not content.keys().isdisjoint(_MEDIA_TYPES):
            content.update((name, {"schema": {"contentMediaType": name}}) for name in _ANSWERED)
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _schemas() -> dict[str, Schema]:
    schemas = {name: dict(s) for name, s in definitions().items() if name != "RenderRequest"}
    for name in HTML_OR_URL:
        schemas[_page_schema(name)] = _page(name)
    schemas["Format"] = {"enum": list(FORMATS)}
    schemas["MediaType"] = {"enum": _MEDIA_TYPES}
    return {name: _published(schema) | {"$comment": _OURS} for name, schema in schemas.items()}


def _contents(paths: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What each answer of each route may consist of."""
    for item in paths.values():
        for operation in item.values():
            if isinstance(operation, dict):
                responses = operation["responses"].values()
                yield from (response["content"] for response in responses if "content" in response)


def _page_schema(name: str) -> str:
    return f"{name.capitalize()}Request"


def _page(name: str) -> Schema:
    """The schema of a request whose page is named by one of the fields that may."""
    left_out = {*HTML_OR_URL, *(OF_CONTENT if name in URL else ())} - {name}
    fields = properties("RenderRequest").items()
    others = {n: field for n, field in fields if n not in left_out}
    # Empty, it is missing.
    others[name] = {"minLength": 1, **others[name]}
    # What is left out is not `{}`, but every option's default.
    others["options"] = {n: v for n, v in others["options"].items() if n != "default"}
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [name, *definitions()[RenderRequest.__name__].get("required", ())],
        "properties": others,
    }


def _one_of(names: list[str]) -> Schema:
    schemas = [{"$ref": PLACE + name} for name in names]
    return schemas[0] if len(schemas) == 1 else {"oneOf": schemas}


def _published(schema: Any) -> Any:
    """A schema with each unit said in its description, since it is no keyword of anybody else's."""
    if isinstance(schema, list):
        return [_published(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    published = {name: _published(part) for name, part in schema.items()}
    if isinstance(unit := published.get("unit"), str):
        del published["unit"]
        said = published.get("description", "")
        published["description"] = f"{said} In {unit}.".strip()
    return published
