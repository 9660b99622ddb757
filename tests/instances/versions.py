"""The version of the farm before this one."""

import subprocess
from pathlib import Path

from tests.instances.deployment import ROOT

#: Where there is no release yet: the last commit before callers took turns in the queue.
_NO_RELEASE = "98f9f21"


def before() -> str:
    """The last release, or else an earlier commit."""
    told = subprocess.run(
        ["git", "describe", "--tags", "--abbrev=0", "HEAD^"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    return told.stdout.strip() or _NO_RELEASE


def unpack(revision: str, folder: Path) -> Path:
    """The folder that has that version's package. Raises `CalledProcessError`."""
    package = folder / "before"
    package.mkdir()
    archive = subprocess.run(
        ["git", "archive", revision, "farm", "conf"], cwd=ROOT, check=True, capture_output=True
    )
    subprocess.run(["tar", "-x", "-C", str(package)], input=archive.stdout, check=True)
    return package


def name(revision: str) -> str:
    command = ["git", "log", "-1", "--format=%h of %cs", revision]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
