"""Every route of the application: none escapes keys, rates or metrics, nor would a new one."""

from collections.abc import Iterator
from typing import Any

import falcon.inspect
import falcon.testing
import pytest

from farm.jobs.queue import RedisJobQueue
from farm.links import ROUTE, sign
from farm.rates import RateLimiter
from farm.render import Engine
from farm.settings import Settings
from farm.storage import ObjectStorage
from farm.web import create_app
from farm.web.routes import Resource
from tests.web.answers import assert_is_error
from tests.web.jobs import UNKNOWN_JOB_ID

KEY = "0123456789abcdef"
LINK_KEY = "0123456789abcdef" * 2
#: Whoever has a link has what its signature allows.
LINKS = {("GET", ROUTE), ("HEAD", ROUTE)}
#: The contract: what is answered without a key, and what counts against a rate.
PAGES = {
    *("/", "/docs", "/openapi.json", "/robots.txt"),
    *("/playground/{digest}/{name}", "/playground/{digest}/{name}/{inner}"),
}
OPEN = {("GET", "/health"), ("HEAD", "/health"), *(("GET", path) for path in PAGES), *LINKS}
CLOUDFLARE = "/client/v4/accounts/{account_id}/browser-rendering"
WITH_BODY = {
    *(("POST", path) for path in ("/render", "/render-url", "/render-async", "/links")),
    *(
        ("POST", f"{browser}/{name}")
        for browser in ("", "/chromium", "/chrome")
        for name in ("screenshot", "pdf", "content", "scrape")
    ),
    *(
        ("POST", f"/forms/chromium/{kind}/{name}")
        for kind in ("convert", "screenshot")
        for name in ("html", "url", "markdown")
    ),
    *(
        ("POST", f"{CLOUDFLARE}/{name}")
        for name in ("screenshot", "pdf", "content", "snapshot", "scrape", "links")
    ),
}
COUNTED = WITH_BODY | LINKS


class New(Resource):
    """What a route is that says nothing of itself."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.data = b"{}"

    on_post = on_get


@pytest.fixture
def make_app(engine: Engine, jobs: RedisJobQueue, storage: ObjectStorage, valkey: str) -> Any:
    def make(**given: Any) -> Any:
        settings = Settings(link_key=LINK_KEY, **given)
        rates = RateLimiter(settings.rate_limit, valkey) if settings.rate_limit else None
        app = create_app(engine, jobs, storage, settings, rates)
        app.add_route("/new", New())
        return app

    return make


def routes(app: Any) -> Iterator[tuple[str, str]]:
    """Each method and template, but for what Falcon answers by itself."""
    for route in falcon.inspect.inspect_routes(app):
        for method in route.methods:
            if not method.internal:
                yield method.method, route.path


def ask(app: Any, method: str, template: str, **more: Any) -> falcon.testing.Result:
    given = {"name": "a.png", "account_id": "mine", "session": "1", "route": "x", "action": "y"}
    given |= {"payload": "1AA", "signature": sign("1AA", LINK_KEY)}
    path = template.format(job_id=UNKNOWN_JOB_ID, digest="0", inner="b.png", **given)
    return falcon.testing.TestClient(app).simulate_request(method, path, **more)


def test_every_route_wants_a_key_but_for_those_of_the_contract(make_app: Any) -> None:
    app = make_app(api_keys=f"me:{KEY}")
    answered = {(m, path) for m, path in routes(app) if ask(app, m, path).status_code != 401}
    assert answered == OPEN
    assert ask(app, "GET", "/new", headers={"X-Api-Key": KEY}).status_code == 200


def test_every_route_counts_but_for_those_of_the_contract(make_app: Any) -> None:
    app = make_app(rate_limit="1000/hour")
    counted = {
        (m, path) for m, path in routes(app) if "RateLimit-Limit" in ask(app, m, path).headers
    }
    # It makes no render, but a delivery to somebody.
    again = ("POST", "/render-async/{job_id}/webhook")
    assert counted == COUNTED | {again, ("GET", "/new"), ("POST", "/new")}


def test_every_route_is_in_the_metrics_also_where_it_is_refused(make_app: Any) -> None:
    app = make_app(api_keys=f"me:{KEY}")
    for method, path in routes(app):
        ask(app, method, path)
    text = ask(app, "GET", "/metrics", headers={"X-Api-Key": KEY}).text
    refused = [line for line in text.splitlines() if 'status="401"' in line]
    for method, path in set(routes(app)) - OPEN:
        assert any(f'route="{path}"' in ln and f'method="{method}"' in ln for ln in refused)


def test_no_body_is_read_for_a_route_that_does_not_say_so(make_app: Any) -> None:
    app = make_app()
    types = ("application/json", "multipart/form-data; boundary=x")
    wanted = {
        (method, path)
        for method, path in routes(app)
        if any(app.gate.wants_body(method, path, {"CONTENT-TYPE": each}, 10) for each in types)
    }
    assert wanted == WITH_BODY


def test_a_link_that_nobody_has_signed_is_refused_before_it_counts(make_app: Any) -> None:
    app = make_app(rate_limit="1000/hour")
    for method, _ in LINKS:
        result = falcon.testing.TestClient(app).simulate_request(method, f"/r/{'A' * 43}/1AA")
        assert result.status_code == 403
        assert "RateLimit-Limit" not in result.headers


def test_what_cannot_say_what_it_is_is_no_route(make_app: Any) -> None:
    with pytest.raises(TypeError, match="object is no Resource"):
        make_app().add_route("/other", object())


def test_a_method_that_a_route_does_not_have_does_not_count(make_app: Any) -> None:
    result = ask(make_app(rate_limit="1000/hour"), "GET", "/render")
    assert_is_error(result, 405, "method_not_allowed")
    assert "RateLimit-Limit" not in result.headers
