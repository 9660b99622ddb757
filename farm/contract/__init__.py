"""`farm contract`: what the docs say of a request, written from its models."""

from pathlib import Path

from farm.contract.openapi import OPENAPI, with_schemas
from farm.contract.tables import OPTIONS, with_tables

__all__ = ["with_schemas", "with_tables", "written"]


def written(docs: Path) -> dict[Path, str]:
    """Each file as it should be, by its path. Raises `OSError` or `ValueError`."""
    options, openapi = docs / OPTIONS, docs / OPENAPI
    return {options: with_tables(options.read_text()), openapi: with_schemas(openapi.read_text())}
