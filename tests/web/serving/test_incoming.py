"""Bodies as they arrive: whatever the pieces, the content is the same, and so is what follows."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import BodyTimeout, BodyTooLarge, Busy, InvalidRequest
from farm.settings import MAX_BODY_BYTES
from farm.web.serving.budget import SMALL_BYTES, BodyBudget, Share
from farm.web.serving.incoming import Chunked, Framing, Incoming, Length

NEXT = b"GET / HTTP/1.1\r\n\r\n"


def incoming(framing: Framing, budget: BodyBudget | None = None) -> Incoming:
    return Incoming(framing, Share(budget or BodyBudget(1 << 27)))


def chunked(chunks: list[bytes]) -> bytes:
    parts = [b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks]
    return b"".join(parts) + b"0\r\n\r\n"


@st.composite
def cut(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """The bytes in pieces of any size."""
    ends = draw(st.lists(st.integers(0, len(data)), max_size=8).map(sorted))
    return [data[a:b] for a, b in zip([0, *ends], [*ends, len(data)], strict=True)]


@given(st.data(), st.lists(st.binary(min_size=1, max_size=40), max_size=5))
def test_pieces_change_nothing(data: st.DataObject, chunks: list[bytes]) -> None:
    content = b"".join(chunks)
    for framing, sent in ((Length(len(content)), content), (Chunked(), chunked(chunks))):
        body = incoming(framing)
        for piece in data.draw(cut(sent + NEXT)):
            if body.whole:
                body_rest = body.rest + piece
                framing.rest = body_rest
            elif piece:
                body.feed(piece)
        assert body.whole
        assert body.take() == content
        assert body.rest == NEXT


@given(st.data(), st.binary(max_size=60))
def test_any_bytes_are_chunks_or_refused(data: st.DataObject, sent: bytes) -> None:
    def outcome(pieces: list[bytes]) -> object:
        body = incoming(Chunked())
        try:
            for piece in pieces:
                if not body.whole:
                    body.feed(piece)
        except InvalidRequest:
            return "refused"
        return body.take() if body.whole else "more"

    assert outcome(data.draw(cut(sent))) == outcome([sent])


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n",
        b"-1\r\n",
        b"0x1\r\na\r\n",
        b"+1\r\na\r\n",
        b" 1\r\na\r\n",
        b"1\na\r\n",
        b"1\r\nab\r\n",
        b"1\r\na\n0\r\n\r\n",
        b"1;\x00\r\na\r\n",
        b"1" * 5000,
        b"0\r\n" + b"X: y\r\n" * 3000,
        b"0\r\nX: y\n\r\n",
    ],
    ids=lambda sent: repr(sent[:20]),
)
def test_what_is_framed_wrongly_is_refused(sent: bytes) -> None:
    with pytest.raises(InvalidRequest):
        incoming(Chunked()).feed(sent)


def test_extensions_and_trailers_are_dropped() -> None:
    body = incoming(Chunked())
    body.feed(b'1;a=b; c="d"\r\nx\r\n0\r\nTrailer: y\r\n\r\n' + NEXT)
    assert (body.take(), body.rest) == (b"x", NEXT)


def test_a_body_that_grows_too_large_is_refused() -> None:
    body = incoming(Chunked())
    body.feed(b"%x\r\n" % (MAX_BODY_BYTES + 1) + bytes(MAX_BODY_BYTES))
    with pytest.raises(BodyTooLarge):
        body.feed(b"x")


def test_bodies_count_what_has_arrived_until_they_are_dropped() -> None:
    budget = BodyBudget(10 * SMALL_BYTES)
    first, second = (incoming(Length(8 * SMALL_BYTES), budget) for _ in range(2))
    assert first.count()
    first.feed(bytes(8 * SMALL_BYTES))
    second.feed(bytes(3 * SMALL_BYTES))
    assert first.count()
    assert not second.count()
    first.take()
    assert not second.count(), "its bytes are in use"
    first.drop()
    assert second.count()


def test_large_bodies_leave_room_for_small_ones() -> None:
    budget = BodyBudget(8 * SMALL_BYTES)
    assert Share(budget).grow_to(8 * SMALL_BYTES)
    assert not Share(budget).grow_to(SMALL_BYTES + 1)
    assert Share(budget).grow_to(SMALL_BYTES)
    assert not Share(budget).grow_to(1), "the room for small ones has an end too"


def test_a_body_that_failed_says_why_and_one_that_was_not_read_is_busy() -> None:
    failed = incoming(Length(5))
    failed.fail(BodyTimeout())
    with pytest.raises(BodyTimeout):
        failed.take()
    with pytest.raises(Busy):
        incoming(Length(5)).take()
