"""Forms that ask for a render: the page and its files as files, the rest as JSON."""

import base64
import io
import json
from typing import Any

import falcon.testing
import pytest
from PIL import Image
from urllib3 import encode_multipart_formdata

from farm.jobs.queue import RedisJobQueue
from farm.request import HTML_OR_URL, Limits
from farm.request.source import Asset
from farm.web.request_forms import read_request
from tests.support.images import BLUE, LIME, colour

PAGE = b"<link rel=stylesheet href=css/page.css><img src=blue.png>"
CSS = b"html { background: lime } body { margin: 0 }"
OPTIONS = json.dumps({"options": {"width": 40, "height": 20}})
#: A field is its name, and its text or its file: name, bytes, type.
Field = tuple[str, str | tuple[Any, ...]]


def post(
    client: falcon.testing.TestClient, *fields: Field, route: str = "/render", **headers: str
) -> falcon.testing.Result:
    body, content_type = encode_multipart_formdata(fields)
    return client.simulate_post(route, body=body, headers={"Content-Type": content_type, **headers})


def index(html: bytes = PAGE) -> Field:
    return "file", ("index.html", html, "text/html")


def blue_png() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (20, 20), BLUE).save(file, "PNG")
    return file.getvalue()


def page() -> list[Field]:
    return [
        ("request", OPTIONS),
        index(),
        ("file", ("css/page.css", CSS, "application/octet-stream")),
        ("file", ("blue.png", blue_png(), "image/png")),
    ]


def looks_right(picture: bytes) -> bool:
    return colour(picture, 10, 10) == BLUE and colour(picture, 30, 10) == LIME


def test_a_page_has_the_files_of_its_form(client: falcon.testing.TestClient) -> None:
    answer = post(client, *page(), Accept="image/png")
    assert (answer.status_code, answer.headers["X-Image-Width"]) == (200, "40")
    assert looks_right(answer.content)


def test_it_is_a_job_too_that_is_known_by_its_key(
    client: falcon.testing.TestClient, jobs: RedisJobQueue
) -> None:
    key = {"Idempotency-Key": "4711"}
    answer = post(client, *page(), route="/render-async", **key)
    assert answer.status_code == 202
    again = post(client, *page(), route="/render-async", **key)
    assert again.json["jobId"] == answer.json["jobId"]
    assets = {
        "css/page.css": {"base64": base64.b64encode(CSS).decode()},
        "blue.png": {
            "base64": base64.b64encode(blue_png()).decode(),
            "contentType": "image/png",
        },
    }
    as_json = {"html": PAGE.decode(), "assets": assets, **json.loads(OPTIONS)}
    same = client.simulate_post("/render-async", json=as_json, headers=key)
    assert same.json["jobId"] == answer.json["jobId"]
    other = post(client, *page()[:3], route="/render-async", **key)
    assert other.json["code"] == "idempotency_conflict"


@pytest.mark.parametrize("route", ["/render", "/render-async"])
def test_the_page_may_be_markdown_or_in_the_json(
    client: falcon.testing.TestClient, route: str
) -> None:
    status = {"/render": 200, "/render-async": 202}[route]
    markdown = ("any", ("index.md", "\ufeff# Größe".encode()))
    assert post(client, markdown, route=route).status_code == status
    assert post(client, ("index.html", "<p>without a filename"), route=route).status_code == status
    in_json = ("request", ("blob", '{"html": "<img src=a.png>"}', "application/json"))
    file = ("x", ("a.png", b""))
    assert post(client, in_json, file, route=route).status_code == status


def test_only_jobs_take_a_url_in_a_form(client: falcon.testing.TestClient) -> None:
    url = ("request", '{"url": "http://example.com/"}')
    assert post(client, url, route="/render-async").status_code == 202
    refused = post(client, url)
    assert refused.json["error"] == (
        "Send index.html, index.md, or a request with html or markdown."
    )


@pytest.mark.parametrize(
    ("name", "sent", "kind"),
    [
        ("a.png", "image/png", "image/png"),
        ("a", "application/octet-stream", None),
        ("a", "Application/Octet-Stream; x=y", None),
        ("a.css", None, None),
        ("a", "text/css", "text/css; charset=utf-8"),
        ("a", "text/css; charset=latin-1", "text/css; charset=latin-1"),
        ("a", "font/woff2; v=1", "font/woff2; v=1"),
    ],
)
def test_a_files_type_is_its_own_or_its_names(name: str, sent: str | None, kind: str) -> None:
    head = f"Content-Type: {sent}\r\n" if sent else ""
    file = f'Content-Disposition: form-data; name="f"; filename="{name}"\r\n{head}\r\nx'
    page = 'Content-Disposition: form-data; name="index.html"\r\n\r\nx'
    body = f"--B\r\n{file}\r\n--B\r\n{page}\r\n--B--\r\n".encode()
    headers = {"Content-Type": "multipart/form-data; boundary=B"}
    req = falcon.testing.create_req(headers=headers)
    read = read_request(req, body, HTML_OR_URL, Limits(30_000, 1_000_000))
    found = read.assets[name]
    assert isinstance(found, Asset)
    assert (found.base64, found.content_type) == ("eA==", kind)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ([], "Send index.html, index.md, or a request with html, url or markdown."),
        (
            [("request", "{}")],
            "Send index.html, index.md, or a request with html, url or markdown.",
        ),
        ([index(b"")], "HTML content or a URL is required."),
        ([index(), index()], "index.html: given more than once."),
        ([index(), ("a", ("index.md", b"x"))], "index.md: not together with index.html."),
        ([index(), ("request", '{"html": "x"}')], "index.html: not together with html."),
        (
            [index(), ("request", '{"url": "http://a.example/"}')],
            "index.html: not together with url.",
        ),
        ([index(), ("request", "{}"), ("request", "{}")], "request: given more than once."),
        ([index(), ("title", "x")], "title: unknown field; a file needs a filename."),
        ([index(), ("a.css", "x")], "a.css: unknown field; a file needs a filename."),
        ([index(), ("f", ("", b""))], "f: its file has no name."),
        ([index(), ("f", ("a.png", b"")), ("g", ("a.png", b""))], "a.png: given more than once."),
        (
            [index(), ("f", ("a.png", b"")), ("request", '{"assets": {"a.png": ""}}')],
            "a.png: given more than once.",
        ),
        (
            [index(), ("f", ("a.png", b"")), ("request", '{"assets": []}')],
            "assets: must be an object.",
        ),
        ([index(), ("request", "{")], "The request is not valid JSON: expecting property name"),
        ([index(), ("request", "[]")], "The request must be a JSON object."),
        ([index(), ("request", '{"options": NaN}')], "The request is not valid JSON: NaN is not"),
        (
            [index(), ("request", json.dumps({"options": list(range(10_001))}))],
            "The request has far more values than a request can have.",
        ),
        ([index(), ("request", '{"cache": {"ttl": "1"}}')], "cache.ttl: must be"),
        ([index(b"\xff")], "index.html: must be UTF-8; byte 0 is wrong."),
        (
            [("f", ("index.html", b"x", "text/html; charset=latin-1"))],
            "index.html: must be UTF-8; its Content-Type names another charset.",
        ),
        (
            [("request", '{"url": "http://a.example/"}'), ("f", ("a.png", b""))],
            "assets: not together with url.",
        ),
        ([index(), ("f", ("a.png", b"", "png"))], "assets.a.png.contentType: must be a media type"),
    ],
)
def test_what_does_not_fit_is_told(
    client: falcon.testing.TestClient, fields: list[Field], sentence: str
) -> None:
    answer = post(client, *fields, route="/render-async")
    assert answer.status_code == 400
    assert answer.json["error"].startswith(sentence)


@pytest.mark.parametrize("name", ["../x", "/x", "a/../x", "a//b", "a?b", "http://a.example/x"])
def test_files_have_the_names_that_assets_may_have(
    client: falcon.testing.TestClient, name: str
) -> None:
    answer = post(client, index(), ("f", (name, b"x")))
    assert answer.status_code == 400
    assert answer.json["error"].startswith(f"assets.{name}: its name must be a relative path")


def test_a_malformed_form_is_a_400(client: falcon.testing.TestClient) -> None:
    headers = {"Content-Type": "multipart/form-data"}
    answer = client.simulate_post("/render", body=b"x", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (400, "invalid_request")


@pytest.mark.parametrize(
    ("route", "sentence"),
    [
        ("/render", "The body's Content-Type must be application/json or multipart/form-data."),
        (
            "/render-async",
            "The body's Content-Type must be application/json or multipart/form-data.",
        ),
        ("/render-url", "The body must be JSON, sent as Content-Type: application/json."),
    ],
)
def test_other_bodies_are_refused_by_what_a_route_takes(
    client: falcon.testing.TestClient, route: str, sentence: str
) -> None:
    form = post(client, index(), route=route)
    assert (form.status_code == 415) == (route == "/render-url")
    answer = client.simulate_post(route, body="x", headers={"Content-Type": "text/plain"})
    assert (answer.status_code, answer.json["error"]) == (415, sentence)
