"""The farm's own pages as HTTP: what is there, under which policies, and what turns them off."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import falcon
import falcon.testing
import pytest

import farm
from farm.render import Engine
from farm.request.schema import option_groups
from farm.settings import Settings
from farm.web import playground
from farm.web.playground.resources import HomeResource
from farm.web.routes import Resource
from tests.conftest import MakeApp
from tests.web.answers import assert_is_error

STATIC = Path(playground.__file__).parent / "static"
DOCS = Path(__file__).parents[2] / "docs"
#: Where a page says that it has a file.
FILE = re.compile(r'(?:src|href)="(playground/[^"#]+)')
#: What browsers say; other services' clients get another answer at `/`.
ACCEPT = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
Client = falcon.testing.TestClient


def policy(result: falcon.testing.Result) -> dict[str, str]:
    """The Content-Security-Policy, by its directives."""
    parts = result.headers["Content-Security-Policy"].split(";")
    pairs = (part.strip().partition(" ") for part in parts)
    return {name: value for name, _, value in pairs}


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_a_page_runs_nothing_but_its_own_files(client: Client, path: str) -> None:
    result = client.simulate_get(path, headers=ACCEPT)
    assert result.status_code == 200
    assert result.headers["Content-Type"] == "text/html; charset=utf-8"
    allowed = policy(result)
    assert allowed["default-src"] == "'none'"
    assert allowed["script-src"] == allowed["connect-src"] == "'self'"
    assert allowed["frame-ancestors"] == allowed["base-uri"] == allowed["form-action"] == "'none'"
    assert result.headers["X-Content-Type-Options"] == "nosniff"
    assert result.headers["Referrer-Policy"] == "no-referrer"
    assert "<script>" not in result.text
    assert " style=" not in result.text


def test_the_playground_may_not_even_make_markup_of_a_text(client: Client) -> None:
    allowed = policy(client.simulate_get("/", headers=ACCEPT))
    assert allowed["style-src"] == "'self'"
    assert allowed["img-src"] == "'self' blob: data:"
    assert allowed["frame-src"] == "blob:"
    assert allowed["require-trusted-types-for"] == "'script'"
    assert allowed["trusted-types"] == "'none'"


@pytest.mark.parametrize("path", ["/", "/docs"])
def test_the_files_of_a_page_are_there_and_kept_for_ever(client: Client, path: str) -> None:
    page = client.simulate_get(path, headers=ACCEPT).text
    assert "%" not in re.sub(r"\d+ %", "", page)
    found = FILE.findall(page)
    assert len(found) > 4
    for file in found:
        result = client.simulate_get(f"/{file}")
        assert result.status_code == 200, file
        assert "immutable" in result.headers["Cache-Control"]
        assert policy(result)["default-src"] == "'none'"
        assert result.headers["X-Content-Type-Options"] == "nosniff"


def test_a_page_of_another_version_gets_its_files_but_keeps_none(client: Client) -> None:
    result = client.simulate_get("/playground/0123/app.js")
    assert result.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert result.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/playground/0/none.js", "/playground/0/examples/..", "/playground/0/..%2ffiles.py"]
)
def test_what_is_no_file_is_not_found(client: Client, path: str) -> None:
    assert_is_error(client.simulate_get(path), 404, "not_found")


@pytest.mark.parametrize("path", ["/", "/openapi.json"])
def test_what_has_not_changed_is_not_sent_again(client: Client, path: str) -> None:
    etag = client.simulate_get(path, headers=ACCEPT).headers["ETag"]
    again = client.simulate_get(path, headers=ACCEPT | {"If-None-Match": etag})
    assert again.status_code == 304
    assert again.content == b""


def test_who_reads_gzip_gets_it(client: Client) -> None:
    plain = client.simulate_get("/openapi.json")
    assert "Content-Encoding" not in plain.headers
    assert plain.headers["Vary"] == "Accept-Encoding"
    packed = client.simulate_get("/openapi.json", headers={"Accept-Encoding": "br, gzip;q=0.5"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    refused = client.simulate_get("/openapi.json", headers={"Accept-Encoding": "gzip;q=0"})
    assert refused.content == plain.content


def test_the_document_is_that_of_the_running_version(client: Client) -> None:
    document: dict[str, Any] = client.simulate_get("/openapi.json").json
    written = json.loads((DOCS / "openapi.json").read_text())
    assert document["info"]["version"] == farm.__version__
    assert document["paths"] == written["paths"]
    assert document["components"] == written["components"]
    groups = document["components"]["schemas"]["RenderOptions"]["x-groups"]
    assert [group["name"] for group in groups] == [group.name for group in option_groups()]


def test_off_they_are_nowhere(engine: Engine, make_app: MakeApp) -> None:
    client = Client(make_app(engine, Settings(playground="off", compat=())))
    for path in ("/", "/docs", "/openapi.json", "/robots.txt", "/playground/0/app.js"):
        assert_is_error(client.simulate_get(path), 404, "not_found")


def test_a_page_needs_no_key_and_a_render_does(engine: Engine, make_app: MakeApp) -> None:
    client = Client(make_app(engine, Settings(api_keys="me:0123456789abcdef")))
    assert client.simulate_get("/").status_code == 200
    assert_is_error(client.simulate_post("/render", json={"html": "a"}), 401, "unauthorized")


def test_crawlers_are_told_to_go(client: Client) -> None:
    assert client.simulate_get("/robots.txt").text == "User-agent: *\nDisallow: /\n"


class Other(Resource):
    """What another service's clients get at `/`."""

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        resp.text = "Hello"


@pytest.mark.parametrize(
    ("accept", "is_page"),
    [("text/html,*/*;q=0.8", True), ("*/*", False), (None, False), ("text/html;q=0", False)],
)
def test_who_asks_for_html_gets_the_page_and_others_the_other(
    accept: str | None, is_page: bool
) -> None:
    app: falcon.App[falcon.Request, falcon.Response] = falcon.App()
    home = playground.resources(Settings(), root=Other())["/"]
    assert isinstance(home, HomeResource)
    app.add_route("/", home)
    result = Client(app).simulate_get("/", headers={"Accept": accept} if accept else {})
    assert (result.text != "Hello") is is_page
    assert "Accept" in result.headers["Vary"]


def test_each_example_has_its_files() -> None:
    examples = json.loads((STATIC / "examples/index.json").read_text())
    assert len(examples) == 6
    for example in examples:
        names = [example["file"], f"{example['name']}.webp", example.get("assets")]
        assert all((STATIC / "examples" / name).is_file() for name in names if name)


def test_what_is_vendored_has_its_licence() -> None:
    assert "Apache License" in (STATIC / "api/swagger-ui-LICENSE.txt").read_text()
    assert "SIL Open Font License" in (STATIC / "examples/space-grotesk-LICENSE.txt").read_text()
