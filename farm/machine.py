"""The resources of this machine: cores, open files and ports.

The settings and the composition roots use it at start, in the main thread.
"""

import errno
import os
import resource
import socket
from pathlib import Path


def usable_cores(root: Path = Path("/sys/fs/cgroup")) -> float:
    """The cores this process may use: by its affinity and its cgroup's quota (v2 or v1)."""
    cores = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = (root / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (root / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (root / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return cores
    if quota in ("max", "-1"):
        return cores
    return min(cores, int(quota) / int(period))


def allow_open_files(count: int) -> int:
    """Allow this process and its children to open so many files, as far as the machine permits.

    Returns how many they may open then. Shells and systemd start programs with a limit of 1,024.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY:
        return count
    if soft < count:
        soft = count if hard == resource.RLIM_INFINITY else min(count, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return soft


def host_and_port(host: str, port: int) -> str:
    """As a URL has them: an IPv6 address is in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_taken(host: str, port: int) -> bool:
    """Whether another program listens there. False for any other reason that prevents listening."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as sock:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            sock.bind((host, port))
        except OSError as exc:
            return exc.errno == errno.EADDRINUSE
    return False
