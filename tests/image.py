"""`python -m tests.image`: follow the Dockerfile without Docker, and try what comes of it.

As root on Debian with `debootstrap runc redis-server iproute2`. Debian's base stands for the image
that the stages are from. runc, which Docker runs containers with, does each step, and then runs the
farm as docker-compose.yml has it: not root, without rights, sandboxed by `conf/seccomp.json`, in a
root that cannot be written. With a folder's name it keeps Debian's base there for the next time.
"""

import ctypes
import http.client
import json
import os
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parents[1]
KEY = "image-test-0123456789"
PASSWORD = "of-redis-0123456789"
SECRETS = {
    "farm_redis_url": f"redis://:{PASSWORD}@127.0.0.1:6379/0",
    "farm_api_keys": f"me:{KEY}",
    "farm_webhook_secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    "farm_link_key": "of-links-0123456789-0123456789-abc",
    "farm_dashboard_password": "of-the-dashboard",
}
#: What Docker gives those who do a step.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
RIGHTS = ["CHOWN", "DAC_OVERRIDE", "FOWNER", "FSETID", "KILL", "SETFCAP", "SETGID", "SETUID"]
SUITES = ("debian bookworm", "debian bookworm-updates", "debian-security bookworm-security")
UNWANTED = r"(pip|gcc|g\+\+|cc|c\+\+|cpp|clang|ld|as|make|cmake|git|curl|wget)[\d.-]*"
SPACES = ("user", "pid", "net")
CLONE_NEWNET = 0x40000000


@dataclass
class Stage:
    """A root directory, and what the Dockerfile says of those who will run in it."""

    root: Path
    #: Of this machine, and where they are in the container.
    files: dict[str, str]
    env: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})
    workdir: str = "/"
    user: str = "0:0"
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    healthcheck: tuple[str, ...] = ()


def say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')}  {text}", flush=True)


def check(what: str, good: object) -> None:
    say(f"{'ok ' if good else 'BAD'} {what}")
    if not good:
        sys.exit(f"The image is not as it should be: {what}")


def wait_for(what: str, condition: Callable[[], bool], seconds: float) -> None:
    end = time.monotonic() + seconds
    while not (good := condition()) and time.monotonic() < end:
        time.sleep(0.3)
    check(what, good)


class Container:
    """What runc runs in a stage's root: a step of the build, or the farm. `with` it, it is gone."""

    def __init__(self, stage: Stage, command: list[str], step: bool = False) -> None:
        self.id = f"render-farm-{os.getpid()}-{time.monotonic_ns()}"
        self.bundle = stage.root.parent / self.id
        self.bundle.mkdir()
        subprocess.run(["runc", "spec"], cwd=self.bundle, check=True)
        spec = json.loads((self.bundle / "config.json").read_text())
        process, mounts, linux = spec["process"], spec["mounts"], spec["linux"]
        rights = [f"CAP_{right}" for right in RIGHTS] if step else []
        process |= {"args": command, "cwd": stage.workdir, "terminal": False}
        process["user"] = dict(zip(("uid", "gid"), map(int, stage.user.split(":")), strict=True))
        process["env"] = [f"{name}={value}" for name, value in stage.env.items()]
        process["capabilities"] = dict.fromkeys(["bounding", "effective", "permitted"], rights)
        process["noNewPrivileges"] = not step
        spec["root"] = {"path": str(stage.root), "readonly": not step}
        for file, place in stage.files.items():
            bind = {"type": "bind", "source": file, "options": ["rbind", "ro"]}
            mounts.append(bind | {"destination": place})
        # The network is this process's.
        linux["namespaces"] = [kind for kind in linux["namespaces"] if kind["type"] != "network"]
        if not step:
            options = ["nosuid", "nodev", "noexec", "mode=1777", "size=1g"]
            mounts.append({"type": "tmpfs", "destination": "/tmp", "options": options})
            linux["seccomp"] = json.loads((HERE / "conf/seccomp.json").read_text())
            linux["resources"] |= {"memory": {"limit": 2 << 30}, "pids": {"limit": 2048}}
        (self.bundle / "config.json").write_text(json.dumps(spec))

    def __enter__(self) -> "Container":
        run = ["runc", "run", "--bundle", str(self.bundle), self.id]
        with (self.bundle / "log").open("wb") as log:
            self.process = subprocess.Popen(run, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        return self

    def __exit__(self, exception: object, *_: object) -> None:
        if exception:
            print((self.bundle / "log").read_text(errors="replace")[-3000:])
        subprocess.run(["runc", "delete", "--force", self.id], capture_output=True, check=False)
        self.process.wait(30)

    def runs(self, *command: str) -> bool:
        return not subprocess.call(["runc", "exec", self.id, *command], stderr=subprocess.DEVNULL)

    def pids(self) -> list[int]:
        listed = subprocess.check_output(["runc", "ps", "--format", "json", self.id])
        return [pid for pid in json.loads(listed) if Path(f"/proc/{pid}").exists()]

    def stops(self, what: str, seconds: float) -> None:
        before = [Path(f"/proc/{pid}") for pid in self.pids()]
        subprocess.run(["runc", "kill", self.id, "TERM"], check=True)
        check(f"{what} ends by SIGTERM, with 0", self.process.wait(seconds) == 0)
        check(f"of its {len(before)} processes none is left", not any(p.exists() for p in before))


def instructions(text: str) -> Iterator[tuple[str, str]]:
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        name, _, rest = line.partition(" ")
        yield name, " ".join(rest.split())


def build(folder: Path, base: Path) -> Stage:
    """The last stage of the Dockerfile, all steps done."""
    # How this machine reaches the registries; none of it stays in the image.
    files = {name: name for name in ("/etc/resolv.conf", "/etc/hosts")}
    authorities = os.environ.get("PIP_CERT", "")
    if authorities:
        files[authorities] = "/run/authorities.pem"
    stages: dict[str, Stage] = {}
    stage = Stage(base, files)
    for name, rest in instructions((HERE / "Dockerfile").read_text()):
        say(f"{name} {rest[:90]}")
        if name == "FROM":
            alias = rest.removeprefix("debian:bookworm-slim").removeprefix(" AS ")
            stage = stages[alias] = Stage(folder / f"stage-{len(stages)}", files)
            subprocess.run(["cp", "-a", "--reflink=auto", base, stage.root], check=True)
        elif name == "RUN":
            command = f"export PIP_CERT={files.get(authorities, '')}; {rest}"
            with Container(stage, ["sh", "-c", command], step=True) as step:
                check("it is done", step.process.wait(900) == 0)
        elif name == "COPY":
            option = re.match(r"--from=(\S+) /?", rest)
            start = stages[option[1]].root if option else HERE
            *names, target = rest[option.end() if option else 0 :].split()
            into = Path(f"{stage.root}{target}")
            into.mkdir(parents=True, exist_ok=True)
            # Of a folder, Docker copies what is in it.
            paths = [start / name for name in names]
            sources = [f"{path}/." if path.is_dir() else path for path in paths]
            subprocess.run(["cp", "-a", "--no-preserve=ownership", *sources, into], check=True)
        elif name in ("WORKDIR", "USER"):
            setattr(stage, name.lower(), rest)
        elif name == "ENV":
            stage.env |= dict(pair.split("=", 1) for pair in shlex.split(rest))
        elif name in ("ENTRYPOINT", "CMD", "HEALTHCHECK"):
            setattr(stage, name.lower(), json.loads(rest[rest.index("[") :]))
        else:
            check("nothing is to be done for it", name in ("LABEL", "EXPOSE"))
    return stage


def ask(method: str, path: str, body: object = None, port: int = 3000) -> tuple[int, bytes]:
    farm = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    headers = {"X-Api-Key": KEY, "Content-Type": "application/json", "Accept": "image/png"}
    try:
        farm.request(method, path, json.dumps(body) if body else None, headers)
        answer = farm.getresponse()
        return answer.status, answer.read()
    except OSError:  # nobody listens yet
        return 0, b""


def facts(pid: int) -> dict[str, str]:
    """What `/proc` says of a process: its status, command line and namespaces."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    spaces = {kind: str(Path(f"/proc/{pid}/ns/{kind}").readlink()) for kind in SPACES}
    command = Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    return dict(line.split(":\t", 1) for line in lines) | spaces | {"command": command}


def look_at(container: Container) -> None:
    seen = []
    for pid in container.pids():
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended in between: a page's
            seen.append(facts(pid))
    init = next(each for each in seen if each["NSpid"].split()[-1] == "1")
    pages = [each for each in seen if "--type=renderer" in each["command"]]
    filters = int(init["Seccomp_filters"])
    check("tini is its first process", init["command"].startswith("tini "))
    check(f"none of {len(seen)} is root", not any("0" in each["Uid"].split() for each in seen))
    check("none may gain rights", all(each["NoNewPrivs"] == "1" for each in seen))
    check("nor has any", int(init["CapEff"], 16) == int(init["CapBnd"], 16) == 0)
    sandboxed = all(page["Seccomp"] == "2" for page in pages)
    check(f"{len(pages)} renderers have Seccomp: 2", pages and sandboxed)
    check("by a filter of their own", all(int(page["Seccomp_filters"]) > filters for page in pages))
    apart = all(page[kind] != init[kind] for page in pages for kind in SPACES)
    check("and namespaces of their own", apart)


def try_it(folder: Path, stage: Stage) -> None:
    binaries = [*stage.root.glob("usr/*bin/*"), *stage.root.glob("opt/render-farm/.venv/bin/*")]
    found = [file.name for file in binaries if re.fullmatch(UNWANTED, file.name)]
    check(f"no compiler, pip or downloader is there {found}", binaries and not found)
    # Secrets and Redis as docker-compose.yml has them.
    secrets = folder / "secrets"
    secrets.mkdir()
    for name, secret in SECRETS.items():
        (secrets / name).write_text(f"{secret}\n")
    stage.files = {str(secrets): "/run/secrets"}
    stage.env |= {"FARM_STORAGE_URL": "redis:", "FARM_METRICS_PORT": "9100"}
    (folder / "more.conf").write_text(f"requirepass {PASSWORD}\n")
    server = ["redis-server", str(HERE / "conf/redis-queue.conf"), "-"]
    with ExitStack() as stack:
        more, log = (folder / "more.conf").open(), (folder / "redis.log").open("w")
        redis = stack.enter_context(subprocess.Popen(server, cwd=folder, stdin=more, stdout=log))
        stack.callback(redis.terminate)
        farm = stack.enter_context(Container(stage, [*stage.entrypoint, *stage.cmd]))
        wait_for("the health check passes", lambda: farm.runs(*stage.healthcheck), 60)
        status, file = ask("POST", "/render", {"html": "<h1>Hello</h1>"})
        check(f"a page is rendered: {status}, {len(file)} bytes", file.startswith(b"\x89PNG"))
        look_at(farm)
        check("nor has farm doctor anything to mend", farm.runs("farm", "doctor"))
        worker = stack.enter_context(Container(stage, [*stage.entrypoint, "worker"]))
        status, answer = ask("POST", "/render-async", {"html": "<h1>Job</h1>"})
        check(f"a job is accepted: {status}", status == 202)
        job = json.loads(answer)["jobId"]
        ask("GET", f"/render-async/{job}?wait=30")
        check("the worker does it", ask("GET", f"/download/{job}")[1].startswith(b"\x89PNG"))
        look_at(worker)
        check("and tells its figures", b"farm_pages" in ask("GET", "/metrics", port=9100)[1])
        board = stack.enter_context(Container(stage, [*stage.entrypoint, "dashboard"]))
        wait_for("the dashboard wants a password", lambda: ask("GET", "/", port=9181)[0] == 401, 20)
        board.stops("the dashboard", 15)
        worker.stops("the worker", 75)
        farm.stops("the farm", 140)


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="render-farm-image-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        base = Path(*sys.argv[1:] or [str(folder / "base")]).resolve()
        if not base.exists():
            say("debootstrap bookworm")
            make = ["debootstrap", "--variant=minbase", "bookworm", str(base)]
            subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
        sources = "".join(f"deb http://deb.debian.org/{suite} main\n" for suite in SUITES)
        (base / "etc/apt/sources.list").write_text(sources)
        stage = build(folder, base)
        # From here on a loopback of its own: the ports are free, whatever else runs.
        check("it has a network of its own", ctypes.CDLL(None).unshare(CLONE_NEWNET) == 0)
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        try_it(folder, stage)
    say("All is as it should be, and removed")


if __name__ == "__main__":
    main()
