"""`farm --version`."""

import subprocess
from collections.abc import Iterator

import farm

_TIMEOUT_S = 10


def version_lines() -> Iterator[str]:
    """The farm's version; then that of its Chromium and where it is, if this machine has one."""
    yield f"farm {farm.__version__}"
    try:
        yield _chromium()
    except ImportError:  # installed without the server's packages
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
