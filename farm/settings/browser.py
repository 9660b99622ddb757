"""Settings of the browser: which Chromium, the isolation of pages, and when it is replaced."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from farm.settings.group import Group


class Browser(Group):
    """Which Chromium, how its pages are kept apart, and when it is replaced."""

    isolation: Literal["render", "key"] = Field(
        "render",
        description="What a browser context is for: one `render`, or all renders of an API `key` "
        "(without keys: all renders there are), each in a new document. `key` is twice as fast for "
        "HTML that loads nothing, and for pages that trust each other: see security.md.",
    )
    context_renders: int = Field(
        200, ge=1, description="Renders after which a context of an API key is replaced."
    )
    context_age_s: float = Field(
        300, gt=0, description="Seconds after which a context of an API key is replaced."
    )
    spare_contexts: int = Field(
        2, ge=0, le=16, description="Browser contexts made ahead of the requests, in each worker."
    )
    recycle_after_renders: int = Field(
        5000,
        ge=0,
        description="Renders after which a browser is replaced, the new one being started first; "
        "0: never.",
    )
    browser_memory_mb: int = Field(
        1500,
        ge=200,
        description="MiB that a browser's processes may hold together (PSS); beyond it the page "
        "that holds most of them is ended, or else the browser replaced.",
    )
    chromium_path: Path | None = Field(
        None,
        description="The Chromium to use. Unset: Playwright's own headless shell, else a "
        "system headless shell, else a system Chromium.",
    )
    chromium_sandbox: Literal["on", "off"] = Field(
        "on",
        description="Chromium's own sandbox. `off` lets a page that breaks into its process "
        "do all that the browser's user may.",
    )
    webgl: Literal["on", "off"] = Field(
        "on",
        description="WebGL in pages; maps and charts need it. `off` is advised where strangers "
        "send pages: with it one page can have the GPU process, which all pages share, work long.",
    )
    user: str = Field(
        "nobody",
        description="The user that Chromium runs as when root starts the farm.",
    )
