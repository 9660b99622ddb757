"""`farm/client/fields.py`: the fields of a request, and of a report, as Python types.

The types are made from the same schemas as docs/openapi.json. Names of a request are snake_case in
Python; a report keeps the names that it has in JSON.
"""

import json
import keyword
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path

from farm.request import RenderRequest
from farm.request.link import NOT_IN_LINKS
from farm.request.request import OF_JOBS
from farm.request.schema import PLACE, Schema, definitions, kinds, properties

#: The file in this checkout. The client is no module of the server, so it is not imported here.
FIELDS = Path(__file__).parents[1] / "client" / "fields.py"
#: Of a description, without its indentation.
_WIDTH = 96
_HEAD = '''"""What a request may have, as types. Written by `farm contract`: do not edit."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Required, TypedDict
'''
#: Fields whose type in Python is wider than the one in JSON.
_WIDER = {"assets": "Mapping[str, str | bytes | Asset]"}
_SIMPLE = {"string": "str", "integer": "int", "number": "float", "boolean": "bool"}


def fields_module(openapi: str) -> str:
    """The text of the module. `openapi`: the text of the document, which has the report's schema.

    Raises `ValueError` for a name that is a keyword of Python.
    """
    request = RenderRequest.__name__
    classes = {name: schema for name, schema in definitions().items() if name != request}
    parts = [_HEAD]
    for name, schema in classes.items():
        text = "Options of a render." if name == "RenderOptions" else ""
        parts += _typed_dict(name, schema, text)
    parts += _requests()
    report = json.loads(openapi)["components"]["schemas"]["Report"]
    parts += _typed_dict("Report", report, "What the page did, lacked and took.", snake=False)
    return "\n\n".join(parts)


def to_snake(name: str) -> str:
    """`waitFor` as `wait_for`; pydantic's own function makes `base_64` of `base64`."""
    return re.sub(r"(?<=[a-z0-9])[A-Z]", lambda capital: f"_{capital[0]}", name).lower()


def _requests() -> Iterator[str]:
    """One class for each method of the client that takes a request; each has the one before it."""
    fields = {n: field for n, field in properties("RenderRequest").items() if n != "options"}
    of_links = fields.keys() - NOT_IN_LINKS.keys()
    steps = [
        ("LinkFields", "RenderOptions", of_links, "What a signed link may ask for."),
        ("RenderFields", "LinkFields", fields.keys() - of_links - set(OF_JOBS), "A render."),
        ("JobFields", "RenderFields", set(OF_JOBS), "A render that is queued as a job."),
    ]
    for name, base, names, text in steps:
        chosen = {n: field for n, field in fields.items() if n in names}
        yield from _typed_dict(name, {"properties": chosen}, text, base=base)


def _typed_dict(
    name: str, schema: Schema, text: str, *, base: str = "TypedDict", snake: bool = True
) -> Iterator[str]:
    """The class of an object, after those of the objects that only this one has in it."""
    lines = [f"class {name}({base}, total=False):"]
    lines += [f'    """{text}"""', ""] if text else []
    required = schema.get("required", ())
    for field, inside in schema["properties"].items():
        python_name = to_snake(field) if snake else field
        if keyword.iskeyword(python_name):
            raise ValueError(f"{name}.{field} is a keyword of Python")
        nested: list[str] = []
        hint = _WIDER.get(field) or _hint(inside, f"{name}{field[0].upper()}{field[1:]}", nested)
        yield from nested
        lines.append(f"    {python_name}: {f'Required[{hint}]' if field in required else hint}")
        lines += _described(inside)
    yield "\n".join(lines).rstrip() + "\n"


def _hint(schema: Schema, name: str, nested: list[str]) -> str:
    """The type of a value. `name`: of the class, if it is an object of its own."""
    if "$ref" in schema:
        return str(schema["$ref"]).removeprefix(PLACE)
    if choices := schema.get("anyOf"):
        return " | ".join(dict.fromkeys(_hint(choice, name, nested) for choice in choices))
    values = schema.get("enum", [schema["const"]] if "const" in schema else None)
    if values is not None:
        return f"Literal[{', '.join(map(_literal, values))}]"
    match schema.get("type"):
        case "array":
            return f"list[{_hint(schema.get('items', {}), name, nested)}]"
        case "object" if "properties" in schema:
            nested += _typed_dict(name, schema, "", snake=False)
            return name
        case "object":
            inside = schema.get("additionalProperties")
            of = _hint(inside, name, nested) if isinstance(inside, dict) else "object"
            return f"Mapping[str, {of}]"
        case str() as kind:
            return _SIMPLE[kind]
    return "object"


def _literal(value: object) -> str:
    return json.dumps(value) if isinstance(value, str) else repr(value)


def _described(schema: Schema) -> list[str]:
    """The description and the unit, as the docstring that editors show for a field."""
    text = str(schema.get("description", ""))
    if "unit" in schema and kinds(schema) <= {"integer", "number"}:
        text = f"{text} In {schema['unit']}.".strip()
    if not text:
        return []
    text = '"""' + text.replace("\\", "\\\\")
    # Not at hyphens: `no-preference` is one word.
    lines = textwrap.wrap(text, _WIDTH, break_on_hyphens=False, break_long_words=False)
    if len(lines) == 1 and len(text) + 3 <= _WIDTH:
        return [f'    {text}"""', ""]
    return [*(f"    {line}" for line in lines), '    """', ""]
