"""The routes over a real engine, without a server between."""

import base64
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import falcon.testing
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from farm.render import Engine
from farm.settings import Settings
from tests.conftest import MakeApp
from tests.support.farm_process import wait_until
from tests.support.images import LIME, is_filled
from tests.support.site import Site
from tests.web.answers import assert_is_error

Client = falcon.testing.TestClient
GREEN = "<body style='background:lime'>"


@pytest.mark.parametrize(
    ("format_", "media_type", "magic"),
    [
        ("png", "image/png", b"\x89PNG"),
        ("jpeg", "image/jpeg", b"\xff\xd8\xff"),
        ("jpg", "image/jpeg", b"\xff\xd8\xff"),
        ("webp", "image/webp", b"RIFF"),
        ("pdf", "application/pdf", b"%PDF"),
    ],
)
def test_html_is_answered_as_json(
    client: Client, format_: str, media_type: str, magic: bytes
) -> None:
    body = {"html": GREEN, "options": {"width": 64, "height": 32, "format": format_}}
    result = client.simulate_post("/render", json=body)
    assert result.status_code == 200
    assert result.json["success"] is True
    data = result.json["data"]
    file = base64.b64decode(data["imageBase64"])
    assert file.startswith(magic)
    pages = {"pages": 1} if format_ == "pdf" else {}
    assert data == pages | {
        "imageBase64": data["imageBase64"],
        "contentType": media_type,
        "size": len(file),
        "format": media_type.partition("/")[2],
        "width": 64,
        "height": 32,
        "requestId": result.headers["X-Request-Id"],
    }
    uuid.UUID(data["requestId"], version=4)


def test_a_url_is_answered_with_the_url_and_where_it_led(client: Client, site: Site) -> None:
    url = site.url + "/redirect?to=/missing"
    result = client.simulate_post("/render-url", json={"url": url})
    assert result.status_code == 200
    data = result.json["data"]
    assert (data["url"], data["finalUrl"], data["status"]) == (url, site.url + "/missing", 404)


def test_a_report_is_told_in_json_with_the_timings_of_the_header(client: Client) -> None:
    result = client.simulate_post("/render", json={"html": "<p>x", "report": True})
    timings = dict(result.json["data"]["report"]["timings"])
    assert timings.pop("report") >= 0
    durations = re.findall(r"(\w+);dur=(\d+\.\d)", result.headers["Server-Timing"])
    assert {name: float(duration) for name, duration in durations} == timings


def test_a_file_itself_comes_without_its_report(client: Client) -> None:
    body = {"html": GREEN, "report": True}
    result = client.simulate_post("/render", json=body, headers={"Accept": "image/png"})
    assert is_filled(result.content, LIME)


def test_the_file_itself_is_answered_to_those_who_accept_it(client: Client) -> None:
    result = client.simulate_post("/render", json={"html": GREEN}, headers={"Accept": "image/*"})
    assert result.headers["Content-Type"] == "image/png"
    assert result.headers["X-Image-Width"] == "1280"
    assert result.headers["X-Image-Height"] == "720"
    assert int(result.headers["Content-Length"]) == len(result.content)
    assert is_filled(result.content, LIME)


def test_a_document_says_how_it_is_encoded(client: Client) -> None:
    body = {"html": "<!doctype html><p>\u00fc", "options": {"format": "html"}}
    result = client.simulate_post("/render", json=body, headers={"Accept": "text/html"})
    assert result.headers["Content-Type"] == "text/html; charset=utf-8"
    assert result.text == "<!DOCTYPE html><html><head></head><body><p>\u00fc</p></body></html>"


def test_a_type_that_is_not_the_formats_is_refused_before_it_is_rendered(client: Client) -> None:
    result = client.simulate_post("/render", json={"html": "x"}, headers={"Accept": "image/jpeg"})
    assert_is_error(result, 406, "not_acceptable")


@pytest.mark.parametrize("accept", ["application/json", "image/png"])
def test_timings_go_to_the_client(client: Client, accept: str) -> None:
    result = client.simulate_post("/render", json={"html": "x"}, headers={"Accept": accept})
    durations = re.findall(r"(\w+);dur=(\d+\.\d)", result.headers["Server-Timing"])
    assert [name for name, _ in durations] == ["wait", "load", "settle", "capture"]


def test_a_sane_request_id_of_the_caller_comes_back(client: Client) -> None:
    headers = {"X-Request-Id": "Order_7.a-1"}
    result = client.simulate_post("/render", json={"html": "x"}, headers=headers)
    assert result.headers["X-Request-Id"] == "Order_7.a-1"
    uuid.UUID(result.json["data"]["requestId"], version=4)


@pytest.mark.parametrize("callers", ["", "two words", "x" * 129, "a/b", "ü"])
def test_any_other_request_id_is_replaced(client: Client, callers: str) -> None:
    result = client.simulate_get("/status", headers={"X-Request-Id": callers})
    uuid.UUID(result.headers["X-Request-Id"], version=4)


def test_every_problem_of_a_request_is_listed(client: Client) -> None:
    result = client.simulate_post("/render", json={"options": {"width": "wide", "colour": 1}})
    body = assert_is_error(result, 400, "invalid_request")
    assert body["details"] == [
        {"field": "html", "problem": "missing"},
        {"field": "options.width", "problem": "must be an integer"},
        {"field": "options.colour", "problem": "unknown field"},
    ]


def test_every_failure_of_a_page_is_listed(client: Client) -> None:
    options = {"failOn": {"pageError": True, "missingSelector": True}, "click": ["#none"]}
    body = {"html": "<script>none.such</script>", "options": options}
    answer = assert_is_error(client.simulate_post("/render", json=body), 422, "page_failed")
    assert [each["field"] for each in answer["details"]] == [
        "options.failOn.pageError",
        "options.failOn.missingSelector",
    ]
    assert answer["error"].endswith(" 1 more in details.")


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "data:text/html,x", "example.com", "http://"]
)
def test_a_url_that_is_not_http_is_refused(client: Client, url: str) -> None:
    assert_is_error(client.simulate_post("/render-url", json={"url": url}), 400, "invalid_url")


def test_a_url_that_cannot_be_loaded_is_told_without_other_programs_words(client: Client) -> None:
    url = "http://127.0.0.1:1025/?secret"
    body = assert_is_error(
        client.simulate_post("/render-url", json={"url": url}), 422, "navigation_failed"
    )
    assert "net::" not in body["error"]
    assert "secret" not in body["error"]


def test_too_many_pixels_are_refused(client: Client) -> None:
    body = {"html": "x", "options": {"width": 16_384, "height": 16_384}}
    assert_is_error(client.simulate_post("/render", json=body), 422, "output_too_large")


def test_a_deadline_that_passes_is_a_504(make_engine: Any, make_app: MakeApp) -> None:
    engine = make_engine(render_deadline_s=1)
    client = Client(make_app(engine))
    body = {"html": "<script>while (true);</script>"}
    error = assert_is_error(client.simulate_post("/render", json=body), 504, "render_timeout")
    assert error["error"] == "The page did not finish within 1 s."


def test_a_busy_farm_says_when_to_come_back(
    make_engine: Any, site: Site, make_app: MakeApp
) -> None:
    engine = make_engine(pages_per_browser=1, max_waiting=0)
    client = Client(make_app(engine))
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(client.simulate_post, "/render-url", json={"url": site.url + "/slow"})
        wait_until(lambda: engine.status.rendering == 1)
        result = client.simulate_post("/render", json={"html": "x"})
        assert_is_error(result, 503, "busy")
        assert int(result.headers["Retry-After"]) >= 1
        site.hold.set()
        assert held.result().status_code == 200


def test_a_farm_without_a_browser_says_so(make_app: MakeApp) -> None:
    engine = Engine(Settings(chromium_path="/bin/false"))
    client = Client(make_app(engine))
    result = client.simulate_get("/health")
    assert_is_error(result, 503, "browser_unavailable")
    assert int(result.headers["Retry-After"]) >= 1


def test_a_defect_is_a_500_that_tells_nothing(
    client: Client, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("/etc/secret: the inner life of the farm")

    monkeypatch.setattr(engine, "render", fail)
    result = client.simulate_post("/render", json={"html": "x"})
    assert_is_error(result, 500, "internal_error")
    assert "secret" not in result.text


@pytest.mark.parametrize("path", ["/render//x", "/renders", "/render/", "/%00", "/Render"])
def test_an_unknown_address_is_a_404(client: Client, path: str) -> None:
    assert_is_error(client.simulate_post(path, json={"html": "x"}), 404, "not_found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("GET", "/render", "POST"), ("PUT", "/render-url", "POST"), ("POST", "/health", "GET")],
)
def test_an_unknown_method_is_a_405(client: Client, method: str, path: str, allowed: str) -> None:
    result = client.simulate_request(method, path)
    assert_is_error(result, 405, "method_not_allowed")
    assert allowed in result.headers["Allow"]


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "json"])
def test_a_body_that_is_not_json_by_its_type_is_a_415(client: Client, media_type: str) -> None:
    result = client.simulate_post("/render", body=b"{}", content_type=media_type)
    assert_is_error(result, 415, "unsupported_media_type")


def test_a_charset_is_no_other_type(client: Client) -> None:
    result = client.simulate_post(
        "/render", body=b'{"html": "x"}', content_type="application/JSON; charset=utf-8"
    )
    assert result.status_code == 200


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[]", b'{"html": NaN}', b"[" * 10_000])
def test_a_body_that_is_not_json_is_a_400(client: Client, body: bytes) -> None:
    result = client.simulate_post("/render", body=body, content_type="application/json")
    assert_is_error(result, 400, "invalid_request")


FIELDS = st.sampled_from(["html", "url", "options", "x"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda children: (
        st.lists(children, max_size=3)
        | st.dictionaries(
            st.sampled_from(["width", "height", "format", "waitFor"]), children, max_size=3
        )
    ),
    max_leaves=6,
)


@given(
    path=st.sampled_from(["/render", "/render-url", "/health", "/status", "/nowhere"]),
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "DELETE"]),
    body=st.dictionaries(FIELDS, VALUES) | VALUES,
    accept=st.text(st.characters(codec="latin-1", exclude_categories=["C"]), max_size=30),
)
@hypothesis_settings(max_examples=60)
def test_no_request_is_a_500(
    client: Client, path: str, method: str, body: object, accept: str
) -> None:
    result = client.simulate_request(method, path, json=body, headers={"Accept": accept})
    assert result.status_code < 500
    if result.status_code >= 400 and method != "HEAD":
        assert result.json["success"] is False


def test_health_is_quick_to_say_ok(client: Client) -> None:
    result = client.simulate_get("/health")
    assert result.status_code == 200
    assert result.json["status"] == "ok"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", result.json["timestamp"])


def test_status_tells_what_the_worker_has(client: Client, engine: Engine) -> None:
    body = client.simulate_get("/status").json
    assert body["status"] == "running"
    assert body["service"] == "render-farm"
    assert body["capacity"] == {"pages": 32, "waiting": 32}
    assert set(body["use"]) == {"rendering", "waiting", "spareContexts", "keptContexts"}
    # Other tests have used the browser before.
    assert body["browser"] == {
        "up": True,
        "restarts": engine.status.browser_restarts,
        "recycles": engine.status.browser_recycles,
    }
    assert body["uptimeSeconds"] >= 0


def test_there_are_no_cors_headers_unless_set(client: Client) -> None:
    result = client.simulate_get("/status", headers={"Origin": "https://a.example"})
    assert not [name for name in result.headers if name.lower().startswith("access-control")]


def test_a_named_origin_may_call(engine: Engine, make_app: MakeApp) -> None:
    settings = Settings(cors_origins=("https://a.example",))
    client = Client(make_app(engine, settings))
    result = client.simulate_get("/status", headers={"Origin": "https://a.example"})
    assert result.headers["Access-Control-Allow-Origin"] == "https://a.example"
    result = client.simulate_get("/status", headers={"Origin": "https://b.example"})
    assert "Access-Control-Allow-Origin" not in result.headers
    preflight = client.simulate_options(
        "/render",
        headers={
            "Origin": "https://a.example",
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "Content-Type",
        },
    )
    assert "POST" in preflight.headers["Access-Control-Allow-Methods"]


def test_an_error_has_cors_headers_too(engine: Engine, make_app: MakeApp) -> None:
    client = Client(make_app(engine, Settings(cors_origins=("*",))))
    result = client.simulate_get("/nowhere", headers={"Origin": "https://a.example"})
    assert result.headers["Access-Control-Allow-Origin"] == "*"


def test_what_the_policy_refuses_of_a_page_is_told(client: Client) -> None:
    html = "<img src=http://10.0.0.1/a><img src=http://10.0.0.1/b>"
    data = client.simulate_post("/render", json={"html": html}).json["data"]
    assert data["blocked"] == [{"host": "10.0.0.1", "reason": "its address is not public"}]


def test_an_answer_without_refusals_does_not_speak_of_them(client: Client) -> None:
    assert "blocked" not in client.simulate_post("/render", json={"html": "<p>"}).json["data"]


def test_a_url_that_the_policy_refuses_is_a_403(client: Client) -> None:
    url = {"url": "http://169.254.169.254/latest/meta-data"}
    error = assert_is_error(client.simulate_post("/render-url", json=url), 403, "url_refused")
    assert "169.254.169.254: its address is not public" in error["error"]
