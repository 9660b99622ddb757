"""The schemas of docs/openapi.json: of a request, of what each route takes, and of the formats."""

import json
from collections.abc import Iterator
from typing import Any

from farm.formats import FILE_FORMATS, FORMATS
from farm.request import HTML, HTML_OR_URL, URL, RenderRequest
from farm.request.devices import devices
from farm.request.link import EXPIRY, MAX_EXPIRY, NOT_IN_LINKS
from farm.request.request import OF_JOBS
from farm.request.schema import PLACE, Schema, definitions, option_groups, properties
from farm.request.source import OF_CONTENT

OPENAPI = "openapi.json"
#: The fields that may name the page, by the route that takes them.
_ROUTES = {"/render": HTML, "/render-url": URL, "/render-async": HTML_OR_URL}
#: Those that take forms with files, too.
_WITH_FORMS = ("/render", "/render-async")
_FORM: Schema = {
    "request": {"description": "The JSON of the request."},
    "index.html": {"type": "string", "minLength": 1, "contentMediaType": "text/html"},
    "index.md": {"type": "string", "minLength": 1, "contentMediaType": "text/markdown"},
    "files": {
        "type": "array",
        "items": {"type": "string", "contentMediaType": "application/octet-stream"},
        "description": "Files that the page refers to by their filenames (`logo.png`, "
        "`css/a.css`). Their fields may have any name but `request`.",
    },
}
_NO_PAGES: Schema = {"index.html": False, "index.md": False}
#: The route that makes links.
_LINKS = "/links"
_JOBS = "/render-async"

_MEDIA_TYPES = [format_.media_type for format_ in FORMATS.values()]
#: Of all that a raw answer may be.
_ANSWERED = [format_.media_type for format_ in FILE_FORMATS.values()]
#: A request whose page is a file of the same form.
_BESIDE = "file"
#: How a schema of openapi.json says that it is written by this module.
_OURS = "Written by `farm contract`."


def with_schemas(text: str) -> str:
    """The document with the schemas of the request, and of what names a format, anew."""
    document: dict[str, Any] = json.loads(text)
    schemas: dict[str, Schema] = document["components"]["schemas"]
    kept = {n: schema for n, schema in schemas.items() if schema.get("$comment") != _OURS}
    document["components"]["schemas"] = _schemas() | kept
    for route, names in _ROUTES.items():
        content = document["paths"][route]["post"]["requestBody"]["content"]
        of_job = route == _JOBS
        schema = _one_of([_page_schema(name, of_job) for name in names])
        content["application/json"]["schema"] = schema
        if route in _WITH_FORMS:
            content["multipart/form-data"] = _form(names, of_job)
    content = document["paths"][_LINKS]["post"]["requestBody"]["content"]
    content["application/json"]["schema"] = _one_of([_link_schema(name) for name in HTML_OR_URL])
    for content in _contents(document["paths"]):
        if not content.keys().isdisjoint(_MEDIA_TYPES):
            content.update((name, {"schema": {"contentMediaType": name}}) for name in _ANSWERED)
    return json.dumps(_with_types(document), indent=1, ensure_ascii=False) + "\n"


def _schemas() -> dict[str, Schema]:
    schemas = {name: dict(s) for name, s in definitions().items() if name != "RenderRequest"}
    for name in HTML_OR_URL:
        for of_job in (False, True):
            schemas[_page_schema(name, of_job)] = _page(name, of_job)
        schemas[_link_schema(name)] = _link(name)
    for of_job in (False, True):
        schemas[_page_schema(_BESIDE, of_job)] = _page(None, of_job)
    schemas["Format"] = {"enum": list(FORMATS)}
    schemas["MediaType"] = {"enum": _MEDIA_TYPES}
    schemas["RenderOptions"] = _options(schemas["RenderOptions"])
    return {name: _published(schema) | {"$comment": _OURS} for name, schema in schemas.items()}


def _options(schema: Schema) -> Schema:
    """With what a form needs besides: the groups of the options, and the names of devices."""
    groups = [
        {"name": group.name, "description": group.sentence, "options": list(group.options)}
        for group in option_groups()
    ]
    device = schema["properties"]["device"] | {"examples": list(devices())}
    return schema | {"properties": schema["properties"] | {"device": device}, "x-groups": groups}


def _contents(paths: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What each answer of each route may consist of."""
    for item in paths.values():
        for operation in item.values():
            if isinstance(operation, dict):
                responses = operation["responses"].values()
                yield from (response["content"] for response in responses if "content" in response)


def _page_schema(name: str, of_job: bool) -> str:
    return f"{name.capitalize()}{'Job' if of_job else ''}Request"


def _page(name: str | None, of_job: bool) -> Schema:
    """The schema of a request whose page is named by one of the fields that may, or by none."""
    left_out = {*HTML_OR_URL, *(OF_CONTENT if name in URL else ())} - {name}
    left_out |= set() if of_job else set(OF_JOBS)
    fields = properties("RenderRequest").items()
    others = {n: field for n, field in fields if n not in left_out}
    if name is not None:
        # Empty, it is missing.
        others[name] = {"minLength": 1, **others[name]}
    # What is left out is not `{}`, but every option's default.
    others["options"] = {n: v for n, v in others["options"].items() if n != "default"}
    required = definitions()[RenderRequest.__name__].get("required", ())
    return {
        "type": "object",
        "additionalProperties": False,
        "required": [*([name] if name else []), *required],
        "properties": others,
    }


def _link_schema(name: str) -> str:
    return f"{name.capitalize()}LinkRequest"


def _link(name: str) -> Schema:
    """The schema of a request in a link."""
    page = _page(name, of_job=False)
    fields = {n: field for n, field in page["properties"].items() if n not in NOT_IN_LINKS}
    expiry = {
        "type": "integer",
        "minimum": 1,
        "maximum": MAX_EXPIRY,
        "description": "When the link expires, in seconds since 1970; else with the link key.",
    }
    return page | {"properties": {**fields, EXPIRY: expiry}}


def _one_of(names: list[str]) -> Schema:
    schemas = [{"$ref": PLACE + name} for name in names]
    return schemas[0] if len(schemas) == 1 else {"oneOf": schemas}


def _form(names: tuple[str, ...], of_job: bool) -> dict[str, Any]:
    """A form with the page as a file and the rest of the request as JSON, or with files alone."""
    beside = {"$ref": PLACE + _page_schema(_BESIDE, of_job)}
    in_json = [{"$ref": PLACE + _page_schema(name, of_job)} for name in names if name not in URL]
    choices = [
        {"required": ["index.html"], "properties": {"request": beside, "index.md": False}},
        {"required": ["index.md"], "properties": {"request": beside, "index.html": False}},
        {"required": ["request"], "properties": {"request": {"oneOf": in_json}, **_NO_PAGES}},
    ]
    if set(URL) <= set(names):
        url = {"request": {"$ref": PLACE + _page_schema(*URL, of_job)}, "files": False}
        choices.append({"required": ["request"], "properties": {**url, **_NO_PAGES}})
    return {
        "schema": {
            "type": "object",
            "additionalProperties": False,
            "properties": _FORM,
            "oneOf": choices,
        },
        "encoding": {
            "request": {"contentType": "application/json"},
            "index.html": {"contentType": "text/html"},
            "index.md": {"contentType": "text/markdown"},
        },
    }


def _with_types(part: Any) -> Any:
    """The same with `type` beside each list of texts: generators of clients tell types by it."""
    if isinstance(part, list):
        return [_with_types(each) for each in part]
    if not isinstance(part, dict):
        return part
    typed = {name: _with_types(inside) for name, inside in part.items()}
    values = typed.get("enum")
    if isinstance(values, list) and all(isinstance(value, str) for value in values):
        return {"type": "string"} | typed
    return typed


def _published(schema: Any) -> Any:
    """A schema with each unit said in its description, since few know what `x-unit` is."""
    if isinstance(schema, list):
        return [_published(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    published = {name: _published(part) for name, part in schema.items()}
    if isinstance(unit := published.get("unit"), str):
        published["x-unit"] = published.pop("unit")
        said = published.get("description", "")
        published["description"] = f"{said} In {unit}.".strip()
    return published
