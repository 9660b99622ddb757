"""The farm's Chromium without anything else of the farm."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

from farm.render.browser.chromium import find_chromium
from farm.settings import Settings


@contextmanager
def running_playwright() -> Iterator[Browser]:
    """Launched and driven as Playwright's manual says."""
    chromium = find_chromium(Settings())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.path)
        yield browser
        browser.close()
