"""`farm diff`: compares two pages, or pictures of pages, pixel by pixel."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from farm.batch import is_url
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
from farm.commands.renderers import Renderer, farm_arguments, opened
from farm.comparing import Difference, NoPicture, Side, compare, draw_sheet, is_picture
from farm.errors import FarmError, StartError
from farm.flags import OPTIONS, GroupedCommand, fields_given, with_flags
from farm.formats import FORMATS, canonical

_PICTURES = [name for name, format_ in FORMATS.items() if format_.is_picture]
#: Exit codes as of diff(1). 1: the pages differ by more than allowed; 2: they were not compared.
_DIFFERS = 1
_TROUBLE = 2


@dataclass(frozen=True)
class Allowed:
    """How much may differ: a share from 0 to 1, or a number of pixels."""

    share: float | None = None
    pixels: int | None = None

    def covers(self, difference: Difference) -> bool:
        if self.pixels is not None:
            return difference.pixels <= self.pixels
        return difference.share <= (self.share or 0)


def _allowed(ctx: click.Context, param: click.Parameter, value: str | None) -> Allowed | None:
    if value is None:
        return None
    match = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*%", value)
    if match and float(match[1]) <= 100:
        return Allowed(share=float(match[1]) / 100)
    if match := re.fullmatch(r"(\d{1,12})(?:\s*px)?", value):
        return Allowed(pixels=int(match[1]))
    raise click.BadParameter(f"{value!r} is neither a share, 0.1%, nor pixels, 100px", ctx, param)


class _Trouble(click.ClickException):
    exit_code = _TROUBLE


@click.command(cls=GroupedCommand)
@click.argument("before", shell_complete=complete_files)
@click.argument("after", shell_complete=complete_files)
@click.option(
    "-o",
    "--output",
    shell_complete=complete_files,
    help="A picture to write (png, webp, jpeg): before, after, and what differs.",
)
@click.option(
    "--max-diff",
    callback=_allowed,
    metavar="SHARE|PIXELS",
    help="Exit with 1 if more differs: 0.1%, or 100px.",
)
@click.option(
    "--threshold",
    type=click.FloatRange(0, 1),
    default=0.1,
    show_default=True,
    help="The distance of two colours that does not count; 1 is that of black and white.",
)
@click.option(
    "--count-antialiasing",
    is_flag=True,
    help="Count pixels too that differ by anti-aliasing alone.",
)
@files_argument
@options_argument
@farm_arguments
@with_flags
@click.pass_context
def diff(
    context: click.Context,
    /,
    before: str,
    after: str,
    output: str | None,
    max_diff: Allowed | None,
    threshold: float,
    count_antialiasing: bool,
    local_files: bool,
    base_request: dict[str, Any],
    farm: str | None,
    key: str | None,
    **given: Any,
) -> None:
    """Compare BEFORE and AFTER: pages (files or URLs), or pictures that were made of pages.

    Pages are rendered with the same options; --deterministic makes clocks, random numbers and
    animations the same too. Prints the share of differing pixels. Exits with 1 if it is more than
    --max-diff, and with 2 if they cannot be compared.
    """
    fields = fields_given(context.command.params, given, base_request)
    _check(fields, before, after, output)
    try:
        one, other = _pictures((before, after), fields, local_files, farm, key)
        difference = compare(one, other, threshold, count_antialiasing)
    except (FarmError, StartError) as exc:
        raise _Trouble(refusal(exc).message) from exc
    except NoPicture as exc:
        raise _Trouble("One of the two files is no picture that can be read.") from exc
    except click.UsageError:
        raise
    except click.ClickException as exc:
        raise _Trouble(exc.message) from exc
    try:
        for line in _summary(difference):
            click.echo(line, err=output == "-")
        if output is not None:
            _write(output, difference, before, after)
    except BrokenPipeError:
        raise  # click then exits without a message
    except OSError as exc:
        where = "standard output" if output is None else printable(output)
        raise _Trouble(f"{where} cannot be written: {exc.strerror}.") from exc
    if max_diff is not None and not max_diff.covers(difference):
        context.exit(_DIFFERS)


def _check(fields: dict[str, Any], before: str, after: str, output: str | None) -> None:
    """Raises `click.UsageError`."""
    if names_a_page(fields) or "outputs" in fields:
        raise click.UsageError("The pages are the two arguments; --options and flags name none.")
    if before == after == "-":
        raise click.UsageError("Only one of the two can be standard input.")
    format_ = fields[OPTIONS].setdefault("format", "png")
    if canonical(str(format_)) not in _PICTURES:
        raise click.UsageError(f"--format must be a picture's: {', '.join(_PICTURES)}.")
    if output not in (None, "-") and _suffix(str(output)) not in (".png", ".webp", ".jpeg", ".jpg"):
        raise click.UsageError(f"{printable(str(output))} must be a .png, .webp or .jpeg.")


def _pictures(
    sources: tuple[str, str],
    fields: dict[str, Any],
    sends_files: bool,
    farm: str | None,
    key: str | None,
) -> list[bytes]:
    """The picture of each source. A source that is a page is rendered."""
    found = [_picture_in(source) for source in sources]
    if all(found):
        return [data for data in found if data]
    requests = [
        None if data else with_page(source, fields, sends_files)
        for data, source in zip(found, sources, strict=True)
    ]
    unsent = {
        source: unsent_files(source, request)
        for source, request in zip(sources, requests, strict=True)
        if request is not None
    }
    warn_of_unsent({source: names for source, names in unsent.items() if names})
    with opened(farm, key) as renderer:
        renderer.start()
        return [
            data or _rendered(renderer, request)
            for data, request in zip(found, requests, strict=True)
        ]


def _rendered(renderer: Renderer, request: dict[str, Any] | None) -> bytes:
    assert request is not None
    return renderer.render(request)


def _picture_in(source: str) -> bytes | None:
    """The file if it is a picture; None for a page."""
    if is_url(source) or source == "-":
        return None
    try:
        with Path(source).open("rb") as file:
            start = file.read(16)
            return start + file.read() if is_picture(start) else None
    except (OSError, ValueError):
        return None  # reading it as a page reports the error


def _summary(difference: Difference) -> list[str]:
    smoothed = difference.smoothed_pixels
    ignored = f"; {smoothed:,} more by anti-aliasing alone" if smoothed else ""
    total = f"{difference.pixels:,} of {difference.all_pixels:,} pixels"
    lines = [f"{_percent(difference)} differs: {total}{ignored}"]
    one, other = difference.before, difference.after
    if (one.width, one.height) != (other.width, other.height):
        lines.append(
            f"sizes differ: {_size(one)} and {_size(other)} pixels; what only one of them has "
            "counts as differing"
        )
    return lines


def _write(output: str, difference: Difference, before: str, after: str) -> None:
    marks = f"{difference.pixels:,} pixels"
    if difference.smoothed_pixels:
        marks += f" (anti-aliasing: {difference.smoothed_pixels:,}, amber)"
    sides = [
        Side(f"Before: {printable(before)}", _size(difference.before)),
        Side(f"After: {printable(after)}", _size(difference.after)),
        Side(f"{_percent(difference)} differs", marks),
    ]
    sheet = draw_sheet(difference, sides, ".png" if output == "-" else _suffix(output))
    with click.open_file(output, "wb") as file:
        file.write(sheet)


def _percent(difference: Difference) -> str:
    """The percentage, with two decimals. Never 0 % if there is a difference, nor 100 % for less."""
    percent = difference.share * 100
    if difference.pixels == 0:
        return "0%"
    if percent < 0.01:
        return "less than 0.01%"
    return f"{min(percent, 99.99) if percent < 100 else 100:.2f}%"


def _size(image: Any) -> str:
    return f"{image.width:,} × {image.height:,}"


def _suffix(path: str) -> str:
    return Path(path).suffix.lower()
