"""What a group is about. This test has one, and looks what `farm contract` makes of it."""

import json
from pathlib import Path
from typing import Annotated, Any

import pytest
from pydantic import Discriminator, Tag

from farm import contract
from farm.contract import openapi
from farm.request import RenderOptions, schema
from farm.request import group as groups
from farm.request.group import option
from farm.request.source import Source

DOCS = Path(__file__).parents[1] / "docs"
PAGE = "# Options\n\n<!-- options: waiting -->\nA TABLE OF BEFORE\n<!-- end -->\n\nWords.\n"


class Corner(groups.Group):
    x: float = option(0.5, "From the left.", unit="pixels", ge=0, le=10)
    y: int = option(..., "From | the top.", gt=0)


class Extra(groups.Group):
    corner: Corner | None = option(None, "A corner.")
    corners: tuple[Corner, ...] = option((), "More of them.", max_length=3)
    names: dict[str, str] | None = option(None, "By name.", max_length=2)
    either: str | Corner = option("no", "One or the other.")
    decided: (
        Annotated[
            Annotated[str, Tag("text")] | Annotated[Corner, Tag("corner")],
            Discriminator(lambda value: "text" if isinstance(value, str) else "corner"),
        ]
        | None
    ) = option(None, "As a function says.")
    is_so: bool = option(False, "Whether it is so.")


@pytest.fixture
def more(monkeypatch: pytest.MonkeyPatch) -> Any:
    """The request with one more group of options."""
    options = type("RenderOptions", (Extra, RenderOptions), {"__module__": __name__})
    request = type(
        "RenderRequest",
        (Source,),
        {
            "__annotations__": {"options": options},
            "options": option({}, "How."),
            "__module__": __name__,
        },
    )
    monkeypatch.setattr(schema, "RenderOptions", options)
    monkeypatch.setattr(schema, "RenderRequest", request)
    schema.definitions.cache_clear()
    yield
    monkeypatch.undo()
    schema.definitions.cache_clear()


def test_the_docs_are_up_to_date() -> None:
    for path, text in contract.written(DOCS).items():
        assert path.read_text() == text, f"farm contract {DOCS.name}"


def test_a_table_is_replaced_and_the_words_around_it_stay() -> None:
    page = contract.with_tables(PAGE)
    assert "A TABLE OF BEFORE" not in page
    assert page.startswith("# Options\n\n<!-- options: waiting -->\n| name | type |")
    assert "\n| `waitFor` | integer (milliseconds), at least 0 | `0` | " in page
    assert "<!-- end -->\n\nWords.\n" in page
    assert contract.with_tables(page) == page


def test_a_new_group_gets_a_place_with_a_row_for_each_field_of_its_objects(more: None) -> None:
    page = contract.with_tables(PAGE)
    head = "## Extra\n\nWhat a group is about.\n\n<!-- options: extra -->\n"
    rows = page[page.index(head) + len(head) :].splitlines()[2:]
    assert rows[: rows.index("<!-- end -->")] == [
        "| `corner` | object |  | A corner. |",
        "| `corner.x` | number (pixels), 0 … 10 | `0.5` | From the left. |",
        "| `corner.y` | integer, above 0 | required | From \\| the top. |",
        "| `corners` | list, at most 3, of: object |  | More of them. |",
        "| `corners[].x` | number (pixels), 0 … 10 | `0.5` | From the left. |",
        "| `corners[].y` | integer, above 0 | required | From \\| the top. |",
        "| `names` | object, at most 2, of: name → string |  | By name. |",
        '| `either` | string or object | `"no"` | One or the other. |',
        "| `either.x` | number (pixels), 0 … 10 | `0.5` | From the left. |",
        "| `either.y` | integer, above 0 | required | From \\| the top. |",
        "| `decided` | string or object |  | As a function says. |",
        "| `decided.x` | number (pixels), 0 … 10 | `0.5` | From the left. |",
        "| `decided.y` | integer, above 0 | required | From \\| the top. |",
        "| `isSo` | boolean | `false` | Whether it is so. |",
    ]


def test_a_table_of_no_group_is_refused() -> None:
    with pytest.raises(ValueError, match="gone"):
        contract.with_tables("<!-- options: gone -->\n<!-- end -->\n")


def test_the_schemas_are_the_models_and_what_is_gone_goes(more: None) -> None:
    before = json.loads((DOCS / "openapi.json").read_text())
    before["components"]["schemas"]["Gone"] = {"$comment": openapi._OURS}
    schemas = json.loads(contract.with_schemas(json.dumps(before)))["components"]["schemas"]
    assert "Gone" not in schemas
    assert schemas["Error"] == before["components"]["schemas"]["Error"]
    assert schemas["Corner"]["required"] == ["y"]
    fields = schemas["RenderOptions"]["properties"]
    assert fields["corner"] == {"$ref": "#/components/schemas/Corner", "description": "A corner."}
    assert fields["width"]["description"].endswith(" In pixels.")
    assert fields["width"]["x-unit"] == "pixels"
    assert '"unit"' not in json.dumps(fields)
    assert schemas["RenderOptions"]["x-groups"][0]["options"] == list(
        Extra.model_json_schema()["properties"]
    )
    assert "iPhone 15" in fields["device"]["examples"]
    assert schemas["HtmlRequest"]["required"] == ["html"]
    assert "url" not in schemas["HtmlRequest"]["properties"]
