"""Finds a Chromium and launches it, with its sandbox and never as root.

`find_chromium` runs at the engine's start; `Chromium.launch` runs in each browser's thread.
"""

import os
import pwd
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
from playwright.sync_api import Browser, Playwright
from playwright.sync_api import Error as PlaywrightError

from farm.errors import StartError
from farm.render.browser.pipe import FOLDER_PREFIX, LAUNCHER, Switch
from farm.settings import Settings

HOW_TO_GET_ONE = (
    "On Debian, `apt-get install chromium-headless-shell`; elsewhere, "
    "`playwright install --with-deps --only-shell chromium` (as root with PLAYWRIGHT_BROWSERS_PATH "
    "set to a folder that others may read, then and for the farm); "
    "or set FARM_CHROMIUM_PATH to the one you have."
)

#: Debian's wrapper in /usr/bin stays as a shell process between the farm and the browser. The
#: program itself does not.
_DEBIAN_SHELL = "/usr/lib/chromium/chromium-headless-shell"
_SYSTEM_SHELLS = (_DEBIAN_SHELL, "chromium-headless-shell", "chrome-headless-shell")
_SYSTEM_BROWSERS = ("chromium", "chromium-browser", "google-chrome")

_ARGUMENTS = (
    # The egress proxy resolves all names and is the only way to the network. WebRTC must not use
    # UDP (without `force-`, the policy's name has no effect), and `dns-prefetch` must not resolve
    # names.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-quic",
    # Popups are not opened: a thousand of them blocked the browser for half a minute.
    "--block-new-web-contents",
    # A page without a size of its own has the default viewport, and a screen of the same size.
    "--screen-info={1280x720}",
    # The farm may kill the GPU process again and again (`keeping.drawing`). By default, its third
    # death disables WebGL for all pages, and its sixth ends the browser. A page that was using
    # WebGL when the process died also loses it for all pages of its site, and all pages of sent
    # HTML are one site.
    "--disable-gpu-process-crash-limit",
    "--disable-domain-blocking-for-3d-apis",
    # The egress policy decides whether a page may reach local addresses. Chromium's own check
    # crashes a renderer now and then, when a page that has an address requests a style sheet from
    # `localhost` (156: 5 of 750 renders).
    "--disable-features=LocalNetworkAccessChecks",
)
#: `--disable-3d-apis` alone leaves WebGL in `OffscreenCanvas`. Without a GPU renderer there is
#: none.
_NO_WEBGL = ("--disable-gpu", "--disable-software-rasterizer")
#: A page that gets several documents keeps its frame host: a third less time for each document.
_ONE_FRAME_HOST = ("--disable-features=RenderDocument",)
#: Arguments of Playwright's that are left out. Capturing from a new surface costs a fifth of the
#: GPU process's time and gives the same pixels. Without the protection against IPC floods, a page
#: that changes its `location.hash` for ever takes the browser's main process from all other pages.
_UNWANTED = [
    "--enable-features=CDPScreenshotNewSurface,SkipListAccountsWithoutGaiaCookies",
    "--disable-ipc-flooding-protection",
]
#: Port 1 (tcpmux): only root could run a proxy there.
_DEAD_PROXY = "http://127.0.0.1:1"

#: The prefix of the profiles that Playwright makes. One that is younger than this may have no
#: browser yet.
_PROFILE = "playwright_chromiumdev_profile-"
_NEW_S = 60.0

#: The farm's environment variables that Chromium inherits. The others may be secrets, and a page
#: that takes over the process could read them.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "FONTCONFIG_FILE", "FONTCONFIG_PATH")


class ChromiumMissing(StartError):
    """No browser that the settings allow can be run."""


@dataclass(frozen=True)
class Chromium:
    """A browser to launch: its path, and the user it runs as (None: the farm's own user)."""

    path: str
    user: str | None
    sandbox: bool
    webgl: bool = True
    #: Pages are used for more than one render.
    keeps_pages: bool = False

    def launch(self, playwright: Playwright, switch: Switch) -> Browser:
        """Launch it, with the switch in its pipe.

        Raises `StartError` with the reason, if that is known.
        """
        environment: dict[str, str | float | bool] = {
            name: os.environ[name] for name in _ENVIRONMENT if name in os.environ
        }
        environment |= switch.environment | {"CHROMIUM_PROGRAM": self.path}
        if self.user is not None:
            account = pwd.getpwnam(self.user)
            environment |= {
                "CHROMIUM_UID": str(account.pw_uid),
                "CHROMIUM_GID": str(account.pw_gid),
            }
        try:
            return self._launch(playwright, environment)
        except PlaywrightError as exc:
            raise StartError(_why(exc.message, self)) from exc

    def _launch(
        self, playwright: Playwright, environment: dict[str, str | float | bool]
    ) -> Browser:
        return playwright.chromium.launch(
            executable_path=LAUNCHER,
            chromium_sandbox=self.sandbox,
            env=environment,
            # The farm handles signals: a terminal's Ctrl-C would reach the driver too.
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
            args=[
                *_ARGUMENTS,
                *(() if self.webgl else _NO_WEBGL),
                *(_ONE_FRAME_HOST if self.keeps_pages else ()),
            ],
            ignore_default_args=_UNWANTED,
            # Each context has its own port of the egress proxy. Outside of contexts there is no
            # network.
            proxy={"server": _DEAD_PROXY},
            # Nothing is ever written there (no downloads, videos or traces). Without it Playwright
            # makes a folder for each browser, which a driver that dies leaves behind.
            artifacts_dir=tempfile.gettempdir(),
        )


def find_chromium(settings: Settings) -> Chromium:
    """The browser to use, by the settings and what this machine has. Raises `StartError`."""
    user = settings.user if os.geteuid() == 0 else None
    if user is not None:
        _require_account(user)
    if settings.chromium_path is not None:
        path = str(settings.chromium_path)
        if not (settings.chromium_path.is_file() and os.access(path, os.X_OK)):
            raise ChromiumMissing(f"FARM_CHROMIUM_PATH: {path} is not a program that can be run.")
    else:
        path = next(_candidates(user), "")
        if not path:
            raise ChromiumMissing(f"There is no Chromium that the farm can run. {HOW_TO_GET_ONE}")
    return Chromium(
        path,
        user,
        sandbox=settings.chromium_sandbox == "on",
        webgl=settings.webgl == "on",
        keeps_pages=settings.isolation == "key",
    )


def sweep_leftovers() -> None:
    """Remove what killed browsers and farms have left in the temporary folder.

    A profile in use is named in its browser's command line. A new profile may not be named yet.
    """
    lines = (process.info["cmdline"] or () for process in psutil.process_iter(["cmdline"]))
    used = {arg.partition("=")[2] for line in lines for arg in line if _PROFILE in arg}
    temporary = Path(tempfile.gettempdir())
    for folder in [*temporary.glob(f"{_PROFILE}*"), *temporary.glob(f"{FOLDER_PREFIX}*")]:
        with suppress(OSError):
            is_old = time.time() - folder.stat().st_mtime > _NEW_S
            if is_old and str(folder) not in used:
                shutil.rmtree(folder, ignore_errors=True)


def _candidates(user: str | None) -> Iterator[str]:
    """Existing programs that `user` may run, the preferred one first."""
    shells: Iterable[Path] = ()
    with suppress(RuntimeError):  # the account has no home
        browsers = os.environ.get("PLAYWRIGHT_BROWSERS_PATH") or "~/.cache/ms-playwright"
        shells = Path(browsers).expanduser().glob("chromium_headless_shell-*/*/*headless*shell")
    for path in sorted(shells, key=lambda path: path.stat().st_mtime, reverse=True):
        if _may_run(path, user):
            yield str(path)
    for name in (*_SYSTEM_SHELLS, *_SYSTEM_BROWSERS):
        found = shutil.which(name)
        if found:
            yield found


def _may_run(path: Path, user: str | None) -> bool:
    """Whether the user may execute the program and enter every folder above it."""
    if not os.access(path, os.X_OK):
        return False
    if user is None:
        return True
    # Only the rights of "others" count for another user; groups are not looked up.
    return all(entry.stat().st_mode & 0o001 for entry in (path, *path.resolve().parents))


def _require_account(user: str) -> None:
    try:
        account = pwd.getpwnam(user)
    except KeyError:
        raise StartError(f"FARM_USER: there is no account named {user}.") from None
    if account.pw_uid == 0:
        raise StartError("FARM_USER: Chromium must not run as root; name another account.")
    if shutil.which("setpriv") is None:
        raise StartError("Started as root, the farm needs setpriv (package util-linux).")


def _why(message: str, chromium: Chromium) -> str:
    """A sentence for the operator, from what Playwright and Chromium have printed."""
    lowered = message.lower()
    if "no usable sandbox" in lowered or "move to new namespace" in lowered:
        return (
            "The kernel does not let Chromium make its sandbox. Allow unprivileged user namespaces "
            "(sysctl kernel.unprivileged_userns_clone=1, user.max_user_namespaces above 0, and "
            "kernel.apparmor_restrict_unprivileged_userns=0 where they exist; in a container the "
            "seccomp profile conf/seccomp.json), or accept the risk and set "
            "FARM_CHROMIUM_SANDBOX=off."
        )
    if "shared libraries" in lowered:
        return f"{chromium.path} lacks libraries that it needs. {HOW_TO_GET_ONE}"
    return f"{chromium.path} does not start; run `farm doctor` for details."
