"""`farm mcp`: tools for agents."""

import sys
from pathlib import Path

import click

from farm.commands.renderers import farm_arguments
from farm.errors import FarmError


@click.command()
@farm_arguments
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=".",
    help="Where the tools may save files.  [default: the working directory]",
)
def mcp(farm: str | None, key: str | None, folder: Path) -> None:
    """Serve tools for agents (Model Context Protocol) over standard input and output.

    docs/mcp.md has the configuration of Claude, Cursor and others.
    """
    if sys.stdin is None or sys.stdout is None:
        raise click.ClickException(
            "Standard input or output is closed: an agent starts this command and talks over them."
        )
    try:
        from farm.mcp.rendering import OwnEngine, RemoteFarm
        from farm.mcp.saving import Folder
        from farm.mcp.server import serve
    except ModuleNotFoundError as exc:
        raise click.ClickException(
            f"The package {exc.name} is not installed: pip install 'render-farm[mcp]'"
        ) from exc
    try:
        backend = RemoteFarm(farm, key) if farm else OwnEngine()
    except FarmError as exc:
        raise click.ClickException(str(exc)) from exc
    serve(backend, Folder(folder))
