"""`farm contract`: generates the parts of docs/ and of the client that come from the models."""

from pathlib import Path

import click

from farm import contract as request_docs
from farm.web import compat
from farm.web.compat import table as compat_table


@click.command()
@click.argument("docs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Fail if they are not up to date; write nothing.")
def contract(docs: Path, check: bool) -> None:
    """Write what DOCS (options.md, openapi.json, migrating.md) and the client say of requests."""
    try:
        pages = request_docs.written(docs) | compat_table.written(docs, compat.TABLES)
        for path, text in pages.items():
            if path.read_text() == text:
                continue
            if check:
                raise click.ClickException(f"{path} is not up to date: farm contract {docs}")
            path.write_text(text)
            click.echo(f"{path} is written.")
    except (OSError, ValueError, KeyError) as exc:
        raise click.ClickException(f"{docs} cannot be written: {exc}") from exc
