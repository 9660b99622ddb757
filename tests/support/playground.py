"""A browser with the playground of a farm in it, as a reader has it."""

import gzip
import re
from pathlib import Path
from typing import Any

import playwright
from playwright.sync_api import Locator, Page, expect

#: axe-core 4.14.1 (https://github.com/dequelabs/axe-core, MPL-2.0), as its package has it.
_AXE = gzip.decompress((Path(__file__).parent / "axe.min.js.gz").read_bytes()).decode()
#: Playwright's driver runs on it.
NODE = Path(playwright.__file__).parent / "driver" / "node"

#: What the status says at the end of a render.
_RENDERED = re.compile(r"(picture|PDF|HTML|MHTML|files).* in [\d.]+ m?s")
_VIOLATIONS = """async () => {
  // Only rules about sounds and about turned phones would need what is preloaded.
  const options = {resultTypes: ['violations'], preload: false};
  const { violations } = await axe.run(document, options);
  return violations.flatMap(({id, nodes}) =>
    nodes.map(({html, failureSummary}) => `${id}: ${html} ${failureSummary}`));
}"""
_AS_NEW = """() => {
  document.querySelectorAll('dialog[open]').forEach((dialog) => dialog.close());
  document.querySelector('#code-tabs > *').click();
  localStorage.clear();
  delete document.documentElement.dataset.scheme;
  const filter = document.querySelector('#filter');
  filter.value = '';
  filter.dispatchEvent(new Event('input'));
  document.querySelector('#stage').replaceChildren();
  document.querySelector('#status').textContent = '';
  document.querySelector('.example').click();
}"""
_HAS_COLOUR = """async (wanted) => {
  const image = document.querySelector('#stage img');
  if (!image) return false;
  const canvas = new OffscreenCanvas(1, 1).getContext('2d');
  canvas.drawImage(image, image.naturalWidth / 2, image.naturalHeight / 2, 1, 1, 0, 0, 1, 1);
  return `${canvas.getImageData(0, 0, 1, 1).data}` === `${wanted},255`;
}"""


class Playground:
    """The page, and what a reader does with it. What its console says wrong is collected."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.complaints: list[str] = []
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        page.on("console", lambda message: self._heard(message.type, message.text))

    def _heard(self, kind: str, text: str) -> None:
        # Of answers that are errors the browser complains by itself.
        if kind == "error" and not text.startswith("Failed to load resource"):
            self.complaints.append(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.page, name)

    def start_anew(self) -> None:
        """As if it had just been opened: its first example is being rendered.

        What is unfolded stays so.
        """
        self.page.emulate_media(color_scheme="light")
        self.page.evaluate(_AS_NEW)
        self.page.wait_for_function("() => document.querySelector('#status').textContent !== ''")

    def go_to(self, fragment: str) -> None:
        """Open a link in the same tab."""
        self.page.evaluate("fragment => { location.hash = fragment }", fragment)

    @property
    def editor(self) -> Locator:
        return self.page.locator("#text")

    @property
    def status(self) -> Locator:
        return self.page.locator("#status")

    @property
    def picture(self) -> Locator:
        return self.page.locator("#stage img")

    @property
    def form(self) -> Locator:
        return self.page.locator("#groups")

    def option(self, name: str) -> Locator:
        """The row of an option, its group unfolded."""
        mine = f".field:has(> .field-head > .field-name:text-is('{name}'))"
        row = self.form.locator(mine).first
        row.evaluate("row => { row.closest('.group').open = true }")
        return row

    def wait_rendered(self) -> None:
        expect(self.status).to_have_text(_RENDERED)

    def wait_colour(self, *rgb: int) -> None:
        """Until the pixel in the middle of the picture is of this colour."""
        self.page.wait_for_function(_HAS_COLOUR, arg=rgb)

    def type_page(self, html: str) -> None:
        self.editor.fill(html)

    def violations(self) -> list[str]:
        """What axe-core finds, each in a line."""
        # By the protocol: the page's policy allows no other script.
        if self.page.evaluate("!window.axe"):
            session = self.page.context.new_cdp_session(self.page)
            session.send("Runtime.evaluate", {"expression": f"{_AXE};0"})
            session.detach()
        found: list[str] = self.page.evaluate(_VIOLATIONS)
        return found
