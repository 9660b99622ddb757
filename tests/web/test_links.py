"""Signed links, over the whole application: who may have what, how often, and for how long."""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import falcon.testing
import pytest
import structlog
from structlog.testing import capture_logs

from farm.jobs.queue import RedisJobQueue
from farm.links import ROUTE, make_link, pack, sign
from farm.metrics import figures
from farm.rates import RateLimiter
from farm.settings import Settings
from farm.storage import ObjectStorage
from farm.web import create_app
from tests.cache.conftest import Server, make_renderer, server  # noqa: F401
from tests.support.images import LIME, is_filled, opened
from tests.support.site import Site
from tests.web.answers import assert_is_error

Client = falcon.testing.TestClient
Result = falcon.testing.Result

KEY = "0123456789abcdef" * 2
OLD = "0f1e2d3c4b5a6978" * 2
API_KEY = "an-api-key-0123456789"
GREEN = {"html": "<body style='background:lime'>", "options": {"width": 64, "height": 32}}


@pytest.fixture
def make_client(
    make_renderer: Callable[..., Any],  # noqa: F811
    jobs: RedisJobQueue,
    storage: ObjectStorage,
    valkey: str,
) -> Callable[..., Client]:
    def make(link_key: str | None = KEY, store: bool = True, **given: object) -> Client:
        settings = Settings.model_validate({"link_key": link_key, **given})
        rates = RateLimiter(settings.rate_limit, valkey) if settings.rate_limit else None
        renderer = make_renderer(store, **given)
        return Client(create_app(renderer, jobs, storage, settings, rates))

    return make


@pytest.fixture
def client(make_client: Callable[..., Client]) -> Client:
    return make_client()


def link_to(fields: dict[str, Any], key: str = KEY, in_s: int | None = None) -> str:
    return make_link(fields, key, expires_at=None if in_s is None else int(time.time()) + in_s)


def used(result: Result) -> str | None:
    assert result.status_code in (200, 304), result.text
    return result.headers.get("X-Farm-Cache")


def max_age(result: Result) -> int:
    kind, _, age = result.headers["Cache-Control"].partition(", max-age=")
    assert kind == "public"
    return int(age)


# The file.


def test_a_link_is_the_picture_itself(client: Client) -> None:
    result = client.simulate_get(link_to(GREEN), headers={"Accept": "text/html,*/*;q=0.8"})
    assert result.status_code == 200
    assert result.headers["Content-Type"] == "image/png"
    assert opened(result.content).size == (64, 32)
    assert is_filled(result.content, LIME)
    assert result.headers["X-Content-Type-Options"] == "nosniff"
    assert result.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "Content-Security-Policy" not in result.headers
    assert "Vary" not in result.headers


@pytest.mark.parametrize("source", ["url", "markdown"])
def test_a_link_may_be_to_a_url_and_to_markdown(client: Client, site: Site, source: str) -> None:
    page = {"url": site.url, "markdown": "# Hello"}[source]
    assert used(client.simulate_get(link_to({source: page}))) == "miss"


@pytest.mark.parametrize(
    ("format_", "is_page"), [("pdf", False), ("webp", False), ("html", True), ("mhtml", True)]
)
def test_a_strangers_page_has_no_rights_at_the_farms_origin(
    client: Client, format_: str, is_page: bool
) -> None:
    result = client.simulate_get(link_to({"html": "<p>x", "options": {"format": format_}}))
    assert used(result) == "miss"
    policy = result.headers.get("Content-Security-Policy")
    assert policy == ("sandbox; default-src 'none'" if is_page else None)
    assert result.headers["X-Content-Type-Options"] == "nosniff"


def test_head_has_all_but_the_file(client: Client) -> None:
    got, head = client.simulate_get(link_to(GREEN)), client.simulate_head(link_to(GREEN))
    assert (head.status_code, head.content) == (200, b"")
    for name in ("Content-Type", "Content-Length", "ETag", "X-Image-Width"):
        assert head.headers[name] == got.headers[name]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_no_other_method_is_known(client: Client, method: str) -> None:
    assert_is_error(client.simulate_request(method, link_to(GREEN)), 405, "method_not_allowed")


# The cache.


def test_a_link_uses_the_cache_though_it_does_not_say_so(client: Client) -> None:
    results = [client.simulate_get(link_to(GREEN)) for _ in range(2)]
    assert [used(result) for result in results] == ["miss", "hit"]
    assert [max_age(result) for result in results] == [3600, 3600]
    assert results[0].content == results[1].content


def test_links_with_other_expiries_are_the_same_file(client: Client) -> None:
    results = [client.simulate_get(link_to(GREEN, in_s=in_s)) for in_s in (1000, 2000)]
    assert [used(result) for result in results] == ["miss", "hit"]


def test_the_farms_ttl_and_the_links_own_come_first(make_client: Callable[..., Client]) -> None:
    client = make_client(cache_ttl_s=120)
    assert max_age(client.simulate_get(link_to(GREEN))) == 120
    assert max_age(client.simulate_get(link_to(GREEN | {"cache": {"ttl": 30}}))) == 30


def test_nobody_keeps_a_file_for_longer_than_the_link_is_good(client: Client) -> None:
    result = client.simulate_get(link_to(GREEN, in_s=600))
    assert 0 < max_age(result) <= 600
    again = client.simulate_get(link_to(GREEN, in_s=600))
    assert max_age(again) - int(again.headers["Age"]) <= 600


def test_a_link_may_do_without_the_cache(client: Client) -> None:
    results = [client.simulate_get(link_to(GREEN | {"cache": {"ttl": 0}})) for _ in range(2)]
    assert [used(result) for result in results] == [None, None]
    assert max_age(results[0]) == 0


def test_a_page_that_may_be_another_one_soon_is_kept_by_nobody(client: Client, site: Site) -> None:
    results = [client.simulate_get(link_to({"url": f"{site.url}/missing"})) for _ in range(2)]
    assert [max_age(result) for result in results] == [0, 0]
    assert len(site.requests) == 2


def test_a_browser_that_has_the_file_is_told_so(client: Client) -> None:
    tag = client.simulate_get(link_to(GREEN)).headers["ETag"]
    result = client.simulate_get(link_to(GREEN), headers={"If-None-Match": tag})
    assert (result.status_code, result.content) == (304, b"")
    assert result.headers["ETag"] == tag
    assert max_age(result) == 3600
    other = client.simulate_get(link_to(GREEN), headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


def test_no_visitor_can_have_it_rendered_anew(client: Client, site: Site) -> None:
    anew = {"Cache-Control": "no-cache", "Pragma": "no-cache"}
    for _ in range(2):
        assert client.simulate_get(link_to({"url": site.url}), headers=anew).status_code == 200
    assert len(site.requests) == 1


def test_fifty_visitors_at_once_are_one_render(client: Client, site: Site) -> None:
    link = link_to({"url": site.url})
    with ThreadPoolExecutor(50) as visitors:
        results = list(visitors.map(lambda _: client.simulate_get(link), range(50)))
    found = [used(result) for result in results]
    assert found.count("miss") == 1
    assert len({result.content for result in results}) == 1
    assert len(site.requests) == 1


def test_a_link_and_an_api_key_share_no_file(make_client: Callable[..., Client]) -> None:
    client = make_client(link_key=f"anna:{KEY}", api_keys=f"anna:{API_KEY}")
    assert used(client.simulate_get(link_to(GREEN))) == "miss"
    body = GREEN | {"cache": {"ttl": 60}}
    assert (
        used(client.simulate_post("/render", json=body, headers={"X-Api-Key": API_KEY})) == "miss"
    )


# Who may.


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_wrong_signature_makes_no_render(client: Client, site: Site, method: str) -> None:
    link = link_to({"url": site.url})
    _, place, signature, payload = link.split("/")
    assert place == "r"
    other = pack({"url": f"{site.url}?other"})
    for path in (
        f"/r/{signature}/{other}",
        f"/r/{signature}A/{payload}",
        f"/r/{'A' * 43}/{payload}",
        f"/r/{signature}/{payload}=",
        f"/r/unsafe/{payload}",
        f"/r/{signature}/é",
        link_to({"url": site.url}, key=OLD),
    ):
        result = client.simulate_request(method, path)
        assert result.status_code == 403
        if method == "GET":
            assert_is_error(result, 403, "link_refused")
    assert not site.requests


def test_the_signature_is_checked_before_the_payload_and_the_expiry(client: Client) -> None:
    for payload in ("2abc", "1!", pack(GREEN | {"exp": 1}), "1" * 10_000):
        assert_is_error(client.simulate_get(f"/r/{'A' * 43}/{payload}"), 403, "link_refused")


def test_an_expired_link_is_gone(client: Client, site: Site) -> None:
    fields = {"url": site.url}
    assert_is_error(client.simulate_get(link_to(fields, in_s=-1)), 410, "link_expired")
    assert_is_error(client.simulate_get(link_to(fields, in_s=0)), 410, "link_expired")
    assert not site.requests
    assert client.simulate_get(link_to(fields, in_s=60)).status_code == 200


def test_every_key_of_a_rotation_is_good(make_client: Callable[..., Client]) -> None:
    client = make_client(link_key=f"{KEY}, {OLD}")
    for key in (KEY, OLD):
        assert client.simulate_get(link_to(GREEN, key=key)).status_code == 200


def test_no_api_key_is_needed_and_none_is_enough(make_client: Callable[..., Client]) -> None:
    client = make_client(api_keys=f"anna:{API_KEY}")
    assert client.simulate_get(link_to(GREEN)).status_code == 200
    refused = client.simulate_get(f"/r/x/{pack(GREEN)}", headers={"X-Api-Key": API_KEY})
    assert_is_error(refused, 403, "link_refused")


def test_without_a_link_key_there_are_none(make_client: Callable[..., Client]) -> None:
    client = make_client(link_key=None)
    for path in (link_to(GREEN), f"/r/x/{pack(GREEN)}"):
        assert_is_error(client.simulate_get(path), 404, "not_found")


@pytest.mark.parametrize(
    ("payload", "code", "says"),
    [
        ("2abc", "invalid_request", "must begin with 1"),
        (pack({"html": "x", "options": {"width": 0}}), "invalid_request", "options.width"),
        (pack({"html": "x", "report": True}), "invalid_request", "report: is told in JSON"),
        (pack({"html": "x", "outputs": [{}]}), "invalid_request", "outputs: is not for links"),
        (pack({"html": "x", "webhook": {}}), "invalid_request", "webhook: is for jobs"),
        (pack({"url": "file:///etc/passwd"}), "invalid_url", "absolute http or https"),
        (pack({}), "invalid_request", "required"),
    ],
)
def test_what_is_wrong_with_a_signed_request_is_told(
    client: Client, payload: str, code: str, says: str
) -> None:
    result = client.simulate_get(f"/r/{sign(payload, KEY)}/{payload}")
    assert_is_error(result, 400, code)
    assert says in result.json["error"]


def test_a_link_leads_no_further_than_the_egress_policy(client: Client) -> None:
    result = client.simulate_get(link_to({"url": "http://10.0.0.1/"}))
    assert_is_error(result, 403, "url_refused")


# Rates, logs and figures.


def test_rates_count_by_the_name_of_the_key(make_client: Callable[..., Client]) -> None:
    client = make_client(link_key=f"a:{KEY} b:{OLD}", rate_limit="2/hour")

    def ask(link: str, address: str = "192.0.2.1") -> int:
        return int(client.simulate_get(link, remote_addr=address).status_code)

    assert [ask(link_to(GREEN), f"192.0.2.{number}") for number in range(3)] == [200, 200, 429]
    assert_is_error(client.simulate_get(link_to(GREEN)), 429, "rate_limited")
    assert client.simulate_head(link_to(GREEN)).status_code == 429
    assert ask(link_to(GREEN, key=OLD)) == 200
    # Who has no key takes nothing from those who have, nor from their own address.
    assert [ask(f"/r/x/{pack(GREEN)}") for _ in range(3)] == [403] * 3
    assert ask(link_to(GREEN, key=OLD)) == 200
    assert client.simulate_post("/render", json=GREEN).status_code == 200


def test_logs_have_the_name_of_the_key_and_nothing_of_the_link(
    make_client: Callable[..., Client],
) -> None:
    client = make_client(link_key=f"site:{KEY}")
    link = link_to(GREEN)
    _, _, signature, payload = link.split("/")
    with capture_logs([structlog.contextvars.merge_contextvars]) as logs:
        client.simulate_get(link)
        client.simulate_get(f"//r/x/{payload}")
        client.simulate_get(f"{link}/more")
        client.simulate_get(link_to(GREEN, in_s=-1))
    lines = [line for line in logs if "route" in line]
    assert {line["route"] for line in lines} == {ROUTE}
    assert [line.get("code") for line in lines] == [None, "link_refused", "link_expired"]
    assert [line.get("caller") for line in lines] == ["link:site", None, "link:site"]
    for secret in (signature, payload[:20], KEY):
        assert secret not in str(logs)


def test_figures_have_the_name_of_the_key(make_client: Callable[..., Client]) -> None:
    def count(name: str, **labels: str) -> float:
        return figures.REGISTRY.get_sample_value(name, labels) or 0

    client = make_client(link_key=f"counted:{KEY} unused:{OLD}")
    requests = {"route": ROUTE, "method": "GET", "status": "200"}
    before = count("farm_http_requests_total", **requests)
    client.simulate_get(link_to(GREEN))
    client.simulate_get(f"/r/x/{pack(GREEN)}")
    assert count("farm_links_total", key="counted") == 1
    assert figures.REGISTRY.get_sample_value("farm_links_total", {"key": "unused"}) == 0
    assert count("farm_http_requests_total", **requests) == before + 1


# Links that the farm makes.


def post(client: Client, fields: object, key: str | None = None) -> Result:
    headers = {} if key is None else {"X-Api-Key": key}
    return client.simulate_post("/links", json=fields, headers=headers)


def test_who_may_render_has_links_made(client: Client) -> None:
    result = post(client, GREEN)
    assert result.status_code == 200
    assert result.headers["Cache-Control"] == "no-store"
    assert result.json["linkUrl"] == link_to(GREEN)
    assert KEY not in result.text
    assert is_filled(client.simulate_get(result.json["linkUrl"]).content, LIME)


def test_making_a_link_renders_nothing(client: Client, site: Site) -> None:
    assert post(client, {"url": site.url}).status_code == 200
    assert site.requests == []


def test_a_link_that_is_made_may_expire(client: Client) -> None:
    result = post(client, {**GREEN, "exp": int(time.time()) + 600})
    assert 0 < max_age(client.simulate_get(result.json["linkUrl"])) <= 600


def test_a_link_is_made_with_the_newest_key(make_client: Callable[..., Client]) -> None:
    result = post(make_client(f"new:{KEY},old:{OLD}"), GREEN)
    assert result.json["linkUrl"] == link_to(GREEN, KEY)


def test_where_callers_have_keys_one_is_needed_to_make_a_link(
    make_client: Callable[..., Client],
) -> None:
    client = make_client(api_keys=f"me:{API_KEY}")
    assert_is_error(post(client, GREEN), 401, "unauthorized")
    assert_is_error(post(client, GREEN, KEY), 401, "unauthorized")
    result = post(client, GREEN, API_KEY)
    assert is_filled(client.simulate_get(result.json["linkUrl"]).content, LIME)


def test_making_links_counts_against_the_callers_rate(make_client: Callable[..., Client]) -> None:
    client = make_client(api_keys=f"me:{API_KEY}", rate_limit="2/hour")
    assert post(client, GREEN, API_KEY).headers["RateLimit-Remaining"] == "1"
    assert post(client, GREEN, API_KEY).status_code == 200
    assert_is_error(post(client, GREEN, API_KEY), 429, "rate_limited")


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"html": "x", "report": True}, "report: is told in JSON"),
        ({"html": "x", "webhook": {"url": "https://example.com/"}}, "webhook: is for jobs"),
        ({"html": "x", "options": {"width": 0}}, "options.width: must be an integer"),
        ({"html": "x", "exp": "soon"}, "exp: must be an integer"),
        ({"html": "x", "exp": 1_500_000_000}, "exp: is over already"),
        ({"html": "x", "exp": 1_900_000_000_000}, "exp: is in milliseconds"),
        ({}, "is required"),
        ({"html": "".join(map(chr, range(0x4E00, 0x9FFF)))}, "too long for a link"),
    ],
)
def test_what_no_link_can_ask_for_is_told_before_it_is_made(
    client: Client, fields: dict[str, Any], says: str
) -> None:
    assert_is_error(result := post(client, fields), 400, "invalid_request")
    assert says in result.json["error"]


def test_without_a_link_key_none_is_made(make_client: Callable[..., Client]) -> None:
    assert_is_error(post(make_client(None), GREEN), 404, "not_found")
