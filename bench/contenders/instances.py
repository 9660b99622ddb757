"""Several farms on this machine, and nginx before them with the configuration that they ship."""

import re
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Protocol

import psutil
import requests

from tests.support.farm_process import (
    START_TIMEOUT_S,
    Farm,
    end,
    environment,
    free_port,
    gone,
    running_farm,
    wait_until,
)

CONF = Path(__file__).parents[2] / "conf" / "nginx.conf"


class Listener(Protocol):
    """What nginx can pass requests to."""

    @property
    def port(self) -> int: ...


class Instance:
    """A farm that is killed as a machine would be, and comes back at the same port.

    It needs a `redis_url`: an embedded Valkey would be killed with it.
    """

    def __init__(self, log_path: Path, **settings: object) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.log_path = log_path
        given = {"data_dir": log_path.with_suffix(".data"), **settings}
        self._environment = environment(**given, port=self.port, workers=1)
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it; `wait` until it is up."""
        with self.log_path.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "farm.cli", "serve"],
                env=self._environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait(self) -> None:
        wait_until(self._is_up, START_TIMEOUT_S)

    def kill(self) -> None:
        """SIGKILL for it and all below it."""
        assert self._process is not None
        tree = psutil.Process(self._process.pid).children(recursive=True)
        self._process.kill()  # first, so that it starts no worker again
        for process in tree:
            with suppress(psutil.Error):
                process.kill()
        self._process.wait()
        wait_until(lambda: gone(tree))

    def stop(self) -> None:
        if self._process is not None:
            end(self._process)

    def _is_up(self) -> bool:
        assert self._process is not None
        assert self._process.poll() is None, self.log_path.read_text()
        try:
            return requests.get(self.url + "/health", timeout=10).ok
        except requests.RequestException:
            return False


@contextmanager
def running_instances(count: int, folder: Path, **settings: object) -> Iterator[list[Instance]]:
    with ExitStack() as stack:
        instances = [Instance(folder / f"{n}.log", **settings) for n in range(count)]
        for instance in instances:
            instance.start()
            stack.callback(instance.stop)
        for instance in instances:
            instance.wait()
        yield instances


def nginx_program() -> str | None:
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")


def nginx_conf(
    upstreams: Sequence[str], listen: str, folder: Path, log_path: Path | None = None
) -> str:
    """What is shipped; only addresses and places of files are changed."""
    text = re.sub(
        r"^( +server )renderer:3000( .*)$",
        lambda line: "\n".join(f"{line[1]}{each}{line[2]}" for each in upstreams),
        CONF.read_text(),
        flags=re.MULTILINE,
    )
    text = text.replace("listen 8080", f"listen {listen}")
    text = text.replace("/tmp/render-farm-nginx", f"{folder}/nginx")
    return text.replace(
        "access_log /dev/stderr farm;",
        f"access_log {log_path} farm;" if log_path else "access_log off;",
    )


@contextmanager
def running_nginx(instances: Sequence[Listener], log_path: Path | None = None) -> Iterator[str]:
    """nginx before these; gives its URL.

    `log_path`: of its log of requests; None: it has none.
    """
    port = free_port()
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)  # nginx's workers may run as another user
        upstreams = [f"127.0.0.1:{each.port}" for each in instances]
        conf = Path(name) / "nginx.conf"
        conf.write_text(nginx_conf(upstreams, f"127.0.0.1:{port}", Path(name), log_path))
        program = nginx_program() or "nginx"
        command = [program, "-c", str(conf), "-p", name, "-g", "daemon off;"]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            wait_until(lambda: process.poll() is not None or _listens(port))
            if process.poll() is not None:
                raise OSError(f"nginx does not start; try {' '.join(command)}")
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(10)


def _listens(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def running_farms(count: int, folder: Path, **settings: object) -> Iterator[list[Farm]]:
    with ExitStack() as stack:
        farms = []
        for number in range(count):
            own = folder / f"instance-{number}"
            own.mkdir(mode=0o755)
            farms.append(stack.enter_context(running_farm(own / "log", workers=1, **settings)))
        yield farms
