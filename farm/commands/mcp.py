"""`farm mcp`: the farm's tools for agents."""

from pathlib import Path

import click


@click.command()
@click.option("--farm", "url", metavar="URL", help="A farm that renders.  [default: this process]")
@click.option(
    "--key",
    envvar="FARM_API_KEY",
    show_envvar=True,
    help="The API key for that farm.",
)
@click.option(
    "--folder",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path(),
    help="Where the tools may save files.  [default: the working directory]",
)
def mcp(url: str | None, key: str | None, folder: Path) -> None:
    """Serve tools for agents (Model Context Protocol) over standard input and output.

    docs/mcp.md has the configuration of Claude, Cursor and others.
    """
    try:
        from farm.mcp.rendering import OwnEngine
        from farm.mcp.saving import Folder
        from farm.mcp.server import serve
    except ModuleNotFoundError as exc:
        raise click.ClickException(
            f"The package {exc.name} is not installed: pip install 'render-farm[mcp]'"
        ) from exc
    serve(OwnEngine(), Folder(folder))
