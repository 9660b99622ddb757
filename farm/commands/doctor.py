"""`farm doctor`: checks whether this machine has what the farm needs."""

import logging
import sys

import click
import structlog

from farm import doctor as checks


@click.command()
def doctor() -> None:
    """Look at everything the farm needs, and say how to mend what is wrong."""
    # The checks' own log is off, since this command prints their findings.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    healthy = True
    for check in checks.examine():
        mark = {True: click.style("ok  ", fg="green"), False: click.style("BAD ", fg="red")}
        click.echo(f"{mark[check.good]} {check.subject}: {check.finding}")
        if check.remedy:
            click.echo(f"     {check.remedy}")
        healthy = healthy and (check.good or check.optional)
    sys.exit(0 if healthy else 1)
