"""`farm render --out`: renders many pages to a folder, shows the progress, and can be continued.

`render` calls `render_many` in the main thread. `farm.batch` has the threads and the record.
"""

import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from farm.batch import (
    BadName,
    Batch,
    FolderInUse,
    Outcome,
    Record,
    Stopped,
    Task,
    Template,
    Unreadable,
    is_url,
    name_all,
    pending,
)
from farm.commands.pages import (
    local_files,
    page_at,
    printable,
    refusal,
    unsent_files,
    warn_of_unsent,
    with_page,
)
from farm.commands.progress import Screen
from farm.commands.renderers import Renderer, opened
from farm.errors import FarmError, StartError
from farm.flags import OPTIONS
from farm.formats import NAMES, ZIP

#: The exit code that shells report for a command that SIGINT has ended.
_INTERRUPTED = 130
_MAX_FOREIGN = 5


@dataclass(frozen=True)
class Many:
    """The arguments of the command. `fields`: the request without a page."""

    pages: list[str]
    folder: Path
    name: str
    again: bool
    jobs: int | None
    retry_for_s: int
    sends_files: bool
    fields: dict[str, Any]


def render_many(many: Many, farm: str | None, key: str | None) -> int:
    """Render the pages, and return the exit code.

    Raises `click.UsageError`, but not after the first render has begun.
    """
    screen = Screen()
    tasks = _tasks(many)
    if not tasks:
        screen.say("No pages are named.")
        return 0
    if len(tasks) < len(many.pages):
        again = _pages(len(many.pages) - len(tasks))
        screen.say(f"{again} named more than once; each is rendered once.")
    with ExitStack() as stack:
        record = _opened(many.folder, stack)
        _refuse_foreign(many, tasks, record)
        wanted = tasks if many.again else pending(tasks, record)
        run = _Run(screen, many, tasks, wanted, record)
        if wanted:
            _render(run, farm, key)
    return run.end()


def _opened(folder: Path, stack: ExitStack) -> Record:
    try:
        return stack.enter_context(Record(folder))
    except FolderInUse:
        _refuse(f"{printable(str(folder))} is written by another `farm render` now.")
    except OSError as exc:
        _refuse(f"{printable(str(folder))} cannot be written: {exc.strerror}.")


class _Run:
    """A run of a batch, and its outcome."""

    def __init__(
        self, screen: Screen, many: Many, tasks: list[Task], wanted: list[Task], record: Record
    ) -> None:
        self.screen = screen
        self.many = many
        self.tasks = tasks
        self.wanted = wanted
        self.record = record
        self.failed: list[Outcome] = []
        #: For each page, the local files that it refers to and that were not sent.
        self.unsent: dict[str, list[str]] = {}
        #: Why the run was stopped: a sentence.
        self.stopped: str | None = None
        self.exit_code = 0

    def end(self) -> int:
        """Print the outcome, and return the exit code. Called when no file is written any more."""
        if self.failed:
            self.screen.table(self.failed)
        warn_of_unsent(self.unsent)
        written = self.record.written
        there = len(self.tasks) - len(self.wanted)
        parts = [f"{written:,} rendered"]
        if there:
            parts.append(f"{there:,} already there")
        if self.failed:
            parts.append(f"{len(self.failed):,} failed")
        left = len(self.wanted) - written - len(self.failed)
        if left:
            parts.append(f"{left:,} not reached")
        if self.stopped is not None:
            self.screen.say(self.stopped)
        total = _pages(len(self.tasks))
        self.screen.say(f"{total} to {printable(str(self.many.folder))}: {', '.join(parts)}.")
        if left:
            self.screen.say("The same command goes on from there.")
        return self.exit_code or (1 if self.failed or left else 0)


def _render(run: _Run, farm: str | None, key: str | None) -> None:
    fields = run.many.fields
    try:
        with opened(farm, key, many=True) as renderer:
            _check(renderer, fields)
            renderer.start()
            batch = Batch(
                run.wanted,
                lambda source: renderer.render(_request(source, run)),
                run.record,
                run.many.jobs or renderer.jobs,
                run.many.retry_for_s,
            )
            with run.screen.showing(len(run.wanted)) as shown_progress, _sigterm_as_interrupt():
                for outcome in batch.run():
                    if outcome.failure is not None:
                        run.failed.append(outcome)
                    shown_progress.ended(outcome)
    except KeyboardInterrupt:
        run.stopped = "Stopped."
        run.exit_code = _INTERRUPTED
    except Stopped as exc:
        run.stopped = f"Stopped: {exc}"
    except (FarmError, StartError) as exc:
        raise refusal(exc) from exc


def _check(renderer: Renderer, fields: dict[str, Any]) -> None:
    """Raises `click.UsageError` for options that are not valid for any page."""
    try:
        renderer.check({**fields, "url": "http://example.com/"})
    except FarmError as exc:
        raise click.UsageError(refusal(exc).message) from exc


def _request(source: str, run: _Run) -> dict[str, Any]:
    try:
        request = with_page(source, run.many.fields, run.many.sends_files)
    except click.ClickException as exc:
        raise Unreadable(exc.message) from exc
    if unsent := unsent_files(source, request):
        run.unsent[source] = unsent
    return request


def _tasks(many: Many) -> list[Task]:
    try:
        template = Template(many.name)
        options = many.fields[OPTIONS]
        if "outputs" in many.fields:
            ext = ZIP.name
        else:
            if template.suffix in NAMES:
                options.setdefault("format", template.suffix)
            ext = str(options.get("format", "png"))
        pages = name_all(template, many.pages, ext)
    except BadName as exc:
        raise click.UsageError(printable(str(exc))) from exc
    return [
        Task.of(source, name, many.fields, _files(source) if many.sends_files else ())
        for name, source in pages.items()
    ]


def _files(source: str) -> list[str]:
    """The files that are sent with a page. If one has changed, the page is rendered again."""
    if is_url(source):
        return []
    try:
        return [str(path) for path in local_files(source, page_at(source)).values()]
    except click.ClickException:  # the page's render reports the error
        return []


def _refuse_foreign(many: Many, tasks: list[Task], record: Record) -> None:
    """Raises `click.UsageError` if files of other programs would be overwritten."""
    if many.again:
        return
    found = record.foreign(task.name for task in tasks)
    if found:
        listed = ", ".join(printable(name) for name in found[:_MAX_FOREIGN])
        more = f" and {len(found) - _MAX_FOREIGN:,} more" if len(found) > _MAX_FOREIGN else ""
        _refuse(
            f"{listed}{more} in {printable(str(many.folder))} would be written over, and no "
            "`farm render` has made them. Take another folder, another --name, or --again."
        )


@contextmanager
def _sigterm_as_interrupt() -> Iterator[None]:
    """Makes SIGTERM stop the batch as Ctrl-C does."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _refuse(text: str) -> NoReturn:
    raise click.UsageError(text)


def _pages(count: int) -> str:
    return f"{count:,} page{'' if count == 1 else 's'}"
