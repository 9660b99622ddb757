"""`docs/settings.md`, written from the settings themselves."""

from typing import Literal, get_args, get_origin

from annotated_types import Ge, Gt, Le
from pydantic.fields import FieldInfo

from farm.settings import Settings, variable_name

_HEAD = """# Settings

Every setting is an environment variable. A wrong value, or a `FARM_` name that is no setting,
stops the farm at its start, and all of them are named at once.

This table is generated: `farm settings > docs/settings.md`.

| variable | default | values | what it does |
|---|---|---|---|
"""


def as_markdown() -> str:
    rows = [
        f"| `{variable_name(name)}` | {_default(field)} | {_values(field)} | {field.description} |"
        for name, field in Settings.model_fields.items()
    ]
    return _HEAD + "\n".join(rows) + "\n"


def _default(field: FieldInfo) -> str:
    return "unset" if field.default in (None, ()) else f"`{field.default}`"


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
