"""Names: snake_case in Python, camelCase in JSON, and the caller's own left as they are."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from farm.client.fields import JobFields, RenderOptions
from farm.client.names import as_request, request_names, to_camel
from farm.contract.client import to_snake
from farm.request import RenderOptions as Model
from farm.request.schema import PLACE, Schema, definitions, properties

#: Names that a conversion would change if it took them for its own.
OWN_NAMES = st.sampled_from(["x_y", "X-Request-Id", "wait_for", "fullPage", "a/b_c.png"])
SCALARS = st.one_of(st.text(max_size=3), st.integers(), st.booleans())


def test_every_name_of_the_api_comes_back_from_snake_case() -> None:
    for model, schema in definitions().items():
        for name in schema["properties"]:
            assert to_camel(to_snake(name)) == name, f"{model}.{name}"


def test_names_are_those_of_the_models() -> None:
    assert {to_snake(name) for name in properties("RenderOptions")} == set(Model.model_fields)


def test_no_option_is_called_as_a_field_of_the_request() -> None:
    options = {to_snake(name) for name in properties("RenderOptions")}
    assert options == set(RenderOptions.__annotations__)
    assert request_names() == {to_snake(n) for n in properties("RenderRequest")} - {"options"}
    assert set(JobFields.__annotations__) >= request_names()


def values(schema: Schema) -> st.SearchStrategy[Any]:
    """Values of the shape that a schema has, with names as in JSON; whether valid or not."""
    if "$ref" in schema:
        return st.deferred(lambda: objects(definitions()[schema["$ref"].removeprefix(PLACE)]))
    if choices := schema.get("anyOf"):
        return st.one_of([values(choice) for choice in choices])
    if schema.get("type") == "array":
        return st.lists(values(schema["items"]), max_size=2)
    if schema.get("type") == "object":
        return st.dictionaries(OWN_NAMES, values(schema["additionalProperties"]), max_size=2)
    return SCALARS


def objects(schema: Schema) -> st.SearchStrategy[dict[str, Any]]:
    fields = {name: values(field) for name, field in schema["properties"].items()}
    return st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True).flatmap(
        lambda names: st.fixed_dictionaries({name: fields[name] for name in names})
    )


def in_python(value: Any, schema: Schema) -> Any:
    """The same value as a caller in Python writes it."""
    if "$ref" in schema:
        schema = definitions()[schema["$ref"].removeprefix(PLACE)]
    for choice in schema.get("anyOf", ()):
        is_object = "$ref" in choice or choice.get("type") == "object"
        if is_object == isinstance(value, dict):
            return in_python(value, choice)
    if isinstance(value, list):
        return [in_python(item, schema["items"]) for item in value]
    if isinstance(value, dict) and "properties" in schema:
        known = schema["properties"]
        return {to_snake(n): in_python(inside, known[n]) for n, inside in value.items()}
    return value


@settings(max_examples=60)
@given(objects(definitions()["RenderRequest"]))
def test_a_request_comes_back_from_python(request: dict[str, Any]) -> None:
    written = in_python(request, definitions()["RenderRequest"])
    arguments = {**written.pop("options", {}), **written}
    if request.get("options") == {}:
        del request["options"]
    assert as_request(arguments) == request


def test_bytes_are_files() -> None:
    asked = as_request({"markdown": "# x", "assets": {"a_b.png": b"\x00", "c.css": "a{}"}})
    assert asked["assets"] == {"a_b.png": {"base64": "AA=="}, "c.css": "a{}"}


def test_a_name_that_is_not_known_is_left_for_the_farm_to_refuse() -> None:
    assert as_request({"full_pge": True}) == {"options": {"fullPge": True}}
