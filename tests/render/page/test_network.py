"""What a page sends and loads, as recorded by the sites that it speaks to."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, unquote

import pytest

from farm.errors import InvalidRequest, NavigationFailed
from farm.render import Engine
from tests.conftest import request_for
from tests.support.images import LIME, colour
from tests.support.recording_site import (
    PASSWORD,
    USERNAME,
    RecordingSite,
    running_recording_site,
)

SECRET = "s3cret-of-the-page"
HEADERS = {"X-Secret": SECRET}
AUTH = {"username": USERNAME, "password": PASSWORD}


@pytest.fixture
def own() -> Iterator[RecordingSite]:
    with running_recording_site(pages={}) as site:
        yield site


@pytest.fixture
def other() -> Iterator[RecordingSite]:
    """Another site: Chromium draws its frames in another process."""
    with running_recording_site("127.0.0.2", pages={}) as site:
        yield site


def redirect(site: RecordingSite, to: str, path: str = "/redirect") -> str:
    return f"{site.url}{path}?to={quote(to, safe='')}"


def fill(own: RecordingSite, other: RecordingSite) -> None:
    """A page that loads all there is of its own site, of another one, and by redirects."""
    round_trip = redirect(own, redirect(other, own.url + "/own/after-both.svg"))
    own.pages = {
        "/": f"""<link rel=stylesheet href=/own/style.css><img src=/own/image.svg>
            <img src={other.url}/image.svg><img src='{redirect(own, other.url + "/after-own.svg")}'>
            <img src='{round_trip}'><iframe src={other.url}/frame></iframe>
            <script>
              fetch('/own/fetched.txt');
              fetch('/own/posted', {{method: 'POST', body: 'x'.repeat(100000)}});
              fetch('{redirect(own, other.url + "/fetched-after-own.txt")}');
              new Worker('/own/worker.js');
            </script>""",
        "/own/worker.js": f"""importScripts('/own/imported.js'); fetch('/own/of-worker.txt');
            fetch('{other.url}/of-worker.txt'); new Worker('/own/nested-worker.js')""",
        "/own/nested-worker.js": "fetch('/own/of-nested-worker.txt')",
        "/own/nested": f"<img src=/own/nested.svg><img src={other.url}/nested.svg>",
    }
    other.pages = {
        "/frame": f"""<img src=/of-frame.svg><iframe src={own.url}/own/nested></iframe>
            <script>fetch('{own.url}/cross-origin.txt')</script>"""
    }


OWN_PATHS = {
    "/",
    *("/own/style.css", "/own/image.svg", "/own/fetched.txt", "/own/posted", "/own/worker.js"),
    *(
        "/own/imported.js",
        "/own/of-worker.txt",
    ),
    *("/own/of-nested-worker.txt", "/own/nested", "/own/nested.svg", "/own/after-both.svg"),
}
OTHER_PATHS = {
    *("/image.svg", "/after-own.svg", "/frame", "/of-frame.svg", "/fetched-after-own.txt"),
    *("/of-worker.txt", "/nested.svg"),
}


def test_headers_go_to_the_pages_own_origin_alone(
    engine: Engine, own: RecordingSite, other: RecordingSite
) -> None:
    fill(own, other)
    engine.render(request_for(engine, url=own.url + "/", headers=HEADERS))
    assert set(own.paths()) >= OWN_PATHS
    assert set(other.paths()) >= OTHER_PATHS
    sent = own.values("X-Secret")
    assert {path: sent[path] for path in OWN_PATHS} == dict.fromkeys(OWN_PATHS, SECRET)
    # Another origin's script asks for one; Chromium tells of no script of a worker's worker.
    without = {path for path, value in sent.items() if value != SECRET}
    assert without == {"/cross-origin.txt", "/own/nested-worker.js"}
    assert set(other.values("X-Secret").values()) == {None}
    posted = [each for each in own.sent if each.path == "/own/posted"]
    assert [(each.method, len(each.body)) for each in posted] == [("POST", 100_000)]


@pytest.fixture(params=["http", "https"])
def sites(
    request: pytest.FixtureRequest,
) -> Iterator[tuple[Engine, RecordingSite, RecordingSite]]:
    """An engine and two sites that it may reach."""
    is_tls = request.param == "https"
    engine = request.getfixturevalue("trusting_engine" if is_tls else "engine")
    with (
        running_recording_site(pages={}, tls=is_tls) as own,
        running_recording_site("127.0.0.2", pages={}, tls=is_tls) as other,
    ):
        yield engine, own, other


Sites = tuple[Engine, RecordingSite, RecordingSite]


def test_headers_and_cookies_stay_behind_where_the_page_is_redirected(sites: Sites) -> None:
    engine, own, other = sites
    url = redirect(own, redirect(other, own.url + "/back"))
    cookies = [{"name": "token", "value": SECRET}]
    engine.render(request_for(engine, url=url, headers=HEADERS, cookies=cookies))
    for header, value in (("X-Secret", SECRET), ("Cookie", f"token={SECRET}")):
        assert [each.headers.get(header) for each in own.sent] == [value, value]
        assert [each.headers.get(header) for each in other.sent] == [None]


def test_a_page_that_ends_at_another_origin_is_sent_nothing_there(sites: Sites) -> None:
    engine, own, other = sites
    other.pages = {"/": f"<img src=/image.svg><img src={own.url}/image.svg>"}
    url = redirect(own, other.url + "/")
    engine.render(request_for(engine, url=url, headers=HEADERS, auth=AUTH))
    assert other.values("X-Secret") == {"/": None, "/image.svg": None}
    assert set(own.values("X-Secret").values()) == {SECRET}


def test_a_redirect_keeps_its_method_and_its_body(
    engine: Engine, own: RecordingSite, other: RecordingSite
) -> None:
    to = redirect(own, own.url + "/end", "/redirect-307")
    own.pages = {"/": f"<script>fetch('{to}', {{method: 'POST', body: 'x'.repeat(9)}})</script>"}
    engine.render(request_for(engine, url=own.url + "/", headers=HEADERS))
    end = own.sent[-1]
    assert (end.path, end.method, end.body) == ("/end", "POST", b"x" * 9)
    assert end.headers["X-Secret"] == SECRET


def test_no_site_hears_of_an_address_that_is_the_farms_own(
    engine: Engine, own: RecordingSite
) -> None:
    html = f"<img src='{own.url}/a'><iframe src='{own.url}/b'></iframe><script>location</script>"
    engine.render(request_for(engine, html, waitFor=1))
    assert len(own.sent) == 2
    assert [each.headers.get("Referer") for each in own.sent] == [None, None]


def test_headers_take_the_place_of_the_browsers_own(engine: Engine, own: RecordingSite) -> None:
    headers = {"user-agent": "mine", "Accept": "text/x", "Referer": "https://example.com/a"}
    engine.render(request_for(engine, url=own.url + "/", headers=headers))
    sent = own.sent[0].headers
    assert sent.get_all("User-Agent") == ["mine"]
    assert sent.get_all("Accept") == ["text/x"]
    assert sent.get_all("Referer") == ["https://example.com/a"]


def test_a_password_opens_the_page_and_what_it_loads(sites: Sites) -> None:
    engine, own, other = sites
    own.pages = {
        "/private": f"""<body style="background: lime"><img src=/private.svg>
            <iframe src=/private/frame></iframe><iframe src={other.url}/frame></iframe>
            <script>new Worker('/private-worker.js')</script>""",
        "/private-worker.js": "fetch('/private-worker.txt')",
    }
    other.pages = {"/frame": f"<iframe src={own.url}/private/nested></iframe>"}
    result = engine.render(request_for(engine, url=own.url + "/private", auth=AUTH))
    assert result.status == 200
    assert colour(result.data, 900, 600) == LIME
    wanted = {"/private", "/private.svg", "/private/frame", "/private-worker.txt"}
    sent = own.values("Authorization")
    assert {path for path, value in sent.items() if value} >= {*wanted, "/private/nested"}
    assert set(other.values("Authorization").values()) == {None}


def test_a_password_is_not_for_other_origins(
    engine: Engine, own: RecordingSite, other: RecordingSite
) -> None:
    own.pages = {
        "/": f"""<img src={other.url}/private.svg><iframe src={other.url}/private></iframe>
            <img src='{redirect(own, other.url + "/private-redirected.svg")}'>"""
    }
    engine.render(request_for(engine, url=own.url + "/", auth=AUTH))
    paths = ["/private", "/private-redirected.svg", "/private.svg"]
    assert sorted(other.values("Authorization").items()) == [(path, None) for path in paths]


def test_a_wrong_password_is_tried_once(engine: Engine, own: RecordingSite) -> None:
    own.pages = {"/": "".join(f"<img src=/private-{number}.svg>" for number in range(9))}
    auth = {"username": USERNAME, "password": "wrong"}
    result = engine.render(request_for(engine, url=own.url + "/private", auth=auth))
    assert result.status == 401
    assert [bool(each.headers["Authorization"]) for each in own.sent] == [False, True]


def test_cookies_have_the_attributes_that_they_are_given(sites: Sites) -> None:
    engine, own, other = sites
    is_tls = own.url.startswith("https")
    cookies: list[dict[str, Any]] = [
        {"name": "plain", "value": "a b=c"},
        {"name": "hidden", "value": "1", "httpOnly": True},
        {"name": "deep", "value": "2", "path": "/deep"},
        {"name": "old", "value": "3", "expires": 1},
        {"name": "lasting", "value": "4", "expires": 4_000_000_000},
        {"name": "strict", "value": "5", "sameSite": "Strict"},
        {"name": "named", "value": "6", "domain": "127.0.0.1"},
        {"name": "theirs", "value": "7", "url": other.url},
        {"name": "their-lax", "value": "8", "domain": "127.0.0.2", "sameSite": "Lax"},
    ]
    if is_tls:
        cookies += [
            {"name": "__Host-safe", "value": "9", "secure": True},
            {"name": "none", "value": "10", "secure": True, "sameSite": "None", "url": other.url},
        ]
    own.pages = {
        "/": f"""<img src=/deep/image.svg><img src={other.url}/image.svg>
            <script>fetch('/report?' + encodeURIComponent(document.cookie))</script>"""
    }
    engine.render(request_for(engine, url=own.url + "/", cookies=cookies))
    sent = {path.partition("?")[0]: value for path, value in own.values("Cookie").items()}
    everywhere = {"plain=a b=c", "hidden=1", "lasting=4", "strict=5", "named=6"}
    everywhere |= {"__Host-safe=9"} if is_tls else set()
    assert set((sent["/"] or "").split("; ")) == everywhere
    assert set((sent["/deep/image.svg"] or "").split("; ")) == everywhere | {"deep=2"}
    (seen,) = (unquote(path).partition("?")[2] for path in own.paths() if "report" in path)
    assert set(seen.split("; ")) == everywhere - {"hidden=1"}
    assert other.values("Cookie") == {"/image.svg": "none=10" if is_tls else None}


def test_cookies_of_another_site_are_sent_there(
    engine: Engine, own: RecordingSite, other: RecordingSite
) -> None:
    cookies = [
        {"name": "a", "value": "1", "url": other.url},
        {"name": "b", "value": "2", "domain": "127.0.0.2"},
    ]
    engine.render(request_for(engine, url=redirect(own, other.url + "/"), cookies=cookies))
    assert own.sent[0].headers["Cookie"] is None
    assert set(other.sent[0].headers["Cookie"].split("; ")) == {"a=1", "b=2"}


def test_a_cookie_that_chromium_refuses_is_named(engine: Engine, own: RecordingSite) -> None:
    cookies = [{"name": "a", "value": "1"}, {"name": "b", "value": SECRET, "domain": "1.2.3.4.5"}]
    with pytest.raises(InvalidRequest) as caught:
        engine.render(request_for(engine, url=own.url + "/", cookies=cookies))
    assert [problem.field for problem in caught.value.problems] == ["options.cookies.1"]
    assert SECRET not in str(caught.value)
    assert own.sent == []


def test_a_request_that_was_accepted_is_not_ended_beside_it(
    engine: Engine, own: RecordingSite, sent: list[tuple[str, Any]]
) -> None:
    """A site may have asked for the password by then, and the ending would hold the page up."""
    request = request_for(engine, url=own.url + "/private", headers=HEADERS, auth=AUTH)
    assert engine.render(request).status == 200
    methods = [method for method, _ in sent]
    assert "Fetch.continueRequest" in methods
    assert "Fetch.failRequest" not in methods


def test_no_render_has_what_another_was_given(kept_engine: Engine, own: RecordingSite) -> None:
    cookies = [{"name": "token", "value": SECRET}]
    url = own.url + "/private"
    given = {"headers": HEADERS, "cookies": cookies, "auth": AUTH}
    kept_engine.render(request_for(kept_engine, url=url, **given))
    own.sent.clear()
    assert kept_engine.render(request_for(kept_engine, url=url)).status == 401
    (sent,) = own.sent
    assert SECRET not in str(sent.headers)
    assert sent.headers["Authorization"] is None


def test_no_error_and_no_log_contains_a_secret(
    engine: Engine, other: RecordingSite, capfd: pytest.CaptureFixture[str]
) -> None:
    given = {"headers": HEADERS, "auth": {"username": "u", "password": SECRET}}
    cookies = [{"name": "token", "value": SECRET}]
    url = redirect(other, "http://127.0.0.1:1025/")
    with pytest.raises(NavigationFailed) as caught:
        engine.render(request_for(engine, url=url, cookies=cookies, **given))
    assert other.sent[0].headers["X-Secret"] == SECRET
    logged = capfd.readouterr()
    assert SECRET not in str(caught.value) + logged.out + logged.err
