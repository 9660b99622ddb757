"""Machines on one switch: network namespaces, each with a cable to the same bridge.

All of it is inside a network and a mount namespace of this process, which `enter` makes: nothing of
it can be seen from outside, it reaches nothing outside, and the kernel removes it with the last
process that is in it.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

_INSIDE = "TESTS_INSTANCES_INSIDE"
_NET = "10.77.0"
#: What this process itself has: the address of the site, and of the clients.
HOST = f"{_NET}.1"

#: What becomes of packets: thrown away without a word, or answered with a reset.
How = Literal["drop", "reject"]


def problem() -> str:
    """Why there can be no machines here; empty if there can."""
    if missing := [name for name in ("ip", "iptables", "nsenter", "unshare") if not _found(name)]:
        return f"{', '.join(missing)}: not installed"
    if os.geteuid():
        return "only root makes network namespaces"
    tried = subprocess.run(["unshare", "--net", "--mount", "true"], capture_output=True)
    return tried.stderr.decode().strip()


def enter(module: str, arguments: Sequence[str]) -> None:
    """Start this program again in namespaces of its own, unless that was done."""
    if os.environ.get(_INSIDE) == str(os.getpid()):
        return
    os.environ[_INSIDE] = str(os.getpid())  # the process stays the same
    command = ["unshare", "--net", "--mount", sys.executable, "-m", module, *arguments]
    os.execvp(command[0], command)


def _found(program: str) -> str | None:
    return shutil.which(program) or shutil.which(program, path="/usr/sbin:/sbin")


def _run(*command: str) -> None:
    subprocess.run(command, check=True, env={**os.environ, "PATH": _PATH})


_PATH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"


class Network:
    """The bridge. Raises `CalledProcessError` where there can be none."""

    def __init__(self) -> None:
        self._machines: list[Machine] = []
        # `ip` mounts the namespaces that it makes here: in a directory that nobody else sees.
        Path("/run/netns").mkdir(exist_ok=True)
        _run("mount", "-t", "tmpfs", "tmpfs", "/run/netns")
        _run("ip", "link", "set", "lo", "up")
        _run("ip", "link", "add", "switch", "type", "bridge")
        _run("ip", "addr", "add", f"{HOST}/24", "dev", "switch")
        _run("ip", "link", "set", "switch", "up")

    def machine(self, name: str) -> "Machine":
        self._machines.append(Machine(name, f"{_NET}.{len(self._machines) + 2}"))
        return self._machines[-1]

    def clear(self) -> None:
        """Remove the machines; nothing runs on them any more."""
        for machine in self._machines:
            _run("ip", "netns", "delete", machine.name)
        self._machines.clear()


class Machine:
    """A network namespace with an address. Programs are started in it."""

    def __init__(self, name: str, address: str) -> None:
        self.name = name
        self.address = address
        self._cable = f"to-{name}"
        _run("ip", "netns", "add", name)
        end = ("eth0", "netns", name)
        _run("ip", "link", "add", self._cable, "type", "veth", "peer", "name", *end)
        _run("ip", "link", "set", self._cable, "master", "switch", "up")
        _run("ip", "-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _run("ip", "-n", name, "link", "set", device, "up")

    def start(
        self,
        command: Sequence[str],
        log_path: Path,
        env: Mapping[str, str] | None = None,
        folder: Path | None = None,
    ) -> subprocess.Popen[bytes]:
        """A program on this machine, in `folder`; what it prints is added to its log."""
        with log_path.open("ab") as log:
            return subprocess.Popen(
                ["nsenter", f"--net=/run/netns/{self.name}", *command],
                env=env,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def cut(self, other: "Machine", how: How) -> None:
        """Nothing passes between the two, in either direction, until both are healed."""
        drop, reset = ["-j", "DROP"], ["-j", "REJECT", "--reject-with", "tcp-reset"]
        # A reset that the other has sent is let through.
        rule = ["-p", "tcp", "!", "--tcp-flags", "RST", "RST", *reset] if how == "reject" else drop
        self._iptables("-A", "INPUT", "-s", other.address, *rule)
        other._iptables("-A", "INPUT", "-s", self.address, *rule)

    def heal(self) -> None:
        """What is thrown away here is none any more."""
        self._iptables("-F")

    def unplug(self) -> None:
        _run("ip", "link", "set", self._cable, "down")

    def plug(self) -> None:
        _run("ip", "link", "set", self._cable, "up")

    def _iptables(self, *arguments: str) -> None:
        _run("nsenter", f"--net=/run/netns/{self.name}", "iptables", "--wait", *arguments)
