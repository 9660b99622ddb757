"""The files that a page refers to."""

from base64 import b64encode
from pathlib import Path

import pytest

from farm.batch import as_assets, files_beside

FILES = ("a.png", "a b.png", "css/a.css", "css/b.css", "css/f.woff2", "x.html")


@pytest.fixture
def page(tmp_path: Path) -> str:
    """A page's name, in a folder with files; another file is beside the folder."""
    folder = tmp_path / "site"
    for name in FILES:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    (folder / "css/a.css").write_text("@import 'b.css'; p { src: url(f.woff2#iefix) }")
    (folder / "css/b.css").write_text('@import "a.css"; p { background: url("../a.png") }')
    (tmp_path / "secret.png").write_text("x")
    (folder / "link.png").symlink_to(tmp_path / "secret.png")
    return str(folder / "page.html")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("<img src='a.png'>", ["a.png"]),
        ("<IMG\n alt=x SRC=./a.png?v=2>", ["a.png"]),
        ('<img src="a%20b.png">', ["a b.png"]),
        ('<img srcset="none.png 1x, a.png 2x">', ["a.png"]),
        ('<p style="background: url(a.png)">', ["a.png"]),
        ("<svg><image xlink:href='a.png'/></svg>", ["a.png"]),
        ("# Report\n![A chart](a.png)", ["a.png"]),
        ('<link href="css/a.css">', ["a.png", "css/a.css", "css/b.css", "css/f.woff2"]),
        ('<a href="x.html">no part of the page</a>', []),
        ('<img src="https://example.com/a.png">', []),
        ('<img src="data:image/png;base64,AAAA">', []),
        ('<img src="/a.png">', []),
        ('<img src="../secret.png">', []),
        ('<img src="css/../../secret.png">', []),
        ('<img src="%2e%2e/secret.png">', []),
        ('<img src="link.png">', []),
        ('<img src="css">', []),
        ('<img src="a.png%00">', []),
        ('<img src="">', []),
    ],
)
def test_the_files_of_a_page_are_those_in_its_folder_that_it_refers_to(
    text: str, names: list[str], page: str
) -> None:
    assert list(files_beside(page, text)) == names


def test_files_are_assets_in_base64(page: str) -> None:
    files = files_beside(page, "<img src=a.png>")
    assert as_assets(files) == {"a.png": {"base64": b64encode(b"x").decode()}}
