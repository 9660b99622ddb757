"""`farm --version`: the versions of the farm and of its Chromium."""

import subprocess
from collections.abc import Iterator

import farm

_TIMEOUT_S = 10


def version_lines() -> Iterator[str]:
    """A line with the farm's version, and one with Chromium's version and path if there is one."""
    yield f"farm {farm.__version__}"
    try:
        yield _chromium()
    except ImportError:  # the server's packages are not installed
        return


def _chromium() -> str:
    from farm.errors import StartError
    from farm.render.browser.chromium import find_chromium
    from farm.settings import Settings

    try:
        chromium = find_chromium(Settings.from_environment())
        printed = subprocess.run(
            [chromium.path, "--version"],
            user=chromium.user,
            capture_output=True,
            text=True,
            timeout=_TIMEOUT_S,
            check=True,
        ).stdout
    except (StartError, OSError, subprocess.SubprocessError):
        return "Chromium none (`farm doctor` tells more)"
    version = next((word for word in printed.split() if word[0].isdigit()), "unknown")
    return f"Chromium {version} {chromium.path}"
