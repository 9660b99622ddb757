"""Writes the tables of docs/migrating.md from the fields that each service's module declares.

A row, a `Mapped`, has a field of the service, what it is here, and what is different. A table
stands between `<!-- fields: NAME -->` and `<!-- end -->`. `farm contract docs` calls it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

MIGRATING = "migrating.md"

_TABLE = re.compile(r"<!-- fields: ([a-z-]+) -->\n.*?<!-- end -->\n", re.DOTALL)
_HEAD = "| theirs | here | difference |\n|---|---|---|\n"


@dataclass(frozen=True)
class Mapped:
    """A field of another service, as the docs describe it. All texts are Markdown."""

    name: str
    #: The option that it becomes, or what the farm does with it.
    here: str
    #: How it differs from the service; empty if it does not.
    difference: str = ""

    @property
    def row(self) -> str:
        cells = (f"`{self.name}`", self.here, self.difference)
        return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


Tables = Mapping[str, Iterable[Mapped]]


def written(docs: Path, tables: Tables) -> dict[Path, str]:
    """The page as it should be, by its path; empty if there is no page.

    Raises `OSError` or `ValueError`.
    """
    page = docs / MIGRATING
    return {page: with_tables(page.read_text(), tables)} if page.exists() else {}


def with_tables(text: str, tables: Tables) -> str:
    """The page with every table written anew.

    Raises `ValueError` if a table has no place on the page, or a place has no table.
    """
    places = _TABLE.findall(text)
    if wrong := set(places) ^ set(tables):
        raise ValueError(f"{MIGRATING} and the services differ in {', '.join(sorted(wrong))}")
    return _TABLE.sub(lambda place: _place(place[1], tables[place[1]]), text)


def _place(name: str, fields: Iterable[Mapped]) -> str:
    rows = "".join(field.row for field in fields)
    return f"<!-- fields: {name} -->\n{_HEAD}{rows}<!-- end -->\n"
