"""Cloudflare's quick actions, with the real engine behind."""

import base64
import io
from typing import Any

import falcon.testing
import pikepdf
import pytest

from farm.render import Engine
from farm.settings import Settings
from tests.conftest import MakeApp
from tests.support.images import opened
from tests.support.site import Site

Client = falcon.testing.TestClient
Result = falcon.testing.Result
BASE = "/client/v4/accounts/0123456789abcdef/browser-rendering"
KEY = "0123456789abcdef"


def post(client: Client, name: str, body: object, **more: Any) -> Result:
    return client.simulate_post(f"{BASE}/{name}", json=body, **more)


def value(result: Result) -> Any:
    assert result.status_code == 200, result.text
    assert result.json["success"] is True
    assert (result.json["errors"], result.json["messages"]) == ([], [])
    return result.json["result"]


def refused(result: Result, status: int) -> list[dict[str, Any]]:
    assert result.status_code == status, result.text
    assert (result.json["success"], result.json["result"]) == (False, None)
    errors: list[dict[str, Any]] = result.json["errors"]
    assert all(isinstance(error["code"], int) and error["message"] for error in errors)
    return errors


@pytest.fixture
def page(site: Site) -> str:
    site.pages["/page"] = (
        "<title>A page</title><h1>Title</h1><a href=/a>a</a><a href='http://other.example/'>o</a>"
        "<a href=/hidden hidden>h</a><a href='mailto:a@b.example'>m</a><img src=/red.svg>"
    )
    return f"{site.url}/page"


def test_a_screenshot_is_a_png_of_its_viewport(client: Client, page: str) -> None:
    result = post(client, "screenshot", {"url": page})
    assert result.headers["Content-Type"] == "image/png"
    assert opened(result.content).size == (1920, 1080)
    body = {
        "html": "Hello World!",
        "viewport": {"width": 200, "height": 100},
        "screenshotOptions": {"type": "webp", "fullPage": True},
    }
    result = post(client, "screenshot", body)
    assert result.headers["Content-Type"] == "image/webp"
    assert opened(result.content).size == (200, 100)


def test_a_pdf_has_its_options(client: Client, page: str) -> None:
    options = {"format": "a5", "headerTemplate": "<p>x", "displayHeaderFooter": True}
    result = post(client, "pdf", {"url": page, "pdfOptions": options})
    assert result.headers["Content-Type"] == "application/pdf"
    with pikepdf.open(io.BytesIO(result.content)) as pdf:
        assert round(float(pdf.pages[0].mediabox[2])) == 420
    with pikepdf.open(io.BytesIO(post(client, "pdf", {"html": "x"}).content)) as pdf:
        assert [float(side) for side in pdf.pages[0].mediabox] == [0, 0, 612, 792]


def test_content_is_told_with_what_is_known_of_the_page(client: Client, page: str) -> None:
    body = {"url": page, "rejectResourceTypes": ["image"], "rejectRequestPattern": ["/^.*\\.(css)"]}
    result = post(client, "content", body)
    assert "<h1>Title</h1>" in value(result)
    assert result.json["meta"] == {"status": 200, "title": "A page"}


def test_a_snapshot_is_the_picture_and_the_document_of_one_load(
    client: Client, page: str, site: Site
) -> None:
    body: dict[str, Any] = {
        "url": page,
        "addScriptTag": [{"content": 'document.body.innerHTML = "Snapshot Page";'}],
        "viewport": {"width": 300, "height": 200},
        "screenshotOptions": {"type": "jpeg", "quality": 50},
    }
    result = post(client, "snapshot", body)
    found = value(result)
    assert ">Snapshot Page<" in found["content"]
    assert opened(base64.b64decode(found["screenshot"])).size == (300, 200)
    assert result.json["meta"] == {"status": 200, "title": "A page"}
    assert [path for path, _ in site.requests].count("/page") == 1
    assert set(value(post(client, "snapshot", {**body, "formats": ["content"]}))) == {"content"}
    refused(post(client, "snapshot", {"html": "x", "formats": ["markdown"]}), 400)


def test_only_kinds_that_are_allowed_are_loaded(client: Client, page: str, site: Site) -> None:
    value(post(client, "content", {"url": page, "allowResourceTypes": ["document", "script"]}))
    assert [path for path, _ in site.requests] == ["/page"]


@pytest.mark.parametrize("kind", ["xhr", "fetch"])
def test_requests_of_scripts_are_allowed_by_either_name(
    client: Client, site: Site, kind: str
) -> None:
    asks = "const x = new XMLHttpRequest(); x.open('GET', '/y', false); x.send()"
    site.pages = {"/x": f"<script>{asks}</script>", "/y": "y"}
    value(post(client, "content", {"url": f"{site.url}/x", "allowResourceTypes": [kind]}))
    assert [path for path, _ in site.requests] == ["/x", "/y"]


def test_elements_are_read_without_waiting_for_them(client: Client, page: str) -> None:
    elements = [{"selector": "h1"}, {"selector": "h6"}]
    title, none = value(post(client, "scrape", {"url": page, "elements": elements}))
    assert title["results"][0]["text"] == "Title"
    assert none == {"results": [], "selector": "h6"}


def test_links_are_all_or_those_that_are_wanted(client: Client, page: str, site: Site) -> None:
    own, other = f"{site.url}/a", "http://other.example/"
    result = post(client, "links", {"url": page})
    assert value(result) == [own, other, f"{site.url}/hidden"]
    assert result.json["meta"] == {"status": 200, "title": "A page"}
    assert value(post(client, "links", {"url": page, "visibleLinksOnly": True})) == [own, other]
    asked = {"visibleLinksOnly": True, "excludeExternalLinks": True}
    assert value(post(client, "links", {"url": page, **asked})) == [own]


def test_every_wrong_field_is_named(client: Client) -> None:
    body = {"html": "x", "colour": 1, "screenshotOptions": {"type": "gif"}}
    texts = [error["message"] for error in refused(post(client, "screenshot", body), 400)]
    assert [text.partition(":")[0] for text in texts] == ["screenshotOptions.type", "colour"]
    body = {"html": "x", "screenshotOptions": {"quality": 80}, "allowRequestPattern": ["a"]}
    texts = [error["message"] for error in refused(post(client, "screenshot", body), 400)]
    assert len(texts) == 2
    refused(post(client, "screenshot?cacheTTL=100000", {"html": "x"}), 400)
    refused(post(client, "screenshot", {"html": "x", "selector": "h1"}), 422)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, 400),
        ({"url": "http://10.0.0.1/"}, 403, 5010),
        ({"url": "/hang-up"}, 422, 5009),
        ({"url": "/slow", "gotoOptions": {"timeout": 300}}, 408, 6002),
    ],
)
def test_errors_have_its_numbers(
    client: Client, site: Site, body: dict[str, Any], status: int, code: int
) -> None:
    if body.get("url", "").startswith("/"):
        body = {**body, "url": site.url + body["url"]}
    (error,) = refused(post(client, "content", body), status)
    assert error["code"] == code


@pytest.mark.parametrize("name", ["json", "markdown", "crawl", "accessibilityTree"])
def test_what_the_farm_does_not_do_is_a_501(client: Client, name: str) -> None:
    (error,) = refused(post(client, name, {"html": "x"}), 501)
    assert error["message"].startswith("The farm")


def test_the_token_is_an_api_key(engine: Engine, make_app: MakeApp) -> None:
    client = Client(make_app(engine, Settings.model_validate({"api_keys": f"me:{KEY}"})))
    headers = {"Authorization": f"Bearer {KEY}"}
    assert post(client, "links", {"html": "x"}, headers=headers).status_code == 200
    (error,) = refused(post(client, f"links?token={KEY}", {"html": "x"}), 401)
    assert error["code"] == 10000
