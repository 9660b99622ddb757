"""`farm render`, one page."""

import json
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from farm.cli import main
from tests.support.images import LIME, is_filled, opened

GREEN = "<body style='background:lime'>"


def run(*arguments: str, stdin: str = GREEN, **environment: str | None) -> Result:
    return CliRunner().invoke(main, ["render", *arguments], input=stdin, env=environment)


def test_a_whole_request_in_a_file_needs_no_page_beside_it(tmp_path: Path) -> None:
    request, output = tmp_path / "request.json", tmp_path / "out.png"
    request.write_text(json.dumps({"html": GREEN, "options": {"width": 50, "height": 40}}))
    result = run("--options", str(request), "-o", str(output), "--height", "30")
    assert result.exit_code == 0, result.output
    assert opened(output.read_bytes()).size == (50, 30)
    assert is_filled(output.read_bytes(), LIME)


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ([], 2, "Name a page"),
        (["page.html"], 2, "Name the file to write with -o"),
        (["a.html", "b.html", "-o", "x.png"], 2, "--out FOLDER"),
        (["--list", "-", "-o", "x.png"], 2, "--out FOLDER"),
        (["-", "--out", "x"], 2, "`-` is one page"),
        (["a.html", "--out", "x", "-o", "x.png"], 2, "--out is without -o"),
        (["--out", "x"], 2, "Name pages"),
        (["-", "-o", "x.png", "--key", "secret"], 2, "--key needs --farm"),
        (["no/*.html", "--out", "x"], 2, "no/*.html matches no file"),
        (["a.html", "--out", "x", "--name", "../{n}"], 2, "inside of the folder"),
        (["a/i.html", "b/i.html", "--out", "x"], 2, "i.png: a/i.html and b/i.html"),
        (["-", "--open", "-o", "-"], 2, "--open needs a file"),
        (["-", "-o", "x.png", "--options", "no.json"], 2, "no.json cannot be read"),
        (["-", "-o", "x.png", "--pdf-paper", "A4", "--pdf", "5"], 2, "give one of them"),
        (["a\udce9.html", "-o", "x.png"], 1, "a\\udce9.html cannot be read"),
    ],
)
def test_wrong_use_is_told_before_anything_is_rendered(
    arguments: list[str], code: int, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert (result.exit_code, says in result.output) == (code, True), result.output
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1]", "has no JSON object"),
        ("{", "line 1 is not valid JSON"),
        ("[" * 100_000, "nested too deeply"),
        ('{"options": 5}', "`options` in"),
        ("caf\udce9", "is not UTF-8"),
    ],
)
def test_a_file_of_options_that_is_none_is_told(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "options.json"
    path.write_bytes(text.encode(errors="surrogateescape"))
    result = run("-", "-o", "x.png", "--options", str(path))
    assert (result.exit_code, says in result.output) == (2, True), result.output


@pytest.fixture
def rendered(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """What would be rendered; the file is `data`."""
    asked: list[dict[str, Any]] = []

    def render(_path: str, fields: dict[str, Any], *_: object) -> bytes:
        asked.append(fields)
        return b"data"

    monkeypatch.setattr("farm.commands.render._rendered", render)
    return asked


def test_open_shows_the_file_and_says_where_it_cannot(
    tmp_path: Path, rendered: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    launched: list[str] = []

    def launch(path: str) -> int:
        launched.append(path)
        return 0

    monkeypatch.setattr(click, "launch", launch)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert run("-", "--open", DISPLAY=":0").exit_code == 0
    assert Path(launched[0]).read_bytes() == b"data"
    assert launched[0].endswith(".png")
    output = str(tmp_path / "x.png")
    result = run("-", "--open", "-o", output, DISPLAY=None, WAYLAND_DISPLAY=None)
    assert result.exit_code == 0
    assert f"{output} is written, but cannot be opened" in result.output
    assert len(launched) == 1


def test_the_page_of_the_arguments_is_rendered_with_the_files_options(
    tmp_path: Path, rendered: list[dict[str, Any]]
) -> None:
    request = tmp_path / "request.json"
    request.write_text('{"url": "https://example.com/", "baseUrl": "https://a/", "report": true}')
    assert run("-", "-o", str(tmp_path / "x"), "--options", str(request)).exit_code == 0
    options_only = tmp_path / "options.json"
    options_only.write_text('{"width": 5}')
    assert run("-", "-o", str(tmp_path / "x"), "--options", str(options_only)).exit_code == 0
    assert rendered == [
        {"html": GREEN, "baseUrl": "https://a/", "report": True, "options": {}},
        {"html": GREEN, "options": {"width": 5}},
    ]
