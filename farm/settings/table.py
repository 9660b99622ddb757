"""Generates `docs/settings.md` from the settings, for `farm settings`."""

from collections.abc import Iterator
from typing import Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from farm.settings.group import Group
from farm.settings.settings import Settings, variable_name

_HEAD = """# Settings

Every setting is an environment variable. A wrong value, or a `FARM_` name that is no setting,
stops the farm at its start, and all of them are named at once.

This page is generated: `farm settings > docs/settings.md`.
"""
_TABLE = """
| variable | default | values | what it does |
|---|---|---|---|
"""


def as_markdown() -> str:
    return _HEAD + "".join(_section(group) for group in groups())


def groups() -> Iterator[type[Group]]:
    """The groups of `Settings`, in the order of their fields."""
    for model in reversed(Settings.__mro__):
        if issubclass(model, Group) and model not in (Group, Settings):
            yield model


def _section(group: type[Group]) -> str:
    rows = [
        f"| `{variable_name(name)}` | {_default(field)} | {_values(field)} | {field.description} |"
        for name, field in group.model_fields.items()
    ]
    return f"\n## {group.__name__}\n\n{group.__doc__}\n" + _TABLE + "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    if field.default in (None, ()):
        return "unset"
    # The default as one would write it in the environment.
    is_list = isinstance(field.default, tuple)
    return f"`{','.join(field.default) if is_list else field.default}`"


def _values(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    bounds = []
    for bound in field.metadata:
        match bound:
            case Gt(gt=value):
                bounds.append(f"above {value}")
            case Ge(ge=value):
                bounds.append(f"from {value}")
            case Le(le=value):
                bounds.append(f"to {value}")
    return " ".join(bounds)
