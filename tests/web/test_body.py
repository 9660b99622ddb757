"""Bodies: never more bytes than there are for them."""

import io

import falcon
import falcon.testing
import pytest

from farm.errors import BodyTooLarge, Busy, InvalidRequest
from farm.settings import MAX_BODY_BYTES
from farm.web.body import Bodies
from farm.web.routes import Resource


def request(body: bytes, length: int | None = None, stream: object = None) -> falcon.Request:
    headers = {"Content-Type": "application/json"}
    if length is not None:
        headers["Content-Length"] = str(length)
    environ = falcon.testing.create_environ(method="POST", headers=headers)
    environ["wsgi.input"] = stream or io.BytesIO(body)
    return falcon.Request(environ)


def bodies(budget_bytes: int = 2 * MAX_BODY_BYTES) -> Bodies:
    return Bodies(budget_bytes)


@pytest.mark.parametrize("length", [None, MAX_BODY_BYTES])
def test_the_largest_body_passes(length: int | None) -> None:
    whole = b"x" * MAX_BODY_BYTES
    with bodies().read(request(whole, length), Resource()) as body:
        assert body == whole


def test_a_byte_more_is_refused_before_it_is_read() -> None:
    stream = io.BytesIO(b"x" * (MAX_BODY_BYTES + 1))
    with pytest.raises(BodyTooLarge, match="52,428,800"):
        with bodies().read(request(b"", MAX_BODY_BYTES + 1, stream), Resource()):
            pass
    assert stream.tell() == 0


def test_a_byte_more_is_refused_where_no_length_was_sent() -> None:
    with pytest.raises(BodyTooLarge):
        with bodies().read(request(b"x" * (MAX_BODY_BYTES + 1)), Resource()):
            pass


@pytest.mark.parametrize("length", [None, MAX_BODY_BYTES])
def test_bodies_share_a_budget_and_small_ones_have_room_beyond_it(length: int | None) -> None:
    two = bodies()
    large = b"x" * MAX_BODY_BYTES
    with two.read(request(large, length), Resource()), two.read(request(large, length), Resource()):
        with pytest.raises(Busy):
            with two.read(request(large, length), Resource()):
                pass
        with two.read(request(b"x", 1), Resource()) as body:
            assert body == b"x"
    with two.read(request(large, length), Resource()) as body:
        assert body == large


def test_a_refused_body_gives_its_share_back() -> None:
    two = bodies()
    for _ in range(5):
        with pytest.raises(BodyTooLarge):
            with two.read(request(b"x" * (MAX_BODY_BYTES + 1)), Resource()):
                pass
    with two.read(request(b"x" * MAX_BODY_BYTES), Resource()) as body:
        assert len(body) == MAX_BODY_BYTES


def test_a_body_shorter_than_it_says_is_told_so() -> None:
    with pytest.raises(InvalidRequest, match="shorter"):
        with bodies().read(request(b"x", 10), Resource()):
            pass
