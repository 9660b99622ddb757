"""browserless' routes, as its own clients use them, with the real engine behind."""

import base64
import io
import json
from typing import Any

import falcon.testing
import pikepdf
import pytest
from PIL import Image
from structlog.testing import capture_logs

from farm.render import Engine
from farm.settings import Settings
from tests.conftest import MakeApp
from tests.support.images import LIME, is_filled, opened
from tests.support.site import Site

Client = falcon.testing.TestClient
Result = falcon.testing.Result
KEY = "0123456789abcdef"
STRICT = (
    "<meta http-equiv=Content-Security-Policy content=\"default-src 'none';"
    " require-trusted-types-for 'script'\">"
)


def post(client: Client, path: str, body: object, **more: Any) -> Result:
    return client.simulate_post(path, json=body, **more)


def refused(result: Result, status: int) -> str:
    """The text of an error."""
    assert result.status_code == status, result.text
    assert result.headers["Content-Type"] == "text/plain; charset=UTF-8"
    return result.text.removesuffix("\n")


def picture(result: Result, media_type: str = "image/png") -> bytes:
    assert result.status_code == 200, result.text
    assert result.headers["Content-Type"] == media_type
    return result.content


@pytest.fixture
def page(site: Site) -> str:
    """The URL of a page with something of everything."""
    site.pages["/page"] = (
        "<!doctype html><title>A page</title><body style='margin:0;background:lime'>"
        "<h1 id=head class='a b' style='position:absolute;left:10px;top:20px;width:100px;"
        "height:30px;margin:0'>Hi <b>you</b></h1><img src=/red.svg>"
    )
    return f"{site.url}/page"


# What is answered.


@pytest.mark.parametrize("browser", ["", "/chromium", "/chrome"])
def test_a_screenshot_is_a_png_of_puppeteers_viewport(
    client: Client, page: str, browser: str
) -> None:
    result = post(client, f"{browser}/screenshot", {"url": page})
    assert opened(picture(result)).size == (800, 600)
    assert result.headers["X-Response-Code"] == "200"
    assert result.headers["X-Response-Status"] == "OK"
    assert result.headers["X-Response-URL"] == page


def test_a_screenshot_has_the_type_and_the_parts_that_are_asked_for(client: Client) -> None:
    html = "<body style='margin:0;height:1500px;background:lime'>"
    for type_ in ("jpeg", "webp"):
        options: dict[str, Any] = {"type": type_, "quality": 50, "fullPage": True}
        body = {"html": html, "options": options}
        assert opened(picture(post(client, "/screenshot", body), f"image/{type_}")).height == 1500
    clip = {"x": 5, "y": 1000, "width": 30, "height": 20}
    viewport = {"width": 100, "height": 50, "deviceScaleFactor": 2}
    body = {"html": html, "viewport": viewport, "options": {"clip": clip}}
    data = picture(post(client, "/screenshot", body))
    assert opened(data).size == (60, 40)
    assert is_filled(data, LIME)


def test_the_background_is_left_out_of_what_can_be_transparent(client: Client) -> None:
    body = {"html": "x", "options": {"omitBackground": True}}
    image = Image.open(io.BytesIO(picture(post(client, "/screenshot", body))))
    assert image.getpixel((700, 500)) == (0, 0, 0, 0)
    body["options"] = {"omitBackground": True, "type": "jpeg"}
    picture(post(client, "/screenshot", body), "image/jpeg")


def test_a_screenshot_may_be_base64(client: Client) -> None:
    result = post(client, "/screenshot", {"html": "x", "options": {"encoding": "base64"}})
    assert result.headers["Content-Type"] == "text/plain; charset=UTF-8"
    assert base64.b64decode(result.text).startswith(b"\x89PNG")


def test_a_screenshot_of_an_element_that_is_not_there_is_refused_at_once(
    client: Client, page: str
) -> None:
    data = picture(post(client, "/screenshot", {"url": page, "selector": "h1"}))
    assert opened(data).size == (100, 30)
    result = post(client, "/screenshot", {"url": page, "selector": "h2"})
    assert refused(result, 400) == "Element not found on page!"


def test_a_pdf_is_a_letter_without_backgrounds(client: Client, page: str) -> None:
    result = post(client, "/pdf", {"url": page})
    with pikepdf.open(io.BytesIO(picture(result, "application/pdf"))) as pdf:
        assert [float(side) for side in pdf.pages[0].mediabox] == [0, 0, 612, 792]


@pytest.mark.parametrize(
    ("options", "size"),
    [
        ({"format": "a5"}, (420, 595)),
        ({"format": "A5", "width": "1in", "landscape": True}, (595, 420)),
        ({"width": "4in", "height": 96}, (288, 72)),
        ({"height": "10cm"}, (612, 283)),
        ({"fullPage": True, "width": 300}, None),
    ],
)
def test_a_pdf_has_the_paper_that_is_asked_for(
    client: Client, options: dict[str, Any], size: tuple[int, int] | None
) -> None:
    html = "<body style='margin:0'><div style='height:3000px'>x"
    body = {"html": html, "options": {**options, "margin": {"top": "1 mm", "left": 1}}}
    result = post(client, "/pdf", body)
    with pikepdf.open(io.BytesIO(picture(result, "application/pdf"))) as pdf:
        box = [round(float(side)) for side in pdf.pages[0].mediabox]
        assert size is None or abs(box[2] - size[0]) <= 1 >= abs(box[3] - size[1])
        assert size is not None or (len(pdf.pages) == 1 and box[3] > 2000)


def test_content_is_the_document_after_its_scripts(client: Client) -> None:
    html = "<!doctype html><body><script>document.body.id = 'made'</script>"
    result = post(client, "/content", {"html": html})
    assert result.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert '<body id="made">' in result.text


# Scraping.


def test_elements_are_told_with_their_texts_attributes_and_boxes(client: Client, page: str) -> None:
    elements = [{"selector": "h1"}, {"selector": "i", "timeout": 0}]
    body = {"url": page, "elements": elements, "bestAttempt": True}
    result = post(client, "/scrape", body)
    assert result.headers["Content-Type"] == "application/json; charset=UTF-8"
    (found, none) = result.json["data"]
    assert none == {"results": [], "selector": "i"}
    assert found["selector"] == "h1"
    (element,) = found["results"]
    assert {"name": "class", "value": "a b"} in element.pop("attributes")
    assert element == {
        "height": 30,
        "html": "Hi <b>you</b>",
        "left": 10,
        "text": "Hi you",
        "top": 20,
        "width": 100,
    }


HARD = "<!-- </farm-values> --> \u00e4\u2028\U0001f600 <&amp;>"


@pytest.mark.parametrize(
    "html",
    [
        f"<!doctype html>{STRICT}<p>{HARD}</p><farm-values>[]</farm-values>",
        f"<p>{HARD}</p><iframe srcdoc='<p>no</p>'></iframe>",
    ],
)
def test_values_come_out_of_any_page_as_they_are(client: Client, html: str) -> None:
    for java_script in (True, False):
        body = {
            "html": html,
            "elements": [{"selector": "p"}],
            "setJavaScriptEnabled": java_script,
        }
        (found,) = post(client, "/scrape", body).json["data"][0]["results"]
        assert "\u00e4\u2028\U0001f600" in found["text"]


def test_xhtml_is_read_too(client: Client, site: Site) -> None:
    address = "data:application/xhtml+xml,<html xmlns='http://www.w3.org/1999/xhtml'/>"
    refused(post(client, "/scrape", {"url": address, "elements": []}), 400)
    body = {
        "url": f"{site.url}/red.svg",
        "elements": [{"selector": "rect"}],
    }
    (found,) = post(client, "/scrape", body).json["data"][0]["results"]
    assert {"name": "fill", "value": "red"} in found["attributes"]


def test_elements_are_waited_for(client: Client) -> None:
    html = "<script>setTimeout(() => document.body.innerHTML = '<i>late</i>', 300)</script>"
    body: dict[str, object] = {"html": html, "elements": [{"selector": "i"}]}
    assert post(client, "/scrape", body).json["data"][0]["results"][0]["text"] == "late"
    body = {"html": "x", "elements": [{"selector": "blink", "timeout": 100}]}
    assert "Timed out waiting for selector" in refused(post(client, "/scrape", body), 408)
    body["bestAttempt"] = True
    assert post(client, "/scrape", body).json["data"] == [{"results": [], "selector": "blink"}]


def test_what_is_not_read_in_time_is_told(client: Client, site: Site) -> None:
    body = {
        "url": f"{site.url}/with-slow-image",
        "elements": [{"selector": "img"}],
        "gotoOptions": {"timeout": 1000},
        "bestAttempt": True,
    }
    assert "was still waited for" in refused(post(client, "/scrape", body), 408)


def test_a_page_that_leaves_while_it_is_read_is_no_defect(client: Client, site: Site) -> None:
    html = f"<script>setTimeout(() => location = '{site.url}/', 200)</script>"
    body = {"html": html, "elements": [{"selector": "blink"}]}
    assert "has navigated" in refused(post(client, "/scrape", body), 400)


@pytest.mark.parametrize(
    "html",
    [
        *("<farm-values>x</farm-values>", "<farm-values>{}</farm-values>"),
        '<farm-values>{"values": 1, "title": ""}</farm-values>',
        f"<farm-values>{'[' * 5000}</farm-values>",
    ],
)
def test_what_a_page_writes_itself_is_no_defect(client: Client, html: str) -> None:
    keeps = "<script>Element.prototype.replaceChildren = () => {}</script>"
    body = {"html": keeps + html, "elements": [{"selector": "body"}]}
    assert "prevents its elements" in refused(post(client, "/scrape", body), 400)


def test_what_scraping_saw_can_be_asked_for(client: Client) -> None:
    html = "<p>x<script>console.log('hello', 1)</script>"
    debug = {"html": True, "console": True}
    result = post(client, "/scrape", {"html": html, "elements": [], "debugOpts": debug})
    assert result.json["debug"]["console"] == ["hello 1"]
    assert "<p>x<script>" in result.json["debug"]["html"]
    body = {"html": html, "elements": [], "debugOpts": {"cookies": True, "screenshot": True}}
    text = refused(post(client, "/scrape", body), 400)
    assert '"debugOpts.cookies"' in text
    assert '"debugOpts.screenshot"' in text


# What is done to the page.


def test_tags_are_added_before_anything_is_waited_for(client: Client, site: Site) -> None:
    site.pages["/late.js"] = "document.body.id = 'loaded'"
    body = {
        "html": "<body style='margin:0'><p id=p>x",
        "addScriptTag": [
            {"url": f"{site.url}/late.js"},
            {"content": "setTimeout(() => p.className = 'late', 200)"},
            {"content": "throw new Error('as in any page')"},
            {"content": "document.title = 'module'", "type": "module"},
        ],
        "addStyleTag": [{"content": "body { background: lime }"}],
        "waitForSelector": {"selector": ".late"},
        "waitForFunction": {"fn": "() => document.body.id === 'loaded'"},
    }
    content = post(client, "/content", body).text
    assert ' id="loaded"><p id="p" class="late">' in content
    assert "<title>module</title>" in content
    body["addScriptTag"] = [
        {"content": "document.body.id = 'loaded'; p.className = 'late'; p.textContent = ''"}
    ]
    assert is_filled(picture(post(client, "/screenshot", body)), LIME)


def test_a_tag_that_cannot_be_loaded_is_told(client: Client, site: Site) -> None:
    body = {"html": "x", "addScriptTag": [{"url": f"{site.url}/no.js"}]}
    assert f"could not load {site.url}/no.js" in refused(post(client, "/screenshot", body), 400)


def test_scripts_run_whatever_the_pages_policy_says(client: Client) -> None:
    html = f"<!doctype html>{STRICT}<body>"
    body = {"html": html, "addScriptTag": [{"content": "document.body.id = 'done'"}]}
    assert '<body id="done">' in post(client, "/content", body).text


@pytest.mark.parametrize(
    "wait",
    [
        {"waitForFunction": {"fn": "() => document.body.id"}},
        {"waitForFunction": {"fn": "document.body.id === 'late';", "polling": "mutation"}},
        {
            "waitForFunction": {
                "fn": "async () => { while (!document.body.id) await new Promise((done) => "
                "setTimeout(done, 20)); return 0 }"
            }
        },
        {"waitForSelector": {"selector": "#late"}},
        {"waitForSelector": {"selector": "#gone", "hidden": True}},
        {"waitForTimeout": 900},
        {"waitForEvent": {"event": "late"}},
        {"waitForEvent": {"event": "late"}, "waitForFunction": {"fn": "() => 1"}},
    ],
)
def test_what_is_waited_for_is_there(client: Client, wait: dict[str, Any]) -> None:
    html = """<body><p id=gone>x</p><script>setTimeout(() => {
        document.body.id = 'late'; gone.remove(); dispatchEvent(new Event('late'));
    }, 500)</script>"""
    assert '<body id="late">' in post(client, "/content", {"html": html, **wait}).text


@pytest.mark.parametrize(
    "wait",
    [
        {"waitForFunction": {"fn": "() => false", "timeout": 300}},
        {"waitForFunction": {"fn": "() => nothing.of.it", "timeout": 300}},
        {"waitForSelector": {"selector": "#never", "timeout": 300}},
        {"waitForEvent": {"event": "never", "timeout": 300}},
    ],
)
def test_a_best_attempt_goes_on_after_a_wait(client: Client, wait: dict[str, Any]) -> None:
    body = {"html": "<body>x", **wait, "bestAttempt": True, "scrollPage": True}
    picture(post(client, "/screenshot", body))
    body["bestAttempt"] = False
    assert post(client, "/screenshot", body).status_code in (400, 408)


def test_a_best_attempt_is_made_of_a_page_that_loads_for_ever(client: Client, site: Site) -> None:
    body: dict[str, Any] = {"url": f"{site.url}/with-slow-image", "gotoOptions": {"timeout": 1500}}
    refused(post(client, "/screenshot", body), 408)
    picture(post(client, "/screenshot", {**body, "bestAttempt": True}))


def test_java_script_can_be_off(client: Client) -> None:
    html = "<body><script>document.body.id = 'ran'</script><noscript>off</noscript>"
    body = {"html": html, "setJavaScriptEnabled": False}
    assert "ran'</script>" in post(client, "/content", body).text
    assert '<body id="ran">' not in post(client, "/content", body).text


# What it sends and loads.


def test_cookies_headers_and_the_user_agent_are_sent(client: Client, site: Site) -> None:
    site.pages["/echo"] = "<body><script>document.body.append(navigator.userAgent)</script>"
    body = {
        "url": f"{site.url}/echo",
        "cookies": [
            {"name": "a", "value": "1", "domain": "127.0.0.1", "expires": -1, "priority": "High"},
            {"name": "b", "value": "2", "url": site.url},
        ],
        "setExtraHTTPHeaders": {"X-Mine": "yes"},
        "userAgent": {"userAgent": "Mine/1.0"},
    }
    assert "Mine/1.0" in post(client, "/content", body).text
    assert ("/echo", "a=1; b=2") in site.requests


def test_what_is_rejected_is_not_asked_for(client: Client, site: Site) -> None:
    site.pages["/page"] = "<img src=/red.svg?1><img src=/red.svg?2><script src=/x.js></script>"
    body = {
        "url": f"{site.url}/page",
        "rejectRequestPattern": [r"svg\?(1|3)$"],
        "rejectResourceTypes": ["script", "texttrack"],
    }
    picture(post(client, "/screenshot", body))
    assert {path for path, _ in site.requests} == {"/page", "/red.svg?2"}


def test_requests_are_answered_from_the_body(client: Client, site: Site) -> None:
    site.pages["/page"] = """<body><img src=/pixel.svg><script>
        fetch('/data.json').then((answer) => answer.json())
            .then(({ data }) => { document.body.id = 'd' + data })
        </script>"""
    red = b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>"
    svg = {"contentType": "image/svg+xml", "body": base64.b64encode(red).decode()}
    json_ = {"body": '{"data": 123}', "contentType": "application/json", "status": 200}
    body = {
        "url": f"{site.url}/page",
        "requestInterceptors": [
            {"pattern": ".*data.json", "response": json_},
            {"pattern": r"\.svg$", "response": svg},
        ],
        "waitForSelector": {"selector": "#d123"},
        "waitForFunction": {"fn": "() => document.images[0].naturalWidth === 9"},
    }
    assert '<body id="d123">' in post(client, "/content", body).text
    assert [path for path, _ in site.requests] == ["/page"]


# What is refused.


def test_every_wrong_field_is_named(client: Client) -> None:
    body: dict[str, object] = {
        "html": "x",
        "colour": "red",
        "options": {"type": "gif", "quality": "high"},
        "viewport": {"width": 100},
        "gotoOptions": {"waitUntil": "soon"},
        "cookies": [{"name": "a"}],
        "addScriptTag": [{"path": "/etc/passwd"}],
    }
    text = refused(post(client, "/screenshot", body), 400)
    assert text.startswith("POST Body validation failed: ")
    for name in (
        *('"colour"', '"options.type"', '"options.quality"', '"viewport.height"'),
        *('"gotoOptions.waitUntil"', '"cookies.0.value"', '"addScriptTag.0.path"'),
    ):
        assert name in text
    body = {
        "html": "x",
        "viewport": {"width": 0, "height": 99_999},
        "rejectRequestPattern": ["(?=a)"],
        "rejectResourceTypes": ["document"],
        "setExtraHTTPHeaders": {"Host": "a"},
        "waitForTimeout": 1_000_000,
        "options": {"clip": {"x": -1, "y": 0, "width": 1, "height": 1}},
    }
    text = refused(post(client, "/screenshot", body), 400)
    for name in (
        *('"viewport.width"', '"viewport.height"', '"rejectRequestPattern"'),
        *('"rejectResourceTypes"', '"setExtraHTTPHeaders"', '"waitForTimeout"', '"options.clip.x"'),
    ):
        assert name in text


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        ("/screenshot", {}, 'One of "url" or "html" properties are required.'),
        ("/screenshot", {"html": "x", "options": {"quality": 5}}, "png has no quality"),
        ("/screenshot", {"html": "x", "options": {"path": "a.png"}}, '"options.path" unknown'),
        ("/screenshot", {"html": "x", "selector": "<"}, "selector"),
        ("/screenshot", {"html": "x", "waitForSelector": {"selector": "<"}}, '"waitForSelector'),
        ("/screenshot", {"html": "x", "waitForFunction": {"fn": "("}}, "SyntaxError"),
        ("/pdf", {"html": "x", "options": {"fullPage": True, "format": "a4"}}, '"fullPage" option'),
        ("/pdf", {"html": "x", "options": {"format": "b5"}}, '"options.format" must be one of'),
        ("/pdf", {"html": "x", "options": {"margin": {"top": "-1px"}}}, '"options.margin.top"'),
        ("/scrape", {"html": "x", "elements": [{"selector": "<"}]}, '"elements.0.selector"'),
        ("/scrape", {"html": "x"}, '"elements" missing'),
        ("/screenshot?launch=x", {"html": "x"}, 'validation failed: "launch"'),
        ("/screenshot?colour=x", {"html": "x"}, 'Query-parameter validation failed: "colour"'),
        ("/screenshot?timeout=soon", {"html": "x"}, '"timeout" must be an integer'),
        ("/screenshot?--proxy-server=x", {"html": "x"}, "--proxy-server"),
    ],
)
def test_what_cannot_be_is_a_400_that_says_so(
    client: Client, path: str, body: dict[str, Any], said: str
) -> None:
    assert said in refused(post(client, path, body), 400)


def test_what_is_no_json_is_refused(client: Client) -> None:
    headers = {"Content-Type": "application/json"}
    refused(client.simulate_post("/pdf", body=b"{", headers=headers), 400)
    refused(client.simulate_post("/pdf", body=b"{}", headers={"Content-Type": "text/css"}), 404)
    refused(client.simulate_get("/pdf"), 404)


def test_fates_of_pages_have_the_statuses_that_its_clients_know(client: Client, site: Site) -> None:
    text = refused(post(client, "/screenshot?timeout=300", {"url": f"{site.url}/slow"}), 408)
    assert "gotoOptions.waitUntil was still waited for" in text
    refused(post(client, "/screenshot", {"url": "http://10.0.0.1/"}), 403)
    refused(post(client, "/screenshot", {"url": f"{site.url}/hang-up"}), 422)
    refused(post(client, "/screenshot", {"url": "file:///etc/passwd"}), 400)


@pytest.mark.parametrize(
    "launch",
    [
        {"headless": True, "args": ["--no-sandbox", "--window-size=1920,1080"]},
        {"defaultViewport": {"width": 300, "height": 200}, "stealth": False},
    ],
)
def test_harmless_ways_to_launch_are_accepted(client: Client, launch: dict[str, Any]) -> None:
    text = json.dumps(launch)
    width = launch.get("defaultViewport", {}).get("width", 800)
    for value in (text, base64.b64encode(text.encode()).decode()):
        result = post(client, "/screenshot", {"html": "x"}, params={"launch": value})
        assert opened(picture(result)).width == width
    old = "headless=false&stealth=false&--mute-audio&blockAds=false&trackingId=a"
    picture(post(client, f"/screenshot?{old}", {"html": "x"}))


def test_other_ways_to_launch_are_named(client: Client) -> None:
    launch = {"args": ["--mute-audio", "--proxy-server=a"], "stealth": True, "userDataDir": "/"}
    result = post(client, "/pdf", {"html": "x"}, params={"launch": json.dumps(launch)})
    text = refused(result, 400)
    assert '"launch.stealth"' in text
    assert '"launch.userDataDir"' in text
    result = post(client, "/pdf?launch={}&stealth&--user-data-dir=a", {"html": "x"})
    assert '"launch.stealth" must be false' in refused(result, 400)
    result = post(client, '/pdf?launch={"args":["--lang=de"]}&--user-data-dir=a', {"html": "x"})
    assert '"launch.args.1" --user-data-dir' in refused(result, 400)


def test_names_of_one_option_are_told_apart(client: Client) -> None:
    paper = post(client, "/pdf", {"html": "x", "options": {"width": 1}})
    assert '"options.width" must be at least' in refused(paper, 400)
    for wait in ({"waitForFunction": {"fn": "0"}}, {"waitForEvent": {"event": "x"}}):
        text = refused(post(client, "/content?timeout=1500", {"html": "x", **wait}), 408)
        assert f"{next(iter(wait))} was still waited for" in text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/function"),
        ("POST", "/chrome/performance"),
        ("POST", "/download"),
        ("GET", "/chromium"),
        ("GET", "/chromium/playwright"),
        ("GET", "/json/version"),
        ("GET", "/devtools/browser/1"),
        ("GET", "/config"),
    ],
)
def test_what_the_farm_does_not_do_is_a_501(client: Client, method: str, path: str) -> None:
    assert refused(client.simulate_request(method, path), 501).startswith("The farm")


# Callers and operators.


def test_the_token_is_an_api_key_and_is_told_nowhere(engine: Engine, make_app: MakeApp) -> None:
    client = Client(make_app(engine, Settings.model_validate({"api_keys": f"me:{KEY}"})))
    with capture_logs() as logs:
        picture(post(client, f"/screenshot?token={KEY}", {"html": "x"}))
        for path in ("/screenshot", f"/screenshot?token={KEY}0", f"/screenshot?key={KEY}"):
            said = refused(post(client, path, {"html": "x"}), 401)
            assert said == "Bad or missing authentication."
        assert client.simulate_post(f"/render?token={KEY}", json={"html": "x"}).status_code == 401
        metrics = client.simulate_get("/metrics", headers={"X-Api-Key": KEY}).text
    assert KEY not in str(logs)
    assert KEY not in metrics
    assert 'route="/screenshot"' in metrics


def test_pressure_tells_whether_there_is_room(client: Client) -> None:
    pressure = client.simulate_get("/pressure").json["pressure"]
    assert pressure["isAvailable"] is True
    assert pressure["maxConcurrent"] > 0
    result = client.simulate_get("/pressure", headers={"Accept": "text/plain"})
    assert (result.status_code, result.text.strip()) == (200, "")
    assert client.simulate_get("/active").status_code == 204
    assert client.simulate_get("/meta").json["version"]


def test_the_routes_are_there_only_if_they_are_wanted(engine: Engine, make_app: MakeApp) -> None:
    client = Client(make_app(engine, Settings(compat=())))
    assert client.simulate_post("/screenshot", json={"html": "x"}).status_code == 404
