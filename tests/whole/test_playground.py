"""The playground in a real browser, over a real farm: what its readers see and do.

The farm has API keys, two pages and a short line, so that it can be full.
"""

import ast
import base64
import io
import json
import random
import re
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import pytest
import requests
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, expect

from farm.client.names import as_request
from tests.support.farm_process import Farm, running_farm, wait_until
from tests.support.playground import NODE, Playground

KEY = "a-key-of-the-tests"
LINK_KEY = "0123456789abcdef" * 2
RED, LIME = (255, 0, 0), (0, 255, 0)
RED_PAGE = "<body style='background: rgb(255, 0, 0)'>"
LIME_PAGE = "<body style='background: rgb(0, 255, 0)'>"
MARKUP = "<img src=x onerror=alert(1)>"

#: A page of so many characters, and some more, comes from the clipboard.
PASTE = """(length) => {
  const data = new DataTransfer();
  const page = '<body style="background: rgb(255, 0, 0)">' + 'x'.repeat(length);
  data.setData('text/plain', page);
  const event = {clipboardData: data, bubbles: true, cancelable: true};
  document.activeElement.dispatchEvent(new ClipboardEvent('paste', event));
}"""

#: The names of the form's fields that have something to type or to click.
WITH_CONTROLS = """() => [...document.querySelectorAll('#groups .field')]
  .filter((field) => field.querySelector('input, select, textarea, button'))
  .map((field) => field.querySelector(':scope > .field-head > .field-name').textContent)"""

Open = Callable[..., Playground]

expect.set_options(timeout=20_000)


@pytest.fixture(scope="module")
def its_farm(
    tmp_path_factory: pytest.TempPathFactory, without_jobs: dict[str, object]
) -> Iterator[Farm]:
    log_path = tmp_path_factory.mktemp("playground") / "log"
    few = {"pages_per_browser": 2, "max_waiting": 1, "spare_contexts": 1}
    keys = {"api_keys": f"me:{KEY}", "link_key": LINK_KEY}
    with running_farm(log_path, 1, **keys, **few, **without_jobs) as running:
        yield running


@pytest.fixture
def visit(browser: Browser, its_farm: Farm) -> Iterator[Open]:
    """Opens the playground in a window of its own; nothing may complain there."""
    opened = []

    def visit(fragment: str = "", key: str | None = KEY, **context: Any) -> Playground:
        playground = Playground(window(browser, key, **context).new_page())
        opened.append(playground)
        playground.page.goto(its_farm.url + "/" + fragment)
        return playground

    yield visit
    for playground in opened:
        playground.page.context.close()
        assert playground.complaints == []


def window(browser: Browser, key: str | None, **context: Any) -> BrowserContext:
    """One whose tabs have the key, each as if its reader had typed it there."""
    # Colours on their way from one scheme to the other are nobody's.
    given = {"viewport": {"width": 1440, "height": 900}, "reduced_motion": "reduce", **context}
    opened = browser.new_context(**given)
    opened.set_default_timeout(20_000)
    if key is not None:
        place = "sessionStorage.getItem('farm-key')"
        opened.add_init_script(f"{place} ?? sessionStorage.setItem('farm-key', '{key}')")
    return opened


@pytest.fixture(scope="module")
def shared_window(browser: Browser) -> BrowserContext:
    return window(browser, KEY, permissions=["clipboard-read", "clipboard-write"])


@pytest.fixture(scope="module")
def shared_tab(shared_window: BrowserContext, its_farm: Farm) -> Playground:
    opened = Playground(shared_window.new_page())
    opened.page.goto(its_farm.url)
    opened.wait_rendered()
    return opened


@pytest.fixture
def playground(shared_tab: Playground) -> Iterator[Playground]:
    """One that renders its first example. Tests share its tab, which is made as new."""
    shared_tab.start_anew()
    yield shared_tab
    complaints, shared_tab.complaints = shared_tab.complaints, []
    assert complaints == []


def test_what_is_typed_is_seen(playground: Playground) -> None:
    playground.type_page(RED_PAGE)
    playground.wait_colour(*RED)
    playground.type_page(LIME_PAGE)
    playground.wait_colour(*LIME)
    expect(playground.picture).to_have_attribute("alt", re.compile("1200 × 630 pixels"))
    expect(playground.locator("#facts")).to_contain_text("1200 × 630")
    steps = playground.locator("#timings dt").all_text_contents()
    assert steps[:4] == ["Wait", "Load", "Settle", "Capture"]


def test_only_what_differs_from_its_default_is_sent(playground: Playground) -> None:
    playground.get_by_role("button", name="Reset all").click()
    playground.option("width").locator("input").fill("1280")
    playground.option("height").locator("input").fill("300")
    playground.option("colorScheme").get_by_role("radio", name="dark").check()
    with playground.page.expect_request(lambda sent: "webp" in (sent.post_data or "")) as sent:
        playground.option("format").locator("select").select_option("webp")
    playground.wait_rendered()
    options = json.loads(sent.value.post_data or "")["options"]
    assert options == {"height": 300, "colorScheme": "dark", "format": "webp"}
    expect(playground.locator("#changed-count")).to_have_text("3")
    playground.option("height").get_by_role("button", name="Reset height").click()
    expect(playground.locator("#facts")).to_contain_text("1280 × 720")


def test_every_option_of_every_group_has_a_control(playground: Playground) -> None:
    document = playground.evaluate("fetch('openapi.json').then(answer => answer.json())")
    groups = document["components"]["schemas"]["RenderOptions"]["x-groups"]
    names = {name for group in groups for name in group["options"]}
    assert len(names) > 40
    assert names - set(playground.evaluate(WITH_CONTROLS)) == set()


def test_lists_objects_and_names_are_typed_too(playground: Playground) -> None:
    playground.type_page(RED_PAGE)
    playground.wait_colour(*RED)
    styles = playground.option("styles")
    styles.get_by_role("button", name="Add").click()
    styles.locator("textarea").fill("body { background: lime !important }")
    playground.wait_colour(*LIME)
    clip = playground.option("clip")
    clip.locator("summary").click()
    for name, value in {"x": 10, "y": 10, "width": 40, "height": 30}.items():
        clip.get_by_role("spinbutton", name=name).fill(str(value))
    expect(playground.locator("#facts")).to_contain_text("40 × 30")


def test_what_is_wrong_is_shown_where_it_was_typed(playground: Playground) -> None:
    width = playground.option("width").locator("input")
    width.fill("0")
    expect(width).to_have_attribute("aria-invalid", "true")
    problem = playground.option("width").locator(".problem")
    expect(problem).to_have_text("must be an integer from 1 to 16384 (pixels)")
    assert str(problem.get_attribute("id")) in str(width.get_attribute("aria-describedby"))
    expect(playground.status).to_contain_text("options.width: must be an integer")
    width.fill("640")
    expect(width).not_to_have_attribute("aria-invalid", "true")
    playground.wait_rendered()


def test_a_folded_group_unfolds_for_what_is_wrong_in_it(playground: Playground) -> None:
    playground.option("format").locator("select").select_option("pdf")
    playground.wait_rendered()
    margin = playground.option("margin")
    margin.locator("input").first.fill("wide")
    problem = margin.locator("> .problem")
    expect(problem).to_contain_text("must be")
    group = playground.form.locator(
        "details.group", has=playground.page.locator("text=How a PDF is printed.")
    )
    group.evaluate("group => { group.open = false }")
    expect(problem).to_be_hidden()
    playground.page.keyboard.press("Control+Enter")
    expect(problem).to_be_visible()


def test_options_that_do_not_go_together_are_told_at_the_one_at_fault(
    playground: Playground,
) -> None:
    playground.option("quality").locator("input").fill("50")
    expect(playground.option("quality").locator(".problem")).to_contain_text("quality")


def test_a_pdf_can_be_taken_where_none_is_shown(playground: Playground) -> None:
    playground.go_to("#example=invoice")
    expect(playground.status).to_contain_text("PDF in")
    expect(playground.locator("#facts")).to_contain_text("1 page")
    link = playground.get_by_role("link", name="Save the PDF")
    with playground.page.expect_download() as taken:
        link.click()
    assert taken.value.path().read_bytes().startswith(b"%PDF-")


def used(farm: Farm) -> dict[str, int]:
    use = requests.get(f"{farm.url}/status", headers={"X-Api-Key": KEY}, timeout=60).json()["use"]
    return {name: use[name] for name in ("rendering", "waiting")}


def test_a_full_farm_is_asked_again(playground: Playground, its_farm: Farm) -> None:
    def hold(_: int) -> int:
        body = {"html": "a", "options": {"waitFor": 1000}}
        headers = {"X-Api-Key": KEY}
        return requests.post(
            f"{its_farm.url}/render", json=body, headers=headers, timeout=60
        ).status_code

    # What others have left is rendered to its end.
    playground.wait_rendered()
    wait_until(lambda: used(its_farm) == {"rendering": 0, "waiting": 0})
    with ThreadPoolExecutor(3) as callers:
        held = [callers.submit(hold, number) for number in range(3)]
        wait_until(lambda: used(its_farm) == {"rendering": 2, "waiting": 1})
        playground.type_page(RED_PAGE)
        expect(playground.status).to_contain_text(re.compile(r"busy .* asked again in \d+ s"))
        playground.wait_colour(*RED)
        assert [caller.result() for caller in held] == [200] * 3


def test_a_slow_render_can_be_cancelled(playground: Playground) -> None:
    playground.option("waitFor").locator("input").fill("2500")
    cancel = playground.locator("#cancel")
    expect(cancel).to_have_text("Cancel (1 s)")
    expect(playground.status).to_have_text("Rendering…")
    cancel.click()
    expect(playground.status).to_have_text("Cancelled.")
    expect(cancel).to_be_hidden()
    playground.option("waitFor").locator("input").fill("")
    playground.wait_rendered()


def test_no_network_is_told_and_tried_again(playground: Playground) -> None:
    playground.page.context.set_offline(True)
    playground.type_page(RED_PAGE)
    expect(playground.status).to_contain_text("The farm does not answer.")
    playground.page.context.set_offline(False)
    playground.editor.press("Control+Enter")
    playground.wait_colour(*RED)


def test_what_a_page_returns_is_never_markup(playground: Playground) -> None:
    scripts = [
        f"console.log({MARKUP!r})",
        f"document.title = {MARKUP!r}",
        f"fetch('http://10.0.0.1/' + {MARKUP!r}).catch(() => {{}})",
        f"setTimeout(() => {{ throw {MARKUP!r} }})",
    ]
    playground.type_page(f"<script>{'; '.join(scripts)}</script>{RED_PAGE}")
    playground.wait_colour(*RED)
    expect(playground.locator("#facts .title")).to_have_text(MARKUP)
    console = playground.locator("#report details", has_text="Console")
    console.locator("summary").click()
    expect(console.locator("code").first).to_have_text(MARKUP)
    expect(playground.locator("#report")).to_contain_text("Blocked")
    for format_ in ("html", "mhtml"):
        playground.option("format").locator("select").select_option(format_)
        expect(playground.locator("#stage pre")).to_contain_text("onerror")
    assert playground.locator("#stage img").count() == 0
    assert playground.page.evaluate("document.querySelectorAll('[onerror]').length") == 0


def test_what_is_copied_renders_the_same(
    playground: Playground, its_farm: Farm, tmp_path: Path
) -> None:
    tricky = '<body style=\'background: rgb(255, 0, 0)\'>\n\\n \' " """ `${x}` $HOME \U0001f600\n'
    playground.type_page(tricky)
    playground.option("waitForFunction").locator("textarea").fill(
        "document.body.innerText.includes('${x}` $HOME')"
    )
    playground.option("width").locator("input").fill("120")
    playground.option("height").locator("input").fill("300")
    playground.wait_colour(*RED)
    packages = str(Path(__file__).parents[2])
    environment = {"PATH": "/usr/bin:/bin", "RENDER_FARM_KEY": KEY, "PYTHONPATH": packages}
    commands = {
        "curl": ["bash"],
        "Python": [sys.executable, "-"],
        "JavaScript": [str(NODE), "--input-type=module", "-"],
    }
    playground.get_by_role("button", name="Copy as code").click()
    for language, command in commands.items():
        playground.get_by_role("tab", name=language).click()
        playground.get_by_role("button", name="Copy", exact=True).click()
        expect(playground.locator("#toast")).to_have_text("Copied.")
        code = playground.evaluate("navigator.clipboard.readText()")
        assert KEY not in code
        folder = tmp_path / language
        folder.mkdir()
        subprocess.run(
            command, input=code.encode(), cwd=folder, env=environment, check=True, timeout=60
        )
        assert_is_red((folder / "page.png").read_bytes(), language)
    playground.get_by_role("tab", name="Signed link").click()
    copy = playground.get_by_role("button", name="Copy", exact=True)
    expect(copy).to_be_enabled()
    copy.click()
    link = playground.evaluate("navigator.clipboard.readText()")
    assert link.startswith(f"{its_farm.url}/r/")
    assert_is_red(requests.get(link, timeout=60).content, "Signed link")


def assert_is_red(picture: bytes, language: str) -> None:
    with Image.open(io.BytesIO(picture)) as image:
        assert image.size == (120, 300), language
        assert image.convert("RGB").getpixel((100, 250)) == RED


def test_python_has_the_names_of_the_client(playground: Playground) -> None:
    playground.go_to(
        written(
            {
                "source": "url",
                "text": "http://10.0.0.1/",
                "options": {
                    "fullPage": True,
                    "headers": {"xCase": "as it is"},
                    "waitForSelector": {"selector": "h1"},
                    "block": {"cookieBanners": True, "resources": ["font"]},
                },
                "beside": {"outputs": [{"deviceScaleFactor": 2}]},
            }
        )
    )
    expect(playground.get_by_label("Address of the page")).to_have_value("http://10.0.0.1/")
    playground.get_by_role("button", name="Copy as code").click()
    playground.get_by_role("tab", name="Python").click()
    code = playground.locator("#code-listing").text_content()
    request = as_request(call_of(code))
    assert request["options"] == {
        "fullPage": True,
        "headers": {"xCase": "as it is"},
        "waitForSelector": {"selector": "h1"},
        "block": {"cookieBanners": True, "resources": ["font"]},
    }
    assert request["outputs"] == [{"deviceScaleFactor": 2}]
    assert '"cookie_banners": True' in code
    assert 'device_scale_factor": 2' in code


def written(state: object) -> str:
    """A link's fragment, as the playground writes it."""
    data = zlib.compress(json.dumps(state).encode(), wbits=-15)
    return "#s=" + base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def call_of(code: str) -> dict[str, Any]:
    """The keyword arguments of the call of `farm.render`."""
    calls = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    (call,) = (c for c in calls if isinstance(c.func, ast.Attribute) and c.func.attr == "render")
    return {str(keyword.arg): ast.literal_eval(keyword.value) for keyword in call.keywords}


def test_a_farm_without_a_link_key_says_how_to_have_links(playground: Playground) -> None:
    playground.page.route("**/links", lambda route: route.fulfill(status=404))
    playground.get_by_role("button", name="Copy as code").click()
    playground.get_by_role("tab", name="Signed link").click()
    expect(playground.locator("#code-problem")).to_contain_text("Set FARM_LINK_KEY")
    expect(playground.get_by_role("button", name="Copy", exact=True)).to_be_disabled()
    playground.page.unroute("**/links")


def test_what_no_link_can_have_is_told(playground: Playground) -> None:
    playground.type_page("".join(f"<p>{random.Random(n).random()}" for n in range(2_000)))
    playground.get_by_role("button", name="Copy as code").click()
    playground.get_by_role("tab", name="Signed link").click()
    expect(playground.locator("#code-problem")).to_contain_text("too long for a link")


def test_the_key_is_asked_for_and_stays_in_the_tab(visit: Open, its_farm: Farm) -> None:
    playground = visit(key=None)
    dialog = playground.get_by_role("dialog", name="This farm asks for a key")
    expect(dialog).to_be_visible()
    assert playground.violations() == []
    dialog.get_by_role("button", name="Not now").click()
    playground.type_page(RED_PAGE)
    expect(playground.status).to_contain_text("key")
    expect(dialog).to_be_hidden()
    playground.get_by_role("button", name="Key").click()
    field = dialog.get_by_label("API key")
    field.fill("wrong-key-wrong-key")
    field.press("Enter")
    expect(dialog).to_contain_text("The farm does not know this key.")
    field.fill(KEY)
    dialog.get_by_role("button", name="Use this key").click()
    playground.wait_rendered()
    expect(dialog).to_be_hidden()
    playground.page.reload()
    playground.wait_rendered()
    assert KEY not in playground.page.url
    assert KEY not in playground.page.evaluate(
        "JSON.stringify({...localStorage}) + document.cookie"
    )
    other = Playground(playground.page.context.new_page())
    other.page.goto(its_farm.url)
    expect(other.get_by_role("dialog", name="This farm asks for a key")).to_be_visible()


def test_a_link_has_all_of_the_state_and_no_key(playground: Playground) -> None:
    first = playground
    first.type_page(RED_PAGE)
    first.option("height").locator("input").fill("333")
    first.option("hide").get_by_role("button", name="Add").click()
    first.option("hide").get_by_role("textbox").fill("h1")
    first.page.wait_for_function("() => location.hash.startsWith('#s=')")
    first.get_by_role("button", name="Copy link").click()
    expect(first.locator("#toast")).to_contain_text("The link is copied")
    link = first.evaluate("navigator.clipboard.readText()")
    assert KEY not in link
    second = Playground(first.page.context.new_page())
    second.page.goto(link)
    expect(second.editor).to_have_value(RED_PAGE)
    expect(second.option("height").locator("input")).to_have_value("333")
    expect(second.option("hide").get_by_role("textbox")).to_have_value("h1")
    second.wait_colour(*RED)
    assert second.complaints == []
    second.page.close()


def test_a_link_that_cannot_be_read_is_an_example(playground: Playground) -> None:
    for fragment in ("#s=AAAA", "#s=%00", "#example=none", "#s="):
        playground.type_page(RED_PAGE)
        playground.page.evaluate("fragment => { location.hash = fragment }", fragment)
        expect(playground.editor).to_have_value(re.compile("We ship on"))


def test_a_text_that_is_too_long_to_edit_waits_to_be_asked_for(playground: Playground) -> None:
    playground.editor.focus()
    playground.page.evaluate(PASTE, 53_000_000)
    expect(playground.locator("#large-size")).to_have_text("53 MB")
    expect(playground.status).to_have_text("Not rendered yet: this is long.")
    playground.get_by_role("button", name="Copy as code").click()
    expect(playground.locator("#code-hint")).to_contain_text("too long to be shown")
    playground.get_by_role("button", name="Close").click()
    playground.get_by_role("button", name="Render", exact=True).click()
    expect(playground.status).to_contain_text("50 MB at the most")
    playground.get_by_role("button", name="Take it away").click()
    playground.editor.focus()
    playground.page.evaluate(PASTE, 2_000_000)
    playground.page.keyboard.press("Control+Enter")
    playground.wait_colour(*RED)


def test_markdown_and_urls_have_editors_of_their_own(playground: Playground) -> None:
    playground.get_by_role("tab", name="Markdown").click()
    playground.type_page("# One\n\n- two")
    expect(playground.locator("#facts .title")).to_have_text("One")
    playground.get_by_role("tab", name="URL").click()
    address = playground.get_by_label("Address of the page")
    address.fill("example")
    expect(playground.locator("#text-error")).to_contain_text("https://")
    address.fill("http://10.0.0.1/")
    expect(playground.status).to_contain_text("refuses 10.0.0.1")
    playground.get_by_role("tab", name="HTML").click()
    expect(playground.editor).to_have_value(re.compile("We ship on"))


def test_several_outputs_are_seen_one_after_the_other(playground: Playground) -> None:
    playground.type_page(RED_PAGE)
    outputs = playground.option("outputs")
    for number, width in enumerate((100, 200)):
        outputs.get_by_role("button", name="Add", exact=True).last.click()
        outputs.locator("li").nth(number).get_by_role("spinbutton", name="width").first.fill(
            str(width)
        )
    expect(playground.status).to_contain_text("2 files")
    expect(playground.locator("#facts")).to_contain_text("100 × 630")
    playground.get_by_role("tab", name="2.png").click()
    expect(playground.locator("#facts")).to_contain_text("200 × 630")


def test_the_editor_is_left_by_keyboard_and_the_divider_moves(playground: Playground) -> None:
    playground.editor.focus()
    playground.editor.press("Control+Home")
    playground.page.keyboard.press("Tab")
    expect(playground.editor).to_have_value(re.compile("^  <!doctype"))
    playground.page.keyboard.press("Shift+Tab")
    expect(playground.editor).to_have_value(re.compile("^<!doctype"))
    playground.page.keyboard.press("Escape")
    playground.page.keyboard.press("Tab")
    divider = playground.get_by_role("separator", name="Width of the editor")
    expect(divider).to_be_focused()
    before = playground.locator("#page").bounding_box()
    playground.page.keyboard.press("End")
    after = playground.locator("#page").bounding_box()
    assert before
    assert after
    assert after["width"] > before["width"]


@pytest.mark.one_in(2)
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing(playground: Playground, scheme: Literal["light", "dark"]) -> None:
    playground.page.emulate_media(color_scheme=scheme)
    playground.wait_rendered()
    assert playground.violations() == []
    playground.page.evaluate(
        "document.querySelectorAll('details').forEach(each => { each.open = true })"
    )
    playground.option("width").locator("input").fill("0")
    expect(playground.option("width").locator(".problem")).to_be_visible()
    assert playground.violations() == []
    playground.get_by_role("button", name="Copy as code").click()
    assert playground.violations() == []


def test_the_scheme_is_the_readers_choice_and_stays(playground: Playground) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light = playground.evaluate(ground)
    playground.get_by_role("button", name="Dark scheme").click()
    dark = playground.evaluate(ground)
    assert light != dark
    playground.page.reload()
    assert playground.evaluate(ground) == dark


@pytest.mark.one_in(2)
@pytest.mark.parametrize("width", [320, 360])
def test_a_phone_has_one_view_at_a_time_and_no_more_width(visit: Open, width: int) -> None:
    playground = visit(viewport={"width": width, "height": 740}, has_touch=True)
    playground.wait_rendered()
    assert playground.page.evaluate("document.documentElement.scrollWidth") == width
    expect(playground.editor).to_be_visible()
    expect(playground.picture).to_be_hidden()
    playground.get_by_role("tab", name="Options").click()
    expect(playground.form).to_be_visible()
    expect(playground.editor).to_be_hidden()
    assert playground.violations() == []
    playground.get_by_role("tab", name="Result").click()
    expect(playground.picture).to_be_visible()
    assert playground.page.evaluate("document.documentElement.scrollWidth") == width
    playground.get_by_role("button", name="Copy as code").click()
    tabs = playground.locator("#code-tabs")
    assert tabs.evaluate("tabs => tabs.getBoundingClientRect().right < innerWidth - 12")
    assert playground.violations() == []


def test_the_dialog_for_the_key_fits_a_phone(visit: Open) -> None:
    playground = visit(key=None, viewport={"width": 320, "height": 740}, has_touch=True)
    dialog = playground.get_by_role("dialog", name="This farm asks for a key")
    expect(dialog).to_be_visible()
    assert dialog.evaluate("dialog => dialog.scrollWidth === dialog.clientWidth")


@pytest.mark.dedicated
def test_the_api_page_tries_the_api_of_this_farm(
    shared_window: BrowserContext, its_farm: Farm
) -> None:
    playground = Playground(shared_window.new_page())
    # The page is one of thousands of elements, which a busy machine draws slowly.
    playground.page.set_default_timeout(60_000)
    asked: list[str] = []
    playground.page.on("request", lambda request: asked.append(request.url))
    playground.page.goto(f"{its_farm.url}/docs")
    health = playground.locator(
        "#operations-Operation-get_health, .opblock", has_text="/health"
    ).first
    health.locator("button.opblock-summary-control").click()
    health.get_by_role("button", name="Execute").click()
    expect(health.locator(".live-responses-table")).to_contain_text('"status": "ok"')
    assert all(url.startswith((its_farm.url, "data:", "blob:")) for url in asked)
    assert playground.complaints == []
    playground.page.close()
