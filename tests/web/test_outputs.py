"""Several files of one load over HTTP: as JSON, as parts, as a ZIP, and from the cache."""

import base64
import email.parser
import email.policy
import io
import json
import zipfile
from typing import Any

import falcon.testing
import pytest

from tests.support.images import LIME, is_filled
from tests.web.answers import assert_is_error

Client = falcon.testing.TestClient
BODY = {
    "html": "<title>T</title><body style='background:lime'>",
    "outputs": [
        {"name": "card", "width": 40, "height": 30},
        {"width": 20, "height": 10, "format": "webp"},
        {"name": "paper", "format": "pdf"},
    ],
}
NAMES = ["card.png", "2.webp", "paper.pdf"]
TYPES = ["image/png", "image/webp", "application/pdf"]


def render(client: Client, accept: str | None = None, **more: Any) -> falcon.testing.Result:
    headers = {"Accept": accept} if accept else {}
    return client.simulate_post("/render", json=BODY | more, headers=headers)


def assert_are_right(files: list[bytes]) -> None:
    assert [is_filled(file, LIME) for file in files[:2]] == [True, True]
    assert files[2].startswith(b"%PDF")


def test_json_tells_each_like_the_one_file(client: Client) -> None:
    data = render(client).json["data"]
    one = client.simulate_post("/render", json={"html": "x"}).json["data"]
    assert data["title"] == "T"
    assert "imageBase64" not in data
    assert [each["contentType"] for each in data["outputs"]] == TYPES
    assert [each["name"] for each in data["outputs"]] == ["card", "2", "paper"]
    assert [(each["width"], each["height"]) for each in data["outputs"][:2]] == [(40, 30), (20, 10)]
    assert data["outputs"][2]["pages"] == 1
    for each in data["outputs"]:
        assert one.keys() <= each.keys()
        assert each["requestId"] == data["requestId"]
        assert len(base64.b64decode(each["imageBase64"])) == each["size"]
    assert_are_right([base64.b64decode(each["imageBase64"]) for each in data["outputs"]])


@pytest.mark.parametrize("accept", ["multipart/mixed", "multipart/*", "image/png, multipart/mixed"])
def test_parts_are_read_by_a_reader_of_mime(client: Client, accept: str) -> None:
    result = render(client, accept)
    head = f"Content-Type: {result.headers['Content-Type']}\r\n\r\n".encode()
    message = email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + result.content)
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == TYPES
    assert [part.get_filename() for part in parts] == NAMES
    assert parts[0]["X-Image-Width"] == "40"
    assert_are_right([part.get_content() for part in parts])


def test_a_zip_is_one(client: Client) -> None:
    result = render(client, "application/zip")
    assert result.headers["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(result.content)) as bundle:
        assert bundle.namelist() == NAMES
        assert_are_right([bundle.read(name) for name in NAMES])


def test_a_type_that_they_are_not_is_not_acceptable(client: Client) -> None:
    for accept in ("image/png", "image/*", "application/pdf"):
        result = render(client, accept)
        assert_is_error(result, 406, "not_acceptable")
        assert "multipart/mixed or application/zip or JSON" in result.json["error"]


def test_what_makes_no_sense_is_named_by_its_place(client: Client) -> None:
    result = render(client, outputs=[{}, {"quality": 3}])
    assert_is_error(result, 400, "invalid_request")
    assert result.json["details"] == [{"field": "outputs.1", "problem": "png has no quality"}]


def test_no_outputs_are_the_one_file(client: Client) -> None:
    assert "imageBase64" in render(client, outputs=[]).json["data"]


def test_json_of_many_is_one_object(client: Client) -> None:
    assert json.loads(render(client, outputs=[{}] * 10).content)["success"] is True
