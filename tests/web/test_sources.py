"""What the routes take for a page, and what becomes of it."""

import base64
from typing import Any

import falcon.testing
import pytest

from farm.jobs.queue import RedisJobQueue
from tests.support.images import BLUE, colour
from tests.support.site import BLUE as BLUE_SVG

BODY = {
    "markdown": "<style>body, main { margin: 0; padding: 0 }</style>\n\n![blue](blue.svg)",
    "assets": {"blue.svg": {"base64": base64.b64encode(BLUE_SVG).decode()}},
}


def test_markdown_is_rendered(client: falcon.testing.TestClient) -> None:
    answer = client.simulate_post("/render", json=BODY)
    assert answer.status_code == 200
    assert colour(base64.b64decode(answer.json["data"]["imageBase64"]), 20, 20) == BLUE


def test_markdown_is_a_job(client: falcon.testing.TestClient, jobs: RedisJobQueue) -> None:
    answer = client.simulate_post("/render-async", json=BODY)
    assert answer.status_code == 202


@pytest.mark.parametrize(
    ("route", "body", "sentence"),
    [
        ("/render", {"markdown": ""}, "HTML or Markdown content is required."),
        ("/render", {}, "HTML content is required."),
        ("/render-url", {}, "A URL is required."),
        ("/render-async", {}, "HTML content or a URL is required."),
        ("/render-url", {"markdown": "x"}, "A URL is required. 1 more in details."),
    ],
)
def test_a_page_that_is_missing_is_asked_for(
    client: falcon.testing.TestClient, route: str, body: dict[str, Any], sentence: str
) -> None:
    answer = client.simulate_post(route, json=body)
    assert (answer.status_code, answer.json["error"]) == (400, sentence)


def test_an_address_that_the_policy_refuses_is_forbidden(
    client: falcon.testing.TestClient,
) -> None:
    answer = client.simulate_post("/render", json={"html": "x", "baseUrl": "http://10.0.0.1/"})
    assert (answer.status_code, answer.json["code"]) == (403, "url_refused")
