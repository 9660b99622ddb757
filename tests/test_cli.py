"""The command line."""

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from farm.cli import COMMANDS, main
from tests.support.images import LIME, is_filled, opened
from tests.support.site import SITES, Site

pytestmark = pytest.mark.dedicated

GREEN = "<body style='background:lime'>"


def farm(
    *arguments: str, stdin: bytes = b"", **environment: str
) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "farm.cli", *arguments],
        input=stdin,
        capture_output=True,
        env={**os.environ, **environment},
        timeout=60,
    )


def test_a_file_is_rendered_in_the_format_of_the_outputs_name(tmp_path: Path) -> None:
    page, output = tmp_path / "page.html", tmp_path / "out.webp"
    page.write_text(GREEN)
    finished = farm("render", str(page), "-o", str(output), "--width", "300", "--height", "200")
    assert finished.returncode == 0, finished.stderr
    assert opened(output.read_bytes()).size == (300, 200)
    assert is_filled(output.read_bytes(), LIME)


def test_standard_input_goes_to_standard_output() -> None:
    finished = farm("render", "-", "-o", "-", "--format", "pdf", stdin=GREEN.encode())
    assert finished.returncode == 0
    assert finished.stdout.startswith(b"%PDF")
    assert finished.stderr == b""


def test_a_url_is_rendered(tmp_path: Path, site: Site) -> None:
    output = tmp_path / "out.png"
    assert farm("render", site.url, "-o", str(output), FARM_EGRESS_ALLOW=SITES).returncode == 0
    assert opened(output.read_bytes()).getpixel((600, 600)) == LIME


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["no-such-page.html", "-o", "out.png"], "no-such-page.html cannot be read"),
        (["-", "-o", "out.png", "--width", "0"], "options.width: must be an integer from 1"),
        (["-", "-o", "out.png", "--width", "wide"], "options.width: must be an integer"),
        (["-", "-o", "out.png", "--wait-for", "[1]"], "options.waitFor: must be an integer"),
        (["-", "-o", "out.gif"], "must be one of png, jpeg, webp, avif, pdf"),
        (["-", "-o", "/no/such/folder/out.png"], "cannot be written"),
        (["http://127.0.0.1/", "-o", "out.png"], "its address is not public"),
    ],
)
def test_what_is_wrong_is_told_in_a_sentence(arguments: list[str], says: str) -> None:
    finished = farm("render", *arguments, stdin=GREEN.encode())
    assert finished.returncode == 1
    assert says in finished.stderr.decode()
    assert "Traceback" not in finished.stderr.decode()
    assert not Path("out.png").exists()


def test_the_doctor_finds_nothing_wrong_here() -> None:
    finished = farm("doctor")
    printed = finished.stdout.decode()
    assert finished.returncode == 0, printed
    for subject in ("versions", "fonts", "settings", "queue", "storage", "Chromium", "render"):
        assert f"ok   {subject}: " in printed


@pytest.mark.parametrize(
    ("environment", "subject", "says"),
    [
        ({"FARM_PORT": "0"}, "settings", "FARM_PORT: "),
        (
            {"FARM_REDIS_URL": "redis://127.0.0.1:1", "FARM_STORAGE_URL": "redis:"},
            "queue",
            "FARM_REDIS_URL cannot be reached",
        ),
        ({"FARM_STORAGE_URL": "file:///proc/none"}, "storage", "/proc/none"),
        ({"FARM_CHROMIUM_PATH": "/nowhere"}, "Chromium", "/nowhere is not a program"),
        ({"FARM_CHROMIUM_PATH": "/bin/false"}, "render", "/bin/false does not start"),
    ],
)
def test_the_doctor_says_what_is_wrong(
    environment: dict[str, str], subject: str, says: str
) -> None:
    finished = farm("doctor", stdin=b"", **environment)
    printed = finished.stdout.decode()
    assert finished.returncode == 1
    assert f"BAD  {subject}: " in printed
    assert says in printed


def test_settings_prints_the_table_and_can_check_it(tmp_path: Path) -> None:
    table = farm("settings").stdout
    assert table.startswith(b"# Settings")
    (tmp_path / "settings.md").write_bytes(table)
    assert farm("settings", "--check", str(tmp_path / "settings.md")).returncode == 0
    (tmp_path / "settings.md").write_bytes(table + b"stale")
    assert farm("settings", "--check", str(tmp_path / "settings.md")).returncode == 1


def test_contract_writes_what_docs_say_of_a_request_and_can_check_it(tmp_path: Path) -> None:
    docs = Path(__file__).parents[1] / "docs"
    for name in ("openapi.json", "migrating.md"):
        shutil.copy(docs / name, tmp_path)
    stale = (docs / "options.md").read_text().replace("<!-- end -->", "stale\n<!-- end -->")
    (tmp_path / "options.md").write_text(stale)
    checked = farm("contract", str(tmp_path), "--check")
    assert checked.returncode == 1
    assert b"options.md is not up to date" in checked.stderr
    assert farm("contract", str(tmp_path)).returncode == 0
    assert farm("contract", str(tmp_path), "--check").returncode == 0
    assert (tmp_path / "options.md").read_text() == (docs / "options.md").read_text()


def test_several_files_of_one_load_are_a_zip(tmp_path: Path) -> None:
    output = tmp_path / "files.zip"
    outputs = ["--outputs", '{"name": "a", "width": 9}', "--outputs", '{"format": "pdf"}']
    finished = farm("render", "-", "-o", str(output), *outputs, stdin=GREEN.encode())
    assert finished.returncode == 0, finished.stderr
    with zipfile.ZipFile(output) as bundle:
        assert bundle.namelist() == ["a.png", "2.pdf"]
        assert is_filled(bundle.read("a.png"), LIME)


def test_several_files_are_not_called_one_picture(tmp_path: Path) -> None:
    output = tmp_path / "files.png"
    finished = farm("render", "-", "-o", str(output), "--outputs", "{}", stdin=GREEN.encode())
    assert finished.returncode == 1
    assert b"call it .zip" in finished.stderr
    assert not output.exists()


def test_every_command_is_in_the_help_and_has_its_own() -> None:
    printed = CliRunner().invoke(main, ["--help"]).output
    for name, entry in COMMANDS.items():
        assert f"  {name} " in printed
        assert entry.help in printed
        assert f"Usage: main {name} " in CliRunner().invoke(main, [name, "--help"]).output


@pytest.mark.parametrize(("command", "exit_code"), [("serve", 1), ("diff", 2)])
def test_a_package_that_is_missing_is_named(
    command: str, exit_code: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lacking(*_: object) -> click.Command:
        raise ModuleNotFoundError("No module named 'gunicorn.app'", name="gunicorn.app")

    monkeypatch.setattr("farm.cli.import_module", lacking)
    result = CliRunner().invoke(main, [command])
    assert result.exit_code == exit_code
    assert "needs the package gunicorn: pip install 'render-farm[server]'" in result.output


def test_rendering_elsewhere_needs_none_of_the_servers_packages() -> None:
    """Neither for a flag of a command, nor to render by a farm."""
    code = (
        "import sys; from click.testing import CliRunner; from farm.cli import main\n"
        "CliRunner().invoke(main, ['render', '-', '-o', 'x', '--farm', 'http://127.0.0.1:1/?'])\n"
        "loaded = {name.partition('.')[0] for name in sys.modules}\n"
        "print(loaded & {'falcon', 'gunicorn', 'playwright', 'rq', 'redis', 'pyvips', 'structlog'})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
