"""The tools: names, descriptions, and argument schemas.

The schemas come from the OpenAPI document that is installed with the package. `farm contract`
writes that document from the models of a request. So this module needs none of the server's
packages.

An agent reads all schemas in every conversation. So a schema describes only the options that agents
use most, and lists the names of the others.
"""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from mcp import types

from farm.formats import FORMATS

Schema = dict[str, Any]

_HTML, _URL, _MARKDOWN = "html", "url", "markdown"
#: The field that names the page, by the tool's name.
SOURCES = {"render_html": _HTML, "render_url": _URL, "render_markdown": _MARKDOWN}
#: The argument that names the path to save the file at. It is not a field of a request.
OUTPUT = "output"
#: Fields of a request that tools do not have: an agent gets one file, rendered now.
_LEFT_OUT = {"outputs", "cache", "webhook"}
_DESCRIBED = (
    *("format", "width", "height", "device", "deviceScaleFactor", "fullPage", "selector", "clip"),
    *("colorScheme", "mediaType", "locale", "javaScript", "omitBackground", "quality"),
    *("waitForSelector", "waitForFunction", "waitFor", "timeout", "onTimeout"),
    *("click", "scripts", "styles", "hide", "headers", "pdf"),
)
#: Fields of `pdf` that are described.
_DESCRIBED_OF_PDF = ("paper", "landscape", "margin", "pages", "scale", "header", "footer")
#: Keywords of a schema that help an agent to write a value.
_KEPT = {
    *("type", "enum", "const", "anyOf", "items", "properties", "required", "additionalProperties"),
    *("description", "default", "minimum", "maximum"),
}
#: Values of keywords that carry no information.
_EMPTY: tuple[Any, ...] = (None, False, "", [])
_PLACE = "#/components/schemas/"

_ABOUT = {
    "render_html": "Render HTML that you write",
    "render_url": "Render the page at a URL",
    "render_markdown": "Render Markdown, with a stylesheet that prints well,",
}
_REST = (
    " in Chromium to a PNG, JPEG, WebP, AVIF or PDF, or to the HTML after its scripts. The answer "
    "has the picture, made smaller where it is large. With `output` the whole file is saved to a "
    "path instead. With `report` the answer also lists page errors, console messages, failed and "
    "blocked requests, and characters without a glyph."
)


@cache
def tools() -> list[types.Tool]:
    """All tools, as `tools/list` answers them."""
    return [
        types.Tool(
            name=name,
            title=_ABOUT[name].rstrip(","),
            description=_ABOUT[name] + _REST,
            input_schema=_arguments(source),
            annotations=types.ToolAnnotations(
                # A tool saves files and may run the caller's clicks and scripts in a page.
                read_only_hint=False,
                open_world_hint=True,
            ),
        )
        for name, source in SOURCES.items()
    ]


def _arguments(source: str) -> Schema:
    request = _schemas()[f"{source.capitalize()}Request"]
    fields = {n: _inlined(s) for n, s in request["properties"].items() if n not in _LEFT_OUT}
    fields["options"] = _options()
    fields[OUTPUT] = {
        "type": "string",
        "description": "A path to save the file at, in the folder that the server may write to. "
        "The answer then tells the path and the size and has no picture. The suffix names the "
        "format: " + ", ".join(f".{name}" for name in FORMATS) + ".",
    }
    return {
        "type": "object",
        "properties": fields,
        "required": [source],
        "additionalProperties": False,
    }


def _options() -> Schema:
    known: dict[str, Schema] = _schemas()["RenderOptions"]["properties"]
    options = {name: _inlined(known[name]) for name in _DESCRIBED}
    pdf = options["pdf"]
    others_of_pdf = [n for n in pdf["properties"] if n not in _DESCRIBED_OF_PDF]
    pdf["properties"] = {name: pdf["properties"][name] for name in _DESCRIBED_OF_PDF}
    pdf["description"] += f" Also: {', '.join(others_of_pdf)}."
    del pdf["additionalProperties"]
    others = [name for name in known if name not in _DESCRIBED]
    return {
        "type": "object",
        "properties": options,
        "description": "How to render it; each option may be left out. Also, as in the farm's "
        f"docs/options.md: {', '.join(others)}.",
    }


def _inlined(schema: Schema) -> Schema:
    """A schema without references, and with the useful keywords only."""
    if "$ref" in schema:
        referred = _schemas()[schema["$ref"].removeprefix(_PLACE)]
        return _inlined({**referred, **{n: v for n, v in schema.items() if n != "$ref"}})
    short = {name: value for name, value in schema.items() if name in _KEPT}
    if schema.get("x-unit") == "characters":  # it is the unit of `maxLength`, which is left out
        short["description"] = short["description"].removesuffix("In characters.").rstrip()
    for name in ("default", "description"):
        if short.get(name) in _EMPTY or isinstance(short.get(name), dict):
            short.pop(name, None)
    if "anyOf" in short:
        short["anyOf"] = [_inlined(choice) for choice in short["anyOf"]]
    for inside in ("items", "additionalProperties"):
        if isinstance(short.get(inside), dict):
            short[inside] = _inlined(short[inside])
    if "properties" in short:
        short["properties"] = {n: _inlined(field) for n, field in short["properties"].items()}
    return short


@cache
def _schemas() -> dict[str, Schema]:
    # `farm.contract` would import the models, and so the server's packages.
    text = (files("farm") / "contract" / "openapi.json").read_text("utf-8")
    schemas: dict[str, Schema] = json.loads(text)["components"]["schemas"]
    return schemas
