"""The program that Playwright starts instead of Chromium; it becomes Chromium by `exec`.

It passes the two ends of Playwright's pipe to the farm, and gets two others (see `pipe`). If
CHROMIUM_UID is set, the farm runs as root. Then it gives the profile folder that Playwright made to
that user, and Chromium runs as that user, without privileges and without a way to gain any. Only
the browser changes user: the other user may not be able to read the Python installation.

It runs in a process of its own, outside the package, and imports nothing of it.
"""

import os
import socket
import sys

#: The descriptors that the browser reads and writes (`--remote-debugging-pipe`).
_READS, _WRITES = 3, 4
_PROFILE = "--user-data-dir="
_FEATURES = "--disable-features="


def change_ends(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as switch:
        switch.connect(path)
        socket.send_fds(switch, [b"x"], [_READS, _WRITES])
        _, (reads, writes), _, _ = socket.recv_fds(switch, 1, 2)
    for new, old in ((reads, _READS), (writes, _WRITES)):
        os.dup2(new, old)
        os.close(new)


def give_profile_away(uid: int, gid: int) -> None:
    profile = next(arg.removeprefix(_PROFILE) for arg in sys.argv if arg.startswith(_PROFILE))
    os.environ["HOME"] = profile
    for folder, _, files in os.walk(profile):
        for path in [folder, *(f"{folder}/{name}" for name in files)]:
            os.chown(path, uid, gid, follow_symlinks=False)


def merged(arguments: list[str]) -> list[str]:
    """The arguments with one list of features to disable: Chromium uses only the last list."""
    lists = [arg.removeprefix(_FEATURES) for arg in arguments if arg.startswith(_FEATURES)]
    rest = [arg for arg in arguments if not arg.startswith(_FEATURES)]
    return [_FEATURES + ",".join(lists), *rest] if lists else rest


def main() -> None:
    program = os.environ["CHROMIUM_PROGRAM"]
    command = [program, *merged(sys.argv[1:])]
    change_ends(os.environ["FARM_SWITCH"])
    if "CHROMIUM_UID" in os.environ:
        uid, gid = os.environ["CHROMIUM_UID"], os.environ["CHROMIUM_GID"]
        give_profile_away(int(uid), int(gid))
        become = ["--reuid", uid, "--regid", gid, "--clear-groups"]
        command = ["setpriv", *become, "--inh-caps=-all", "--no-new-privs", "--", *command]
    for name in [name for name in os.environ if name.startswith(("FARM_", "CHROMIUM_"))]:
        del os.environ[name]
    os.execvp(command[0], command)


main()
