"""`farm serve`, `farm worker` and `farm dashboard`: the processes of a farm."""

import os
import sys
from pathlib import Path

import click

import farm
from farm import logs, supervisor
from farm.errors import StartError
from farm.jobs import broker
from farm.jobs import dashboard as jobs_dashboard
from farm.jobs.files import open_swept_storage
from farm.jobs.worker import Worker
from farm.machine import host_and_port, is_taken
from farm.metrics import folder
from farm.render.browser.chromium import find_chromium
from farm.settings import Settings

#: gunicorn's configuration file.
_GUNICORN_CONF = Path(farm.__file__).with_name("gunicorn_conf.py")


@click.command()
def serve() -> None:
    """Serve the HTTP API, in the foreground; without FARM_REDIS_URL, its jobs' worker too."""
    command = [sys.executable, "-m", "gunicorn", "-c", str(_GUNICORN_CONF)]
    try:
        farm_settings = Settings.from_environment()
        find_chromium(farm_settings)
        if is_taken(farm_settings.host, farm_settings.port):
            where = host_and_port(farm_settings.host, farm_settings.port)
            raise StartError(f"FARM_PORT: another program listens on {where} already.")
        folder.share()
        if farm_settings.embedded:
            sys.exit(supervisor.run(farm_settings, command))
    except StartError as exc:
        raise click.ClickException(f"The farm cannot start.\n{exc}") from exc
    # When gunicorn is upgraded in place (SIGUSR2), it starts its own file as a script. Without this
    # variable, the modules of that file's folder (`http`) would hide Python's.
    os.environ["PYTHONSAFEPATH"] = "1"
    # gunicorn replaces this process, so that a signal to this process reaches gunicorn.
    os.execv(sys.executable, command)


@click.command()
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


@click.command()
def dashboard() -> None:
    """Serve the dashboard of the job queue, until SIGTERM."""
    try:
        farm_settings = Settings.from_environment()
        logs.configure(farm_settings)
        jobs_dashboard.run(farm_settings)
    except StartError as exc:
        raise click.ClickException(f"The dashboard cannot start.\n{exc}") from exc
