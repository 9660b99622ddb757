"""`farm link`: makes a signed link from a page or a URL, and options."""

import re
from typing import Any

import click

from farm import clock
from farm.commands.pages import complete_files, options_argument, refusal, with_page
from farm.errors import FarmError, StartError
from farm.flags import GroupedCommand, fields_given, with_flags
from farm.links import LinkError, make_link, pack
from farm.machine import host_and_port
from farm.request import Limits, Link
from farm.settings import MAX_CACHE_TTL_S, Settings

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def _seconds(ctx: click.Context, param: click.Parameter, value: str | None) -> int | None:
    """The seconds of a text such as `90` or `12h`."""
    if value is None:
        return None
    match = re.fullmatch(r"([1-9][0-9]{0,9})([smhdw]?)", value)
    if match is None:
        raise click.BadParameter(f"{value!r} is not like 90, 15m, 12h, 30d or 2w", ctx, param)
    return int(match[1]) * _UNITS_S[match[2] or "s"]


@click.command(cls=GroupedCommand)
@click.argument("source", shell_complete=complete_files)
@click.option("--base", help="The farm's address for those who open the link.  [default: this one]")
@click.option(
    "--expires",
    callback=_seconds,
    metavar="DURATION",
    help="How long it is good for: 12h, 30d, 2w.",
)
@click.option(
    "--ttl",
    type=click.IntRange(0, MAX_CACHE_TTL_S),
    help="How old the file may be, in seconds.  [default: the farm's, or an hour]",
)
@options_argument
@with_flags
@click.pass_context
def link(
    context: click.Context,
    /,
    source: str,
    base: str | None,
    expires: int | None,
    ttl: int | None,
    base_request: dict[str, Any],
    **given: Any,
) -> None:
    """Print a signed link to a render of SOURCE (a file, a URL, or `-` for standard input).

    The key is FARM_LINK_KEY, of which the farm must have the same. docs/links.md tells what a link
    is, and who may see what is in it.
    """
    fields = with_page(source, fields_given(context.command.params, given, base_request))
    if not fields["options"]:
        del fields["options"]
    if ttl is not None:
        fields["cache"] = {"ttl": ttl}
    try:
        settings = Settings.from_environment()
        if settings.link_keys is None:
            raise click.ClickException(
                "FARM_LINK_KEY is not set: make one with `openssl rand -hex 32`, for the farm and "
                "for those who make links."
            )
        # Validate the request now, as the farm will when the link is opened.
        Link.read(pack(fields), Limits.of(settings))
        expires_at = None if expires is None else clock.seconds() + expires
        where = base or f"http://{host_and_port(settings.host, settings.port)}"
        click.echo(make_link(fields, settings.link_keys.newest, base=where, expires_at=expires_at))
    except (FarmError, StartError) as exc:
        raise refusal(exc) from exc
    except LinkError as exc:
        raise click.ClickException(str(exc)) from exc
