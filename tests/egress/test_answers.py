"""Answers of sites, read as Chromium reads them; what is written is read again strictly."""

import h11
import pytest

from farm.egress.answers import (
    NOT_HTTP,
    PROXY_AUTHENTICATION,
    TOO_MANY_CODINGS,
    TOO_MANY_INFORMATIONAL,
    Answer,
    BadAnswer,
)
from tests.egress.raw_answers import ANSWERS, HTML, Case

TAKEN = {name: case for name, case in ANSWERS.items() if case.body is not None}
REFUSED = {name: case for name, case in ANSWERS.items() if case.body is None}
PORT = 8080
#: A site may be sent another request after these only.
REUSABLE = {"as the standard has it", "chunked", "CHUNKED", "100", "103 with a length"}
REUSABLE |= {"a value in UTF-8", "control characters in a value", "a reason in UTF-8"}
REUSABLE |= {"as large a head as may be", "zeros before a size"}


def written_for(answer: Answer, raw: bytes, piece_bytes: int) -> bytes:
    """What the browser is sent for an answer that comes in such pieces."""
    written = b""
    for start in range(0, len(raw), piece_bytes):
        written += answer.feed(raw[start : start + piece_bytes])
        if answer.done:
            return written
    return written + answer.feed(b"")


def read(written: bytes, method: str = "GET") -> tuple[h11.Response, bytes, bool]:
    """Head, body, and whether the body was whole, as the standard has it."""
    browser = h11.Connection(h11.CLIENT, 300_000)
    browser.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    browser.send(h11.EndOfMessage())
    browser.receive_data(written)
    head = browser.next_event()
    assert isinstance(head, h11.Response)
    body = b""
    while isinstance(event := browser.next_event(), h11.Data):
        body += event.data
    return head, body, isinstance(event, h11.EndOfMessage)


def pieces_of(case: Case) -> list[int]:
    """Whole, by the byte, and in between."""
    return [len(case.raw) or 1, 1, 7] if len(case.raw) < 10_000 else [32_768]


#: Of HTTP that this h11 does not write: they are Chromium's own to read.
UNREADABLE = {"a status of two digits", "a status of four digits", "half a status line"}
UNREADABLE |= {"control characters in a value"}


@pytest.mark.parametrize("name", sorted(TAKEN.keys() - UNREADABLE))
def test_the_written_answer_is_strict_http_with_the_content_that_chromium_reads(name: str) -> None:
    case = TAKEN[name]
    for piece_bytes in pieces_of(case):
        answer = Answer(b"GET", PORT)
        head, body, whole = read(written_for(answer, case.raw, piece_bytes))
        assert body == case.body
        assert whole != case.is_cut
        assert answer.done
        says_so = (b"connection", b"close") in list(head.headers)
        assert not (says_so and answer.reusable)


@pytest.mark.parametrize("name", sorted(TAKEN))
def test_an_answer_with_ambiguous_framing_ends_with_its_connections(name: str) -> None:
    answer = Answer(b"GET", PORT)
    written_for(answer, TAKEN[name].raw, len(TAKEN[name].raw))
    assert answer.reusable == (name in REUSABLE)


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_chromium_refuses_is_refused_in_words(name: str) -> None:
    case = REFUSED[name]
    for piece_bytes in pieces_of(case):
        with pytest.raises(BadAnswer, match=case.reason):
            written_for(Answer(b"GET", PORT), case.raw, piece_bytes)


def test_bytes_that_cannot_be_http_are_refused_at_once() -> None:
    for raw in [b"SSH-2.0-OpenSSH\r\n", b"a" * 8]:
        with pytest.raises(BadAnswer, match=NOT_HTTP):
            Answer(b"GET", PORT).feed(raw)
    with pytest.raises(BadAnswer, match="too large"):
        Answer(b"GET", PORT).feed(b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 50_000)


def test_a_connection_that_closes_without_an_answer_raises_eof() -> None:
    with pytest.raises(EOFError):
        Answer(b"GET", PORT).feed(b"")


def test_bytes_without_a_head_are_a_page_from_port_80() -> None:
    """HTTP/0.9, as Chromium takes it."""
    _, body, whole = read(written_for(Answer(b"GET", 80), HTML, 9))
    assert (body, whole) == (HTML, True)


def test_headers_are_passed_on_as_they_are() -> None:
    raw = (
        "HTTP/1.1 200 OK\r\nX-Own: ä  b\r\nSet-Cookie: a=1\r\nset-cookie: b=2\r\n"
        "X-Fold: a\r\n\t b\r\nConnection: close, X-Own\r\nKeep-Alive: x\r\n"
        "Upgrade: h2c\r\nContent-Length: 2\r\n\r\nok"
    ).encode()
    written = Answer(b"GET", PORT).feed(raw)
    head = written.partition(b"\r\n\r\n")[0].split(b"\r\n")[1:]
    assert head == [
        "X-Own: ä  b".encode(),
        b"Set-Cookie: a=1",
        b"set-cookie: b=2",
        b"X-Fold: a b",
        b"Content-Length: 2",
        b"Connection: close",
    ]


@pytest.mark.parametrize(("method", "status"), [("HEAD", b"200"), ("GET", b"304")])
def test_an_answer_without_a_body_ends_with_its_head(method: str, status: bytes) -> None:
    head = b"HTTP/1.1 " + status + b" X\r\nContent-Length: 5\r\n\r\n"
    answer = Answer(method.encode(), PORT)
    _, body, whole = read(answer.feed(head), method)
    assert (body, whole, answer.done, answer.reusable) == (b"", True, True, True)
    stray = Answer(method.encode(), PORT)
    assert stray.feed(head + b"stray") == Answer(method.encode(), PORT).feed(head)
    assert not stray.reusable


@pytest.mark.parametrize("status", [b"204", b"205"])
def test_an_answer_that_must_have_no_content_has_none(status: bytes) -> None:
    answer = Answer(b"GET", PORT)
    raw = b"HTTP/1.1 " + status + b" X\r\nContent-Length: 5\r\n\r\nhello"
    _, body, whole = read(answer.feed(raw))
    assert (body, whole, answer.reusable) == (b"", True, False)


def test_chunks_of_one_read_become_one() -> None:
    answer = Answer(b"GET", PORT)
    answer.feed(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    assert answer.feed(b"1\r\na\r\n" * 1000) == b"3e8\r\n" + b"a" * 1000 + b"\r\n"


def test_a_few_informational_answers_are_skipped() -> None:
    answer = Answer(b"GET", PORT)
    for _ in range(20):
        assert answer.feed(b"HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n") == b""
    with pytest.raises(BadAnswer, match=TOO_MANY_INFORMATIONAL):
        answer.feed(b"HTTP/1.1 103 Early Hints\r\n\r\n")


@pytest.mark.parametrize(
    "headers",
    [b"Content-Encoding: " + b"gzip, " * 5 + b"br\r\n", b"content-encoding: gzip\r\n" * 11],
)
def test_an_answer_that_is_encoded_so_often_that_it_ends_browsers_is_refused(
    headers: bytes,
) -> None:
    with pytest.raises(BadAnswer, match=TOO_MANY_CODINGS):
        Answer(b"GET", PORT).feed(b"HTTP/1.1 200 OK\r\n" + headers + b"\r\n")


def test_an_answer_may_be_encoded_more_than_once() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip, br\r\nContent-Length: 0\r\n\r\n"
    assert b"gzip, br" in Answer(b"GET", PORT).feed(head)


def test_a_407_of_a_site_is_refused() -> None:
    with pytest.raises(BadAnswer, match=PROXY_AUTHENTICATION):
        Answer(b"GET", PORT).feed(b"HTTP/1.1 407 X\r\nProxy-Authenticate: Basic\r\n\r\n")
