"""The command line: what runs the farm, renders without it, looks after it, and writes its docs."""

import json
import logging
import os
import sys
from pathlib import Path
from typing import Any

import click
import structlog

import farm
from farm import contract as request_docs
from farm import doctor as checks
from farm import logs, supervisor
from farm.commands.plan import plan
from farm.errors import FarmError, StartError
from farm.flags import GroupedCommand, fields_given, page_at, refusal, with_flags
from farm.formats import ZIP
from farm.jobs import broker
from farm.jobs import dashboard as jobs_dashboard
from farm.jobs.files import open_swept_storage
from farm.jobs.worker import Worker
from farm.link_command import link
from farm.machine import is_taken
from farm.metrics import folder
from farm.render import Engine
from farm.render.browser.chromium import find_chromium
from farm.request import HTML_OR_URL, RenderRequest
from farm.settings import Settings
from farm.settings.table import as_markdown
from farm.web import compat
from farm.web.compat import table


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(farm.__version__, prog_name="farm")
def main() -> None:
    """Turn HTML, Markdown and URLs into PNG, JPEG, WebP, AVIF and PDF."""


@main.command()
def serve() -> None:
    """Serve the HTTP API, in the foreground; without FARM_REDIS_URL, its jobs' worker too."""
    command = [sys.executable, "-m", "gunicorn", "-c", str(_gunicorn_conf())]
    try:
        farm_settings = Settings.from_environment()
        find_chromium(farm_settings)
        if is_taken(farm_settings.host, farm_settings.port):
            where = f"{farm_settings.host}:{farm_settings.port}"
            raise StartError(f"FARM_PORT: another program listens on {where} already.")
        folder.share()
        if farm_settings.embedded:
            sys.exit(supervisor.run(farm_settings, command))
    except StartError as exc:
        raise click.ClickException(f"The farm cannot start.\n{exc}") from exc
    # Upgraded in place (SIGUSR2), gunicorn starts its own file as a script: without this the folder
    # of that file, and the `http` in it, come before Python's.
    os.environ["PYTHONSAFEPATH"] = "1"
    # gunicorn takes this process's place, so that a signal to it is a signal to gunicorn.
    os.execv(sys.executable, command)


@main.command()
@click.option(
    "--concurrency", type=int, help="Jobs at the same time.  [default: FARM_JOB_CONCURRENCY]"
)
def worker(concurrency: int | None) -> None:
    """Render the jobs of the queue, until SIGTERM."""
    try:
        farm_settings = Settings.from_environment(job_concurrency=concurrency)
        logs.configure(farm_settings)
        broker.check(farm_settings)
        client = broker.connect_patiently(farm_settings.queue_url)
        Worker(farm_settings, open_swept_storage(farm_settings, client), client).run()
    except StartError as exc:
        raise click.ClickException(f"The worker cannot start.\n{exc}") from exc


@main.command()
def dashboard() -> None:
    """Serve the dashboard of the job queue, until SIGTERM."""
    try:
        farm_settings = Settings.from_environment()
        logs.configure(farm_settings)
        jobs_dashboard.run(farm_settings)
    except StartError as exc:
        raise click.ClickException(f"The dashboard cannot start.\n{exc}") from exc


@main.command(cls=GroupedCommand)
@click.argument("source")
@click.option("-o", "--output", required=True, help="File to write; `-` for standard output.")
@with_flags
@click.pass_context
def render(context: click.Context, /, source: str, output: str, **given: Any) -> None:
    """Render SOURCE (a file of HTML or Markdown, a URL, or `-` for standard input).

    No server is needed. docs/options.md describes the flags in full. The format is that of the
    output's name, unless --format says otherwise; without either it is png. With --outputs it is a
    ZIP of them all.
    """
    page = page_at(source)
    page |= fields_given(context.command.params, given)
    suffix = Path(output).suffix.removeprefix(".").lower()
    if "outputs" in page and suffix not in ("", ZIP.name):
        raise click.ClickException(f"{output}: several files are one ZIP; call it .zip.")
    if suffix and "outputs" not in page:
        page["options"].setdefault("format", suffix)
    try:
        data = _render(json.dumps(page).encode())
    except (FarmError, StartError) as exc:
        raise refusal(exc) from exc
    try:
        with click.open_file(output, "wb") as file:
            file.write(data)
    except OSError as exc:
        raise click.ClickException(f"{output} cannot be written: {exc.strerror}.") from exc


main.add_command(link)
main.add_command(plan)


@main.command()
def doctor() -> None:
    """Look at everything the farm needs, and say how to mend what is wrong."""
    # What the checks find is said here, once.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    healthy = True
    for check in checks.examine():
        mark = {True: click.style("ok  ", fg="green"), False: click.style("BAD ", fg="red")}
        click.echo(f"{mark[check.good]} {check.subject}: {check.finding}")
        if check.remedy:
            click.echo(f"     {check.remedy}")
        healthy = healthy and (check.good or check.optional)
    sys.exit(0 if healthy else 1)


@main.command()
@click.option("--check", type=click.Path(path_type=Path), help="Fail if this file is not the same.")
def settings(check: Path | None) -> None:
    """Print docs/settings.md, the table of every setting."""
    table = as_markdown()
    if check is None:
        click.echo(table, nl=False)
    elif check.read_text() != table:
        raise click.ClickException(f"{check} is not up to date: farm settings > {check}")


@main.command()
@click.argument("docs", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--check", is_flag=True, help="Fail if they are not up to date; write nothing.")
def contract(docs: Path, check: bool) -> None:
    """Write what the folder DOCS says of requests: in options.md, openapi.json, migrating.md."""
    try:
        pages = request_docs.written(docs) | table.written(docs, compat.TABLES)
        for path, text in pages.items():
            if path.read_text() == text:
                continue
            if check:
                raise click.ClickException(f"{path} is not up to date: farm contract {docs}")
            path.write_text(text)
            click.echo(f"{path} is written.")
    except (OSError, ValueError, KeyError) as exc:
        raise click.ClickException(f"{docs} cannot be written: {exc}") from exc


def _render(body: bytes) -> bytes:
    farm_settings = Settings.from_environment()
    logs.configure(farm_settings.model_copy(update={"log_level": "error"}))
    engine = Engine(farm_settings.model_copy(update={"spare_contexts": 0}))
    request = RenderRequest.parse(body, HTML_OR_URL, engine.limits)
    engine.start()
    try:
        engine.wait_started()
        return engine.render(request).data
    finally:
        engine.close()


def _gunicorn_conf() -> Path:
    """The shipped configuration: beside the package in a checkout, else where it is installed."""
    places = [Path(farm.__file__).parents[1] / "conf", Path(sys.prefix) / "share/render-farm"]
    for place in places:
        if (place / "gunicorn.conf.py").is_file():
            return place / "gunicorn.conf.py"
    raise click.ClickException(f"gunicorn.conf.py is neither in {places[0]} nor in {places[1]}.")


if __name__ == "__main__":
    main()
