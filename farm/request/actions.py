"""What is done to the page before the capture."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from farm.request.group import Group, option
from farm.request.texts import Selector, Text

#: More than the height of any page.
_MAX_OFFSET_PX = 10_000_000
_Offset = Annotated[int, Field(ge=0, le=_MAX_OFFSET_PX, json_schema_extra={"unit": "pixels"})]


def _kind_of_target(value: Any) -> str | None:
    if isinstance(value, str):
        return "str"
    return "int" if isinstance(value, int) and not isinstance(value, bool) else None


class ScrollTo(Group):
    to: Annotated[
        Annotated[_Offset, Tag("int")] | Annotated[Selector, Tag("str")],
        Discriminator(
            _kind_of_target,
            custom_error_type="problem",
            custom_error_message="must be an integer (pixels) or a string (a selector)",
        ),
    ] = option(..., "The element that a CSS selector matches first, or pixels from the top.")


def _kind_of_scroll(value: Any) -> str | None:
    if value == "through":
        return "str"
    return "[object]" if isinstance(value, dict | ScrollTo) else None


class Actions(Group):
    """Done in the order of the fields, to the main document and not to its frames."""

    on_load: tuple[Text, ...] = option(
        (),
        "The same as `scripts`, run once the page has loaded, before anything else is waited for: "
        "`waitForSelector` can wait for what they do.",
        max_length=20,
    )
    styles: tuple[Text, ...] = option(
        (), "CSS texts that are added to the page, whatever its own policy allows.", max_length=20
    )
    scripts: tuple[Text, ...] = option(
        (),
        "JavaScript texts that are run in the page, one after the other; a promise that one ends "
        "with is awaited.",
        max_length=20,
    )
    click: tuple[Selector, ...] = option(
        (),
        "CSS selectors whose first matches are clicked, one after the other; one that matches "
        "nothing is passed over.",
        max_length=20,
    )
    scroll: (
        Annotated[
            Annotated[Literal["through"], Tag("str")] | Annotated[ScrollTo, Tag("[object]")],
            Discriminator(
                _kind_of_scroll,
                custom_error_type="problem",
                custom_error_message='must be "through" or an object',
            ),
        ]
        | None
    ) = option(
        None,
        '`{"to": …}`: to an element (a selector) or to so many pixels; `"through"`: down to the '
        "end and back, so that content loads that waits to be seen.",
    )
    hide: tuple[Selector, ...] = option(
        (),
        "CSS selectors of elements that are made invisible; they keep their place.",
        max_length=100,
    )
    remove: tuple[Selector, ...] = option(
        (), "CSS selectors of elements that are removed from the document.", max_length=100
    )
