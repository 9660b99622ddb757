"""Requests that are answered by the request itself."""

import base64
from typing import Any

import pytest

from farm.errors import InvalidRequest
from farm.render import Engine
from farm.request import RenderResult
from tests.conftest import request_for
from tests.support.images import BLUE, LIME, RED, colour
from tests.support.site import BLUE as BLUE_FILE
from tests.support.site import Site

SIZE = {"width": 200, "height": 100}


def rendered(engine: Engine, **options: Any) -> RenderResult:
    return engine.render(request_for(engine, **{**SIZE, **options}))


def test_an_answer_of_the_request_takes_the_place_of_the_sites(engine: Engine, site: Site) -> None:
    site.pages["/page"] = "<body style='margin:0'><img src=/red.svg>"
    svg = {"contentType": "image/svg+xml"}
    url = f"{site.url}/page"
    assert colour(rendered(engine, url=url).data, 10, 10) == RED
    for answer in ({"text": BLUE_FILE.decode()}, {"base64": base64.b64encode(BLUE_FILE).decode()}):
        site.requests.clear()
        mock = [{"url": r"\.svg$", **svg, **answer}, {"url": ".", "status": 404}]
        assert colour(rendered(engine, url=url, mock=mock).data, 10, 10) == BLUE
        assert [path for path, _ in site.requests] == ["/page"]


def test_another_origins_answer_is_read_if_its_headers_allow_it(engine: Engine) -> None:
    html = """<script>
        fetch('https://data.example/a').then((answer) => answer.text())
            .then((text) => { document.body.style.background = text })
        </script>"""
    mock = {"url": "^https://data\\.example/a$", "status": 201, "text": "lime"}
    assert colour(rendered(engine, html=html, mock=[mock]).data, 10, 10) != LIME
    allowed = {**mock, "headers": {"Access-Control-Allow-Origin": "*"}}
    assert colour(rendered(engine, html=html, mock=[allowed]).data, 10, 10) == LIME


def test_documents_and_what_is_blocked_are_not_answered(engine: Engine, site: Site) -> None:
    site.pages["/page"] = "<body style='margin:0;background:lime'><img src=/red.svg>"
    svg = {"url": ".", "contentType": "image/svg+xml", "text": BLUE_FILE.decode()}
    block = {"matching": [r"/[a-z]+\.svg$"]}
    result = rendered(engine, url=f"{site.url}/page", mock=[svg], block=block)
    assert colour(result.data, 10, 10) not in (RED, BLUE)
    assert colour(result.data, 150, 90) == LIME
    assert result.facts["blockedRequests"]["count"] == 1


@pytest.mark.parametrize(
    ("mock", "said"),
    [
        ({"url": "(?=a)"}, "regular expression"),
        ({"url": "a", "text": "x", "base64": "eA=="}, "text and base64"),
        ({"url": "a", "base64": "x"}, "base64"),
        ({"url": "a", "status": 100}, "status"),
        ({"url": "a", "contentType": "text"}, "media type"),
        ({"url": "a", "headers": {"Content-Length": "1"}}, "browser's alone"),
        ({"text": "x"}, "missing"),
    ],
)
def test_an_answer_that_cannot_be_is_refused(
    engine: Engine, mock: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request_for(engine, "x", mock=[mock])
    assert said in str(refused.value.problems)


def test_an_expression_to_block_by_must_be_one(engine: Engine) -> None:
    with pytest.raises(InvalidRequest) as refused:
        request_for(engine, "x", block={"matching": ["a", "("]})
    assert refused.value.problems[0].field == "options.block.matching"
