"""`farm contract`: what the docs and the client say of a request, written from its models."""

from pathlib import Path

from farm.contract.client import FIELDS, fields_module
from farm.contract.openapi import OPENAPI, with_schemas
from farm.contract.served import PACKAGED, document
from farm.contract.tables import OPTIONS, with_tables

__all__ = ["document", "with_schemas", "with_tables", "written"]


def written(docs: Path) -> dict[Path, str]:
    """Each file as it should be, by its path. Raises `OSError` or `ValueError`."""
    options, openapi = docs / OPTIONS, docs / OPENAPI
    schemas = with_schemas(openapi.read_text())
    return {
        options: with_tables(options.read_text()),
        openapi: schemas,
        # An installed farm has no docs, and answers `/openapi.json` all the same.
        PACKAGED: schemas,
        FIELDS: fields_module(schemas),
    }
