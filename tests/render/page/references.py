"""The corpus, each page as Playwright shows it, and a comparison of two pictures."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import Browser, Page

CORPUS = sorted((Path(__file__).parent / "corpus").glob("*.html"))


@contextmanager
def shown(
    browser: Browser, html: str, width: int = 1280, height: int = 720, url: str | None = None
) -> Iterator[Page]:
    """A page of Playwright's that has settled; from the URL, if there is one."""
    page = browser.new_context(viewport={"width": width, "height": height}).new_page()
    if url is None:
        page.set_content(html)
    else:
        page.goto(url)
    page.evaluate("document.fonts.ready")
    page.evaluate("Promise.all([...document.images].map(i => i.decode().catch(() => {})))")
    page.evaluate("new Promise(requestAnimationFrame)")  # when `autofocus` is heeded
    yield page
    page.context.close()


def assert_same(actual: Image.Image, expected: Image.Image, folder: Path) -> None:
    """Equal in every pixel; else the pictures and their difference are kept to be looked at."""
    assert actual.size == expected.size
    difference = ImageChops.difference(actual, expected)
    where = difference.getbbox()
    if where is None:
        return
    for name, image in {"actual": actual, "expected": expected, "difference": difference}.items():
        image.save(folder / f"{name}.png")
    red, green, blue = difference.split()
    largest = ImageChops.lighter(ImageChops.lighter(red, green), blue)
    count = sum(largest.histogram()[1:])
    pytest.fail(f"{count} pixels differ, within {where}; see {folder}")
