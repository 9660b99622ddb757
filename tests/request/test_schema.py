"""The models of a request as JSON Schema, and what every option has to say of itself."""

from collections.abc import Iterator

import pytest

from farm.request import RenderOptions
from farm.request.schema import (
    Schema,
    definitions,
    kinds,
    models_in,
    option_groups,
    properties,
)

#: Bounded by the limit on a body, and by the deadline.
ELSEWHERE = {"html", "markdown", "assets", "base64", "text", "waitFor", "timeout", "waitTimeout"}


def all_parts(model: str) -> Iterator[tuple[str, Schema]]:
    """The parts of each of a model's fields, with the field's name."""
    for name, field in properties(model).items():
        for part in parts(field):
            yield name, part


def parts(field: Schema) -> Iterator[Schema]:
    """A field's schema and those of what its value may have in it, but for other models."""
    yield field
    for choice in field.get("anyOf", ()):
        yield from parts(choice)
    for inside in ("items", "additionalProperties"):
        if isinstance(field.get(inside), dict):
            yield from parts(field[inside])


def test_every_option_is_in_one_group() -> None:
    named = [name for group in option_groups() for name in group.options]
    assert sorted(named) == sorted(properties("RenderOptions"))
    assert len(named) == len(RenderOptions.model_fields)
    for group in option_groups():
        assert group.sentence.endswith(".")


@pytest.mark.parametrize("model", definitions())
def test_every_field_is_described_in_a_sentence(model: str) -> None:
    for name, field in properties(model).items():
        assert field.get("description", "").endswith("."), name


@pytest.mark.parametrize("model", definitions())
def test_every_list_text_and_number_has_a_bound_to_be_seen(model: str) -> None:
    for name, part in all_parts(model):
        if name in ELSEWHERE or "enum" in part or "const" in part:
            continue
        match part.get("type"):
            case "string":
                assert "maxLength" in part or "pattern" in part, name
            case "array":
                assert "maxItems" in part, name
            case "integer" | "number":
                assert "maximum" in part, name
                assert "minimum" in part or "exclusiveMinimum" in part, name
            case "object" if "properties" not in part:
                assert "maxProperties" in part, name


@pytest.mark.parametrize("model", definitions())
def test_nothing_is_left_of_what_is_pythons(model: str) -> None:
    for name, part in all_parts(model):
        assert part.get("type") != "null", name
        assert part.get("default", 0) is not None, name
        assert not isinstance(part.get("title"), str), name


def test_a_value_may_be_of_several_kinds_and_hold_objects() -> None:
    either: Schema = {"anyOf": [{"type": "string"}, {"$ref": "#/components/schemas/Caching"}]}
    assert kinds(either) == {"string", "object"}
    assert kinds({"enum": ["a", 1]}) == {"string", "integer"}
    assert list(models_in(either)) == [("", "Caching")]
    assert list(models_in({"type": "array", "items": either})) == [("[]", "Caching")]
    assert list(models_in({"additionalProperties": either})) == [(".*", "Caching")]
