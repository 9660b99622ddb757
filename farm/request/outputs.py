"""Several files of one load: the options of each file, which override those of the request."""

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, field_validator, model_serializer

from farm.request.capture import PARTS, Capture
from farm.request.group import Group, option, problem
from farm.request.pdf import Pdf

if TYPE_CHECKING:
    from farm.request.request import RenderOptions

MAX_OUTPUTS = 10
_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class File:
    """A file of a load: its name, and the options with which it is captured."""

    name: str
    options: "RenderOptions"

    @property
    def file_name(self) -> str:
        """The name with the suffix of its format."""
        suffix = f".{self.options.format}"
        return self.name if self.name.lower().endswith(suffix) else self.name + suffix


def _without_defaults(schema: dict[str, Any]) -> None:
    for field in schema["properties"].values():
        field.pop("default", None)


class Output(Capture, Pdf):
    """One file of the load. Options that it does not set are those of the request's `options`."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)

    name: str | None = option(
        None,
        "The name of the file, to which its format's suffix is added. Default: its number, from 1.",
        schema={"pattern": f"^{_NAME.pattern}$"},
    )

    @field_validator("name")
    @classmethod
    def _is_file_name(cls, name: str) -> str:
        if not _NAME.fullmatch(name):
            raise problem(
                "must be 1 to 64 letters, digits, dots, dashes or underscores, no dot the first"
            )
        return name

    @model_serializer
    def _as_asked(self) -> dict[str, Any]:
        # An option with its default value is kept too: the request's options may differ from it.
        fields = type(self).model_fields
        names = sorted(self.model_fields_set)
        return {fields[name].alias or name: _as_json(getattr(self, name)) for name in names}

    def over(self, options: "RenderOptions") -> "RenderOptions":
        """The options of this file: its own, and those of the request that it does not set.

        Options of the request that the file's format does not support are dropped. So is the part
        of the page, if the file sets its own.
        """
        asked = {name: getattr(self, name) for name in self.model_fields_set - {"name"}}
        defaults = {name: field.default for name, field in type(options).model_fields.items()}
        if not asked.keys().isdisjoint(PARTS):
            asked = {name: defaults[name] for name in PARTS} | asked
        merged = options.model_copy(update=asked)
        unsupported = set(merged.unsupported) - asked.keys()
        return merged.model_copy(update={name: defaults[name] for name in unsupported})


def _as_json(value: object) -> object:
    if isinstance(value, Group):
        return value.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    # A `pdf` with default values only is None.
    return {} if value is None else value


def conflicts(files: list[File]) -> list[tuple[str, str]]:
    """The position of each file that has conflicting options, and a sentence about them."""
    found: list[tuple[str, str]] = []
    if len(files) > 1 and files[0].options.deterministic:
        # If a page's clock is stopped, Chromium sometimes draws no second picture of the page.
        found.append(("", "several files are not together with deterministic"))
    seen: set[str] = set()
    for place, file in enumerate(files):
        found += [(str(place), text) for text in file.options.capture_conflicts()]
        # Names are compared in lower case, since some file systems ignore case.
        name = file.file_name.lower()
        if name in seen:
            found.append((f"{place}.name", f"there is another {file.file_name}"))
        seen.add(name)
    return found
