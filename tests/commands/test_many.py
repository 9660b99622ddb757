"""`farm render` of many pages."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.farm_process import Farm, environment, running_farm, wait_until
from tests.support.images import LIME, is_filled

pytestmark = pytest.mark.dedicated

GREEN = "<body style='background:lime'>"
SMALL = ["--width", "40", "--height", "30"]
#: More than are rendered before the run is ended.
_MANY = 25
COMMAND = [sys.executable, "-m", "farm.cli", "render"]


def run(*arguments: str, cwd: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=cwd,
        env={**environment(), **variables},
        text=True,
        capture_output=True,
        timeout=120,
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Three pages, and one that is not UTF-8."""
    pages = tmp_path / "pages"
    pages.mkdir()
    for name in ("a", "b", "c"):
        (pages / f"{name}.html").write_text(GREEN)
    (pages / "latin.html").write_bytes(b"caf\xe9")
    return tmp_path


def test_pages_go_to_a_folder_and_a_second_run_goes_on(folder: Path) -> None:
    command = ["pages/*.html", "http://127.0.0.1/", "--out", "out", *SMALL]
    first = run(*command, cwd=folder)
    assert first.returncode == 1, first.stderr
    assert first.stdout == ""
    assert is_filled((folder / "out/b.png").read_bytes(), LIME)
    assert "[5/5] " in first.stderr
    _, _, table = first.stderr.partition("Failed:\n")
    assert "  pages/latin.html: unreadable: pages/latin.html cannot be read: it is not UTF" in table
    assert "  http://127.0.0.1/: url_refused: " in table
    assert "5 pages to out: 3 rendered, 2 failed.\n" in table

    before = (folder / "out/a.png").stat()
    (folder / "pages/b.html").write_text(GREEN + "<p>changed")
    (folder / "pages/latin.html").unlink()
    second = run("pages/*.html", "--out", "out", *SMALL, cwd=folder)
    assert second.returncode == 0, second.stderr
    assert "3 pages to out: 1 rendered, 2 already there." in second.stderr
    assert (folder / "out/a.png").stat() == before
    # Without a browser: nothing is left to be rendered.
    third = run("pages/*.html", "--out", "out", *SMALL, cwd=folder, FARM_CHROMIUM_PATH="/none")
    assert third.returncode == 0, third.stderr


def test_files_of_others_are_not_written_over_unasked(folder: Path) -> None:
    (folder / "out").mkdir()
    (folder / "out/b.png").write_text("mine")
    refused = run("pages/[abc].html", "--out", "out", cwd=folder, FARM_CHROMIUM_PATH="/none")
    assert refused.returncode == 2
    assert "b.png in out would be written over" in refused.stderr
    assert (folder / "out/b.png").read_text() == "mine"


def test_options_that_no_page_can_have_are_wrong_use(folder: Path) -> None:
    result = run("pages/*.html", "--out", "out", "--width", "0", cwd=folder)
    assert result.returncode == 2
    assert "options.width: must be an integer from 1" in result.stderr


def test_a_folder_that_cannot_be_written_and_an_empty_list_are_told(folder: Path) -> None:
    result = run("pages/a.html", "--out", "pages/a.html", cwd=folder)
    assert (result.returncode, "cannot be written" in result.stderr) == (2, True)
    (folder / "list").write_text("\n# nothing\n")
    result = run("--list", "list", "--out", "out", cwd=folder)
    assert (result.returncode, result.stderr) == (0, "No pages are named.\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_run_that_is_ended_is_gone_on_with(
    number: signal.Signals, code: int, folder: Path
) -> None:
    for n in range(_MANY):
        (folder / f"pages/{n}.html").write_text(GREEN)
    command = ["pages/[0-9]*.html", "--out", "out", *SMALL, "--name", "{n}.{ext}"]
    process = subprocess.Popen(
        [*COMMAND, *command, "--jobs", "1"],
        cwd=folder,
        env=environment(),
        text=True,
        stderr=subprocess.PIPE,
        start_new_session=True,
        # A runner in a shell's background has it ignored, and so would what it starts.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    wait_until(lambda: len(list((folder / "out").glob("*.png"))) >= 3, 60)
    os.killpg(process.pid, number)
    _, told = process.communicate(timeout=60)
    assert process.returncode == code, told
    written = len(list((folder / "out").glob("*.png")))
    assert written < _MANY
    if number == signal.SIGINT:
        assert f"Stopped.\n{_MANY} pages to out: {written} rendered, {_MANY - written} not" in told
    for path in (folder / "out").glob("*.png"):
        assert is_filled(path.read_bytes(), LIME)
    rest = run(*command, cwd=folder)
    assert rest.returncode == 0, rest.stderr
    # At most the one that was renamed when it was killed is rendered again.
    assert f"{_MANY - written} rendered, {written} already there" in rest.stderr


def test_files_beside_a_page_are_warned_of_and_sent_where_that_is_asked_for(folder: Path) -> None:
    (folder / "pages/logo.css").write_text("body { background: lime }")
    (folder / "pages/a.html").write_text("<link rel=stylesheet href=logo.css>")
    without = run("pages/[ab].html", "--out", "out", *SMALL, cwd=folder)
    assert without.returncode == 0, without.stderr
    assert "Warning: pages/a.html refers to logo.css in its folder." in without.stderr
    assert not is_filled((folder / "out/a.png").read_bytes(), LIME)
    sent = run("pages/[ab].html", "--out", "out", *SMALL, "--local-files", cwd=folder)
    assert "1 rendered, 1 already there" in sent.stderr
    assert "Warning" not in sent.stderr
    assert is_filled((folder / "out/a.png").read_bytes(), LIME)


def test_a_farm_renders_them_however_few_places_it_has(folder: Path, log_path: Path) -> None:
    settings = {"pages_per_browser": 1, "max_waiting": 0, "api_keys": "me:" + "k" * 32}
    with running_farm(log_path, workers=1, **settings) as farm:
        listed = "\n".join(f"pages/{n}.html" for n in "abc")
        (folder / "list").write_text(listed)
        command = ["--list", "list", "--out", "out", *SMALL, "--jobs", "3"]
        result = run(*command, cwd=folder, **_variables(farm, "k" * 32))
        assert result.returncode == 0, result.stderr
        assert "3 pages to out: 3 rendered." in result.stderr
        assert is_filled((folder / "out/c.png").read_bytes(), LIME)
        refused = run(*command, "--again", cwd=folder, **_variables(farm, "wrong"))
        assert refused.returncode == 1
        assert "Stopped: A valid API key is needed" in refused.stderr


def _variables(farm: Farm, key: str) -> dict[str, str]:
    return {"RENDER_FARM_URL": farm.url, "RENDER_FARM_KEY": key, "FARM_CHROMIUM_PATH": "/none"}
