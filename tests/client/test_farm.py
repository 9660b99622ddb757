"""The client against a whole farm."""

import base64
import json
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from farm.client import Farm, FarmError
from farm.errors import (
    AlreadyFinished,
    InvalidRequest,
    InvalidUrl,
    NotFound,
    PageFailed,
    ScriptFailed,
    UrlRefused,
)
from farm.links import LinkKeys
from tests.support.farm_process import Farm as FarmProcess
from tests.support.images import LIME, is_filled, opened
from tests.support.site import Site

GREEN = "<title>Green</title><body style='background:lime'>"
LINK_KEY = "k" * 32


@pytest.fixture(scope="module")
def client(farm: FarmProcess) -> Iterator[Farm]:
    with Farm(farm.url, link_key=LINK_KEY) as connected:
        yield connected


def test_a_page_is_rendered_with_options_and_facts(client: Farm, tmp_path: Path) -> None:
    picture = client.render(html=GREEN, width=300, height=200, format="webp", report=True)
    assert is_filled(picture.data, LIME)
    assert opened(picture.save(tmp_path / "a.webp").read_bytes()).size == (300, 200)
    assert (picture.width, picture.height, picture.format) == (300, 200, "webp")
    assert (picture.content_type, picture.title) == ("image/webp", "Green")
    assert picture.size == len(picture.data)
    assert picture.report is not None
    assert picture.report["requests"]["count"] == 0
    assert picture.timings.keys() == {"wait", "load", "settle", "capture"}
    assert len(picture.request_id) == 36


def test_a_url_is_rendered_as_another_request_to_the_same_farm(client: Farm, site: Site) -> None:
    picture = client.post({"url": site.url, "options": {"fullPage": True}})
    assert picture.status == 200
    assert picture.final_url == picture.url == f"{site.url}/"


def test_several_files_are_each_a_render_and_together_a_zip(client: Farm) -> None:
    both = client.render(
        html=GREEN,
        outputs=[{"name": "card", "width": 40, "height": 20}, {"format": "pdf"}],
        cache={"ttl": 60},
    )
    card, paper = both.outputs
    assert (card.file_name, card.width, opened(card.data).size) == ("card.png", 40, (40, 20))
    assert (paper.name, paper.pages, paper.data[:4]) == ("2", 1, b"%PDF")
    assert (both.format, both.data[:2], both.title, both.cache) == ("zip", b"PK", "Green", "miss")


@pytest.mark.parametrize(
    ("fields", "error", "field"),
    [
        (
            {"html": GREEN, "pdf": {"papr": "A5"}, "format": "pdf"},
            InvalidRequest,
            "options.pdf.papr",
        ),
        ({"html": GREEN, "widht": 9}, InvalidRequest, "options.widht"),
        ({"html": GREEN, "webhook": {"url": "http://x/"}}, InvalidRequest, "webhook"),
        ({"url": "ftp://example.com/"}, InvalidUrl, "url"),
        ({"url": "http://10.0.0.1/"}, UrlRefused, None),
        (
            {
                "html": GREEN,
                "fail_on": {"page_error": True},
                "on_load": ["setTimeout('x()')"],
                "wait_for": 100,
            },
            PageFailed,
            "options.failOn.pageError",
        ),
    ],
)
def test_what_is_wrong_is_raised_by_its_class(
    client: Farm, fields: dict[str, Any], error: type[FarmError], field: str | None
) -> None:
    with pytest.raises(error) as raised:
        client.render(**fields)
    assert raised.value.request_id
    if field is not None:
        assert raised.value.details[0]["field"] == field  # type: ignore[attr-defined]


def test_a_job_is_waited_for_and_downloaded(client: Farm) -> None:
    job = client.submit(html=GREEN, width=30, height=20, idempotency_key="client-once")
    assert client.submit(html=GREEN, width=30, height=20, idempotency_key="client-once") == job
    done = client.wait(job)
    assert (done.status, done.ended, done.error) == ("completed", True, None)
    picture = client.download(done)
    assert (picture.width, picture.content_type, picture.title) == (30, "image/png", "Green")
    assert is_filled(client.download(done.id).data, LIME)
    with pytest.raises(AlreadyFinished):
        client.cancel(done)


def test_the_files_of_a_job_are_those_of_a_render(client: Farm) -> None:
    outputs: Any = [{"name": "a", "width": 40}, {"name": "b", "format": "webp"}]
    downloaded = client.download(client.wait(client.submit(html=GREEN, outputs=outputs)))
    rendered = client.render(html=GREEN, outputs=outputs)
    assert downloaded.data == rendered.data
    assert [each.file_name for each in downloaded.outputs] == ["a.png", "b.webp"]


def test_a_job_that_has_failed_raises_its_error_where_its_file_is_asked_for(client: Farm) -> None:
    job = client.wait(client.submit(html=GREEN, scripts=["throw new Error('told')"]))
    assert job.status == "failed"
    with pytest.raises(ScriptFailed, match="told"):
        client.download(job)


def test_a_job_is_cancelled_once_however_often_that_is_asked_for(client: Farm) -> None:
    job = client.submit(html=GREEN, wait_for=20_000)
    assert client.cancel(job).status == "cancelled"
    assert client.cancel(job).status == "cancelled"
    with pytest.raises(NotFound):
        client.job("6f1a3a1c-0000-4000-8000-000000000000")


def test_a_link_is_signed_and_has_what_was_asked_for() -> None:
    client = Farm("https://img.example/farm/", link_key=LINK_KEY)
    expires = datetime(2030, 1, 1, tzinfo=UTC)
    link = client.link(url="https://example.com/", full_page=True, expires=expires)
    base, _, signed = link.rpartition("/r/")
    signature, _, payload = signed.partition("/")
    assert base == "https://img.example/farm"
    assert LinkKeys.parse(LINK_KEY).name_of(signature, payload)
    packed = base64.urlsafe_b64decode(payload[1:] + "=" * (-len(payload[1:]) % 4))
    assert json.loads(zlib.decompress(packed, -15)) == {
        "url": "https://example.com/",
        "options": {"fullPage": True},
        "exp": int(expires.timestamp()),
    }
    assert client.link(html="x", expires=timedelta(days=1)) != client.link(html="x")


def test_a_link_that_no_farm_would_take_is_not_made() -> None:
    asked: dict[str, Any] = {"html": "x", "report": True}
    with pytest.raises(InvalidRequest, match="report is nothing that a link may ask for"):
        Farm(link_key=LINK_KEY).link(**asked)
    with pytest.raises(InvalidRequest, match="too long for a link"):
        Farm(link_key=LINK_KEY).link(html="".join(map(str, range(9_000))))
    with pytest.raises(InvalidRequest, match="link_key"):
        Farm().link(html="x")


@pytest.mark.parametrize(
    ("url", "key", "says"),
    [
        ("127.0.0.1:3000", None, "must be like http://127.0.0.1:3000"),
        ("ftp://127.0.0.1/", None, "must be like"),
        ("http://me:secret@127.0.0.1/", None, "give the key as key="),
        ("http://127.0.0.1:99999", None, "must be like"),
        ("http://127.0.0.1", "a key", "visible ASCII characters"),
        ("http://127.0.0.1", "k\r\nX-Other: 1", "visible ASCII characters"),
    ],
)
def test_an_address_or_a_key_that_cannot_be_is_told(url: str, key: str | None, says: str) -> None:
    with pytest.raises(InvalidRequest, match=says):
        Farm(url, key)


def test_what_json_cannot_say_is_told() -> None:
    asked: dict[str, Any] = {"html": "x", "width": {1, 2}}
    with pytest.raises(InvalidRequest, match="cannot be written as JSON"):
        Farm().render(**asked)


def test_an_idempotency_key_that_no_header_can_have_is_told() -> None:
    with pytest.raises(InvalidRequest, match="idempotency key has visible ASCII"):
        Farm().submit(html="x", idempotency_key="ü")


def test_the_example_of_the_docs_works(
    farm: FarmProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs/clients.md").read_text()
    code = page.partition("```python\n")[2].partition("```")[0]
    monkeypatch.chdir(tmp_path)
    exec(code.replace("http://127.0.0.1:3000", farm.url), {})
    assert opened((tmp_path / "hello.png").read_bytes()).size == (800, 400)
    assert (tmp_path / "invoice.pdf").read_bytes().startswith(b"%PDF")
