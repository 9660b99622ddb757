"""`farm diff`."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from farm.cli import main
from tests.support.images import opened


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["diff", *arguments], env=environment)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two pictures of 100 × 50, one of 100 × 60, and a page that looks as the first."""
    monkeypatch.chdir(tmp_path)
    white = Image.new("RGB", (100, 50), "white")
    white.save("white.png")
    white.save("same.webp", lossless=True)
    dotted = white.copy()
    dotted.paste((255, 0, 0), (10, 10, 15, 20))
    dotted.save("dotted.png")
    Image.new("RGB", (100, 60), "white").save("taller.png")
    Path("page.html").write_text("<body style='background:white'>")
    Path("text.html").write_bytes(b"caf\xe9")
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        ("white.png same.webp --max-diff 0%", 0, "0% differs: 0 of 5,000 pixels"),
        ("white.png dotted.png", 0, "1.00% differs: 50 of 5,000 pixels"),
        ("white.png dotted.png --max-diff 1%", 0, "1.00% differs"),
        ("white.png dotted.png --max-diff 0.99%", 1, "1.00% differs"),
        ("white.png dotted.png --max-diff 50px", 0, "50 of"),
        ("white.png dotted.png --max-diff 49", 1, "50 of"),
        ("white.png dotted.png --threshold 1 --max-diff 0", 0, "0% differs"),
        ("white.png taller.png --max-diff 0", 1, "sizes differ: 100 × 50 and 100 × 60 pixels"),
        ("white.png dotted.png --max-diff some", 2, "neither a share, 0.1%, nor pixels"),
        ("white.png dotted.png -o out.gif", 2, "must be a .png, .webp or .jpeg"),
        ("white.png dotted.png -o no/out.png", 2, "no/out.png cannot be written"),
        ("white.png missing.html", 2, "missing.html cannot be read"),
        ("white.png text.html", 2, "text.html cannot be read: it is not UTF-8"),
        ("white.png page.html --format pdf", 2, "--format must be a picture's"),
        ("- -", 2, "Only one of the two"),
    ],
)
def test_pictures_are_compared_without_a_browser(
    arguments: str, code: int, says: str, folder: Path
) -> None:
    result = run(*arguments.split(), FARM_CHROMIUM_PATH="/none")
    assert (result.exit_code, says in result.output) == (code, True), result.output


def test_a_page_is_rendered_and_the_sheet_is_written(folder: Path) -> None:
    size = ["--width", "100", "--height", "50"]
    result = run("dotted.png", "page.html", *size, "-o", "out.png", "--max-diff", "0")
    assert result.exit_code == 1, result.output
    assert result.output == "1.00% differs: 50 of 5,000 pixels\n"
    assert opened(Path("out.png").read_bytes()).width > 300


def test_a_page_that_cannot_be_rendered_is_no_difference(folder: Path) -> None:
    result = run("white.png", "page.html", FARM_CHROMIUM_PATH="/none")
    assert result.exit_code == 2
    assert "FARM_CHROMIUM_PATH" in result.output
