"""A fixture: Playwright's own browser, which draws what the farm's pictures are compared with."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

from farm.render.browser.chromium import find_chromium
from farm.settings import Settings


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The farm's Chromium, launched and driven as Playwright's manual says."""
    chromium = find_chromium(Settings())
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium.path)
        yield launched
        launched.close()
