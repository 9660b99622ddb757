"""Finding a Chromium, and launching it sandboxed and never as root."""

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

#: Debian's wrapper in /usr/bin stays as a shell between the farm and the browser; this does not.
_DEBIAN_SHELL = "/usr/lib/chromium/chromium-headless-shell"
_SYSTEM_SHELLS = (_DEBIAN_SHELL, "chromium-headless-shell", "chrome-headless-shell")
_SYSTEM_BROWSERS = ("chromium", "chromium-browser", "google-chrome")

_ARGUMENTS = (
    # Names are the egress proxy's to resolve, and there is no way beside it: not over UDP (the name
    # of the policy without `force-` has no effect), nor for `dns-prefetch`.
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-quic",
    # Popups are not opened at all: a thousand of them held the browser up for half a minute.
    "--block-new-web-contents",
    # A page that was not told its size has the default viewport, and a screen as large.
    "--screen-info={1280x720}",
    # The GPU process may be ended again and again (`keeping.drawing`). By default its third end
    # takes WebGL from all pages, its sixth ends the browser, and a page whose WebGL was under way
    # takes it from all other pages of its site, which all pages of written HTML are.
    "--disable-gpu-process-crash-limit",
    "--disable-domain-blocking-for-3d-apis",
    # Whether a page may reach local addresses is the egress policy's to say. Chromium's own check
    # takes a renderer down now and then where a page that has an address asks for a style sheet at
    # `localhost` (156: 5 of 750 renders).
    "--disable-features=LocalNetworkAccessChecks",
)
#: `--disable-3d-apis` alone leaves WebGL in `OffscreenCanvas`; without a renderer there is none.
_NO_WEBGL = ("--disable-gpu", "--disable-software-rasterizer")
#: A page that is given one document after the other keeps what draws it: a third less for each.
_ONE_FRAME_HOST = ("--disable-features=RenderDocument",)
#: Of what Playwright adds: capturing from a new surface costs a fifth of the GPU process's time,
#: and gives the same pixels. Without its protection against floods a page that changes its
#: `location.hash` without an end takes the browser's own process from all others.
_UNWANTED = [
    "--enable-features=CDPScreenshotNewSurface,SkipListAccountsWithoutGaiaCookies",
    "--disable-ipc-flooding-protection",
]
#: A proxy that nobody but root could be: tcpmux.
_NOWHERE = "http://127.0.0.1:1"

#: How Playwright names the profiles that it makes, and for how long one may have no browser yet.
_PROFILE = "playwright_chromiumdev_profile-"
_NEW_S = 60.0

#: What Chromium's environment keeps of the farm's: a page that broke into its process could read
#: it, and the farm's may hold secrets.
_ENVIRONMENT = ("PATH", "LANG", "LC_ALL", "TZ", "TMPDIR", "FONTCONFIG_FILE", "FONTCONFIG_PATH")


class ChromiumMissing(StartError):
    """There is no browser that the farm can run as the settings ask."""


@dataclass(frozen=True)
class Chromium:
    """A browser to launch: where it is, and as whom it runs (None: as the farm itself)."""

    path: str
    user: str | None
    sandbox: bool
    webgl: bool = True
    #: A page is used for more than one render.
    keeps_pages: bool = False

    def launch(self, playwright: Playwright, switch: Switch) -> Browser:
        """Start it, with the switch in its pipe.

        Raises `StartError`, which says why it does not start where that is known.
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
            # Signals are the farm's to handle: a terminal's Ctrl-C reaches the driver too.
            handle_sigint=False,
            handle_sigterm=False,
            handle_sighup=False,
            args=[
                *_ARGUMENTS,
                *(() if self.webgl else _NO_WEBGL),
                *(_ONE_FRAME_HOST if self.keeps_pages else ()),
            ],
            ignore_default_args=_UNWANTED,
            # A context has a port of the egress proxy of its own; nothing else has a way out.
            proxy={"server": _NOWHERE},
            # Nothing is ever put there (no downloads, videos or traces): without it Playwright
            # makes a folder for each browser, and a driver that dies leaves it behind.
            artifacts_dir=tempfile.gettempdir(),
        )


def find_chromium(settings: Settings) -> Chromium:
    """The browser that the settings and this machine give. Raises `StartError`."""
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

    A profile that is in use is named in its browser's command line; a new one may not be yet.
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
    """Programs that exist and that `user` may run, in the order of preference."""
    shells: Iterable[Path] = ()
    with suppress(RuntimeError):  # an account that has no home
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
    """Whether the program, and every folder above it, is open to the user."""
    if not os.access(path, os.X_OK):
        return False
    if user is None:
        return True
    # Another user gets what "others" get; a group's rights are not looked up.
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
    """A sentence for the operator from what Playwright and Chromium printed."""
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
    return f"{chromium.path} does not start; `farm doctor` tells more."
