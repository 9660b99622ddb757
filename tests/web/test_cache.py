"""What an answer says of the cache, over a real engine and a real server."""

from collections.abc import Callable
from typing import Any

import falcon.testing
import pytest

from farm.callers import ApiKeys
from farm.jobs.queue import RedisJobQueue
from farm.render import Engine
from farm.settings import Settings
from farm.storage import ObjectStorage
from farm.web import create_app
from tests.cache.conftest import Server, make_renderer, server  # noqa: F401
from tests.support.site import Site

Client = falcon.testing.TestClient
KEYS = {"a": "0123456789abcdef-a", "b": "0123456789abcdef-b"}
BODY = {"html": "<p>x", "options": {"width": 64, "height": 32}, "cache": {"ttl": 60}}
PNG = {"Accept": "image/png"}


@pytest.fixture
def make_client(
    make_renderer: Callable[..., Any],  # noqa: F811
    jobs: RedisJobQueue,
    storage: ObjectStorage,
) -> Callable[..., Client]:
    def make(store: bool = True, **settings: object) -> Client:
        given = Settings.model_validate(settings)
        return Client(create_app(make_renderer(store, **settings), jobs, storage, given))

    return make


def outcome(result: falcon.testing.Result) -> str | None:
    assert result.status_code in (200, 304)
    return result.headers.get("X-Farm-Cache")


def test_the_first_is_a_miss_and_the_second_a_hit_with_its_age(
    make_client: Callable[..., Client],
) -> None:
    client = make_client()
    first, second = (client.simulate_post("/render", json=BODY, headers=PNG) for _ in range(2))
    assert (outcome(first), outcome(second)) == ("miss", "hit")
    assert "Age" not in first.headers
    assert int(second.headers["Age"]) >= 0
    assert first.content == second.content
    assert first.headers["ETag"] == second.headers["ETag"]
    for name in ("Content-Type", "X-Image-Width", "X-Image-Height", "Content-Length"):
        assert first.headers[name] == second.headers[name]


@pytest.mark.parametrize("report", [False, True])
def test_json_answers_have_request_ids_of_their_own(
    make_client: Callable[..., Client], report: bool
) -> None:
    client = make_client()
    body = BODY | {"html": "<title>x</title>y", "report": report}
    first, second = (client.simulate_post("/render", json=body) for _ in range(2))
    assert outcome(second) == "hit"
    assert ("report" in second.json["data"]) is report
    assert "ETag" not in second.headers
    one, other = (dict(each.json["data"]) for each in (first, second))
    assert one.pop("requestId") != other.pop("requestId")
    assert one == other


def test_one_file_is_both_json_and_itself(make_client: Callable[..., Client]) -> None:
    client = make_client()
    client.simulate_post("/render", json=BODY)
    assert outcome(client.simulate_post("/render", json=BODY, headers=PNG)) == "hit"


def test_what_does_not_ask_is_told_nothing(make_client: Callable[..., Client]) -> None:
    client = make_client()
    for cache in ({}, {"cache": {"ttl": 0}}):
        body = {"html": "<p>x"} | cache
        result = client.simulate_post("/render", json=body, headers=PNG)
        assert outcome(result) is None
        assert not {"Age", "ETag"} & set(result.headers)


def test_without_a_server_it_is_off(make_client: Callable[..., Client]) -> None:
    client = make_client(store=False)
    assert [outcome(client.simulate_post("/render", json=BODY)) for _ in range(2)] == ["off"] * 2


@pytest.mark.parametrize("wanted", ["no-cache", "max-age=0, No-Cache"])
def test_no_cache_renders_anew(make_client: Callable[..., Client], site: Site, wanted: str) -> None:
    client = make_client()
    body = {"url": site.url, "cache": {"ttl": 60}}
    anew = {"Cache-Control": wanted}
    results = [
        outcome(client.simulate_post("/render-url", json=body, headers=headers))
        for headers in ({}, anew, {})
    ]
    assert results == ["miss", "miss", "hit"]
    assert len(site.requests) == 2


def test_a_tag_that_the_client_has_is_304(make_client: Callable[..., Client]) -> None:
    client = make_client()
    tag = client.simulate_post("/render", json=BODY, headers=PNG).headers["ETag"]
    for asked in (tag, f"W/{tag}", f'"x", {tag}', f'"x",W/{tag} , "y"', "*"):
        result = client.simulate_post("/render", json=BODY, headers=PNG | {"If-None-Match": asked})
        assert result.status_code == 304
        assert result.content == b""
        assert result.headers["ETag"] == tag
        assert outcome(result) == "hit"
    for asked in ('"x"', "x", "", tag.strip('"'), tag[:-2] + '"'):
        result = client.simulate_post("/render", json=BODY, headers=PNG | {"If-None-Match": asked})
        assert result.status_code == 200


def test_json_is_never_304(make_client: Callable[..., Client]) -> None:
    client = make_client()
    tag = client.simulate_post("/render", json=BODY, headers=PNG).headers["ETag"]
    result = client.simulate_post("/render", json=BODY, headers={"If-None-Match": tag})
    assert result.status_code == 200


@pytest.mark.parametrize(
    ("cache", "details"),
    [
        ({"ttl": -1}, [("cache.ttl", "must be an integer from 0 to 604800 (seconds)")]),
        ({"ttl": 604_801}, [("cache.ttl", "must be an integer from 0 to 604800 (seconds)")]),
        ({"ttl": 10**30}, [("cache.ttl", "must be an integer from 0 to 604800 (seconds)")]),
        ({"ttl": "60"}, [("cache.ttl", "must be an integer")]),
        ({"ttl": True}, [("cache.ttl", "must be an integer")]),
        ({"ttl": 1.5}, [("cache.ttl", "must be an integer")]),
        ({"ttl": None}, [("cache.ttl", "must be an integer")]),
        ({}, [("cache.ttl", "missing")]),
        ({"ttl": 1, "age": 1}, [("cache.age", "unknown field")]),
        (None, [("cache", "must be an object")]),
        (60, [("cache", "must be an object")]),
    ],
)
@pytest.mark.parametrize("path", ["/render", "/render-async"])
def test_every_problem_of_it_is_told(
    client: Client, path: str, cache: object, details: list[tuple[str, str]]
) -> None:
    result = client.simulate_post(path, json={"html": "x", "cache": cache})
    assert result.status_code == 400
    assert [(each["field"], each["problem"]) for each in result.json["details"]] == details


def test_a_week_is_the_longest(make_client: Callable[..., Client]) -> None:
    body = {"html": "x", "cache": {"ttl": 604_800}}
    assert outcome(make_client().simulate_post("/render", json=body)) == "miss"


def test_no_key_gets_what_was_rendered_for_another(make_client: Callable[..., Client]) -> None:
    pairs = ",".join(f"{name}:{key}" for name, key in KEYS.items())
    assert ApiKeys.parse(pairs)
    client = make_client(api_keys=pairs)
    found = [
        outcome(client.simulate_post("/render", json=BODY, headers={"X-Api-Key": KEYS[name]}))
        for name in ("a", "b", "a", "b")
    ]
    assert found == ["miss", "miss", "hit", "hit"]


@pytest.mark.parametrize("method", ["HEAD", "GET", "PUT", "PATCH"])
def test_other_methods_are_refused_as_ever(make_client: Callable[..., Client], method: str) -> None:
    result = make_client().simulate_request(method, "/render", headers={"If-None-Match": "*"})
    assert result.status_code == 405


def test_status_says_whether_there_is_one(make_client: Callable[..., Client]) -> None:
    client = make_client()
    client.simulate_post("/render", json=BODY)
    assert client.simulate_get("/status").json["cache"] == "up"
    assert make_client(store=False).simulate_get("/status").json["cache"] == "off"


def test_an_engine_alone_answers_requests_that_ask(client: Client, engine: Engine) -> None:
    assert outcome(client.simulate_post("/render", json=BODY)) is None
    assert engine.status.cache == "off"
