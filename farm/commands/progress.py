"""Shows a batch's progress, and a table of its failures at the end, on standard error.

A terminal gets a progress bar (rich). A file, a pipe or a CI log gets a plain line for each page.
"""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from farm.batch import Outcome
from farm.commands.pages import printable

#: The most rows of the table. The plain lines contain all failures.
_MAX_ROWS = 100
#: The narrowest terminal that shows the remaining time, and failures as a table.
_WIDE = 60


class Screen:
    """Standard error, as a terminal or as a log."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(file=sys.stderr, highlight=False)

    @contextmanager
    def showing(self, total: int) -> Iterator["Shown"]:
        """Show the progress of `total` pages."""
        if not self.console.is_terminal:
            yield PlainLines(self, total)
            return
        columns = [
            BarColumn(bar_width=None),
            MofNCompleteColumn(),
            TextColumn("{task.description}"),
        ]
        if self.console.width >= _WIDE:
            columns.append(TimeRemainingColumn(compact=True))
        with Progress(*columns, console=self.console, expand=True) as progress:
            yield Bar(progress, total)

    def say(self, text: str) -> None:
        """Print a line, wrapped to the terminal's width."""
        if self.console.is_terminal:
            self.console.print(Text(printable(text)))
        else:
            print(printable(text), file=self.console.file, flush=True)

    def table(self, failed: Sequence[Outcome]) -> None:
        """Print the pages that failed, each with its code and sentence."""
        listed = [
            (outcome.task.source, outcome.failure.code, outcome.failure.sentence)
            for outcome in failed[:_MAX_ROWS]
            if outcome.failure is not None
        ]
        if self.console.is_terminal and self.console.width >= _WIDE:
            table = Table("Page", "Code", "Why", box=SIMPLE_HEAD, pad_edge=False)
            for page, code, sentence in listed:
                # `Text` keeps rich from reading brackets as markup.
                cells = ((printable(page), ""), (code, "red"), (printable(sentence), ""))
                table.add_row(*(Text(text, style, overflow="fold") for text, style in cells))
            self.console.print(table)
        else:
            self.say("Failed:")
            for row in listed:
                self.say("  " + ": ".join(row))
        if len(failed) > _MAX_ROWS:
            self.say(f"… and {len(failed) - _MAX_ROWS:,} more failures.")


class Shown:
    """Shows the progress of a batch."""

    def ended(self, outcome: Outcome) -> None:
        """Show that a page has ended."""


class PlainLines(Shown):
    def __init__(self, screen: Screen, total: int) -> None:
        self._screen = screen
        self._total = total
        self._count = 0

    def ended(self, outcome: Outcome) -> None:
        self._count += 1
        where = f"[{self._count}/{self._total}]"
        if outcome.failure is None:
            self._screen.say(f"{where} {outcome.task.name}")
        else:
            failure = outcome.failure
            text = f"{outcome.task.source}: {failure.code}: {failure.sentence}"
            self._screen.say(f"{where} failed: {text}")


class Bar(Shown):
    def __init__(self, progress: Progress, total: int) -> None:
        self._progress = progress
        self._failed = 0
        self._task = progress.add_task("", total=total)

    def ended(self, outcome: Outcome) -> None:
        if outcome.failure is not None:
            self._failed += 1
            self._progress.update(self._task, description=f"[red]{self._failed} failed")
        self._progress.advance(self._task)
