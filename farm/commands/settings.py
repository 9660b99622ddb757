"""`farm settings`: prints or checks docs/settings.md."""

from pathlib import Path

import click

from farm.settings.table import as_markdown


@click.command()
@click.option("--check", type=click.Path(path_type=Path), help="Fail if this file is not the same.")
def settings(check: Path | None) -> None:
    """Print docs/settings.md, the table of every setting."""
    table = as_markdown()
    if check is None:
        click.echo(table, nl=False)
    elif check.read_text() != table:
        raise click.ClickException(f"{check} is not up to date: farm settings > {check}")
