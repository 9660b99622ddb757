"""The models of a request as JSON Schema, for `farm contract` and the flags of `farm render`.

The schema is pydantic's, without titles. It is also without the `null` of optional fields, since a
request must leave such a field out. `unit` is a keyword of the farm.
"""

import inspect
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_snake

from farm.request.group import Group
from farm.request.request import RenderOptions, RenderRequest

Schema = dict[str, Any]

#: The prefix of references between schemas: their place in openapi.json.
PLACE = "#/components/schemas/"
#: Keywords that pydantic writes and no reader of the schema needs.
_NOISE = ("title", "discriminator")


@cache
def definitions() -> dict[str, Schema]:
    """A schema for `RenderRequest` and each model in it, by the model's name."""
    whole = RenderRequest.model_json_schema(by_alias=True, ref_template=PLACE + "{model}")
    models: dict[str, Schema] = {**whole.pop("$defs"), RenderRequest.__name__: whole}
    return {name: _tidy(schema) for name, schema in models.items()}


def properties(model: str) -> dict[str, Schema]:
    """The fields of a model, by their JSON names."""
    found: dict[str, Schema] = definitions()[model].get("properties", {})
    return found


def models_in(schema: Schema) -> Iterator[tuple[str, str]]:
    """The models in a field's value: for each, the step from the value to it, and its name.

    The steps are `""` (the value itself), `"[]"` (each item of a list) and `".*"` (each value of an
    object with any names).
    """
    if "$ref" in schema:
        yield "", schema["$ref"].removeprefix(PLACE)
    for choice in schema.get("anyOf", ()):
        yield from models_in(choice)
    for step, inside in (("[]", "items"), (".*", "additionalProperties")):
        if isinstance(schema.get(inside), dict):
            yield from ((step + rest, model) for rest, model in models_in(schema[inside]))


def kinds(schema: Schema) -> set[str]:
    """The JSON types of a field's value."""
    if "$ref" in schema:
        return kinds(definitions()[schema["$ref"].removeprefix(PLACE)])
    if choices := schema.get("anyOf"):
        return set().union(*(kinds(choice) for choice in choices))
    if "type" in schema:
        return {schema["type"]}
    values = schema.get("enum", [schema.get("const")])
    return {_KINDS[type(value)] for value in values if type(value) in _KINDS}


_KINDS = {bool: "boolean", int: "integer", float: "number", str: "string"}


@dataclass(frozen=True)
class OptionGroup:
    """A group: its `name`, a sentence about it, and the JSON names of its options."""

    name: str
    sentence: str
    options: tuple[str, ...]


def option_groups() -> list[OptionGroup]:
    """The groups of `RenderOptions`, in the order of its base classes."""
    found = []
    known: set[str] = set()
    for model in RenderOptions.__mro__:
        if model is Group or not issubclass(model, Group):
            continue
        names = [n for n in model.model_fields if n in vars(model).get("__annotations__", {})]
        options = [_alias(model, name) for name in names if name not in known]
        known.update(names)
        if options:
            found.append(OptionGroup(_group_name(model), _sentence(model), tuple(options)))
    return found


def _alias(model: type[BaseModel], name: str) -> str:
    return model.model_fields[name].alias or name


def _group_name(model: type[Group]) -> str:
    return to_snake(model.__name__).replace("_", "-")


def _sentence(model: type[Group]) -> str:
    """The first sentence of the docstring of the model's module, or else of the model."""
    text = getattr(inspect.getmodule(model), "__doc__", None) or vars(model).get("__doc__") or ""
    paragraph = inspect.cleandoc(text).split("\n\n")[0].replace("\n", " ")
    return paragraph.partition(". ")[0].removesuffix(".") + "."


def _tidy(schema: Schema) -> Schema:
    """The schema of a model, without `_NOISE`."""
    tidied = {name: value for name, value in schema.items() if name not in _NOISE}
    if "properties" in schema:
        fields = schema["properties"].items()
        tidied["properties"] = {name: _tidy_field(field) for name, field in fields}
    return tidied


def _tidy_field(field: Schema) -> Schema:
    tidied = {name: value for name, value in field.items() if name not in _NOISE}
    if tidied.get("default", ...) is None:
        del tidied["default"]
    for inside in ("items", "additionalProperties"):
        if isinstance(tidied.get(inside), dict):
            tidied[inside] = _tidy_field(tidied[inside])
    # For a union with a discriminator, pydantic writes `oneOf`.
    choices = [*tidied.pop("anyOf", []), *tidied.pop("oneOf", [])]
    choices = [_tidy_field(choice) for choice in choices if choice != {"type": "null"}]
    if len(choices) == 1:
        return {**choices[0], **tidied}
    return {**tidied, "anyOf": choices} if choices else tidied
