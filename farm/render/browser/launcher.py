"""The program that Playwright starts in Chromium's place; it then becomes Chromium.

Gives the two ends of Playwright's pipe to the farm and takes two others (see `pipe`). Where
CHROMIUM_UID is set, the farm runs as root: then it gives the profile folder that Playwright made to
that user, and Chromium runs as that user, with no privilege and no way to get one. Only the browser
changes user: Python itself may lie where another user cannot read it.

It runs by itself, outside the package, and imports nothing of it.
"""

import os
import socket
import sys

#: What the browser reads and what it writes (`--remote-debugging-pipe`).
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
    """With one list of features to disable: of several, Chromium heeds the last alone."""
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
