"""Which pages are named."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.batch.sources import SourceError, expand, read_list, stamp


def test_patterns_are_files_in_order_and_other_names_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("b.html", "a.html", "[1].html", "deep/er/c.html"):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    Path("folder.html").mkdir()
    url = "https://example.com/?q=*"
    assert expand(["?.html", "[1].html", url, "missing.html"]) == [
        *("a.html", "b.html", "[1].html", url, "missing.html"),
    ]
    assert expand(["**/c.html"]) == ["deep/er/c.html"]
    assert "folder.html" not in expand(["*.html"])


@pytest.mark.parametrize(
    ("named", "says"), [("no/*.html", "matches no file"), ("pages", "'pages/*")]
)
def test_what_names_no_page_is_told(
    named: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pages").mkdir()
    with pytest.raises(SourceError) as caught:
        expand([named])
    assert says in str(caught.value)


def test_a_list_has_a_page_a_line() -> None:
    data = b"\xef\xbb\xbfhttps://a/\r\n\n  # not this\n n\xe9m.html \n[x]*.html"
    assert read_list(data) == ["https://a/", os.fsdecode(b"n\xe9m.html"), "[x]*.html"]
    assert read_list(b"") == []


@given(st.binary())
def test_any_bytes_are_a_list(data: bytes) -> None:
    assert all(line.strip() == line != "" for line in read_list(data))


def test_a_stamp_changes_with_the_file(tmp_path: Path) -> None:
    page = tmp_path / "a.html"
    page.write_text("a")
    before = stamp(str(page))
    page.write_text("ab")
    assert before is not None
    assert stamp(str(page)) not in (before, None)
    assert stamp("https://example.com/") is None
    assert stamp("missing.html") is None
    assert stamp("a\0b") is None
