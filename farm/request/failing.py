"""What is a failure of the page, so that the answer is an error and no file."""

from typing import Any

from pydantic import field_validator

from farm.request.group import Group, option, problem

_MOST = 50
_CLASSES = ("1xx", "2xx", "3xx", "4xx", "5xx")
_LOWEST, _HIGHEST = 100, 599
_STATUS = {"type": "integer", "minimum": _LOWEST, "maximum": _HIGHEST}
_SCHEMA = {"items": {"anyOf": [_STATUS, {"enum": list(_CLASSES)}]}}
_WHAT = f"must be a list of at most {_MOST} statuses (404) and classes of them (5xx)"


class FailOn(Group):
    status: tuple[int | str, ...] = option(
        (),
        'HTTP statuses of the document that is captured: `[404, "5xx"]`.',
        max_length=_MOST,
        schema=_SCHEMA,
    )
    resource_status: tuple[int | str, ...] = option(
        (),
        "HTTP statuses of what the document has loaded.",
        max_length=_MOST,
        schema=_SCHEMA,
    )
    resource_error: bool = option(
        False, "Something that the document has asked for got no answer, or was refused."
    )
    page_error: bool = option(False, "A script of the page threw an error that nothing caught.")
    missing_selector: bool = option(False, "A selector of `click` matched nothing to be clicked.")

    @field_validator("status", "resource_status", mode="before")
    @classmethod
    def _statuses(cls, value: Any) -> Any:
        values = value if isinstance(value, list | tuple) else [None]
        if len(values) > _MOST or not all(map(_is_status, values)):
            raise problem(_WHAT)
        return tuple(values)


def _is_status(value: Any) -> bool:
    if isinstance(value, str):
        return value in _CLASSES
    return isinstance(value, int) and not isinstance(value, bool) and _LOWEST <= value <= _HIGHEST


def names_status(statuses: tuple[int | str, ...], status: int) -> bool:
    """Whether the status is one of them, or of one of their classes."""
    return status in statuses or f"{status // 100}xx" in statuses


_NOTHING = FailOn()


class Failing(Group):
    fail_on: FailOn = option(
        _NOTHING, "What makes the render an error (`page_failed`) in place of a file."
    )
