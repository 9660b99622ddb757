"""The arguments that commands which render have in common: pages, their files, and `--options`."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from farm.batch import as_assets, files_beside, is_url
from farm.errors import FarmError, StartError, WithProblems
from farm.flags import OPTIONS
from farm.request import HTML_OR_URL
from farm.request.schema import properties

_MARKDOWN = (".md", ".markdown")


def page_at(source: str) -> dict[str, Any]:
    """The fields that name a page: the text of a file or of standard input, or a URL.

    Raises `click.ClickException` if it cannot be read.
    """
    if is_url(source):
        return {"url": source}
    try:
        with click.open_file(source, encoding="utf-8") as file:
            is_markdown = Path(source).suffix.lower() in _MARKDOWN
            return {"markdown" if is_markdown else "html": file.read()}
    except (OSError, ValueError) as exc:
        raise click.ClickException(f"{printable(source)} cannot be read: {_why(exc)}.") from exc


def with_page(source: str, fields: dict[str, Any], sends_files: bool = False) -> dict[str, Any]:
    """A request for the page at `source`. A page that `fields` name is replaced.

    `sends_files`: add the local files that the page refers to. `assets` in `fields` have priority.
    """
    request = {name: fields[name] for name in fields if name not in HTML_OR_URL} | page_at(source)
    if sends_files and (files := local_files(source, request)):
        try:
            request["assets"] = as_assets(files) | request.get("assets", {})
        except OSError as exc:
            message = f"A file that {printable(source)} refers to cannot be read: {_why(exc)}."
            raise click.ClickException(message) from exc
    return request


def local_files(source: str, request: dict[str, Any]) -> dict[str, Path]:
    """The local files that a page refers to, if the page is a file. `request` has its text."""
    if source == "-" or is_url(source):
        return {}
    return files_beside(source, request.get("html") or request.get("markdown") or "")


def unsent_files(source: str, request: dict[str, Any]) -> list[str]:
    """The names of local files that a page refers to and that the request does not contain.

    It is empty with `baseUrl`, since the names are then URLs at that site, and with `assets`, since
    the user has then chosen the files.
    """
    if "assets" in request or "baseUrl" in request:
        return []
    return list(local_files(source, request))


def warn_of_unsent(pages: Mapping[str, Sequence[str]]) -> None:
    """Warn that files were not sent. `pages`: the names of these files for each page."""
    if not pages:
        return
    source, names = next(iter(pages.items()))
    more = f" and {len(names) - 1} more" if len(names) > 1 else ""
    others = f", and {len(pages) - 1:,} other pages to theirs" if len(pages) > 1 else ""
    refers = printable(f"{source} refers to {names[0]}{more} in its folder{others}")
    click.echo(f"Warning: {refers}. They are not sent without --local-files.", err=True)


def files_argument(function: Callable[..., None]) -> Callable[..., None]:
    """Decorator that adds `--local-files` to a command."""
    return click.option(
        "--local-files",
        is_flag=True,
        help="Send the files that a local page refers to, from its folder and those below it.",
    )(function)


def names_a_page(fields: dict[str, Any]) -> bool:
    return any(name in fields for name in HTML_OR_URL)


def options_argument(function: Callable[..., None]) -> Callable[..., None]:
    """Decorator that adds `--options FILE` to a command, and passes the request in the file."""
    return click.option(
        "--options",
        "base_request",
        metavar="FILE",
        callback=lambda _ctx, _param, path: {} if path is None else _request_in(path),
        shell_complete=complete_files,
        help="JSON with the options of a request, or a whole request; flags win over it.",
    )(function)


def complete_files(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Makes the shell complete file names."""
    return [CompletionItem(incomplete, type="file")]


def _request_in(path: str) -> dict[str, Any]:
    try:
        with click.open_file(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError) as exc:
        raise click.UsageError(
            f"--options: {printable(path)} cannot be read: {_why(exc)}."
        ) from exc
    if not isinstance(found, dict):
        raise click.UsageError(f"--options: {printable(path)} has no JSON object.")
    is_whole = any(name in properties("RenderRequest") for name in found)
    if is_whole and not isinstance(found.get(OPTIONS, {}), dict):
        raise click.UsageError(f"--options: `options` in {printable(path)} is no JSON object.")
    return found if is_whole else {OPTIONS: found}


def _why(exc: Exception) -> str:
    match exc:
        case OSError():
            return exc.strerror or type(exc).__name__
        case UnicodeDecodeError():
            return "it is not UTF-8"
        case json.JSONDecodeError():
            return f"line {exc.lineno} is not valid JSON"
        case RecursionError():
            return "it is nested too deeply"
    return "it has no valid name"  # the name contains a NUL


def refusal(exc: FarmError | StartError) -> click.ClickException:
    """The error with which a command ends: the sentence, and all problems."""
    lines = [printable(str(exc))]
    problems = exc.problems if isinstance(exc, WithProblems) else ()
    # The sentence contains one problem already.
    if len(problems) > 1 or any(problem.problem not in str(exc) for problem in problems):
        lines += [printable(f"  {problem.field}: {problem.problem}") for problem in problems]
    return click.ClickException("\n".join(lines))


def printable(text: str) -> str:
    """A name or a page's message for the terminal, with its control characters escaped."""
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return "\n" if char == "\n" else char.encode("unicode_escape", "surrogatepass").decode()
