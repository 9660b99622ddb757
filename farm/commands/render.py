"""`farm render`: renders one page to a file, or many pages to a folder (`many`)."""

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import click

from farm.batch import FIELDS, SourceError, expand, read_list
from farm.commands.many import Many, render_many
from farm.commands.pages import (
    complete_files,
    files_argument,
    names_a_page,
    options_argument,
    printable,
    refusal,
    unsent_files,
    warn_of_unsent,
    with_page,
)
from farm.commands.renderers import farm_arguments, opened
from farm.errors import FarmError, StartError
from farm.flags import OPTIONS, GroupedCommand, fields_given, with_flags
from farm.formats import NAMES, ZIP


@click.command(cls=GroupedCommand)
@click.argument("sources", nargs=-1, shell_complete=complete_files)
@click.option(
    "-o",
    "--output",
    shell_complete=complete_files,
    help="The file to write, of one page; `-` for standard output.",
)
@click.option(
    "--out",
    metavar="FOLDER",
    type=click.Path(path_type=Path),
    help="The folder to write to, of any number of pages.",
)
@click.option(
    "--list",
    "listed",
    type=click.File("rb"),
    help="A file with more pages, one a line; `-` for standard input.",
)
@click.option(
    "--name",
    default="{stem}.{ext}",
    show_default=True,
    help="How files in FOLDER are named: "
    + ", ".join(f"{{{name}}}" for name in FIELDS)
    + " (docs/commands.md).",
)
@click.option("--again", is_flag=True, help="Render pages too whose files are there already.")
@click.option("--jobs", type=click.IntRange(1, 256), help="Pages at the same time.")
@click.option(
    "--retry-for",
    type=click.IntRange(0),
    default=300,
    show_default=True,
    help="Seconds for which a page is asked for again while the farm is busy.",
)
@click.option("--open", "opens", is_flag=True, help="Open the file with the desktop's program.")
@files_argument
@options_argument
@farm_arguments
@with_flags
@click.pass_context
def render(
    context: click.Context,
    /,
    sources: tuple[str, ...],
    output: str | None,
    out: Path | None,
    listed: Any,
    name: str,
    again: bool,
    jobs: int | None,
    retry_for: int,
    opens: bool,
    local_files: bool,
    base_request: dict[str, Any],
    farm: str | None,
    key: str | None,
    **given: Any,
) -> None:
    """Render SOURCES: files of HTML or Markdown, URLs, or `-` for standard input.

    One page goes to the file of -o; many pages, and patterns such as 'pages/*.html', go to the
    folder of --out. No server is needed, unless --farm names one. docs/commands.md has examples,
    docs/options.md describes the flags in full. The format is that of the output's name, unless
    --format says otherwise; without either it is png. With --outputs it is a ZIP of them all.
    """
    fields = fields_given(context.command.params, given, base_request)
    if out is not None:
        if output is not None or opens:
            raise click.UsageError("--out is without -o and --open.")
        if names_a_page(fields):
            raise click.UsageError("--options names a page, and so do the arguments.")
        if "-" in sources:
            raise click.UsageError("`-` is one page, for -o; `--list -` reads names of pages.")
        try:
            pages = expand(sources) + (read_list(listed.read()) if listed else [])
        except SourceError as exc:
            raise click.UsageError(printable(str(exc))) from exc
        if not pages and listed is None:
            raise click.UsageError("Name pages, or a file that lists them with --list.")
        many = Many(pages, out, name, again, jobs, retry_for, local_files, fields)
        context.exit(render_many(many, farm, key))
    if len(sources) > 1 or listed is not None:
        raise click.UsageError("Several pages are written to a folder: --out FOLDER.")
    if not sources and not names_a_page(fields):
        raise click.UsageError("Name a page: a file, a URL, or `-` for standard input.")
    if opens and output == "-":
        raise click.UsageError("--open needs a file: -o FILE, or neither.")
    if output is None and not opens:
        raise click.UsageError("Name the file to write with -o, or a folder with --out.")
    if sources:
        fields = with_page(sources[0], fields, local_files)
        if unsent := unsent_files(sources[0], fields):
            warn_of_unsent({sources[0]: unsent})
    path = output or _temporary(fields)
    data = _rendered(path, fields, farm, key)
    try:
        with click.open_file(path, "wb") as file:
            file.write(data)
    except BrokenPipeError:
        raise  # click then exits without a message
    except OSError as exc:
        raise click.ClickException(f"{printable(path)} cannot be written: {exc.strerror}.") from exc
    if opens:
        _open(path)


def _rendered(path: str, fields: dict[str, Any], farm: str | None, key: str | None) -> bytes:
    suffix = Path(path).suffix.removeprefix(".").lower()
    if "outputs" in fields and suffix not in ("", ZIP.name):
        raise click.ClickException(f"{printable(path)}: several files are one ZIP; call it .zip.")
    if suffix and "outputs" not in fields:
        fields[OPTIONS].setdefault("format", suffix)
    try:
        with opened(farm, key) as renderer:
            renderer.check(fields)
            renderer.start()
            return renderer.render(fields)
    except (FarmError, StartError) as exc:
        raise refusal(exc) from exc


def _temporary(fields: dict[str, Any]) -> str:
    """A temporary file for `--open`. It is kept, since the desktop's program reads it later."""
    suffix = ZIP.name if "outputs" in fields else fields[OPTIONS].get("format", "png")
    if suffix not in NAMES and suffix != ZIP.name:
        suffix = "png"  # the request's own validation refuses the format
    handle, path = tempfile.mkstemp(prefix="farm-", suffix=f".{suffix}")
    os.close(handle)
    return path


def _open(path: str) -> None:
    is_linux = sys.platform.startswith("linux")
    has_desktop = not is_linux or any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY")))
    if not has_desktop or click.launch(path) != 0:
        click.echo(
            f"{printable(path)} is written, but cannot be opened: there is no desktop here, or no "
            "program that opens files (xdg-open).",
            err=True,
        )
