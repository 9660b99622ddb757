"""Finding Chromium, and starting it as somebody else."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from playwright.sync_api import sync_playwright

from farm.errors import StartError
from farm.render.browser import chromium
from farm.render.browser.chromium import find_chromium
from farm.render.browser.pipe import Switch
from farm.settings import Settings
from tests.support.farm_process import command_line, wait_until


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine with no browser at all, started by somebody who is not root."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setattr(chromium, "_SYSTEM_SHELLS", ("chromium-headless-shell",))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(tmp_path / "playwright"))
    return tmp_path


def test_without_any_browser_it_says_how_to_get_one(machine: Path) -> None:
    with pytest.raises(StartError, match="apt-get install chromium-headless-shell"):
        find_chromium(Settings())


def test_the_order_is_setting_then_playwrights_then_system_shell_then_browser(
    machine: Path,
) -> None:
    places = [
        program(machine / "bin/chromium"),
        program(machine / "bin/chromium-headless-shell"),
        program(
            machine / "playwright/chromium_headless_shell-1200"
            "/chrome-headless-shell-linux64/chrome-headless-shell"
        ),
    ]
    while places:
        assert find_chromium(Settings()).path == str(places[-1])
        places.pop().unlink()
    named = program(machine / "mine")
    program(machine / "bin/chromium")
    assert find_chromium(Settings(chromium_path=named)).path == str(named)


def test_a_wrong_path_is_an_error_and_no_other_browser_is_used(machine: Path) -> None:
    program(machine / "bin/chromium")
    with pytest.raises(StartError, match="FARM_CHROMIUM_PATH: /nowhere"):
        find_chromium(Settings(chromium_path="/nowhere"))


def test_a_browser_that_the_other_user_cannot_reach_is_passed_over(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    program(machine / "bin/setpriv")
    program(
        machine / "playwright/chromium_headless_shell-1200"
        "/chrome-headless-shell-linux64/chrome-headless-shell"
    )
    (machine / "playwright").chmod(0o700)
    system = program(machine / "bin/chromium")
    assert find_chromium(Settings()).path == str(system)


@pytest.mark.parametrize(
    ("user", "says"), [("root", "not run as root"), ("no-one-here", "no account")]
)
def test_root_must_name_another_account_that_exists(
    machine: Path, monkeypatch: pytest.MonkeyPatch, user: str, says: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    with pytest.raises(StartError, match=says):
        find_chromium(Settings(user=user))


def test_the_farms_environment_does_not_reach_the_browser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_SECRET", "hidden")
    with sync_playwright() as playwright:
        switch = Switch(lambda: None)
        browser = find_chromium(Settings()).launch(playwright, switch)
        environment = Path(f"/proc/{switch.pid}/environ").read_bytes()
        browser.close()
    assert environment
    assert b"hidden" not in environment
    assert b"FARM_" not in environment


@pytest.mark.parametrize(
    ("printed", "says"),
    [
        ("FATAL: zygote_host_impl_linux.cc No usable sandbox! See ...", "make its sandbox"),
        ("Failed to move to new namespace: PID namespaces supported ...", "user namespaces"),
        ("error while loading shared libraries: libnss3.so", "lacks libraries"),
        ("anything else", "does not start; run `farm doctor` for details"),
    ],
)
def test_what_chromium_prints_becomes_a_sentence(printed: str, says: str) -> None:
    assert says in chromium._why(printed, chromium.Chromium("/x/chromium", None, True))


def test_profiles_that_no_browser_uses_are_swept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.gettempdir", lambda: str(tmp_path))
    names = {"left", "new", "used"}
    paths = {name: tmp_path / f"playwright_chromiumdev_profile-{name}" for name in names}
    other = tmp_path / "other"
    for path in [*paths.values(), other]:
        (path / "Default").mkdir(parents=True)
        if path != paths["new"]:
            os.utime(path, (0, 0))
    user = [sys.executable, "-c", "input()", f"--user-data-dir={paths['used']}"]
    with subprocess.Popen(user, stdin=subprocess.PIPE) as process:
        wait_until(lambda: command_line(psutil.Process(process.pid)) == user)
        chromium.sweep_leftovers()
        assert not paths["left"].exists()
        assert paths["new"].exists()
        assert paths["used"].exists()
        assert other.exists()
        process.kill()
