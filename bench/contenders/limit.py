"""The physical limit, and a bare Playwright loop.

`python -m bench.contenders.limit [--clients 1,4,8,16]`

The limit is the farm's work through the raw DevTools protocol over a pipe: the same Chromium as the
same user and in its sandbox, a new browser context for each render, the same script to write and
settle a page, the same settings of the capture, and nothing else: no HTTP, no Playwright, no egress
proxy, no bound on pages. `--playwright` is the loop that Playwright's manual would have one write.
"""

import asyncio
import base64
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import click
from playwright.async_api import Browser as PlaywrightBrowser
from playwright.async_api import async_playwright

from bench.contenders import devtools
from bench.measures.answers import Answers
from bench.workloads.pages import SIZE, WORKLOADS, Workload
from farm.render.browser.chromium import find_chromium
from farm.render.page.pictures import encoding
from farm.request import RenderOptions
from farm.settings import Settings

Render = Callable[[Workload, str], Awaitable[bytes]]

#: Settled as load testers have it: `load`, fonts, decoded images in view.
#: What a request has that asks for nothing.
_OPTIONS = RenderOptions.model_construct()
_SETTLE = """
const settle = async () => {
  if (document.readyState !== 'complete')
    await new Promise((resolve) => addEventListener('load', resolve, { once: true }));
  await new Promise((resolve) => setTimeout(resolve));
  document.documentElement?.getBoundingClientRect();
  await document.fonts?.ready;
  await Promise.all([...document.images].map((image) => image.decode().catch(() => {})));
};
"""
SETTLE = f"async function () {{ {_SETTLE} return settle(); }}"
#: In one call, since each costs Python and the browser a fifth of a millisecond.
WRITE_AND_SETTLE = f"""async function (html) {{
  document.open();
  document.write(html);
  document.close();
  {_SETTLE}
  return settle();
}}"""


def raw(browser: devtools.Browser) -> Render:
    async def render(work: Workload, site_url: str) -> bytes:
        context = (await browser.send("Target.createBrowserContext", {"disposeOnDetach": True}))[
            "browserContextId"
        ]
        try:
            width, height = SIZE
            params = {
                "url": "about:blank",
                "browserContextId": context,
                "width": width,
                "height": height,
            }
            target = (await browser.send("Target.createTarget", params))["targetId"]
            params = {"targetId": target, "flatten": True}
            session = (await browser.send("Target.attachToTarget", params))["sessionId"]

            def send(method: str, params: dict[str, Any]) -> Awaitable[Any]:
                return browser.send(method, params, session)

            async def call(function: str, *arguments: str) -> None:
                params = {"frameId": target, "worldName": "limit"}
                world = await send("Page.createIsolatedWorld", params)
                params = {
                    "functionDeclaration": function,
                    "arguments": [{"value": argument} for argument in arguments],
                    "executionContextId": world["executionContextId"],
                    "awaitPromise": True,
                }
                await send("Runtime.callFunctionOn", params)

            if work.path:
                await send("Page.navigate", {"url": site_url + work.path})
                await call(SETTLE)
            else:
                await call(WRITE_AND_SETTLE, work.html)
            options = encoding(RenderOptions.model_construct())
            return base64.b64decode((await send("Page.captureScreenshot", options))["data"])
        finally:
            # Nobody waits for it: closing is not part of the answer.
            browser.send("Target.disposeBrowserContext", {"browserContextId": context})

    return render


def manual(browser: PlaywrightBrowser) -> Render:
    async def render(work: Workload, site_url: str) -> bytes:
        width, height = SIZE
        context = await browser.new_context(viewport={"width": width, "height": height})
        try:
            page = await context.new_page()
            if work.path:
                await page.goto(site_url + work.path)
            else:
                await page.set_content(work.html)
            return await page.screenshot()
        finally:
            await context.close()

    return render


async def loop(render: Render, work: Workload, site_url: str, clients: int, s: float) -> Answers:
    """So many clients for `s` seconds, each beginning when its last is done."""
    for _ in range(3):
        await render(work, site_url)
    answers = Answers()

    async def client() -> None:
        while (began := time.monotonic()) < answers.began + s:
            png = await render(work, site_url)
            answers.note(work.name, (time.monotonic() - began) * 1000, work.problem(png))

    await asyncio.gather(*(client() for _ in range(clients)))
    # What was still under way is not counted, as it is not where servers are measured.
    answers.ended = answers.began + s
    return answers.where(lambda answer: answer.at <= answers.ended)


async def measure(
    work: Workload, site_url: str, clients: int, seconds: float, playwright: bool
) -> Answers:
    if not playwright:
        async with devtools.launched() as browser:
            return await loop(raw(browser), work, site_url, clients, seconds)
    chromium = find_chromium(Settings())
    async with async_playwright() as driver:
        # The sandbox costs nothing that shows; root cannot have it without the farm's launcher.
        launched = await driver.chromium.launch(
            executable_path=chromium.path, chromium_sandbox=chromium.user is None
        )
        answers = await loop(manual(launched), work, site_url, clients, seconds)
        await launched.close()
        return answers


@click.command()
@click.option("--work", type=click.Choice(list(WORKLOADS)), default="simple HTML")
@click.option("--clients", default="1,4,8,16", show_default=True)
@click.option("--seconds", default=8.0, show_default=True)
@click.option("--site", default="http://127.0.0.1:8099", show_default=True, help="Where URLs are.")
@click.option("--playwright", is_flag=True, help="The bare loop, not the limit.")
@click.option("--answers", type=click.Path(path_type=Path), help="A file for the last answers.")
def main(
    work: str, clients: str, seconds: float, site: str, playwright: bool, answers: Path | None
) -> None:
    """Measure, and print a table in Markdown."""
    print("| clients | a second | p50 ms | p95 ms | wrong |\n|---|---|---|---|---|")
    for count in map(int, clients.split(",")):
        found = asyncio.run(measure(WORKLOADS[work], site, count, seconds, playwright))
        row = f"| {count} | {found.rate:.1f} | {found.p50:.0f} | {found.p95:.0f} |"
        print(f"{row} {len(found.problems)} {found.problems[:3] or ''} |", flush=True)
        if answers is not None:
            found.save(answers)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        main()
